"""Feature maps that can be negative, made into maps that cannot.

The explainer's tracks are never negative, so neither is what its decoder can be handed. A map whose negative
values are small beside the others (swish, GELU, ...) is *cut*, to `max(x, 0)`. Of others, sums and normalised
maps, a cut would take half: they are *split*, into `max(x, 0)` and `max(-x, 0)` side by side, of which the
decoder's trunk takes the difference, so that nothing is lost.
"""

from __future__ import annotations

from typing import Any, Literal

import keras

from tf_explainer.performer import layer_graph

Treatment = Literal["whole", "cut", "split"]


def treatment(tensor: Any) -> Treatment:
    """Returns what is done to a symbolic map `[B, H, W, D]`, as its graph tells."""
    if layer_graph.is_rectified(tensor):
        return "whole"
    return "cut" if layer_graph.is_nearly_rectified(tensor) else "split"


def non_negative(tensor: Any, treated: Treatment) -> Any:
    """Returns the map that is explained: `[B, H, W, D]`, or `[B, H, W, 2 D]` where it is split."""
    if treated == "whole":
        return tensor
    above = keras.layers.ReLU(name="above_zero")(tensor)
    if treated == "cut":
        return above
    below = keras.layers.ReLU(name="below_zero")(keras.layers.Rescaling(-1.0, name="negated")(tensor))
    return keras.layers.Concatenate(name="above_and_below_zero")([above, below])


def signed(tensor: Any, treated: Treatment) -> Any:
    """Returns the map that `non_negative` was made from, up to what was cut."""
    if treated != "split":
        return tensor
    return keras.layers.Subtract(name="above_less_below_zero")(keras.ops.split(tensor, 2, axis=-1))


def notice(layer: str, treated: Treatment, negative_energy: float | None) -> str:
    """Tells a person what is done to a layer's map.

    Args:
        layer: its name.
        treated: `cut` or `split`.
        negative_energy: share of its energy below zero, in [0, 1]; None where nobody has measured it.
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
