"""Writes snapshots of any size to measure the tabs: filters that follow parts, and scores from their sums."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_explainer.explanation.attribution import Attribution
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.plugins.images.summary import ClassScores, ImageScores
from tf_explainer.plugins.parts import summary
from tf_explainer.plugins.parts.snapshot import Images, Layer, Snapshot
from tf_explainer.plugins.run_writer import RunWriter

_SIDE, _PARTS, _CLASSES = 14, 20, 10
_GRID = UnitGrid(side=_SIDE, first=0.5 / _SIDE, spacing=1 / _SIDE, extent=0.3)
_WRONG = 20  # one image in so many is taken for another class


def write_example(directory: str, images: int = 300, filters: int = 512) -> str:
    """Writes a snapshot with explained images, and returns the directory."""
    draw = np.random.default_rng(0)
    layer = _named(summary.of_maps("parts", "parts", _maps(draw, images, filters), _GRID))
    labels = np.arange(images) % _CLASSES
    crops = draw.integers(0, 256, (images, _SIDE, _SIDE, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    named = np.where(np.arange(images) % _WRONG == 0, (labels + 1) % _CLASSES, labels)
    classes = [f"class {k}" for k in range(_CLASSES)]
    known = {"classes": classes, "labels": labels, "predicted": named}
    snapshot = Snapshot(images=Images.of(crops, **known), layers=[layer], notes={"explainer": "example"})
    RunWriter(directory, replace=False).write(snapshot, 0, _scores(draw, named, filters, classes))
    return directory


def _maps(draw: np.random.Generator, images: int, filters: int) -> np.ndarray:
    """Returns maps `[N, L, L, F]` float16: a blob at the place of the filter's part, and some noise."""
    places = draw.integers(0, _SIDE, (images, _PARTS, 2))
    axis = np.arange(_SIDE)
    near = np.exp(-((axis[None, None, :, None] - places[:, :, None]) ** 2) / 4.0)
    blobs = np.einsum("npy,npx->nyxp", near[..., 0], near[..., 1]).astype(np.float16)
    maps = np.empty((images, _SIDE, _SIDE, filters), np.float16)
    for f in range(filters):
        noise = draw.random((images, _SIDE, _SIDE), np.float32) < 0.05
        maps[..., f] = blobs[..., f % _PARTS] * (1 + f / filters) + 0.2 * noise
    return maps


def _named(layer: Layer) -> Layer:
    """Gives the parts landmarks."""
    groups = [
        {
            "name": f"landmark {k}",
            "in_class": {},
            "followed": {"class 0": {"landmark": f"landmark {k}", "found": 0.9, "chance": 0.2}},
            "evidence": {"distance": 1.5, "concentration": 5.0, "pairs": 6},
        }
        for k in range(_PARTS)
    ]
    names = [f"{group['name']}, 90 % of images against 20 % by chance" for group in groups]
    return dataclasses.replace(
        layer,
        figures=[
            dataclasses.replace(figure, groups=groups, names=names) if figure.kind == "group" else figure
            for figure in layer.figures
        ],
    )


def _scores(draw: np.random.Generator, named: np.ndarray, filters: int, classes: list[str]) -> ImageScores:
    ranked = [(named + rank) % _CLASSES for rank in (0, _CLASSES - 1, 2)]
    return ImageScores(
        layer="parts",
        names=classes,
        ranked=[
            ClassScores(classes=labels, attribution=_attribution(draw, len(named), filters))
            for labels in ranked
        ],
        explainer_scores=np.eye(_CLASSES)[named],
        performer_scores=0.9 * np.eye(_CLASSES)[named] + 0.01,
        method="integrated gradients in 17 steps, from the average image",
        lost=draw.normal(size=(len(named), len(ranked), _PARTS + 1)),
    )


def _attribution(draw: np.random.Generator, images: int, filters: int) -> Attribution:
    parts, maps = draw.normal(size=(images, filters)) / 10, draw.normal(size=(2, images, _SIDE, _SIDE))
    ordinary, baseline = draw.normal(size=images), np.ones(images)
    return Attribution(
        scores=parts.sum(axis=1) + ordinary + baseline,
        baseline=baseline,
        parts=parts,
        ordinary=ordinary,
        interpretable_maps=maps[0],
        ordinary_maps=maps[1],
    )
