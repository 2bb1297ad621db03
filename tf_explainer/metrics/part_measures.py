"""Measures parts against landmarks: PCK, tracking, NMI and ARI, independent parts, instability."""

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
    """How well the best of several candidates points to a landmark.

    Attributes:
        value: the measure, averaged over the categories; NaN if undefined.
        chosen: the best candidate of each category; -1 if there is none.
    """

    value: float
    chosen: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LandmarkMeasures:
    """The measures of one landmark.

    Attributes:
        pck: PCK@0.1 of the best part.
        pck_fixed_point: PCK@0.1 of the best fixed unit.
        pck_performer: PCK@0.1 of the performer's best filter.
        ratio: the lowest tracking ratio R of all parts.
        images: number of annotated images that PCK is measured on.
    """

    pck: Pointing
    pck_fixed_point: Pointing
    pck_performer: Pointing
    ratio: Pointing
    images: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartMeasures:
    """The measures of a layer's parts.

    Attributes:
        count: number of parts.
        landmarks: measures of each merged landmark, by name.
        names: agreement of the strongest part at each landmark with its name, before merging.
        names_by_cell: the same for the cells of a fixed grid.
        independent_parts: number of independently moving parts among those with R < 0.5.
        own_instability: location instability of each part against the landmark that suits it best.
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
    """Measures parts; with several categories, the best part is chosen in each category.

    Args:
        maps: `[N, L, L, P]`, from `explainer.part_maps`.
        performer: the peaks of the performer's own filters on the same images.
        annotations: annotations of these images.
        grid: positions of the units in the crop.
        top_images: number of strongest images per part and landmark, for tracking ratio and instability.
    """
    peaks = Peaks.of(maps)
    places = grid.centres(peaks.units)
    merged = merge_landmarks(annotations.landmark_names, annotations.landmarks[..., :2])
    categories = [annotations.labels == label for label in range(len(annotations.categories))]
    every_unit = grid.centres(np.arange(grid.side**2))[None]
    everywhere = np.ones(every_unit.shape[:2], bool)
    of_performer = grid.centres(performer.units)
    ratios = np.zeros((len(categories), maps.shape[-1], len(merged.names)))
    measures = {}
    for k, name in enumerate(merged.names):
        landmark = merged.places[:, k]
        for label, images in enumerate(categories):
            ratios[label, :, k] = _ratios(peaks.select(images), places[images], landmark[images], top_images)
        part, number = _pck(places, peaks.live, landmark, categories)
        measures[name] = LandmarkMeasures(
            pck=part,
            pck_fixed_point=_pck(every_unit, everywhere, landmark, categories)[0],
            pck_performer=_pck(of_performer, performer.live, landmark, categories)[0],
            ratio=_lowest(ratios[:, :, k]),
            images=number,
        )
    landmarks = annotations.landmarks[..., :2].astype(np.float64)
    return PartMeasures(
        count=maps.shape[-1],
        landmarks=measures,
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


def _pck(
    places: np.ndarray, live: np.ndarray, landmark: np.ndarray, categories: Sequence[np.ndarray]
) -> tuple[Pointing, int]:
    """Returns the PCK over the images of all categories, and the number of these images."""
    near, annotated = pck.is_near(places, live, landmark), ~np.isnan(landmark[:, 0])
    best = [pck.best_pointer(near[images], annotated[images]) for images in categories]
    measured = [pointer for pointer in best if not np.isnan(pointer.pck)]
    number = sum(pointer.images for pointer in measured)
    value = sum(pointer.pck * pointer.images for pointer in measured) / number if number else np.nan
    return Pointing(value=value, chosen=tuple(pointer.chosen for pointer in best)), number


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
    """Averages over categories, weighted by their numbers of images; NaN if nothing could be measured."""
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
    measured = [(each.parts, each.fixed_centre) for each in found if not np.isnan(each.parts)]
    parts, fixed_centre = np.mean(measured or [(np.nan, np.nan)], axis=0)
    return OwnInstability(parts=float(parts), fixed_centre=float(fixed_centre))
