"""The measures as the method states them, one filter, landmark and image at a time, in plain Python."""

from __future__ import annotations

import math
import statistics

import numpy as np


def centre(unit: int, grid) -> float:
    return grid.first + grid.spacing * unit


def peak(feature_map: np.ndarray) -> tuple[float, int, int]:
    """Returns value, row and column of the highest unit, the first of equals."""
    best = (-math.inf, -1, -1)
    for row in range(feature_map.shape[0]):
        for column in range(feature_map.shape[1]):
            if feature_map[row, column] > best[0]:
                best = (float(feature_map[row, column]), row, column)
    return best


def responses(maps, landmarks, images, f: int, k: int, grid) -> list[tuple[float, ...]]:
    """Returns (peak, y, x, landmark y, landmark x) of each image with a response, strongest first."""
    found = []
    for n in images:
        y, x = landmarks[n, k, :2]
        value, row, column = peak(maps[n, :, :, f])
        if not math.isnan(y) and value > 0:
            found.append((value, centre(row, grid), centre(column, grid), float(y), float(x)))
    return sorted(found, key=lambda response: -response[0])


def instability(found) -> float:
    if len(found) < 2:
        return math.nan
    return statistics.stdev(math.hypot(y - ky, x - kx) / math.hypot(1, 1) for _, y, x, ky, kx in found)


def ratio(found) -> float:
    if len(found) < 2:
        return math.nan
    moves = statistics.variance(r[3] for r in found) + statistics.variance(r[4] for r in found)
    if moves == 0:
        return math.nan
    follows_y = statistics.variance(r[1] - r[3] for r in found)
    follows_x = statistics.variance(r[2] - r[4] for r in found)
    return (follows_y + follows_x) / moves


def mean(values) -> float:
    values = [value for value in values if not math.isnan(value)]
    return sum(values) / len(values) if values else math.nan


def lowest(values) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def threshold(maps, f: int) -> float:
    """Returns the lowest activation that at most 0.5 % of all units exceed."""
    values = sorted(maps[..., f].ravel().tolist())
    for value in values:
        if sum(other > value for other in values) <= 0.005 * len(values):
            return value
    raise AssertionError


def intersection_over_union(feature_map, above: float, box, grid, raster: int) -> float:
    """Draws region and box on a raster of the crop and counts pixels."""
    region, part = np.zeros((raster, raster), bool), np.zeros((raster, raster), bool)
    y, x, height, width = box
    for row in range(raster):
        for column in range(raster):
            at_y, at_x = (row + 0.5) / raster, (column + 0.5) / raster
            part[row, column] = abs(at_y - y) < height / 2 and abs(at_x - x) < width / 2
            for i in range(feature_map.shape[0]):
                for j in range(feature_map.shape[1]):
                    if feature_map[i, j] > above:
                        near_y = abs(at_y - centre(i, grid)) < grid.extent / 2
                        near_x = abs(at_x - centre(j, grid)) < grid.extent / 2
                        region[row, column] |= near_y and near_x
    return float((region & part).sum() / (region | part).sum())


def participation_ratio(places, live) -> float:
    """Takes the eigenvalues of the covariance, a silent filter being at its mean place."""
    filled = np.array(places, float)
    for f in range(filled.shape[1]):
        filled[~live[:, f], f] = filled[live[:, f], f].mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(np.cov(filled.reshape(len(filled), -1), rowvar=False))
    return float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum() / 2)
