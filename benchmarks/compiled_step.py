"""Compiles an entire training step by XLA, on JAX, and describes the compiled program.

KERAS_BACKEND=jax JAX_PLATFORMS=cpu python -m benchmarks.compiled_step [SIDE CHANNELS WIDTH BATCH]

Forward pass, all losses, gradients and update are one program, whose buffers are donated to the next step.
Prints JSON: operations and bytes per image as counted by XLA, the operations counted by hand, the primitives
that call back to Python, how many of the variables' buffers were donated, and the losses of two steps.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import keras
import numpy as np

from benchmarks.step_flops import step_flops
from benchmarks.vgg_explainer import BATCH, SHAPE, UNITS, explainer_of
from tf_explainer.explainer.explainer import FEATURES, SCORES, Explainer

_RATE = 1e-4
Values = list[Any]


def step_of(explainer: Explainer) -> Any:
    """Returns a step as a pure function.

    It takes the values of the trainable and of the other variables and a batch (`features` and the distilled
    layers by name, `scores`), and returns the new values of both and the loss.
    """
    trainable, others = explainer.trainable_variables, explainer.non_trainable_variables

    def loss(values: Values, state: Values, batch: Mapping[str, Any]) -> tuple[Any, Values]:
        mapping = [*zip(trainable, values, strict=True), *zip(others, state, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = explainer(batch[FEATURES], training=True)
            terms = explainer.loss_terms(batch, outputs, training=True)
            total = explainer.total_loss(terms)
        return total, [scope.get_current_value(variable) for variable in others]

    def step(values: Values, state: Values, batch: Mapping[str, Any]) -> tuple[Values, Values, Any]:
        (total, state), gradients = jax.value_and_grad(loss, has_aux=True)(values, state, batch)
        updated = [value - _RATE * gradient for value, gradient in zip(values, gradients, strict=True)]
        return updated, state, total

    return jax.jit(step, donate_argnums=(0, 1))


def primitives(jaxpr: Any) -> Iterator[str]:
    """Yields the names of all primitives of a program, including nested ones."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(equation.params, is_leaf=_is_programme):
            if _is_programme(value):
                yield from primitives(getattr(value, "jaxpr", value))


def _is_programme(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def _batch(shape: tuple[int, ...], units: Mapping[str, int], images: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    sizes = {FEATURES: shape, SCORES: (1,)} | {name: (width,) for name, width in units.items()}
    return {name: random.uniform(size=(images, *size)).astype(np.float32) for name, size in sizes.items()}


def describe(shape: tuple[int, ...], units: Mapping[str, int], images: int) -> dict[str, Any]:
    """Compiles the step, runs it twice, and returns its properties."""
    explainer = explainer_of(shape, units)
    values, state = (
        [np.asarray(variable) for variable in variables]
        for variables in (explainer.trainable_variables, explainer.non_trainable_variables)
    )
    given = [jax.numpy.array(value) for value in values], [jax.numpy.array(value) for value in state]
    batch = _batch(shape, units, images)
    step = step_of(explainer)
    traced = step.trace(*given, batch)
    compiled = traced.lower().compile()
    cost = compiled.cost_analysis()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # JAX warns of buffers that cannot be passed on.
        *after, first = compiled(*given, batch)
        *_, second = compiled(*after, batch)
    return {
        "flops": cost["flops"] / images,
        "bytes": cost["bytes accessed"] / images,
        "by_hand": step_flops(shape, units, explainer.prototypes.parts, explainer.prototypes.dimensions),
        "callbacks": sorted({name for name in primitives(traced.jaxpr.jaxpr) if "callback" in name}),
        "primitives": len(list(primitives(traced.jaxpr.jaxpr))),
        "passed_on": sum(value.is_deleted() for value in jax.tree.leaves(given)),
        "variables": len(explainer.variables),
        "losses": [float(first), float(second)],
    }


def main(arguments: list[str]) -> None:
    """Compiles, and prints."""
    shape, units, images = SHAPE, UNITS, BATCH
    if arguments:
        side, channels, width, images = map(int, arguments)
        shape, units = (side, side, channels), dict.fromkeys(UNITS, width)
    print(json.dumps(describe(shape, units, images)))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
