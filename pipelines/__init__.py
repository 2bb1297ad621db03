"""Apache Beam pipelines: images in, sharded features of a performer or lines of explanations out."""

from tf_explainer.command_line.terminal import silence_libraries_in_a_worker

silence_libraries_in_a_worker()
