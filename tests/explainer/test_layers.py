"""Each layer against its formula, and the contract that every layer keeps."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.differentiation import compiled, gradient
from tf_explainer.explainer import layers, templates


@pytest.fixture
def random():
    return np.random.default_rng(3)


LAYERS = {
    "interpretable_conv": lambda: layers.InterpretableConv(4),
    "mask": lambda: layers.Mask(2.0),
    "norm": lambda: layers.ActivationNorm(floor=0.2),
    "scale": lambda: layers.ChannelScale(),
}


class TestContract:
    """Config round trip, save and load, symbolic equals eager, half precision, XLA."""

    @pytest.fixture(params=LAYERS)
    def layer(self, request):
        return LAYERS[request.param]()

    @pytest.fixture
    def inputs(self, random):
        return np.maximum(random.normal(size=(3, 5, 5, 4)), 0).astype("float32")

    def test_config_round_trip(self, layer):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert type(again) is type(layer)
        assert again.get_config() == layer.get_config()

    def test_saved_layer_answers_the_same(self, layer, inputs, tmp_path):
        model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
        model(inputs, training=True)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(model(inputs), again(inputs))

    def test_symbolic_shape_is_the_eager_one(self, layer, inputs):
        symbolic = layer(keras.Input(inputs.shape[1:]))
        assert symbolic.shape == (None, *layer(inputs).shape[1:])

    @pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
    def test_half_precision_is_close(self, layer, inputs, dtype):
        expected = ops.convert_to_numpy(layer(inputs))
        config = layer.get_config()
        half = type(layer).from_config(config | {"dtype": dtype})
        half.build(inputs.shape)
        half.set_weights(layer.get_weights())
        actual = half(inputs)
        assert keras.backend.standardize_dtype(actual.dtype) == dtype.removeprefix("mixed_")
        np.testing.assert_allclose(ops.cast(actual, "float32"), expected, rtol=0.03, atol=0.03)

    def test_compiles_with_xla(self, layer, inputs):
        layer(inputs)
        np.testing.assert_allclose(compiled(layer)(inputs), layer(inputs), rtol=1e-4, atol=1e-5)


def test_mask_is_the_template_at_the_peak(random):
    maps = random.uniform(size=(2, 5, 5, 3)).astype("float32")
    positive = templates.positive_templates(5, 4.0)
    expected = np.empty_like(maps)
    for b in range(2):
        for f in range(3):
            template = positive[maps[b, :, :, f].argmax()]
            expected[b, :, :, f] = maps[b, :, :, f] * np.maximum(template, 0)
    np.testing.assert_allclose(layers.Mask(4.0)(maps), expected, rtol=1e-5)


def test_mask_gradient_takes_the_mask_as_constant(random):
    maps = random.uniform(size=(1, 4, 4, 2)).astype("float32")
    mask = layers.Mask(2.0)
    by_maps = gradient(lambda x: ops.sum(mask(x)), maps)
    np.testing.assert_allclose(by_maps * maps, mask(maps), rtol=1e-5)


def test_running_mean_is_the_mean_of_all_batches_at_first_then_decays():
    mean = layers.RunningMean((2,), momentum=0.75)
    batches = [np.full((3, 2), value, "float32") for value in (1.0, 2.0, 6.0, 7.0)]
    for batch in batches:
        mean.update(batch)
    np.testing.assert_allclose(mean.value, 4.0)
    mean.update(np.full((1, 2), 8.0, "float32"))
    np.testing.assert_allclose(mean.value, 0.75 * 4 + 0.25 * 8)


def test_norm_divides_by_the_mean_activation_with_a_floor():
    x = np.zeros((2, 3, 3, 3), "float32")
    x[..., 0], x[0, ..., 1] = 4.0, 2.0  # alpha: 4, 1, 0
    norm = layers.ActivationNorm(floor=0.3)
    np.testing.assert_array_equal(norm(x), x)  # before any statistics
    y = ops.convert_to_numpy(norm(x, training=True))
    np.testing.assert_allclose(y[..., 0], 1)
    np.testing.assert_allclose(y[0, ..., 1], 2)
    np.testing.assert_allclose(norm.floored_alpha(), [4, 1, 0.3 * 5 / 3], rtol=1e-6)
    norm(10 * x)
    np.testing.assert_allclose(norm(x), y)


def test_interpretable_conv_follows_the_mean_peak(random):
    conv = layers.InterpretableConv(2)
    x = random.normal(size=(4, 5, 5, 3)).astype("float32")
    maps = ops.convert_to_numpy(conv(x, training=True))
    assert (maps >= 0).all()
    np.testing.assert_allclose(conv.peak.value, maps.max((1, 2)).mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        ops.convert_to_numpy(conv.in_mean_peaks(maps)).max((1, 2)).mean(0), 1, rtol=1e-5
    )
    assert [variable.name for variable in conv.trainable_variables] == ["kernel", "bias"]


def test_mix_weighs_the_tracks_by_the_part_share(random):
    a, b = random.normal(size=(2, 2, 3, 3, 4)).astype("float32")
    mix = layers.PartShareMix(0.3)
    np.testing.assert_allclose(mix([a, b]), 0.3 * a + 0.7 * b, rtol=1e-5, atol=1e-6)
    assert float(mix.part_share()) == pytest.approx(0.3)
    assert [variable.name for variable in mix.trainable_variables] == ["w_p"]


@pytest.mark.parametrize("shift", [0, 1])
def test_shifted_identity_moves_each_channel_by_one_offset(random, shift):
    x = random.normal(size=(1, 7, 7, 16)).astype("float32")
    kernel = layers.ShiftedIdentity(shift, seed=5)((3, 3, 16, 16))
    y = ops.convert_to_numpy(ops.conv(x, kernel, padding="same"))
    offsets = set()
    for channel in range(16):
        matches = [
            (dy, dx)
            for dy in range(-shift, shift + 1)
            for dx in range(-shift, shift + 1)
            if np.array_equal(y[0, 2:5, 2:5, channel], x[0, 2 + dy : 5 + dy, 2 + dx : 5 + dx, channel])
        ]
        assert len(matches) == 1
        offsets.update(matches)
    assert len(offsets) == 1 if shift == 0 else len(offsets) > 4


def test_shifted_identity_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="larger, square kernel"):
        layers.ShiftedIdentity(2)((3, 3, 4, 4))
    with pytest.raises(ValueError, match="larger, square kernel"):
        layers.ShiftedIdentity(1)((3, 3, 4, 8))
