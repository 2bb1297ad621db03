import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.gradient_support import measured_field
from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.receptive_field import receptive_field

L = keras.layers


def extent_by_perturbation(model, layer, unit):
    """First and last (exclusive) input row and column that one unit's features depend on."""
    features = keras.Model(model.inputs[0], model.get_layer(layer).output)
    size = model.inputs[0].shape[1]
    extents = []
    for axis in (0, 1):
        images = np.full((size + 1, size, size, 3), 0.5, np.float32)
        for line in range(size):
            np.moveaxis(images[line], axis, 0)[line] = 1.0
        seen = np.asarray(features(images, training=False))[:, unit[0], unit[1]]
        lines = np.flatnonzero(np.any(seen[:-1] != seen[-1], axis=-1))
        extents += [lines[0], lines[-1] + 1]
    return tuple(extents)


def extent_by_gradients(model, layer, unit):
    """The same for deep networks, whose outermost pixels weigh less than float32 resolves."""
    features = keras.Model(model.inputs[0], model.get_layer(layer).output)
    image = tf.Variable(np.full((1, *model.inputs[0].shape[1:]), 0.5), dtype="float32")
    with tf.GradientTape() as tape:
        seen = tf.reduce_sum(features(image, training=False)[:, unit[0], unit[1]])
    gradient = np.abs(tape.gradient(seen, image).numpy()).sum((0, 3)) > 0
    rows, columns = np.flatnonzero(gradient.any(1)), np.flatnonzero(gradient.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def assert_field_is(extent_of, model, layer, unit):
    field = receptive_field(model, layer)
    size = model.inputs[0].shape[1]
    expected = []
    for index in unit:
        centre = field.centre + field.stride * index
        expected += [max(centre - field.size / 2, 0), min(centre + field.size / 2, size)]
    assert extent_of(model, layer, unit) == tuple(expected)


def with_averaging_weights(model):
    """Makes every convolution a weighted mean, so that nothing vanishes, cancels or saturates."""
    for weight in model.weights:
        if len(weight.shape) == 4:
            *window, channels, filters = weight.shape
            terms = np.prod(window) * (channels if filters > 1 else 1)
            weight.assign(np.random.default_rng(1).uniform(0.7, 1, weight.shape) / terms)
    return model


def chain(size, *layers):
    image = x = keras.Input((size, size, 3))
    for layer in layers:
        x = layer(x)
    return with_averaging_weights(keras.Model(image, L.Activation("relu", name="target")(x)))


CHAINS = {
    "valid": (21, lambda: (L.Conv2D(2, 5, strides=2), L.Conv2D(2, 3))),
    "same even input": (32, lambda: (L.Conv2D(2, 3, 2, padding="same"), L.Conv2D(2, 3, 2, padding="same"))),
    "same odd input": (33, lambda: (L.Conv2D(2, 3, 2, padding="same"), L.Conv2D(2, 3, 2, padding="same"))),
    "same even kernel": (30, lambda: (L.Conv2D(2, 4, padding="same"), L.Conv2D(2, 2, 2, padding="same"))),
    "dilation": (29, lambda: (L.Conv2D(2, 3, dilation_rate=3, padding="same"), L.Conv2D(2, 3))),
    "depthwise": (
        27,
        lambda: (L.DepthwiseConv2D(3, 2, padding="same"), L.SeparableConv2D(2, 3, padding="same")),
    ),
    "max pooling": (30, lambda: (L.Conv2D(2, 3, padding="same"), L.MaxPooling2D(3, 2, padding="same"))),
    "average pooling": (30, lambda: (L.AveragePooling2D(2), L.Conv2D(2, 3, padding="same"))),
    "uneven zero padding": (32, lambda: (L.ZeroPadding2D(((0, 1), (0, 1))), L.Conv2D(2, 3, 2))),
    "cropping": (30, lambda: (L.Cropping2D(3), L.Conv2D(2, 3, padding="same"))),
    "stride above kernel": (31, lambda: (L.Conv2D(2, 1, 2), L.Conv2D(2, 3, padding="same"))),
    "normalisation": (20, lambda: (L.Rescaling(2.0), L.Conv2D(2, 3), L.BatchNormalization(), L.Dropout(0.5))),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("unit", [(3, 4), (6, 5)])
def test_chains_match_numerical_dependence(name, unit):
    size, layers = CHAINS[name]
    assert_field_is(extent_by_perturbation, chain(size, *layers()), "target", unit)


def test_random_chains_match_numerical_dependence():
    random = np.random.default_rng(3)
    for _ in range(8):
        layers = [
            L.Conv2D(
                2,
                int(random.integers(1, 6)),
                strides=int(random.integers(1, 3)),
                padding=str(random.choice(["same", "valid"])),
            )
            for _ in range(3)
        ]
        assert_field_is(
            extent_by_perturbation, chain(int(random.integers(60, 70)), *layers), "target", (2, 3)
        )


def test_branches_give_the_union_of_their_fields():
    image = keras.Input((32, 32, 3))
    stem = L.Conv2D(4, 3, padding="same")(image)
    narrow = L.Conv2D(4, 1, 2)(stem)
    wide = L.Conv2D(4, 5, 2, padding="same")(stem)
    joined = L.Concatenate(name="target")([narrow, wide])
    model = with_averaging_weights(keras.Model(image, joined))
    assert_field_is(extent_by_perturbation, model, "target", (5, 6))


def test_squeeze_and_excitation_does_not_count():
    image = keras.Input((32, 32, 3))
    maps = L.Conv2D(4, 3, 2, padding="same", name="local")(image)
    squeezed = L.Dense(4)(L.GlobalAveragePooling2D(keepdims=True)(maps))
    L.Multiply(name="scaled")([maps, squeezed])
    flat = L.Reshape((1, 1, 4))(L.GlobalAveragePooling2D()(maps))
    model = keras.Model(image, L.Multiply(name="both")([L.Multiply(name="one")([maps, squeezed]), flat]))
    assert receptive_field(model, "both") == receptive_field(model, "local")


def test_nested_models_are_looked_into():
    image = keras.Input((32, 32, 3))
    inner = keras.Sequential([keras.Input((32, 32, 3)), L.Conv2D(4, 3, 2, padding="same"), L.Conv2D(4, 3)])
    model = with_averaging_weights(keras.Model(image, L.Activation("relu", name="target")(inner(image))))
    assert_field_is(extent_by_perturbation, model, "target", (4, 4))


def test_vgg16_has_its_published_geometry():
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    field = receptive_field(model, "block5_conv3")
    # ICNN counts the centre as 8.5 + 16 i in 1-based pixels.
    assert (field.size, field.stride, field.centre) == (196, 16, 8)


@pytest.mark.parametrize(
    ("layer", "unit"), [("block_6_expand_relu", (11, 12)), ("block_13_expand_relu", (1, 12))]
)
def test_mobilenet_v2_matches_gradients(layer, unit):
    whole = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(224, 224, 3), alpha=0.35
    )
    model = with_averaging_weights(keras.Model(whole.inputs[0], whole.get_layer(layer).output))
    assert_field_is(extent_by_gradients, model, layer, unit)


# One model of each family with the input's size; deeper ones repeat its blocks.
FAMILIES = {"vgg16": 96}
SLOW_FAMILIES = {
    "mobilenet_v2": 96,
    "mobilenet": 96,
    "mobilenet_v3_small": 96,
    "vgg19": 112,
    "resnet50": 192,
    "resnet50_v2": 192,
    "densenet121": 192,
    "inception_v3": 192,
    "inception_resnet_v2": 192,
    "xception": 192,
    "efficientnet_b0": 224,
    "efficientnet_v2_b0": 192,
    "nasnet_mobile": 192,
    "convnext_tiny": 192,
}
# Where padding is uneven, it depends on the input's size.
ODD = ("nasnet_mobile", "inception_v3", "densenet121", "efficientnet_v2_b0")
SLOW = [*SLOW_FAMILIES.items(), *((name, 159) for name in ODD)]


def some_fields(model):
    """Some layers, lowest first, with their fields. (A padded map's first unit sees nothing at all.)"""
    found = {}
    layers = [layer for layer in model.layers[2:] if not isinstance(layer, layer_graph.RESAMPLING)]
    for layer in layers[:: max(1, len(layers) // 30)]:
        try:
            found[layer.name] = receptive_field(model, layer.name)
        except UserError:  # Inside a branch of squeeze-and-excitation.
            continue
    return found


@pytest.mark.parametrize(
    ("name", "size"),
    [*FAMILIES.items(), *(pytest.param(*each, marks=(pytest.mark.slow, pytest.mark.long)) for each in SLOW)],
)
def test_every_family_matches_gradients(name, size):
    model = build_backbone(PerformerConfig(backbone=name, backbone_weights="none", image_size=size))
    fields = some_fields(model)
    names = list(fields)
    for layer in (names[-1], names[len(names) // 2]):
        assert measured_field(model, layer) == fields[layer], layer


@pytest.mark.slow
def test_the_largest_field_of_a_densenet_is_that_counted_by_hand():
    model = build_backbone(PerformerConfig(backbone="densenet201", backbone_weights="none", image_size=128))
    # The stem's 7 and 3; then 3 x 3 convolutions (6, 12, 48 and 32 of them) on units 4, 8, 16 and 32 pixels
    # apart, and between these blocks the mean of two units.
    size = 7 + 2 * 2 + 2 * (6 * 4 + 12 * 8 + 48 * 16 + 32 * 32) + 4 + 8 + 16
    assert size == 3863
    field = receptive_field(model, "relu")
    assert (field.size, field.stride) == (size, 32)


def test_normalisation_over_places_says_how_much_not_where():
    image = keras.Input((32, 32, 3))
    maps = L.Conv2D(4, 3, 2, padding="same", name="local")(image)
    normalised = L.GroupNormalization(2, name="group")(maps)
    model = keras.Model(image, L.LayerNormalization(axis=(1, 2, 3), name="layer")(normalised))
    assert receptive_field(model, "layer") == receptive_field(model, "local")


def test_stochastic_depth_and_scales_change_nothing():
    image = keras.Input((32, 32, 3))
    maps = L.Conv2D(4, 3, padding="same", name="local")(image)
    branch = L.Dense(4)(
        L.Dense(16, activation="gelu")(L.LayerNormalization()(L.DepthwiseConv2D(7, padding="same")(maps)))
    )
    model = with_averaging_weights(keras.Model(image, L.Add(name="target")([maps, L.Dropout(0.1)(branch)])))
    assert receptive_field(model, "target").size == 9


def test_whole_image_layers_are_refused():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.GlobalAveragePooling2D(keepdims=True, name="pool")(image))
    with pytest.raises(UserError, match=r"--target_layer=pool.*whole image"):
        receptive_field(model, "pool")


def test_added_global_branch_is_refused():
    image = keras.Input((16, 16, 3))
    pooled = L.GlobalAveragePooling2D(keepdims=True)(image)
    model = keras.Model(image, L.Add(name="sum")([image, pooled]))
    with pytest.raises(UserError, match=r"'sum' \(Add\) adds information"):
        receptive_field(model, "sum")


def test_unknown_geometry_is_refused():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Activation("relu", name="out")(L.UpSampling2D(name="up")(image)))
    with pytest.raises(UserError, match=r"'up' \(UpSampling2D\) is unknown"):
        receptive_field(model, "out")


@pytest.mark.parametrize("window", [(3, 5), (5, 3)])
def test_of_an_oblong_field_the_longer_side_counts(window):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Conv2D(2, window, padding="same", name="oblong")(image))
    field = receptive_field(model, "oblong")
    assert (field.size, field.stride, field.centre) == (5, 1, 0.5)


def test_oblong_steps_are_refused():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Conv2D(2, 3, (1, 2), padding="same", name="oblong")(image))
    with pytest.raises(UserError, match="spaced differently"):
        receptive_field(model, "oblong")


def test_free_size_is_refused_where_it_matters():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, L.Conv2D(2, 3, 2, padding="same", name="conv")(image))
    with pytest.raises(UserError, match="--image_size"):
        receptive_field(model, "conv")


def test_resizing_and_cropping_move_the_field():
    image = keras.Input((48, 48, 3))
    for layer, stride, centre in (
        (keras.layers.Resizing(16, 16), 3, 1.5),
        (keras.layers.Resizing(96, 96), 0.5, 0.25),
        (keras.layers.CenterCrop(32, 32), 1, 8.5),
    ):
        model = keras.Model(image, keras.layers.ReLU(name="map")(layer(image)))
        field = receptive_field(model, "map")
        assert (field.stride, field.centre) == (stride, centre)
        # A bright pixel is seen by the unit that stands there.
        pixel = np.zeros((1, 48, 48, 3), np.float32)
        pixel[0, 25, 31] = 1
        unit = np.unravel_index(np.asarray(model(pixel))[0, ..., 0].argmax(), model.output.shape[1:3])
        for place, at in zip(unit, (25.5, 31.5), strict=True):
            assert abs(field.centre + field.stride * place - at) <= max(field.stride, 1)


@pytest.mark.parametrize(
    "layer", [keras.layers.Permute((2, 1, 3)), keras.layers.Conv2DTranspose(3, 3, padding="same")]
)
def test_layers_that_may_move_places_have_no_field(layer):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, keras.layers.ReLU(name="map")(layer(image)))
    with pytest.raises(UserError, match="receptive field after layer"):
        receptive_field(model, "map")
