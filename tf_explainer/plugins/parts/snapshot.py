"""What the Parts plugin shows of a network at one step: images, and the responses of layers to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.plugins.parts import metadata


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """N images with their annotations.

    Attributes:
        crops: `[N, S, S, 3]` uint8, as the network sees them.
        ids: N names.
        classes: names of the classes.
        labels: `[N]` int, the true class; -1: not known.
        predicted: `[N]` int, the class that the network names; -1: not known.
        held_out: `[N]` bool, whether training never saw the image.
        landmark_names: K names.
        landmarks: `[N, K, 2]`: y, x in units of the crop; NaN: not annotated.
    """

    crops: np.ndarray
    ids: Sequence[str]
    classes: Sequence[str]
    labels: np.ndarray
    predicted: np.ndarray
    held_out: np.ndarray
    landmark_names: Sequence[str]
    landmarks: np.ndarray

    @classmethod
    def of(cls, crops: np.ndarray, **known: Any) -> Images:
        """Creates images from crops and any known attributes; the others are filled with defaults."""
        count = len(crops)
        names = known.get("landmark_names", ())
        unknown = {
            "ids": [f"image {n}" for n in range(count)],
            "classes": (),
            "labels": np.full(count, -1),
            "predicted": np.full(count, -1),
            "held_out": np.zeros(count, bool),
            "landmark_names": (),
            "landmarks": np.full((count, len(names), 2), np.nan),
        }
        return cls(crops=crops, **unknown | known)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One number per filter.

    Attributes:
        key: short and unique in its layer.
        label: the displayed name.
        unit: `""` for pure numbers.
        help: a sentence on its meaning, and which values are good.
        values: `[F]`, NaN where undefined.
        kind: a `number`; or the index of a `class`, of a `filter` (of the layer `of`) or of a `group`.
        of: the layer of `filter` indices.
        names: titles of the groups, if they have any.
        groups: facts about the groups as plain values: `name`, the short name; `in_class`, other names by
            class; `followed`, by class a `landmark`, and the shares of images on which the group and chance
            find it; optionally `evidence`: `distance`, `concentration` and `pairs` of
            `metrics.evidence.EvidenceSummary`.
    """

    key: str
    label: str
    unit: str = ""
    help: str
    values: np.ndarray
    kind: Literal["number", "class", "filter", "group"] = "number"
    of: str = ""
    names: Sequence[str] = ()
    groups: Sequence[Mapping[str, Any]] = ()

    def description(self) -> dict[str, Any]:
        """Returns everything but the values."""
        named = {name: list(getattr(self, name)) for name in ("names", "groups") if getattr(self, name)}
        return {name: getattr(self, name) for name in ("key", "label", "unit", "help", "kind", "of")} | named


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """The responses of one layer.

    Attributes:
        name: of the layer.
        title: the displayed name.
        grid: where the units lie in the image.
        maps: `[F, N, L, L]` uint8, in 1/255 of the scales.
        scales: `[F]` float32, the highest activation of each filter, in the network's unit.
        figures: of its filters.
        part_maps: `[P, N, L, L]` uint8, of the groups in the figure `group`, each in 1/255 of its highest
            value; None: the server averages the maps of their filters.
    """

    name: str
    title: str
    grid: UnitGrid
    maps: np.ndarray
    scales: np.ndarray
    figures: Sequence[Figure]
    part_maps: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Images and layers.

    Attributes:
        images: that all layers responded to.
        layers: in the order in which they are listed.
        notes: figures of the network as text, by label.
    """

    images: Images
    layers: Sequence[Layer]
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def index(self, pictures_step: int) -> dict[str, Any]:
        """Returns the index, which the front end reads first, as plain values.

        Args:
            pictures_step: the step at which crops and sprites of these images are written.
        """
        images = self.images
        return {
            "version": metadata.FORMAT_VERSION,
            "pictures_step": pictures_step,
            "notes": dict(self.notes),
            "thumbnail": [metadata.THUMBNAIL, metadata.SPRITE_COLUMNS, metadata.SPRITE_ROWS],
            "images": {
                "count": len(images.crops),
                "size": images.crops.shape[1],
                "ids": list(images.ids),
                "classes": list(images.classes),
                "labels": _integers(images.labels),
                "predicted": _integers(images.predicted),
                "held_out": _integers(images.held_out),
                "landmark_names": list(images.landmark_names),
                "landmarks": _numbers(images.landmarks),
            },
            "layers": [
                {
                    "name": layer.name,
                    "title": layer.title,
                    "filters": len(layer.scales),
                    "grid": dataclasses.asdict(layer.grid),
                    "figures": [figure.description() for figure in layer.figures],
                }
                for layer in self.layers
            ],
        }


def _integers(values: np.ndarray) -> list[int]:
    return [int(value) for value in values]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 4) for value in np.ravel(values)]
