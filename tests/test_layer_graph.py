import keras
import pytest

from tf_explainer import layer_graph

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


def test_first_rectified_after(residual):
    assert layer_graph.first_rectified_after(residual, out(residual, "conv")) == "inner"
    assert layer_graph.first_rectified_after(residual, out(residual, "joined")) is None


def test_cut_points_leave_out_what_is_bypassed_or_signed(residual):
    assert layer_graph.cut_points(residual, out(residual, "pool")) == ["stem", "joined"]
