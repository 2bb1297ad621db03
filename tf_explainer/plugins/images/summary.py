"""Writes contributions for the Explained images plugin, of an explainer or of any Keras classifier.

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
from keras import ops

from tf_explainer.explanation import verdict
from tf_explainer.explanation.attribution import Attribution, LayerAttributor
from tf_explainer.performer.rebuilding import equivalence
from tf_explainer.plugins.images import metadata
from tf_explainer.plugins.parts import square_canvas
from tf_explainer.plugins.parts.quantised_maps import packed
from tf_explainer.plugins.summary_tags import write_blobs, write_tensor
from tf_explainer.scores import class_probabilities

_LEVELS = 127
_BATCH_SIZE = 16
# Each class adds about 0.7 MB to a snapshot of 300 images and 512 filters.
_MOST_CLASSES = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassScores:
    """The attribution of one class's score for each of N images.

    Attributes:
        classes: `[N]` int, whose scores are attributed.
        attribution: of these scores.
    """

    classes: np.ndarray
    attribution: Attribution

    def index(self, performer_scores: np.ndarray) -> dict[str, Any]:
        """Returns the fields of the index for this class of each image, as plain values.

        Args:
            performer_scores: `[N, classes]`.
        """
        attribution = self.attribution
        return {
            "classes": [int(label) for label in self.classes],
            "scores": _rounded(attribution.scores),
            "parts": _rounded(attribution.parts.sum(axis=1)),
            "ordinary": _rounded(attribution.ordinary),
            "baseline": _rounded(attribution.baseline),
            "gap": _rounded(attribution.gap),
            "verdicts": self.verdicts,
            "performer_scores": _rounded(np.take_along_axis(performer_scores, self.classes[:, None], 1)),
            "scales": _rounded(self.scales),
        }

    @property
    def verdicts(self) -> list[str]:
        """Whether the layer's filters explain the score, in words, for each image."""
        attribution = self.attribution
        columns = {
            "filters of the interpretable track": attribution.parts.sum(axis=1),
            verdict.ORDINARY: attribution.ordinary,
            verdict.BASELINE: attribution.baseline,
            verdict.GAP: attribution.gap,
        }
        return [
            verdict.verdict(float(score), {name: float(column[n]) for name, column in columns.items()})
            for n, score in enumerate(attribution.scores)
        ]

    @property
    def scales(self) -> np.ndarray:
        """The largest contribution of a place, of either track and sign, `[N]`; 1 if all are 0."""
        maps = np.stack([self.attribution.interpretable_maps, self.attribution.ordinary_maps])
        largest = np.abs(maps).max(axis=(0, 2, 3))
        return np.where(largest > 0, largest, 1)

    def tracks(self) -> list[bytes]:
        """Returns the quantised maps of the interpretable and the ordinary track, as GZIP streams."""
        maps = self.attribution.interpretable_maps, self.attribution.ordinary_maps
        shares = (track / self.scales[:, None, None] for track in maps)
        return [packed(np.rint(share * _LEVELS).astype(np.int8).tobytes()) for share in shares]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageScores:
    """The scores of N images of a snapshot of the Parts plugin.

    Attributes:
        layer: the layer of the snapshot whose filters contribute.
        names: of the performer's outputs.
        ranked: K classes per image: first the one that the performer names, then the next likely.
        explainer_scores: `[N, classes]`.
        performer_scores: `[N, classes]`, the performer's probabilities.
        method: how scores were shared out, in words.
        lost: `[N, K, P + 1]`, how much the scores drop without each part of the layer, and without the
            ordinary track; None if not measured.
    """

    layer: str
    names: Sequence[str]
    ranked: Sequence[ClassScores]
    explainer_scores: np.ndarray
    performer_scores: np.ndarray
    method: str
    lost: np.ndarray | None = None

    def index(self) -> dict[str, Any]:
        """Returns the index, which the front end reads first, as plain values."""
        first, *others = (scores.index(self.performer_scores) for scores in self.ranked)
        return {
            "version": metadata.FORMAT_VERSION,
            "layer": self.layer,
            "method": self.method,
            "names": list(self.names),
            **first,
            "others": others,
            "removed": 0 if self.lost is None else self.lost.shape[-1],
            "explainer_classes": [int(label) for label in self.explainer_scores.argmax(axis=1)],
        }


def likely_classes(scores: np.ndarray) -> np.ndarray:
    """Returns the classes to explain for each image.

    Args:
        scores: `[N, classes]`.

    Returns:
        `[N, K]` int, the likeliest first; K is at most 3.
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :_MOST_CLASSES]


def of_model(
    model: keras.Model, layer: str, images: np.ndarray, names: Sequence[str] = (), outputs: str = "auto"
) -> ImageScores:
    """Attributes the classes that a Keras classifier names to the filters of one of its layers.

    Args:
        model: a functional classifier with one image input.
        layer: of a snapshot of the Parts plugin; the scores must depend on it alone.
        images: `[N, H, W, 3]` uint8, the images of the snapshot.
        names: of the classes; two if the model has one output.
        outputs: what the model's outputs are, like the flag of that name; `auto`: derived from its last
            activation.

    Raises:
        UserError: the scores also depend on activations that bypass the layer, the kind of outputs cannot be
            derived, or the model cut at the layer gives other scores for the first images.
    """
    attributor = LayerAttributor(model, layer, outputs)
    batches = [
        images[first : first + _BATCH_SIZE].astype(np.float32) for first in range(0, len(images), _BATCH_SIZE)
    ]
    _check_same(model, attributor, batches[0], layer)
    scores = np.concatenate([attributor.log_odds(batch) for batch in batches])
    classes = likely_classes(scores)
    return ImageScores(
        layer=layer,
        names=names or [f"output {k}" for k in range(scores.shape[1])],
        ranked=[_class_scores(attributor, batches, of_rank) for of_rank in classes.T],
        explainer_scores=scores,
        performer_scores=ops.convert_to_numpy(ops.sigmoid(scores)),
        method=attributor.method,
    )


def _check_same(model: keras.Model, attributor: LayerAttributor, images: np.ndarray, layer: str) -> None:
    expected = class_probabilities(equivalence.scores(model, images), attributor.kind)
    equivalence.check_same_scores(
        ops.convert_to_numpy(expected),
        ops.convert_to_numpy(ops.sigmoid(attributor.log_odds(images))),
        model,
        f"the model that is cut at layer {layer!r}",
    )


def write(scores: ImageScores, step: int) -> None:
    """Writes to the default summary writer, which must also write the snapshot of the images at this step.

    Args:
        scores: of the images.
        step: of the snapshot.
    """
    tracks = [track for of_class in scores.ranked for track in of_class.tracks()]
    write_blobs(metadata.PLUGIN_NAME, metadata.TRACKS, tracks, step)
    parts = np.concatenate([of_class.attribution.parts for of_class in scores.ranked], axis=1)
    write_tensor(metadata.PLUGIN_NAME, metadata.CONTRIBUTIONS, parts.astype(np.float32), step)
    if scores.lost is not None:
        lost = scores.lost.reshape(len(scores.lost), -1).astype(np.float32)
        write_tensor(metadata.PLUGIN_NAME, metadata.LOST, lost, step)
    index = json.dumps(scores.index(), allow_nan=False)
    write_tensor(metadata.PLUGIN_NAME, metadata.INDEX, index, step)


def _class_scores(
    attributor: LayerAttributor, batches: Sequence[np.ndarray], classes: np.ndarray
) -> ClassScores:
    of_batches = np.split(classes, np.cumsum([len(batch) for batch in batches[:-1]]))
    attribution = Attribution.joined(
        [attributor.attribute(batch, labels) for batch, labels in zip(batches, of_batches, strict=True)]
    )
    height, width = batches[0].shape[1:3]
    maps = {
        name: square_canvas.maps(getattr(attribution, name)[..., None], height, width)[..., 0]
        for name in ("interpretable_maps", "ordinary_maps")
    }
    return ClassScores(classes=classes, attribution=dataclasses.replace(attribution, **maps))


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.7g}") for value in np.ravel(values)]
