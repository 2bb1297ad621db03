"""Snapshots of one run directory: the same images at rising steps, whose pictures are written once."""

from __future__ import annotations

import tensorflow as tf

from tf_explainer.plugins.images import summary as image_summary
from tf_explainer.plugins.images.summary import ImageScores
from tf_explainer.plugins.parts import summary
from tf_explainer.plugins.parts.snapshot import Snapshot


class RunWriter:
    """Writes snapshots that show the same images.

    Args:
        directory: of the event files; nobody else may write there.
        anew: whether what is there is removed first.
    """

    def __init__(self, directory: str, *, anew: bool) -> None:
        self._directory = directory
        self._pictures_step: int | None = None
        if anew and tf.io.gfile.exists(directory):
            tf.io.gfile.rmtree(directory)

    def write(self, snapshot: Snapshot, step: int, scores: ImageScores | None = None) -> None:
        """Writes one, in an event file of its own.

        Args:
            snapshot: of the images of the first one.
            step: higher than the last one's.
            scores: what decides the images, for the Explained images plugin.
        """
        with tf.summary.create_file_writer(self._directory).as_default():
            summary.write(snapshot, step, pictures_step=self._pictures_step)
            if scores is not None:
                image_summary.write(scores, step)
        if self._pictures_step is None:
            self._pictures_step = step
