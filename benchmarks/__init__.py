"""What is measured, and how: the figures of docs/performance.md."""

from tf_explainer.command_line.terminal import silence_libraries

silence_libraries()
