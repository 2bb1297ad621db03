"""Computes figures of filters from their responses alone: strength, rarity, groups, duplicates, matches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_explainer.explainer import filter_losses, templates
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.diversity import part_groups
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.plugins.parts.quantised_maps import LEVELS
from tf_explainer.plugins.parts.snapshot import Figure, Layer

DUPLICATE_ABOVE = 0.95
"""Filters whose maps are more strongly correlated than this are duplicates."""
_LARGEST_MAP_FOR_TEMPLATES = 20
_TEMPLATE_SLOPE = 4.0
_CHUNK = 32


def response_figures(
    maps: np.ndarray, scales: np.ndarray, grid: UnitGrid, compare_with: Sequence[Layer] = ()
) -> list[Figure]:
    """Computes the figures.

    Args:
        maps: `[F, N, L, L]` uint8.
        scales: `[F]` float32.
        grid: where the units lie in the image.
        compare_with: layers in which to find the closest match of each filter; layers with maps of another
            size are skipped.
    """
    peaks = Peaks.of(maps.transpose(1, 2, 3, 0))
    figures = [
        Figure(
            key="peak",
            label="highest response",
            unit="activation",
            help="The filter's highest activation on these images.",
            values=np.where(peaks.dead, 0, scales),
        ),
        Figure(
            key="mean_peak",
            label="mean peak",
            unit="activation",
            help="The mean over images of each image's highest activation.",
            values=peaks.values.mean(axis=0) * scales / LEVELS,
        ),
        Figure(
            key="live",
            label="responds on",
            unit="% of images",
            help="Images with any response. 0: a dead filter.",
            values=100 * peaks.live.mean(axis=0),
        ),
        Figure(
            key="active",
            label="active area",
            unit="% of units",
            help="Units with a response, over all images. Low: one place; high: a texture.",
            values=100 * (maps > 0).mean(axis=(1, 2, 3)),
        ),
        Figure(
            key="spread",
            label="peak spread",
            unit="% of side",
            help="Standard deviation of the peak's position over images.",
            values=100 * _spread(peaks, grid),
        ),
        Figure(
            key="group",
            label="part group",
            help="Filters that peak at the same place on each image share a group. 1 is the largest.",
            values=_undefined(part_groups(peaks, grid)),
            kind="group",
        ),
        Figure(
            key="duplicate",
            label="duplicate of",
            help=f"An earlier filter whose maps correlate with this filter's by more than {DUPLICATE_ABOVE}.",
            values=_undefined(_duplicates(map_correlations(maps, maps))),
            kind="filter",
        ),
    ]
    if grid.side <= _LARGEST_MAP_FOR_TEMPLATES:
        figures.append(
            Figure(
                key="filter_loss",
                label="filter loss",
                unit="nats",
                help="Minus the mutual information of maps and templates (ICNN). Lower: more like one part.",
                values=_filter_loss(maps, peaks),
            )
        )
    for layer in compare_with:
        if layer.maps.shape[1:] == maps.shape[1:]:
            figures += _match(map_correlations(maps, layer.maps), layer)
    return figures


def map_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Computes Pearson's correlation of activations over all units of all images.

    Args:
        maps: `[F, N, L, L]` uint8.
        others: `[G, N, L, L]` uint8, of the same images.

    Returns:
        `[F, G]` float64, 0 where a filter is constant.
    """
    products = np.zeros((len(maps), len(others)))
    for first in range(0, maps.shape[1], _CHUNK):
        here, there = (
            side[:, first : first + _CHUNK].reshape(len(side), -1).astype(np.float32)
            for side in (maps, others)
        )
        products += here @ there.T
    count = maps[0].size
    means = [side.mean(axis=(1, 2, 3)) for side in (maps, others)]
    deviations = [side.std(axis=(1, 2, 3)) for side in (maps, others)]
    covariance = products / count - np.outer(*means)
    scale = np.outer(*deviations)
    return np.where(scale > 0, covariance / np.where(scale > 0, scale, 1), 0)


def _duplicates(correlations: np.ndarray) -> np.ndarray:
    earlier = np.tril(correlations > DUPLICATE_ABOVE, -1)
    return np.where(earlier.any(axis=1), earlier.argmax(axis=1), -1)


def _match(correlations: np.ndarray, layer: Layer) -> list[Figure]:
    best = correlations.argmax(axis=1)
    strength = correlations.max(axis=1)
    return [
        Figure(
            key="match",
            label=f"closest in {layer.title}",
            help=f"The filter of {layer.title} whose maps correlate most with this filter's.",
            values=_undefined(np.where(strength > 0, best, -1)),
            kind="filter",
            of=layer.name,
        ),
        Figure(
            key="match_correlation",
            label="its correlation",
            help="Correlation of the maps of this filter and its closest match. 1: the same up to scale.",
            values=np.where(strength > 0, strength, np.nan),
        ),
    ]


def _spread(peaks: Peaks, grid: UnitGrid) -> np.ndarray:
    places = grid.centres(peaks.units)
    count = np.maximum(peaks.live.sum(axis=0), 1)
    mean = np.where(peaks.live[..., None], places, 0).sum(axis=0) / count[:, None]
    squares = ((places - mean) ** 2).sum(axis=-1)
    variance = np.where(peaks.live, squares, 0).sum(axis=0) / count
    return np.where(peaks.live.sum(axis=0) > 1, np.sqrt(variance), np.nan)


def _filter_loss(maps: np.ndarray, peaks: Peaks) -> np.ndarray:
    side = maps.shape[-1]
    rows, prior = templates.template_matrix(side, _TEMPLATE_SLOPE), templates.template_prior(side)
    mean_peaks = np.maximum(peaks.values.mean(axis=0), 1e-6)
    values = []
    for first in range(0, len(maps), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        measured = maps[chunk].astype(np.float32) / mean_peaks[chunk, None, None, None]
        scores = filter_losses.template_scores(measured.transpose(1, 2, 3, 0), rows)
        values.append(np.asarray(filter_losses.filter_loss(scores, prior)))
    return np.where(peaks.dead, np.nan, np.concatenate(values))


def _undefined(indices: np.ndarray) -> np.ndarray:
    return np.where(indices < 0, np.nan, indices)
