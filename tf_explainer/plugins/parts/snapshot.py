"""What the Parts plugin shows of a network at one step: images, and layers with their responses to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.plugins.parts import metadata


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """N images and what is known about them.

    Attributes:
        crops: `[N, S, S, 3]` uint8, as the network sees them.
        ids: N names.
        classes: names of the classes.
        labels: `[N]` int, the true class, -1 where it is not known.
        predicted: `[N]` int, the network's class, -1 where it is not known.
        held_out: `[N]` bool, images that training never saw.
        landmark_names: K names.
        landmarks: `[N, K, 2]`: y, x in units of the crop, NaN where not annotated.
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
        """Describes images of which only some things are known, or only the pixels."""
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
        label: for people.
        unit: `""` for pure numbers.
        help: one sentence on what it says, and which values are good.
        values: `[F]`, NaN where undefined.
        kind: a `number`; or an index of a `class`, a `filter` (of the layer `of`), a `group`.
        of: the layer that `filter` indices point into.
        names: what groups are called, where they have names.
        groups: of these groups, as plain values: `name`, the short one; `in_class`, its name by class, where
            that is another; `followed`, by class a `landmark`, and on what shares of its images the group and
            chance find it; `evidence`, where it was measured: `distance`, `concentration` and `pairs` of
            `metrics.evidence.EvidenceSummary`.
    """

    key: str
    label: str
    unit: str
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
    """One layer's responses.

    Attributes:
        name: of the layer.
        title: for people.
        grid: where its units look.
        maps: `[F, N, L, L]` uint8, in 1/255 of the scales.
        scales: `[F]` float32, each filter's highest activation, in the network's own unit.
        figures: of its filters.
        part_maps: `[P, N, L, L]` uint8, of the groups in the figure `group`, in 1/255 of each one's highest
            value; None: the averages of their filters' maps.
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
        images: those that all layers responded to.
        layers: the first is the one that is shown first.
        notes: figures of the whole network, by label, as text.
    """

    images: Images
    layers: Sequence[Layer]
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def index(self, pictures_step: int) -> dict[str, Any]:
        """Returns what the front end reads first, as plain values.

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
