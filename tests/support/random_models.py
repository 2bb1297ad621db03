"""Small Keras models drawn at random, of every kind that people make, with weights that all matter."""

import keras
import numpy as np
from hypothesis import strategies as st

L = keras.layers
SIZE = 32

_POLICIES = ("float32", "float32", "float32", "mixed_float16", "mixed_bfloat16", "float16")
_STARTS = ("nothing", "rescaling", "adapted", "given", "operations", "random", "resizing", "cropping")
_BLOCKS = (
    *(
        "fused",
        "normalised",
        "shared",
        "residual",
        "sum",
        "gated",
        "depthwise",
        "swish",
        "nested",
        "sequential",
    ),
    *("twice", "branches", "spectral", "pool", "dropout", "inference", "repeated", "custom", "siamese"),
)
_HEADS = ("average", "maximum", "mean", "flatten", "map")
_ENDS = (
    "softmax",
    "softmax layer",
    "softmax activation",
    "softmax operation",
    "sigmoids",
    "sigmoid",
    "logits",
    "logit",
)
_WRAPS = ("functional", "functional", "sequential", "outer", "twice outer", "subclass", "named", "own class")


@keras.saving.register_keras_serializable(package="random_models")
class Own(keras.Model):
    """A class of someone's own around a functional core."""

    def __init__(self, core, **kwargs):
        super().__init__(**kwargs)
        self.core = core

    def call(self, images, training=False):
        return self.core(images, training=training)

    def build(self, shape):
        self.built = True

    def get_config(self):
        return super().get_config() | {"core": keras.saving.serialize_keras_object(self.core)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("core")), **config)


@keras.saving.register_keras_serializable(package="random_models")
class Functional(keras.Model):
    """A functional model whose class has a name of its own."""


@keras.saving.register_keras_serializable(package="random_models")
class Scaled(L.Layer):
    """A layer of someone's own, with a weight."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale

    def compute_output_shape(self, shape):
        return shape


@st.composite
def models(draw):
    """Draws a classifier; its attribute `told` lists what was drawn."""
    told = {
        "input": draw(st.sampled_from(("rgb", "rgb", "grey", "free", "uint8", "float16", "named"))),
        "policy": draw(st.sampled_from(_POLICIES)),
        "start": draw(st.sampled_from(_STARTS)),
        "blocks": draw(st.lists(st.sampled_from(_BLOCKS), min_size=1, max_size=4)),
        "head": draw(st.sampled_from(_HEADS)),
        "hidden": draw(st.sampled_from(("none", "none", "one", "two", "lora"))),
        "end": draw(st.sampled_from(_ENDS)),
        "wrap": draw(st.sampled_from(_WRAPS)),
        "quantised": draw(st.sampled_from((None, None, None, None, "int8", "int4", "float8"))),
        "frozen": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**16)),
    }
    return build(told)


def build(told):
    """Builds the model that was drawn."""
    rng = np.random.default_rng(told["seed"])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(told["policy"])
    try:
        core = _core(told, rng)
        model = _wrapped(core, told)
    finally:
        keras.config.set_dtype_policy(before)
    _fill(model, rng)
    if told["frozen"]:
        core.layers[-1].trainable = False
    if told["quantised"]:
        _quantise(core, told)
    model.told = told
    return model


def _core(told, rng):
    side = None if told["input"] == "free" else SIZE
    channels = 1 if told["input"] == "grey" else 3
    dtype = told["input"] if told["input"] in ("uint8", "float16") else "float32"
    image = keras.Input((side, side, channels), dtype=dtype, name="photo")
    x = _start(image, told["start"], rng)
    x = L.Conv2D(6, 5, strides=2, padding="same", activation="relu", name="stem")(x)
    shared = L.ReLU(name="shared_relu")
    for number, kind in enumerate(told["blocks"]):
        x = _block(x, kind, number, shared)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="late")(x)
    x = L.Conv2D(8, 5, padding="same", activation="relu", name="last")(x)
    return keras.Model(image, _ended(_hidden(_pooled(x, told), told), told["end"]), name="core")


def _start(image, kind, rng):
    if kind == "rescaling" or (kind == "nothing" and image.dtype == "uint8"):
        return L.Rescaling(1 / 127.5, -1)(image)
    if kind == "adapted":
        layer = L.Normalization()
        layer.adapt(rng.uniform(0, 255, (2, SIZE, SIZE, image.shape[-1])).astype(np.float32))
        return layer(image)
    if kind == "given":
        return L.Normalization(mean=[110.0] * image.shape[-1], variance=[3000.0] * image.shape[-1])(image)
    if kind == "operations":
        return keras.ops.subtract(keras.ops.divide(keras.ops.cast(image, "float32"), 127.5), 1.0)
    if kind == "random":
        return L.RandomFlip("horizontal")(L.Rescaling(1 / 255)(image))
    if kind == "resizing":
        return L.Rescaling(1 / 255)(L.Resizing(SIZE - 8, SIZE - 8)(image))
    if kind == "cropping":
        return L.Rescaling(1 / 255)(L.CenterCrop(SIZE - 8, SIZE - 8)(image))
    return image


def _conv(name, filters=6, **options):
    return L.Conv2D(filters, 3, padding="same", name=name, **options)


def _block(x, kind, number, shared):
    name = f"block{number}"
    width = x.shape[-1]
    if kind == "fused":
        return _conv(name, activation="relu")(x)
    if kind == "normalised":
        return L.ReLU(name=f"{name}_relu")(
            L.BatchNormalization(name=f"{name}_norm")(_conv(name, use_bias=False)(x))
        )
    if kind == "shared":
        return shared(_conv(name)(x))
    if kind == "residual":
        return L.ReLU(name=f"{name}_relu")(L.Add(name=f"{name}_add")([x, _conv(name, width)(x)]))
    if kind == "sum":
        return keras.ops.relu(x + _conv(name, width)(x))
    if kind == "gated":
        gate = L.Dense(width, activation="sigmoid", name=f"{name}_gate")(
            L.GlobalAveragePooling2D(keepdims=True)(x)
        )
        return L.Multiply(name=f"{name}_times")([x, gate])
    if kind == "depthwise":
        return L.DepthwiseConv2D(3, padding="same", activation="relu6", name=name)(x)
    if kind == "swish":
        return L.Activation("silu", name=f"{name}_silu")(_conv(name)(x))
    if kind in ("nested", "inference"):
        inner = _inner(x.shape[1:], name)
        return inner(x, training=False) if kind == "inference" else inner(x)
    if kind == "sequential":
        layers = [keras.Input(x.shape[1:]), _conv(f"{name}_conv"), L.LeakyReLU(name=f"{name}_leaky")]
        return keras.Sequential(layers, name=name)(x)
    if kind == "twice":
        inner = _inner(x.shape[1:], name, width)
        return inner(inner(x))
    if kind == "siamese":
        inner = _inner(x.shape[1:], name)
        return L.Add(name=f"{name}_both")([inner(x), inner(L.Rescaling(0.5)(x))])
    if kind == "branches":
        left, right = (_inner(x.shape[1:], f"{name}_{side}", names="same") for side in ("left", "right"))
        return L.Concatenate(name=f"{name}_joined")([left(x), right(x)])
    if kind == "spectral":
        return L.SpectralNormalization(_conv(f"{name}_conv", activation="relu"), name=name)(x)
    if kind == "pool":
        return L.MaxPooling2D(2, strides=1, padding="same", name=name)(x)
    if kind == "dropout":
        return L.Dropout(0.5, name=name)(L.SpatialDropout2D(0.2, name=f"{name}_spatial")(x))
    if kind == "repeated":
        layer = _conv(name, width, activation="relu")
        return layer(layer(x))
    return Scaled(name=name)(x)


def _inner(shape, name, filters=6, names=None):
    image = keras.Input(shape)
    y = L.BatchNormalization(name=f"{names or name}_norm")(_conv(f"{names or name}_conv", filters)(image))
    return keras.Model(image, L.ReLU(name=f"{names or name}_relu")(y), name=name)


def _pooled(x, told):
    if told["head"] == "average":
        return L.GlobalAveragePooling2D(name="gap")(x)
    if told["head"] == "maximum":
        return L.GlobalMaxPooling2D(name="gmp")(x)
    if told["head"] == "map":
        return L.Flatten()(
            L.Conv2D(5, 1, name="narrow")(L.GlobalAveragePooling2D(keepdims=True, name="gap")(x))
        )
    if told["head"] == "flatten" and told["input"] != "free":
        return L.Flatten()(L.AveragePooling2D(2)(x))
    return keras.ops.mean(x, axis=(1, 2))


def _hidden(x, told):
    for number in range({"none": 0, "one": 1, "two": 2, "lora": 1}[told["hidden"]]):
        layer = L.Dense(7, activation="relu", name=f"fc{number}")
        x = L.Dropout(0.5)(layer(x))
        if told["hidden"] == "lora":
            layer.enable_lora(2)
    return x


def _ended(x, end):
    classes = 1 if end in ("sigmoid", "logit") else 3
    fused = {"softmax": "softmax", "sigmoids": "sigmoid", "sigmoid": "sigmoid"}.get(end)
    x = L.Dense(classes, activation=fused, name="top")(x)
    if end == "softmax layer":
        return L.Softmax(name="probabilities")(x)
    if end == "softmax activation":
        return L.Activation("softmax", name="probabilities")(x)
    return keras.ops.softmax(x) if end == "softmax operation" else x


def _wrapped(core, told):
    kind = told["wrap"]
    shape, dtype = core.inputs[0].shape[1:], core.inputs[0].dtype
    if kind == "sequential":
        return keras.Sequential([keras.Input(shape, dtype=dtype), core])
    if kind in ("outer", "twice outer"):
        image = keras.Input(shape, dtype=dtype)
        outer = keras.Model(image, core(image), name="outer")
        if kind == "outer":
            return outer
        return keras.Sequential([keras.Input(shape, dtype=dtype), outer], name="outermost")
    if kind == "subclass":
        model = Own(core)
        model(np.zeros((1, SIZE, SIZE, shape[-1]), np.float32))
        return model
    if kind == "named":
        return keras.Model({"photo": core.inputs[0]}, {"scores": core.outputs[0]})
    return Functional(core.inputs, core.outputs) if kind == "own class" else core


def _fill(model, rng):
    """Gives all weights values that matter: no bias is 0, no statistics are those of a new layer."""
    for weight in model.weights:
        name, shape = weight.path.rpartition("/")[2], weight.shape
        if "normalization" in weight.path and "batch" not in weight.path and "spectral" not in weight.path:
            continue  # What was adapted stays.
        if name in ("gamma", "moving_variance", "scale"):
            weight.assign(rng.uniform(0.5, 1.5, shape))
        elif name in ("beta", "moving_mean", "bias"):
            weight.assign(rng.normal(0, 0.3, shape))
        elif name.startswith("lora"):
            weight.assign(rng.normal(0, 0.2, shape))


def _quantise(core, told):
    for layer in core.layers:
        if isinstance(layer, L.Dense) and layer.dtype_policy.name == "float32" and not layer.lora_enabled:
            layer.quantize(told["quantised"])
