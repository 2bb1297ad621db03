"""The measurements behind the figures of docs/performance.md and docs/results.md."""

from tf_explainer.command_line.terminal import silence_libraries

silence_libraries()
