"""Converts feature maps that can be negative to non-negative ones.

The tracks of the explainer are never negative, so the input of its decoder cannot be either. A map whose
negative values are small (swish, GELU, ...) is *cut* to `max(x, 0)`. A cut would remove half of sums and
normalised maps: they are *split* into `max(x, 0)` and `max(-x, 0)` side by side, and the decoder's trunk
takes the difference, so that nothing is lost.
"""

from __future__ import annotations

from typing import Any, Literal

import keras

from tf_explainer.performer import layer_graph

Treatment = Literal["whole", "cut", "split"]


def treatment(tensor: Any) -> Treatment:
    """Returns the treatment of a symbolic map `[B, H, W, D]`, determined from its graph."""
    if layer_graph.is_rectified(tensor):
        return "whole"
    return "cut" if layer_graph.is_nearly_rectified(tensor) else "split"


def non_negative(tensor: Any, treated: Treatment) -> Any:
    """Returns the map to explain: `[B, H, W, D]`, or `[B, H, W, 2 D]` if it is split."""
    if treated == "whole":
        return tensor
    above = keras.layers.ReLU(name="above_zero")(tensor)
    if treated == "cut":
        return above
    below = keras.layers.ReLU(name="below_zero")(keras.layers.Rescaling(-1.0, name="negated")(tensor))
    return keras.layers.Concatenate(name="above_and_below_zero")([above, below])


def signed(tensor: Any, treated: Treatment) -> Any:
    """Reverses `non_negative`, up to the negative values that were cut."""
    if treated != "split":
        return tensor
    return keras.layers.Subtract(name="above_less_below_zero")(keras.ops.split(tensor, 2, axis=-1))


def notice(layer: str, treated: Treatment, negative_energy: float | None) -> str:
    """Returns a sentence for the user about the treatment of a layer's map.

    Args:
        layer: its name.
        treated: `cut` or `split`.
        negative_energy: share of its energy below zero, in [0, 1]; None if it was not measured.
    """
    share = "an unknown share" if negative_energy is None else f"{negative_energy:.1%}"
    if treated == "cut":
        return (
            f"{layer} can be negative: it is explained as max(x, 0), which leaves out {share} of its energy"
        )
    return (
        f"{layer} can be negative: it is explained as two maps side by side, max(x, 0) and max(-x, 0), "
        f"the second with {share} of its energy"
    )
