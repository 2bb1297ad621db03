"""Counts the floating-point operations of a training step per image, by hand.

A multiplication with its addition is two operations. With L units along a side, D channels:

    conv = 2 D^2 (3 L - 2)^2       one 3 x 3 convolution: 9 weights at L^2 places, less those on the padding
    step = 7 conv + 3 dense + templates + parts

Seven times: three convolutions forward, three gradients for their kernels, and one for the maps between the
two interpretable ones. No gradient for the features is needed. Element-wise operations are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence


def step_flops(
    shape: Sequence[int], units: Mapping[str, int], parts: int = 20, dimensions: int = 64
) -> dict[str, int]:
    """Returns the operations for one image in a step, by their purpose.

    Args:
        shape: `(L, L, D)` of the target layer, with 2 x 2 max pooling and dense layers above.
        units: widths of the dense layers, lowest first.
        parts: number of groups of filters.
        dimensions: of the space in which features are compared with prototypes.
    """
    side, _, channels = shape
    places = side**2
    widths = [(side // 2) ** 2 * channels, *units.values()]
    dense = sum(2 * inputs * outputs for inputs, outputs in itertools.pairwise(widths))
    return {
        "convolutions": 7 * 2 * channels**2 * (3 * side - 2) ** 2,
        "decoder": 3 * dense,
        # Both interpretable layers' maps with every template, and back; one template is the negative one.
        "templates": 2 * 2 * 2 * places * (places + 1) * channels,
        # Features to prototypes, forward alone; maps to the maps of groups and their overlap, both ways.
        "parts": 2 * places * dimensions * (channels + parts) + 4 * places * parts * (channels + parts),
    }
