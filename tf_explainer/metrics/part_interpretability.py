"""Part interpretability: how often a filter's strongest region covers an annotated part (ICNN, 5.2.1).

The reading of the papers' text, with landmark boxes for part masks:

- The threshold `T_f` is the `(m + 1)`-th highest of a filter's activations over all units of all images,
  `m = floor(0.005 * units * images)`; the units above it are those with `x > T_f`, at most m. Filters that
  respond on fewer units than that have `T_f = 0`.
- "Scaled to the image" each of these units stands for the square around the centre of its receptive field
  that it effectively sees (`UnitGrid.extent`); a region is the union of its squares, clipped to the crop. The
  theoretical receptive field would say nothing: that of VGG-16's `block5_conv3` covers most of the crop.
  Areas are exact; nothing is drawn on a pixel raster.
- A part is where its box is, clipped to the crop. Landmarks without an extent take no part.
- An image on which the filter has no unit above the threshold counts as IoU 0.
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
        filters, images, units: `[M]` int: which filter, on which image, which unit (`row * side + column`);
            ordered by filter.
        thresholds: `[F]` float32, T_f.
    """

    filters: np.ndarray
    images: np.ndarray
    units: np.ndarray
    thresholds: np.ndarray


class StrongestUnits:
    """Keeps the strongest units of each filter while maps go by, exactly.

    Args:
        images: how many images there will be at most.
        units: units of a map, `L * L`.
        filters: filters of the layer.
    """

    def __init__(self, images: int, units: int, filters: int) -> None:
        self._units, self._images = units, 0
        self._capacity = _count_above(images * units) + 1
        self._values = np.zeros((filters, 0), np.float32)
        self._index = np.zeros((filters, 0), np.int64)

    def add(self, maps: np.ndarray) -> None:
        """Takes in a batch.

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
        """Returns the units above the thresholds, as if all maps seen so far had been held."""
        order = np.argsort(-self._values, axis=1, kind="stable")
        values = np.take_along_axis(self._values, order, axis=1)
        index = np.take_along_axis(self._index, order, axis=1)
        above = _count_above(self._images * self._units)
        thresholds = values[:, above] if self._images else np.zeros(len(values), np.float32)
        filters, column = np.nonzero(values > thresholds[:, None])
        images, units = np.divmod(index[filters, column], self._units)
        return Regions(filters=filters, images=images, units=units, thresholds=thresholds)


def _count_above(activations: int) -> int:
    # A product of floats may fall just short of a whole number.
    return int(activations * SHARE_ABOVE_THRESHOLD + 1e-9)


def associated(regions: Regions, boxes: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Compares each filter's regions with the parts, image by image.

    Args:
        regions: units above the thresholds, on N images.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.
        grid: where the units look.

    Returns:
        `[N, F, K]` bool: IoU > 0.2.
    """
    found = np.zeros((len(boxes), len(regions.thresholds), boxes.shape[1]), bool)
    starts = np.searchsorted(regions.filters, np.arange(len(regions.thresholds) + 1))
    for filter_index, (start, stop) in enumerate(itertools.pairwise(starts)):
        images, row = np.unique(regions.images[start:stop], return_inverse=True)
        above = np.zeros((len(images), grid.side**2), np.float32)
        above[row, regions.units[start:stop]] = 1
        maps = above.reshape(-1, grid.side, grid.side)
        overlaps = intersections_over_unions(maps, boxes[images], grid)
        found[images, filter_index] = overlaps > ASSOCIATED_ABOVE
    return found


def intersections_over_unions(units: np.ndarray, boxes: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Compares regions with parts.

    The edges of all units' squares cut the crop into a grid of rectangles, each of which lies wholly inside
    or outside a region.

    Args:
        units: `[N, L, L]`, 1 where a unit is above the threshold, else 0.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.
        grid: where the units look.

    Returns:
        `[N, K]` float64, in [0, 1]; 0 where the part is not annotated.
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
        associated: `[N, F, K]` bool, what the function of this name returned.
        boxes: `[N, K, 4]`, the parts' y, x, height, width; NaN where not annotated.

    Returns:
        `[F, K]` float64, in [0, 1]; NaN for parts that no image has with an extent.
    """
    present = np.prod(boxes[..., 2:], axis=-1) > 0
    images = present.sum(axis=0)
    counts = (associated & present[:, None]).sum(axis=0)
    return np.where(images > 0, counts / np.maximum(images, 1), np.nan)
