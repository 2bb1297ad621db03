import keras
import numpy as np
import pytest

from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_selection
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head, with_pooling
from tf_explainer.performer.performer import Performer

L = keras.layers

# What the rule chooses at 224 pixels: where published evidence or our own is at hand, it is that layer.
CHOSEN = {
    "vgg16": "block5_conv3",
}
SLOW = {
    "mobilenet": "conv_pw_11_relu",
    "resnet50": "conv4_block6_out",
    "efficientnet_b0": "block6a_expand_activation",
    "mobilenet_v2": "block_13_expand_relu",
    "resnet50_v2": "post_relu",
    "densenet121": "pool4_relu",
    "inception_v3": "mixed7",
    "xception": "block14_sepconv2_act",
    "efficientnet_v2_b0": "block6a_expand_activation",
    "convnext_tiny": "convnext_tiny_downsampling_layernorm_2",
    "vgg19": "block5_conv4",
    "resnet101": "conv4_block23_out",
    "resnet152_v2": "conv4_block1_preact_relu",
    "densenet169": "pool4_relu",
    "inception_resnet_v2": "block17_20_ac",
}


def network(name, size=224):
    config = PerformerConfig(backbone=name, backbone_weights="none", image_size=size)
    training = with_pooling(PerformerTrainingConfig(head_widths=(8, 6)), config)
    return attach_head(build_backbone(config), 3, training), config


@pytest.mark.parametrize(
    ("name", "layer"),
    [*CHOSEN.items(), *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW.items())],
)
def test_the_rule_on_published_architectures(name, layer):
    model, config = network(name)
    chosen = layer_selection.with_layers(model, config)
    assert chosen.target_layer == layer
    assert chosen.distilled_layers == ("fc1", "fc2")
    performer = Performer(model, chosen)
    assert performer.receptive_field().stride in (16, 32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units"), [("mobilenet_v3_small", 288), ("mobilenet_v3_large", 672)])
def test_the_rule_where_layers_have_numbers_for_names(name, units):
    model, config = network(name)
    performer = Performer(model, layer_selection.with_layers(model, config))
    assert performer.feature_shape == (14, 14, units)
    assert performer.treatment == "cut"


@pytest.mark.slow
def test_cells_that_see_the_two_before_them_leave_the_last_map():
    model, config = network("nasnet_mobile")
    assert Performer(model, layer_selection.with_layers(model, config)).feature_shape == (7, 7, 1056)


@pytest.mark.parametrize(
    ("size", "stride"),
    [(32, 4), (64, 8), (96, 12), (128, 16), (200, 16), (224, 16), (299, 299 / 14), (448, 32)],
)
def test_the_coarsest_stride(size, stride):
    assert layer_selection.coarsest_stride(size) == stride


def test_candidates_name_what_made_them():
    image = keras.Input((64, 64, 3))
    x = L.Conv2D(4, 3, strides=2, padding="same", name="conv")(image)
    x = L.ReLU(name="relu")(L.BatchNormalization(name="norm")(x))
    x = L.Add(name="sum")([x, L.Conv2D(4, 3, padding="same", activation="relu", name="inner")(x)])
    linear = L.Conv2D(4, 3, padding="same", name="linear")(x)
    x = L.MaxPooling2D(name="pooled")(L.Add(name="signed")([x, linear]))
    x = L.LayerNormalization(name="layernorm")(x)
    x = L.Conv2D(4, 3, padding="same", activation="swish", name="swish")(x)
    model = keras.Model(image, L.Dense(3)(L.GlobalAveragePooling2D(name="pool")(x)))
    found = [(each.layer, each.kind, each.negative) for each in layer_selection.candidates(model)]
    assert found == [
        ("relu", "activation", False),
        ("sum", "activation", False),
        ("signed", "sum", True),
        ("layernorm", "normalisation", True),
        ("swish", "activation", True),
    ]
    assert [each.receptive_field.stride for each in layer_selection.candidates(model)] == [2, 2, 2, 4, 4]


def head(*layers, size=32):
    image = keras.Input((size, size, 3))
    x = L.Conv2D(4, 5, strides=4, padding="same", activation="relu", name="map")(image)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def dense(number, **options):
    return L.Dense(5, name=f"dense{number}", **options)


HEADS = {
    "two hidden layers": (lambda: (L.Flatten(), dense(1), dense(2), dense(3)), ("dense1", "dense2")),
    "the last two": (lambda: (L.Flatten(), dense(1), dense(2), dense(3), dense(4)), ("dense2", "dense3")),
    "dropout between": (
        lambda: (L.Flatten(), dense(1), L.Dropout(0.5), dense(2), L.Dropout(0.5), dense(3)),
        ("dense1", "dense2"),
    ),
    "softmax by itself": (lambda: (L.Flatten(), dense(1), dense(2), L.Softmax()), ("dense1",)),
    "normalised between": (
        lambda: (L.Flatten(), dense(1), L.BatchNormalization(), dense(2), dense(3)),
        ("dense2",),
    ),
    "pooling": (lambda: (L.GlobalAveragePooling2D(name="pool"), dense(1)), ("pool",)),
    "pooling to a map": (
        lambda: (L.GlobalMaxPooling2D(keepdims=True, name="pool"), L.Conv2D(3, 1), L.Flatten()),
        ("pool",),
    ),
    "pooling by a window": (
        lambda: (L.AveragePooling2D(8, name="pool"), L.Flatten(name="flat"), dense(1)),
        ("pool",),
    ),
    "no vector but the scores": (lambda: (L.Flatten(), dense(1, activation="softmax")), ("dense1",)),
}


@pytest.mark.parametrize("name", HEADS)
def test_distilled_layers(name):
    layers, expected = HEADS[name]
    model = head(*layers())
    assert layer_selection.distilled_layers(model, "map") == expected
    config = PerformerConfig(image_size=32, target_layer="map", distilled_layers=expected)
    outputs = Performer(model, config).feature_model()(np.zeros((1, 32, 32, 3), np.float32))
    assert set(outputs) == {"map", *expected, "scores"}


def test_what_is_named_stays():
    model = head(L.Flatten(), dense(1), dense(2), dense(3))
    config = PerformerConfig(image_size=32, target_layer="map", distilled_layers=("dense1",))
    assert layer_selection.with_layers(model, config) == config
    named = PerformerConfig(image_size=32, target_layer="map")
    assert layer_selection.with_layers(model, named).distilled_layers == ("dense1", "dense2")


def test_a_network_without_such_a_map_is_refused():
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, L.Dense(2)(L.Flatten()(L.Conv2D(2, 3, activation="relu")(image))))
    with pytest.raises(UserError, match="half of the image of 32 pixels; name one by --target_layer"):
        layer_selection.target_layer(model)
