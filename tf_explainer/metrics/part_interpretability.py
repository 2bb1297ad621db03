"""Part interpretability: how often a filter's strongest region covers an annotated part (ICNN, 5.2.1).

This is how we read the papers' text, with landmark boxes instead of part masks:

  - The threshold `T_f` is the `(m + 1)`-th highest of a filter's activations over all units of all images,
  `m = floor(0.005 * units * images)`. At most m units are above it (`x > T_f`). Filters that respond at m
  units or fewer have `T_f = 0`. - "Scaled to the image": each of these units stands for the square that it
  effectively sees around the centre of its receptive field (`UnitGrid.extent`). A region is the union of
  these squares, clipped to the crop. The theoretical receptive field would be too large: that of VGG-16's
  `block5_conv3` covers most of the crop. Areas are exact, not counted in pixels. - A part is its landmark's
  box, clipped to the crop. Landmarks without an extent are ignored. - If a filter has no unit above the
  threshold on an image, the IoU is 0 there.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid

SHARE_ABOVE_THRESHOLD = 0.005
ASSOCIATED_ABOVE = 0.2
"""The IoU above which a filter and a part are associated on an image."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regions:
    """The units above their filter's threshold.

    Attributes:
        filters, images, units: `[M]` int: filter, image and unit (`row * side + column`) of each of the M
            units; ordered by filter.
        thresholds: `[F]` float32, T_f.
    """

    filters: np.ndarray
    images: np.ndarray
    units: np.ndarray
    thresholds: np.ndarray


class StrongestUnits:
    """Collects the strongest units of each filter, batch by batch; the result is exact.

    Args:
        images: largest number of images that will be added.
        units: number of units of a map, `L * L`.
        filters: number of filters of the layer.
    """

    def __init__(self, images: int, units: int, filters: int) -> None:
        self._units, self._images = units, 0
        self._capacity = _count_above(images * units) + 1
        self._values = np.zeros((filters, 0), np.float32)
        self._index = np.zeros((filters, 0), np.int64)

    def add(self, maps: np.ndarray) -> None:
        """Adds a batch.

        Args:
            maps: `[B, L, L, F]`, non-negative activations.
        """
        values = maps.reshape(-1, maps.shape[-1]).T
        index = np.arange(values.shape[1]) + self._images * self._units
        self._images += len(maps)
        self._values = np.concatenate([self._values, values.astype(np.float32)], axis=1)
        self._index = np.concatenate([self._index, np.broadcast_to(index, values.shape)], axis=1)
        if self._values.shape[1] > self._capacity:
            strongest = np.argpartition(-self._values, self._capacity - 1, axis=1)[:, : self._capacity]
            self._values = np.take_along_axis(self._values, strongest, axis=1)
            self._index = np.take_along_axis(self._index, strongest, axis=1)

    def regions(self) -> Regions:
        """Returns the units above the thresholds, over all maps added so far."""
        order = np.argsort(-self._values, axis=1, kind="stable")
        values = np.take_along_axis(self._values, order, axis=1)
        index = np.take_along_axis(self._index, order, axis=1)
        above = _count_above(self._images * self._units)
        thresholds = values[:, above] if self._images else np.zeros(len(values), np.float32)
        filters, column = np.nonzero(values > thresholds[:, None])
        images, units = np.divmod(index[filters, column], self._units)
        return Regions(filters=filters, images=images, units=units, thresholds=thresholds)


def _count_above(activations: int) -> int:
    # The small term compensates for products that rounding leaves just below an integer.
    return int(activations * SHARE_ABOVE_THRESHOLD + 1e-9)


def associated(regions: Regions, boxes: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Returns whether each filter's region covers each part, image by image.

    Args:
        regions: units above the thresholds, on N images.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.
        grid: positions of the units in the crop.

    Returns:
        `[N, F, K]` bool: IoU > 0.2.
    """
    covers = np.zeros((len(boxes), len(regions.thresholds), boxes.shape[1]), bool)
    starts = np.searchsorted(regions.filters, np.arange(len(regions.thresholds) + 1))
    for filter_index, (start, stop) in enumerate(itertools.pairwise(starts)):
        images, row = np.unique(regions.images[start:stop], return_inverse=True)
        above = np.zeros((len(images), grid.side**2), np.float32)
        above[row, regions.units[start:stop]] = 1
        maps = above.reshape(-1, grid.side, grid.side)
        overlaps = intersections_over_unions(maps, boxes[images], grid)
        covers[images, filter_index] = overlaps > ASSOCIATED_ABOVE
    return covers


def intersections_over_unions(units: np.ndarray, boxes: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Computes the IoU of regions and parts.

    The edges of all units' squares divide the crop into rectangles, each entirely inside or outside a region.

    Args:
        units: `[N, L, L]`, 1 where a unit is above the threshold, else 0.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.
        grid: positions of the units in the crop.

    Returns:
        `[N, K]` float64, in [0, 1]; 0 if the part is not annotated.
    """
    centres = grid.first + grid.spacing * np.arange(grid.side)
    edges = np.concatenate([centres - grid.extent / 2, centres + grid.extent / 2])
    cuts = np.unique(np.concatenate([np.clip(edges, 0, 1), (0, 1)]))
    sees = np.abs((cuts[:-1] + cuts[1:])[:, None] / 2 - centres) < grid.extent / 2
    covered = (sees.astype(np.float32) @ units @ sees.T.astype(np.float32) > 0).astype(np.float64)

    low = np.clip(boxes[..., :2] - boxes[..., 2:] / 2, 0, 1)
    high = np.clip(boxes[..., :2] + boxes[..., 2:] / 2, 0, 1)
    common = np.minimum(high[..., None], cuts[1:]) - np.maximum(low[..., None], cuts[:-1])
    common = np.maximum(np.nan_to_num(common), 0)
    intersection = np.einsum("nab,nka,nkb->nk", covered, common[:, :, 0], common[:, :, 1], optimize=True)
    region = np.einsum("nab,a,b->n", covered, np.diff(cuts), np.diff(cuts), optimize=True)
    union = region[:, None] + np.nan_to_num(np.prod(high - low, axis=-1)) - intersection
    return intersection / np.where(union > 0, union, 1)


def part_association(associated: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Computes `P_fk = mean over images with part k of [IoU > 0.2]`.

    Args:
        associated: `[N, F, K]` bool, from the function `associated`.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.

    Returns:
        `[F, K]` float64, in [0, 1]; NaN for parts that have an extent on no image.
    """
    present = np.prod(boxes[..., 2:], axis=-1) > 0
    images = present.sum(axis=0)
    counts = (associated & present[:, None]).sum(axis=0)
    return np.where(images > 0, counts / np.maximum(images, 1), np.nan)
