import keras
import numpy as np
import pytest

from tf_explainer.performer import layer_graph

L = keras.layers


@pytest.fixture
def residual():
    image = keras.Input((16, 16, 3), name="image")
    stem = L.Conv2D(4, 3, padding="same", activation="relu", name="stem")(image)
    inner = L.ReLU(name="inner")(
        L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="conv")(stem))
    )
    joined = L.Add(name="joined")([stem, inner])
    return keras.Model(image, L.GlobalAveragePooling2D(name="pool")(joined))


def out(model, name):
    return model.get_layer(name).output


def test_in_order_puts_sources_first(residual):
    names = [layer_graph.producer(tensor).name for tensor in layer_graph.in_order(out(residual, "joined"))]
    assert names[0] == "image"
    assert names[-1] == "joined"
    assert names.index("stem") < names.index("conv") < names.index("norm") < names.index("inner")
    assert len(names) == 6


@pytest.mark.parametrize(
    ("layers", "known"),
    [
        ([L.GlobalAveragePooling2D()], True),
        ([L.Dropout(0.5), L.AveragePooling2D(2), L.GlobalAveragePooling2D(keepdims=True)], True),
        ([L.MaxPooling2D(2), L.GlobalAveragePooling2D()], False),
        ([L.AveragePooling2D(2), L.Flatten()], False),
        ([L.Conv2D(4, 1), L.GlobalAveragePooling2D()], False),
    ],
)
def test_means_are_told_from_what_is_more(layers, known):
    x = inputs = keras.Input((8, 8, 4))
    for layer in layers:
        x = layer(x)
    assert layer_graph.averages(keras.Model(inputs, x)) is known


def test_depends_on(residual):
    assert layer_graph.depends_on(out(residual, "pool"), out(residual, "norm"))
    assert not layer_graph.depends_on(out(residual, "norm"), out(residual, "pool"))


@pytest.mark.parametrize(
    ("lower", "whole"), [("stem", True), ("joined", True), ("inner", False), ("norm", False)]
)
def test_separates_sees_skip_connections(residual, lower, whole):
    assert layer_graph.separates(out(residual, lower), out(residual, "pool")) is whole


@pytest.mark.parametrize(
    ("layer", "rectified"),
    [
        (L.Conv2D(2, 1), False),
        (L.Conv2D(2, 1, activation="relu"), True),
        (L.Conv2D(2, 1, activation="swish"), False),
        (L.ReLU(), True),
        (L.ReLU(6.0), True),
        (L.ReLU(negative_slope=0.1), False),
        (L.LeakyReLU(), False),
        (L.Activation("relu6"), True),
        (L.Activation("linear"), False),
        (L.BatchNormalization(), False),
        (L.MaxPooling2D(), False),
        (L.Rescaling(-1.0), False),
    ],
    ids=str,
)
def test_is_rectified(layer, rectified):
    assert layer_graph.is_rectified(layer(keras.Input((8, 8, 3)))) is rectified


def test_pooling_sums_and_operations_keep_the_sign():
    image = keras.Input((8, 8, 3))
    rectified, signed = L.ReLU()(image), L.Conv2D(3, 1)(image)
    assert layer_graph.is_rectified(keras.ops.relu(signed))
    assert layer_graph.is_rectified(L.MaxPooling2D()(rectified))
    assert layer_graph.is_rectified(L.Add()([rectified, rectified]))
    assert not layer_graph.is_rectified(L.Add()([rectified, signed]))
    assert not layer_graph.is_rectified(rectified - signed)


@pytest.mark.parametrize(
    "layer",
    [
        L.Conv2D(2, 1, activation="swish"),
        L.Activation("gelu"),
        L.Activation("hard_swish"),
        L.LeakyReLU(),
        L.ReLU(negative_slope=0.1),
        L.PReLU(),
        L.ELU(),
    ],
    ids=str,
)
def test_activations_that_can_be_negative_are_activations(layer):
    output = layer(keras.Input((8, 8, 3)))
    assert layer_graph.is_activated(output)
    assert not layer_graph.is_rectified(output)


@pytest.mark.parametrize(
    ("layer", "nearly"),
    [
        (L.Activation("swish"), True),
        (L.Activation("gelu"), True),
        (L.LeakyReLU(), True),
        (L.ReLU(), True),
        (L.Activation("tanh"), False),
        (L.Activation("elu"), False),
        (L.BatchNormalization(), False),
    ],
    ids=str,
)
def test_is_nearly_rectified(layer, nearly):
    output = layer(keras.Input((8, 8, 3)))
    assert layer_graph.is_nearly_rectified(output) is nearly
    assert layer_graph.is_nearly_rectified(L.Add()([output, L.ReLU()(output)])) is nearly


def test_operations_are_activations_too():
    image = keras.Input((8, 8, 3))
    for operation in (keras.ops.silu, keras.ops.gelu, keras.ops.hard_silu, keras.ops.leaky_relu):
        assert layer_graph.is_activated(operation(image)), operation
    assert not layer_graph.is_activated(keras.ops.silu(image) + image)


@pytest.mark.parametrize(
    ("layer", "own"), [("conv", "inner"), ("norm", "inner"), ("stem", None), ("joined", None)]
)
def test_activation_after(residual, layer, own):
    found = layer_graph.activation_after(out(residual, layer), out(residual, "pool"))
    assert found is (own and out(residual, own))


def test_a_layer_with_weights_is_not_an_activation_of_what_it_sees():
    image = keras.Input((8, 8, 3))
    norm = L.LayerNormalization()(image)
    conv = L.Conv2D(3, 1, activation="relu")(norm)
    assert layer_graph.activation_after(norm, conv) is None


def test_passages_are_what_everything_passes_through(residual):
    scores = out(residual, "pool")
    found = [layer_graph.producer(tensor).name for tensor in layer_graph.passages(scores)]
    assert found == ["image", "stem", "joined", "pool"]


def test_passages_agree_with_cutting_each_tensor_out():
    random = np.random.default_rng(0)
    for _ in range(20):
        tensors = [keras.Input((4, 4, 2))]
        for _ in range(12):
            lower = [tensors[int(random.integers(max(0, len(tensors) - 4), len(tensors)))] for _ in range(2)]
            tensors.append(L.Add()(lower) if lower[0] is not lower[1] else L.ReLU()(lower[0]))
        upper = tensors[-1]
        expected = [each for each in layer_graph.in_order(upper) if layer_graph.separates(each, upper)]
        assert [id(each) for each in layer_graph.passages(upper)] == [id(each) for each in expected]


def test_places_name_every_call():
    image = x = keras.Input((8, 8, 3), name="image")
    relu = L.ReLU(name="relu")
    for number in range(3):
        x = relu(L.Conv2D(3, 3, padding="same", name=f"conv{number}")(x))
    left, right = keras.ops.split(x, [1], axis=-1)
    model = keras.Model(image, L.Concatenate(name="joined")([right, left]))
    places = layer_graph.places(model)
    split = layer_graph.producer(left).name
    assert list(places)[:7] == ["image", "conv0", "relu.1", "conv1", "relu.2", "conv2", "relu.3"]
    assert places[f"{split}.1"] is left
    assert places[f"{split}.2"] is right
    assert places["joined"] is model.outputs[0]


@pytest.mark.parametrize(
    ("shape", "vector"),
    [((7,), True), ((1, 1, 7), True), ((1, 7), True), ((2, 1, 7), False), ((None, 7), False)],
)
def test_is_vector(shape, vector):
    assert layer_graph.is_vector(keras.Input(shape)) is vector


def test_the_path_between_two_tensors_is_the_models():
    keras.utils.set_random_seed(0)
    image = x = keras.Input((8, 8, 3))
    relu = L.ReLU(name="relu")
    for _ in range(3):
        left, right = keras.ops.split(L.Conv2D(6, 3, padding="same")(x), 2, axis=-1)
        x = relu(L.Add()([left, 2 * right]))
    model = keras.Model(image, L.GlobalAveragePooling2D()(x))
    pixels = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    expected = np.asarray(model(pixels))
    for name in ("relu.1", "relu.2", "relu.3"):
        lower = layer_graph.places(model)[name]
        above = layer_graph.between(lower, model.outputs[0])
        below = np.asarray(keras.Model(image, lower)(pixels))
        np.testing.assert_allclose(np.asarray(above(below)), expected, rtol=1e-5)
        assert {id(weight) for weight in above.weights} <= {id(weight) for weight in model.weights}
    assert list(layer_graph.places(model)).count("relu.3") == 1
