"""Writes what decides images, for the Explained images plugin: of an explainer, or of any Keras classifier.

```python
from tf_explainer.plugins.images import summary as image_summary
from tf_explainer.plugins.parts import summary

with tf.summary.create_file_writer("logs/parts").as_default():
    summary.write(summary.of_model(model, ["block5_conv3"], images), step=0)
    image_summary.write(image_summary.of_model(model, "block5_conv3", images), step=0)
```
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_explainer.attribution import Attribution, attribute_layer
from tf_explainer.plugins.images import metadata
from tf_explainer.plugins.parts.quantised_maps import packed
from tf_explainer.plugins.summary_tags import write_blobs, write_tensor

_LEVELS = 127
_BATCH_SIZE = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageScores:
    """N images of a snapshot of the Parts plugin.

    Attributes:
        layer: of the snapshot, whose filters contribute.
        names: of the classes, or of the performer's outputs where these are others.
        classes: `[N]` int, whose scores are attributed.
        attribution: of these scores.
        explainer_scores: `[N, classes]`.
        performer_scores: `[N, classes]`, the performer's output.
    """

    layer: str
    names: Sequence[str]
    classes: np.ndarray
    attribution: Attribution
    explainer_scores: np.ndarray
    performer_scores: np.ndarray

    def index(self) -> dict[str, Any]:
        """Returns what the front end reads first, as plain values."""
        attribution = self.attribution
        return {
            "version": metadata.FORMAT_VERSION,
            "layer": self.layer,
            "names": list(self.names),
            "classes": [int(label) for label in self.classes],
            "scores": _rounded(attribution.scores),
            "parts": _rounded(attribution.parts.sum(axis=1)),
            "ordinary": _rounded(attribution.ordinary),
            "remainder": _rounded(attribution.remainder),
            "explainer_classes": [int(label) for label in self.explainer_scores.argmax(axis=1)],
            "performer_scores": _rounded(np.take_along_axis(self.performer_scores, self.classes[:, None], 1)),
            "scales": _rounded(self.scales),
        }

    @property
    def scales(self) -> np.ndarray:
        """The largest contribution of a place, of either track and sign, `[N]`; 1 where there is none."""
        maps = np.stack([self.attribution.interpretable_maps, self.attribution.ordinary_maps])
        largest = np.abs(maps).max(axis=(0, 2, 3))
        return np.where(largest > 0, largest, 1)


def of_model(model: keras.Model, layer: str, images: np.ndarray, names: Sequence[str] = ()) -> ImageScores:
    """Attributes the classes that a Keras classifier names to the filters of one of its layers.

    Args:
        model: a functional classifier of one square image input.
        layer: of a snapshot of the Parts plugin; the scores see nothing that does not pass through it.
        images: `[N, S, S, 3]` uint8, those of the snapshot.
        names: of the classes.
    """
    batches, log_odds = zip(
        *(
            attribute_layer(model, layer, images[first : first + _BATCH_SIZE].astype(np.float32))
            for first in range(0, len(images), _BATCH_SIZE)
        ),
        strict=True,
    )
    scores = np.concatenate(log_odds)
    return ImageScores(
        layer=layer,
        names=names or [f"output {k}" for k in range(scores.shape[1])],
        classes=scores.argmax(axis=1),
        attribution=Attribution.joined(list(batches)),
        explainer_scores=scores,
        performer_scores=1 / (1 + np.exp(-scores)),
    )


def write(scores: ImageScores, step: int) -> None:
    """Writes to the default summary writer, which has written the snapshot of the images at this step.

    Args:
        scores: of the images.
        step: the snapshot's.
    """
    attribution = scores.attribution
    tracks = [
        packed(np.rint(maps / scores.scales[:, None, None] * _LEVELS).astype(np.int8).tobytes())
        for maps in (attribution.interpretable_maps, attribution.ordinary_maps)
    ]
    write_blobs(metadata.PLUGIN_NAME, metadata.TRACKS, tracks, step)
    write_tensor(metadata.PLUGIN_NAME, metadata.CONTRIBUTIONS, attribution.parts.astype(np.float32), step)
    index = json.dumps(scores.index(), allow_nan=False)
    write_tensor(metadata.PLUGIN_NAME, metadata.INDEX, index, step)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.7g}") for value in np.ravel(values)]
