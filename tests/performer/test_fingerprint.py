import keras
import numpy as np
import pytest

from tests.support import warm_python
from tf_explainer.performer.fingerprint import fingerprint
from tf_explainer.performer.preprocessing import Preprocessing

L = keras.layers


def small(activation="relu", application="vgg16", units=4, skip="a"):
    image = keras.Input((8, 8, 3))
    x = Preprocessing(application)(image)
    a = L.Conv2D(units, 3, padding="same", activation=activation)(x)
    b = L.Conv2D(units, 3, padding="same")(a)
    x = L.Dropout(0.5)(L.GlobalAveragePooling2D()(L.Add()([{"a": a, "b": b}[skip], b])))
    model = keras.Model(image, L.Dense(2)(x))
    for number, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    return model


def test_it_does_not_depend_on_names_seeds_or_training():
    first = fingerprint(small())
    second = small()
    second.trainable = False
    assert second.layers[1].name != small().layers[1].name
    assert fingerprint(second) == first
    assert len(first) == 64


@pytest.mark.parametrize(
    "change", [{"activation": "tanh"}, {"application": "mobilenet"}, {"units": 5}, {"skip": "b"}]
)
def test_it_depends_on_what_is_computed(change):
    assert fingerprint(small(**change)) != fingerprint(small())


def test_it_depends_on_every_weight():
    model = small()
    before = fingerprint(model)
    kernel = model.layers[-1].kernel
    kernel.assign(kernel + np.float32(1e-6) * np.eye(4, 2))
    assert fingerprint(model) != before


def densely_connected(input_shape, **_):
    """As DenseNet is: every layer sees all before it."""
    x = image = keras.Input(input_shape)
    for _ in range(4):
        seen = L.Conv2D(4, 3, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
        x = L.Concatenate()([x, seen])
    return keras.Model(image, L.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    "application",
    [
        pytest.param(keras.applications.MobileNetV2, marks=pytest.mark.slow),
        pytest.param(keras.applications.MobileNetV3Small, marks=pytest.mark.slow),
        densely_connected,
        pytest.param(keras.applications.DenseNet121, marks=pytest.mark.slow),
    ],
)
def test_it_survives_a_file(application, tmp_path):
    model = application(weights=None, include_top=False, input_shape=(32, 32, 3))
    model.save(tmp_path / "model.keras")
    assert fingerprint(keras.models.load_model(tmp_path / "model.keras")) == fingerprint(model)


def test_another_process_agrees(tmp_path):
    model = small()
    path = str(tmp_path / "model.keras")
    model.save(path)
    program = (
        "import keras, tf_explainer.performer.preprocessing; "
        "from tf_explainer.performer.fingerprint import fingerprint; "
        f"keras.layers.Dense(1); print(fingerprint(keras.models.load_model({path!r})))"
    )
    result = warm_python.run("-c", program)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == fingerprint(model)
