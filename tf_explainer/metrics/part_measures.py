"""The yardsticks of parts against landmarks: PCK, tracking, NMI and ARI, independent parts, instability."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics import landmark_clustering, pck, tracking
from tf_explainer.metrics.diversity import independent_parts
from tf_explainer.metrics.landmark_clustering import Clustering
from tf_explainer.metrics.layer_measures import Annotations
from tf_explainer.metrics.location_instability import OwnInstability, own_instability
from tf_explainer.metrics.merged_landmarks import merge_landmarks
from tf_explainer.metrics.peaks import Peaks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pointing:
    """How well the best of some candidates points to a landmark.

    Attributes:
        value: averaged over the categories; NaN where undefined.
        chosen: the candidate of each category; -1 where there is none.
    """

    value: float
    chosen: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LandmarkMeasures:
    """One landmark.

    Attributes:
        pck: PCK@0.1 of the best part.
        pck_fixed_point: of the best unit, whatever the image.
        pck_performer: of the performer's best filter.
        ratio: the lowest tracking ratio R of a part.
        images: annotated images that PCK is measured on.
    """

    pck: Pointing
    pck_fixed_point: Pointing
    pck_performer: Pointing
    ratio: Pointing
    images: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartMeasures:
    """A layer's parts.

    Attributes:
        count: how many parts there are.
        landmarks: by name, merged ones among them.
        names: of the landmarks, without merging them, by the strongest part.
        names_by_cell: by the cells of a fixed grid.
        independent_parts: how many of the parts with R < 0.5 move on their own.
        own_instability: location instability against the landmark that suits each part best.
    """

    count: int
    landmarks: dict[str, LandmarkMeasures]
    names: Clustering
    names_by_cell: Clustering
    independent_parts: float
    own_instability: OwnInstability


def measure_parts(
    maps: np.ndarray, performer: Peaks, annotations: Annotations, grid: UnitGrid, top_images: int
) -> PartMeasures:
    """Measures parts, with several categories each category's best one.

    Args:
        maps: `[N, L, L, P]`, of `explainer.part_maps`.
        performer: the peaks of the performer's own filters on the same images.
        annotations: of these images.
        grid: where the units look.
        top_images: images that a part and landmark keep for the tracking ratio.
    """
    peaks = Peaks.of(maps)
    places = grid.centres(peaks.units)
    merged = merge_landmarks(annotations.landmark_names, annotations.landmarks[..., :2])
    categories = [annotations.labels == label for label in range(len(annotations.categories))]
    every_unit = grid.centres(np.arange(grid.side**2))[None]
    ratios = np.zeros((len(categories), maps.shape[-1], len(merged.names)))
    measured = {}
    for k, name in enumerate(merged.names):
        landmark = merged.places[:, k]
        for label, images in enumerate(categories):
            ratios[label, :, k] = _ratios(peaks.select(images), places[images], landmark[images], top_images)
        everywhere = np.ones(every_unit.shape[:2], bool)
        near = [
            pck.is_near(*candidates, landmark)
            for candidates in (
                (places, peaks.live),
                (every_unit, everywhere),
                (grid.centres(performer.units), performer.live),
            )
        ]
        pointing = [_pck(each, ~np.isnan(landmark[:, 0]), categories) for each in near]
        measured[name] = LandmarkMeasures(
            pck=pointing[0][0],
            pck_fixed_point=pointing[1][0],
            pck_performer=pointing[2][0],
            ratio=_lowest(ratios[:, :, k]),
            images=pointing[0][1],
        )
    landmarks = annotations.landmarks[..., :2].astype(np.float64)
    return PartMeasures(
        count=maps.shape[-1],
        landmarks=measured,
        names=landmark_clustering.clustering(
            landmark_clustering.strongest_parts(maps, landmarks, grid), landmarks
        ),
        names_by_cell=landmark_clustering.clustering(landmark_clustering.grid_cells(landmarks), landmarks),
        independent_parts=_independent(places, peaks.live, ratios, categories),
        own_instability=_own_instability(
            [
                own_instability(peaks.select(images), places[images], merged.places[images], top_images)
                for images in categories
            ]
        ),
    )


def _ratios(peaks: Peaks, places: np.ndarray, landmark: np.ndarray, top_images: int) -> np.ndarray:
    """Returns R of every part on the strongest of the annotated images, `[P]`."""
    annotated = ~np.isnan(landmark[:, 0])
    kept = peaks.select(annotated).strongest(top_images)
    return tracking.tracking_ratio(places[annotated], landmark[annotated], kept)


def _pck(near: np.ndarray, annotated: np.ndarray, categories: Sequence[np.ndarray]) -> tuple[Pointing, int]:
    """Returns the PCK over the images of all categories, and how many they are."""
    best = [pck.best_pointer(near[images], annotated[images]) for images in categories]
    measured = [each for each in best if not np.isnan(each.pck)]
    images = sum(each.images for each in measured)
    value = sum(each.pck * each.images for each in measured) / images if images else np.nan
    return Pointing(value=value, chosen=tuple(each.chosen for each in best)), images


def _lowest(ratios: np.ndarray) -> Pointing:
    """Returns the mean over categories of the lowest ratio, from `[categories, P]`."""
    lowest = tracking.lowest(ratios)
    chosen = np.where(np.isnan(ratios), np.inf, ratios).argmin(axis=1) if ratios.size else lowest
    return Pointing(
        value=float(np.nanmean(lowest)) if not np.isnan(lowest).all() else np.nan,
        chosen=tuple(
            -1 if np.isnan(value) else int(part) for value, part in zip(lowest, chosen, strict=True)
        ),
    )


def _independent(
    places: np.ndarray, live: np.ndarray, ratios: np.ndarray, categories: Sequence[np.ndarray]
) -> float:
    """Averages over categories, each as often as it has images; NaN where nothing could be measured."""
    if np.isnan(ratios).all():
        return np.nan
    counts, weights = [], []
    for images, ratio in zip(categories, ratios, strict=True):
        tracks = tracking.lowest(ratio) < tracking.TRACKS_BELOW
        counts.append(independent_parts(places[images][:, tracks], live[images][:, tracks]))
        weights.append(images.sum())
    return float(np.average(counts, weights=weights))


def _own_instability(found: Sequence[OwnInstability]) -> OwnInstability:
    """Averages over the categories in which it could be measured."""
    measured = [each for each in found if not np.isnan(each.parts)]
    if not measured:
        return OwnInstability(parts=np.nan, fixed_centre=np.nan)
    return OwnInstability(
        parts=float(np.mean([each.parts for each in measured])),
        fixed_centre=float(np.mean([each.fixed_centre for each in measured])),
    )
