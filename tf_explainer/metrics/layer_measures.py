"""All measures of one layer's filters, each filter on the images of its category.

With several categories, every measure is first computed separately on each category's images. A filter
belongs to the category in which its mean location instability is lowest (ICNN, 5.2.2), and its other measures
are those of this category.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics import part_interpretability, tracking
from tf_explainer.metrics.location_instability import location_instability
from tf_explainer.metrics.part_interpretability import Regions
from tf_explainer.metrics.peaks import Peaks

NO_CATEGORY = -1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """Labels and landmarks of the N images of the categories (without images of the negative class).

    Attributes:
        categories: names of the categories, by label.
        landmark_names: names of the K landmarks.
        labels: `[N]` int, index into `categories`.
        landmarks: `[N, K, 4]`: y, x, height, width in units of the crop, NaN where not annotated.
        held_out: `[N]` bool, whether the image was held out from training.
    """

    categories: tuple[str, ...]
    landmark_names: tuple[str, ...]
    labels: np.ndarray
    landmarks: np.ndarray
    held_out: np.ndarray

    @property
    def annotated_categories(self) -> tuple[str, ...]:
        """The categories with at least one annotated image."""
        annotated = ~np.isnan(self.landmarks[..., 0]).all(axis=1)
        if not self.landmarks.shape[1]:
            return ()
        return tuple(
            name for label, name in enumerate(self.categories) if annotated[self.labels == label].any()
        )

    def select(self, images: np.ndarray) -> Annotations:
        """Returns the annotations of some images; `images` is a mask `[N]` or indices, which may repeat."""
        return dataclasses.replace(
            self, labels=self.labels[images], landmarks=self.landmarks[images], held_out=self.held_out[images]
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterMeasures:
    """Measures per filter and landmark, `[F, K]` float64, NaN where undefined.

    Attributes:
        instability: location instability D_fk over the strongest images.
        ratio: tracking ratio R_fk over the strongest images.
        ratio_all_images: R_fk over all images on which the filter responds.
        ratio_held_out: R_fk over the stronger half of the held-out images on which the filter responds.
        association: P_fk, share of the images on which the filter's region covers the part.
    """

    instability: np.ndarray
    ratio: np.ndarray
    ratio_all_images: np.ndarray
    ratio_held_out: np.ndarray
    association: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerMeasures:
    """The measures of one layer.

    Attributes:
        peaks: peaks of the F filters on the N images.
        places: `[N, F, 2]` float64: positions of the peaks.
        category: `[F]` int: index into the categories; `NO_CATEGORY` for filters whose instability is
            undefined in every category, because they respond to fewer than two annotated images.
        measures: each filter's measures on its category's images.
        regions: the units above the filters' thresholds.
        associated: `[N, F, K]` bool: whether the filter's region covers the part on the image.
    """

    peaks: Peaks
    places: np.ndarray
    category: np.ndarray
    measures: FilterMeasures
    regions: Regions
    associated: np.ndarray

    @property
    def tracks(self) -> np.ndarray:
        """`[F]` bool: filters that track a landmark."""
        return tracking.lowest(self.measures.ratio) < tracking.TRACKS_BELOW

    @property
    def rare(self) -> np.ndarray:
        """`[F]` bool: live filters that respond to fewer than two annotated images."""
        return (self.category == NO_CATEGORY) & ~self.peaks.dead


def measure_layer(
    peaks: Peaks, regions: Regions, annotations: Annotations, grid: UnitGrid, top_images: int
) -> LayerMeasures:
    """Measures all filters of a layer.

    Args:
        peaks: peaks on the annotated images, in their order.
        regions: units above the thresholds, on the same images.
        annotations: categories and landmarks.
        grid: positions of the layer's units in the crop.
        top_images: number of strongest images to use per filter and landmark (ICNN: 100).
    """
    boxes = annotations.landmarks.astype(np.float64)
    associated = part_interpretability.associated(regions, boxes, grid)
    return _measure(peaks, regions, grid.centres(peaks.units), associated, annotations, top_images)


def resample(
    layer: LayerMeasures, annotations: Annotations, images: np.ndarray, top_images: int
) -> LayerMeasures:
    """Measures a layer again on some of its images.

    Args:
        layer: measures on all images; the regions are not recomputed.
        annotations: annotations of all images.
        images: `[N]` int, indices of the images, which may repeat.
        top_images: number of strongest images to use per filter and landmark.
    """
    return _measure(
        layer.peaks.select(images),
        layer.regions,
        layer.places[images],
        layer.associated[images],
        annotations.select(images),
        top_images,
    )


def permute(
    layer: LayerMeasures, annotations: Annotations, images: np.ndarray, top_images: int
) -> LayerMeasures:
    """Measures the responses to some images against the landmarks of others.

    Args:
        layer: measures on all images.
        annotations: annotations of the images whose landmarks are used.
        images: `[N]`, for each of these, the index of the image whose responses are used.
        top_images: number of strongest images to use per filter and landmark.

    Returns:
        The measures of positions; regions are not compared again and count as covering no part.
    """
    return _measure(
        layer.peaks.select(images),
        layer.regions,
        layer.places[images],
        np.zeros((len(images), *layer.associated.shape[1:]), bool),
        annotations,
        top_images,
    )


def _measure(
    peaks: Peaks,
    regions: Regions,
    places: np.ndarray,
    associated: np.ndarray,
    annotations: Annotations,
    top_images: int,
) -> LayerMeasures:
    boxes = annotations.landmarks.astype(np.float64)
    by_category = []
    for label in range(len(annotations.categories)):
        images = annotations.labels == label
        measures = _measure_category(peaks.select(images), places[images], annotations, images, top_images)
        association = part_interpretability.part_association(associated[images], boxes[images])
        by_category.append(measures | {"association": association})
    category = _category([measures["instability"] for measures in by_category])
    of_filters = {
        name: np.stack([measures[name] for measures in by_category])[category, np.arange(len(category))]
        for name in by_category[0]
    }
    for values in of_filters.values():
        values[category == NO_CATEGORY] = np.nan
    return LayerMeasures(
        peaks=peaks,
        places=places,
        category=category,
        measures=FilterMeasures(**of_filters),
        regions=regions,
        associated=associated,
    )


def _measure_category(
    peaks: Peaks, places: np.ndarray, annotations: Annotations, images: np.ndarray, top_images: int
) -> dict[str, np.ndarray]:
    """Measures peaks on one category's images; returns `[F, K]` arrays by field of `FilterMeasures`."""
    held_out = annotations.held_out[images]
    shape = peaks.values.shape[1], len(annotations.landmark_names)
    names = ("instability", "ratio", "ratio_all_images", "ratio_held_out")
    measures = {name: np.zeros(shape) for name in names}
    for k in range(len(annotations.landmark_names)):
        landmark = annotations.landmarks[images, k, :2].astype(np.float64)
        annotated = ~np.isnan(landmark[:, 0])
        here, at, landmark = peaks.select(annotated), places[annotated], landmark[annotated]
        strongest = here.strongest(top_images)
        measures["instability"][:, k] = location_instability(at, landmark, strongest)
        measures["ratio"][:, k] = tracking.tracking_ratio(at, landmark, strongest)
        measures["ratio_all_images"][:, k] = tracking.tracking_ratio(at, landmark, here.live)
        unseen = held_out[annotated]
        stronger_half = here.select(unseen).strongest((here.live[unseen].sum(axis=0) + 1) // 2)
        measures["ratio_held_out"][:, k] = tracking.tracking_ratio(
            at[unseen], landmark[unseen], stronger_half
        )
    return measures


def _category(instability: list[np.ndarray]) -> np.ndarray:
    """Returns each filter's category: the one with the lowest mean instability over landmarks."""
    means = np.stack([mean_over_landmarks(values) for values in instability], axis=1)
    defined = ~np.isnan(means).all(axis=1)
    return np.where(defined, np.where(np.isnan(means), np.inf, means).argmin(axis=1), NO_CATEGORY)


def mean_over_landmarks(values: np.ndarray) -> np.ndarray:
    """Averages over the landmarks for which a value is defined.

    Args:
        values: `[F, K]` or `[N, K, 2]`, NaN where undefined.

    Returns:
        `[F]` or `[N, 2]`; NaN if undefined for all landmarks.
    """
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    return np.where(count > 0, np.where(defined, values, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
