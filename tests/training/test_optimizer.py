import keras
import numpy as np
import pytest

from tf_explainer.training.optimizer import GroupedAdam, schedule_factor


def fitted(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="encoder"), keras.layers.Dense(2, name="fc_dec_1")]
    )
    model.compile(optimizer, "mse")
    before = model.get_weights()
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(8, 3)), random.normal(size=(8, 2)), epochs=1, batch_size=8, verbose=0)
    return [after - start for after, start in zip(model.get_weights(), before, strict=True)]


def test_each_layer_takes_its_own_step():
    plain = fitted(keras.optimizers.Adam(1e-3))
    grouped = fitted(GroupedAdam(1e-3, {"fc_dec": 5.0}))
    for index, factor in enumerate([1, 1, 5, 5]):
        np.testing.assert_allclose(grouped[index], factor * plain[index], rtol=1e-3, atol=1e-7)


def test_config_round_trip():
    optimizer = GroupedAdam(2e-4, {"mix": 200.0}, clipnorm=1.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(again, GroupedAdam)
    assert again.multipliers == {"mix": 200.0}
    assert again.clipnorm == 1.0


@pytest.mark.parametrize(
    ("path", "factor"),
    [("explainer/mix/w_p", 200.0), ("mix/w_p", 200.0), ("explainer/conv_interp_1/mix", 1.0)],
)
def test_factor_goes_by_the_layers_name_only(path, factor):
    assert GroupedAdam(1e-4, {"mix": 200.0}).multiplier(path) == factor


@pytest.mark.parametrize(
    ("schedule", "expected"), [("constant", (1, 1, 1)), ("linear", (1, 0.5, 0)), ("cosine", (1, 0.5, 0))]
)
def test_schedules_fall_from_one_to_where_they_end(schedule, expected):
    assert [schedule_factor(schedule, t) for t in (0, 0.5, 1)] == pytest.approx(expected)


def test_the_cosine_falls_slowly_at_first():
    assert schedule_factor("cosine", 0.25) == pytest.approx((1 + 2**-0.5) / 2)


def test_warmup_rises_in_even_steps():
    assert [schedule_factor("constant", 0, step, warmup=3) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
