"""Writes snapshots of the same images at rising steps into one run; the pictures are written only once."""

from __future__ import annotations

import tensorflow as tf

from tf_explainer.plugins.images import summary as image_summary
from tf_explainer.plugins.images.summary import ImageScores
from tf_explainer.plugins.parts import summary
from tf_explainer.plugins.parts.snapshot import Snapshot


class RunWriter:
    """Writes snapshots of the same images.

    Args:
        directory: of the event files; nothing else may write there.
        replace: whether to remove an existing directory first.
    """

    def __init__(self, directory: str, *, replace: bool) -> None:
        self._directory = directory
        self._pictures_step: int | None = None
        if replace and tf.io.gfile.exists(directory):
            tf.io.gfile.rmtree(directory)

    def write(self, snapshot: Snapshot, step: int, scores: ImageScores | None = None) -> None:
        """Writes a snapshot into its own event file.

        Args:
            snapshot: of the same images as the first snapshot.
            step: higher than that of the last snapshot.
            scores: for the Explained images plugin.
        """
        with tf.summary.create_file_writer(self._directory).as_default():
            summary.write(snapshot, step, pictures_step=self._pictures_step)
            if scores is not None:
                image_summary.write(scores, step)
        if self._pictures_step is None:
            self._pictures_step = step
