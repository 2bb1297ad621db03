"""The whole step as one compiled programme, on JAX."""

import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks import child_process
from benchmarks.compiled_step import primitives
from benchmarks.step_flops import step_flops
from benchmarks.vgg_explainer import SHAPE, UNITS

ON_JAX = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}


def test_a_call_back_to_python_is_found_wherever_it_is():
    def calls_back(x):
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.lax.cond(x > 0, lambda y: jax.pure_callback(abs, shape, y), lambda y: y, x)

    programme = jax.make_jaxpr(jax.jit(lambda x: jax.lax.fori_loop(0, 3, lambda _, y: calls_back(y), x)))
    assert "pure_callback" in set(primitives(programme(1.0).jaxpr))
    assert "pure_callback" not in set(primitives(jax.make_jaxpr(jnp.abs)(1.0).jaxpr))


def test_operations_of_a_network_counted_on_fingers():
    # 2 x 2 units of 1 channel: 4 of 9 weights count at each; 1 pooled unit, 1 dense unit; 5 templates of 4.
    counted = step_flops((2, 2, 1), {"fc": 1}, parts=1, dimensions=1)
    assert counted["convolutions"] == 7 * 2 * 4 * 4
    assert counted["decoder"] == 3 * 2
    assert counted["templates"] == 2 * 2 * 2 * 4 * 5


@pytest.fixture(scope="module")
def compiled():
    """The step at VGG-16's shapes."""
    usage = child_process.run("benchmarks.compiled_step", [], environment=ON_JAX)
    return json.loads(usage.output.splitlines()[-1])


@pytest.mark.slow
def test_the_step_never_leaves_the_device(compiled):
    assert compiled["primitives"] > 500
    assert compiled["callbacks"] == []


@pytest.mark.slow
def test_every_variable_is_given_on_to_the_next_step(compiled):
    assert compiled["passed_on"] == compiled["variables"] > 20
    first, second = compiled["losses"]
    assert second < first


@pytest.mark.slow
def test_the_compiled_operations_are_those_counted_by_hand(compiled):
    by_hand = sum(compiled["by_hand"].values())
    assert compiled["by_hand"] == step_flops(SHAPE, UNITS)
    # What is left out, element by element, is little.
    assert by_hand < compiled["flops"] < 1.01 * by_hand
