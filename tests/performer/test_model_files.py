import importlib
import io
import os
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer.model_files import read_model
from tf_explainer.performer.performer import Performer
from tf_explainer.performer.preprocessing import Preprocessing

L = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


def backbone(size=32, name="inner"):
    image = keras.Input((size, size, 3))
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, activation="relu", name="conv")(image))
    return keras.Model(image, x, name=name)


def saved(model, tmp_path):
    path = str(tmp_path / "model.keras")
    model.save(path)
    return path


def transfer_model(size=32):
    image = keras.Input((size, size, 3))
    x = backbone(size)(L.Rescaling(1 / 255)(image), training=False)
    return keras.Model(image, L.Dense(2, activation="softmax", name="top")(L.GlobalAveragePooling2D()(x)))


def test_flat_models_stay_as_they_are(tmp_path):
    image = keras.Input((32, 32, 3), name="photo")
    model = keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(backbone().layers[1](image))))
    read = read_model(saved(model, tmp_path), 32)
    assert [layer.name for layer in read.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(read(IMAGES), model(IMAGES))


def test_nested_models_are_unfolded(tmp_path):
    model = transfer_model()
    read = read_model(saved(model, tmp_path), 32)
    assert {"conv", "norm", "top"} <= {layer.name for layer in read.layers}
    assert not any(isinstance(layer, keras.Model) for layer in read.layers)
    assert read.get_layer("conv").output.shape == (None, 30, 30, 4)
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-6)


def test_sequential_models_are_unfolded(tmp_path):
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone(), L.Flatten(), L.Dense(2, name="top")])
    read = read_model(saved(model, tmp_path), 32)
    assert {"conv", "norm", "top"} <= {layer.name for layer in read.layers}
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-5)


def test_free_input_sizes_are_fixed(tmp_path):
    model = transfer_model(None)
    read = read_model(saved(model, tmp_path), 32)
    assert read.inputs[0].shape == (None, 32, 32, 3)
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-6)


def test_preprocessing_is_put_before(tmp_path):
    model = transfer_model()
    read = read_model(saved(model, tmp_path), 32, "vgg16")
    assert isinstance(read.layers[1], Preprocessing)
    expected = model(keras.applications.vgg16.preprocess_input(IMAGES.copy()))
    np.testing.assert_allclose(read(IMAGES), expected, rtol=1e-5)
    path = str(tmp_path / "again.keras")
    read.save(path)
    np.testing.assert_allclose(read_model(path, 32)(IMAGES), expected, rtol=1e-5)
    with pytest.raises(UserError, match=r"--preprocessing=vgg16: .*again.keras has its own"):
        read_model(path, 32, "vgg16")


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.keras: there is no such file"):
        read_model("nowhere.keras", 32)
    (tmp_path / "model.txt").write_text("no model")
    with pytest.raises(UserError, match=r"model.txt is no Keras file \(it begins with b'no model'\)"):
        read_model(str(tmp_path / "model.txt"), 32)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_a_file_is_counts_and_not_its_name(tmp_path, name, suffix):
    model = transfer_model()
    model.save(tmp_path / f"saved{suffix}")
    os.rename(tmp_path / f"saved{suffix}", tmp_path / name)
    np.testing.assert_allclose(read_model(str(tmp_path / name), 32)(IMAGES), model(IMAGES), rtol=1e-5)


def with_layer(layer):
    image = keras.Input((32, 32, 3))
    return keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(layer(image))))


def test_code_in_a_file_is_refused_with_the_flag_that_runs_it(tmp_path):
    model = with_layer(L.Lambda(lambda x: 2 * x))
    path = saved(model, tmp_path)
    with pytest.raises(
        UserError, match=r"code \(a Lambda layer, a Python function\).*--trust_performer_code"
    ):
        read_model(path, 32)
    np.testing.assert_array_equal(read_model(path, 32, trust_code=True)(IMAGES), model(IMAGES))


def test_code_is_found_however_deep_it_lies(tmp_path):
    image = keras.Input((32, 32, 3))
    inner = keras.Model(image, L.TimeDistributed(L.Lambda(lambda x: x + 1))(image), name="inner")
    with pytest.raises(UserError, match="--trust_performer_code"):
        read_model(saved(with_layer(inner), tmp_path), 32)


def test_code_runs_only_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CODE_WAS_HERE", "")
    model = with_layer(L.Lambda(lambda x: (__import__("os").environ.update(CODE_WAS_HERE="yes"), x)[1]))
    path = saved(model, tmp_path)
    monkeypatch.setenv("CODE_WAS_HERE", "no")
    with pytest.raises(UserError):
        read_model(path, 32)
    assert os.environ["CODE_WAS_HERE"] == "no"
    read_model(path, 32, trust_code=True)
    assert os.environ["CODE_WAS_HERE"] == "yes"


OWN_LAYER = """
import keras


@keras.saving.register_keras_serializable(package="own_layers")
class Half(keras.layers.Layer):
    def call(self, x):
        return x / 2
"""


@pytest.fixture
def own_layers(tmp_path, monkeypatch):
    """A person's own module, imported and forgotten again."""
    (tmp_path / "own_layers.py").write_text(OWN_LAYER)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("own_layers")
    forget_own_layers()


def forget_own_layers():
    del sys.modules["own_layers"]
    del keras.saving.get_custom_objects()["own_layers>Half"]


def test_unknown_classes_are_refused_with_the_flag_that_names_their_module(tmp_path, own_layers):
    model = with_layer(own_layers.Half())
    path = saved(model, tmp_path)
    forget_own_layers()
    with pytest.raises(UserError, match=r"that Keras lacks: own_layers\.Half.*--performer_modules=MODULE"):
        read_model(path, 32)
    assert "own_layers" not in sys.modules  # the file's word is no reason to import it
    np.testing.assert_array_equal(read_model(path, 32, modules=["own_layers"])(IMAGES), model(IMAGES))
    with pytest.raises(UserError, match=r"--performer_modules=nowhere cannot be imported.*PYTHONPATH"):
        read_model(path, 32, modules=["nowhere"])


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def test_nothing_is_unpickled(tmp_path):
    path, mark = saved(transfer_model(), tmp_path), str(tmp_path / "exploded")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO()
    np.savez(weights, layers=np.array([Bomb(mark)], object))
    del files["model.weights.h5"]
    for trust_code in (False, True):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr("model.weights.npz", weights.getvalue())
        with pytest.raises(UserError, match="could not be loaded"):
            read_model(path, 32, trust_code=trust_code)
        assert not os.path.exists(mark)


class Focal(keras.losses.Loss):
    """A loss of someone's own, which nobody registers."""

    def call(self, true, said):
        return keras.ops.mean(-true * said, -1)


class Shrinking(keras.regularizers.Regularizer):
    """A regulariser of someone's own, which nobody registers."""

    def __call__(self, x):
        return keras.ops.sum(keras.ops.abs(x))

    def get_config(self):
        return {}


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of someone's own, which nobody registers."""

    def __call__(self, step):
        return 1.0 / (1.0 + step)

    def get_config(self):
        return {}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "training",
    [
        {"loss": Focal()},
        {"loss": lambda true, said: keras.ops.mean((true - said) ** 2, -1)},
        {"loss": "mse", "metrics": [lambda true, said: keras.ops.mean(true - said)]},
        {"loss": "mse", "optimizer": keras.optimizers.Adam(Falling())},
    ],
    ids=["loss", "lambda", "metric", "schedule"],
)
def test_how_a_model_was_trained_is_not_read(tmp_path, training, nested):
    model = transfer_model()
    model.compile(**training)
    if nested:
        model = keras.Sequential([keras.Input((32, 32, 3)), model])
    read = read_model(saved(model, tmp_path), 32)
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-5)


def test_regularisers_of_ones_own_are_not_needed(tmp_path):
    model = with_layer(L.Conv2D(3, 3, kernel_regularizer=Shrinking(), activity_regularizer=Shrinking()))
    np.testing.assert_allclose(read_model(saved(model, tmp_path), 32)(IMAGES), model(IMAGES), rtol=1e-6)


def adapted():
    layer = L.Normalization()
    layer.adapt(IMAGES)
    return layer


def dense_in(policy):
    layer = L.Dense(4, activation="relu")
    layer.build((None, 32, 32, 3))
    layer.quantize(policy)
    return layer


DERIVED = {
    "adapted": adapted,
    "statistics as arguments": lambda: L.Normalization(mean=[100.0, 110.0, 120.0], variance=[9.0, 8.0, 7.0]),
    "inverted": lambda: L.Normalization(mean=2.0, variance=9.0, invert=True),
    "rescaling by channel": lambda: L.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]),
    "discretised": lambda: L.Discretization(bin_boundaries=[50.0, 100.0, 200.0], dtype="float32"),
    "spectral": lambda: L.SpectralNormalization(L.Conv2D(4, 3)),
    "random": lambda: L.RandomRotation(0.5),
    "noise": lambda: L.GaussianNoise(1.0),
    "half precision": lambda: L.Conv2D(4, 3, dtype="mixed_float16"),
    "int8": lambda: dense_in("int8"),
    "int4": lambda: dense_in("int4"),
    "float8": lambda: dense_in("float8"),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", DERIVED)
def test_what_layers_keep_beside_their_weights_is_kept(tmp_path, kind, nested):
    model = with_layer(DERIVED[kind]())
    if nested:
        model = keras.Sequential([keras.Input((32, 32, 3)), model])
    path = saved(model, tmp_path)
    expected = keras.models.load_model(path).predict_on_batch(IMAGES)
    read = read_model(path, 32)
    assert not any(isinstance(layer, keras.Model) for layer in read.layers)
    np.testing.assert_allclose(read.predict_on_batch(IMAGES), expected, rtol=1e-3)
    assert np.ptp(expected) > 0


def test_types_of_inner_inputs_are_kept(tmp_path):
    image = keras.Input((32, 32, 3), dtype="uint8")
    inner = keras.Model(image, L.Rescaling(1.0)(image))
    outer = keras.Input((32, 32, 3))
    model = keras.Model(outer, L.Flatten()(L.AveragePooling2D(32)(inner(L.Rescaling(0.3)(outer)))))
    read = read_model(saved(model, tmp_path), 32)
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-6)


@pytest.mark.parametrize("structure", ["dict", "list", "output"])
def test_one_image_and_one_output_may_have_names(tmp_path, structure):
    plain = transfer_model()
    inputs, outputs = plain.inputs[0], plain.outputs[0]
    ends = {
        "dict": ({inputs.name: inputs}, outputs),
        "list": ([inputs], [outputs]),
        "output": (inputs, {"scores": outputs}),
    }
    read = read_model(saved(keras.Model(*ends[structure]), tmp_path), 32)
    assert read(IMAGES).shape == (2, 2)
    np.testing.assert_allclose(read(IMAGES), plain(IMAGES), rtol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Chance(L.Layer):
    """Answers otherwise each time."""

    def call(self, x):
        return x + 500 * keras.random.uniform(keras.ops.shape(x))


@keras.saving.register_keras_serializable(package="tests")
class OverBatch(L.Layer):
    """Takes a mean over the batch, trained or not."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def test_scores_that_depend_on_chance_or_on_the_batch_are_refused(tmp_path):
    for layer, reason in ((Chance(), "is random"), (OverBatch(), "statistics of the batch")):
        with pytest.raises(UserError, match=reason):
            read_model(saved(with_layer(layer), tmp_path), 32)


@pytest.mark.parametrize("nested", [False, True])
def test_layers_that_were_called_for_training_do_as_in_prediction(tmp_path, nested):
    image = keras.Input((32, 32, 3))
    x = L.BatchNormalization()(L.Dropout(0.5)(image, training=True), training=True)
    model = keras.Model(image, L.Dense(2)(L.Flatten()(x)))
    if nested:
        outer = keras.Input((32, 32, 3))
        model = keras.Model(outer, model(outer, training=True))
    read = read_model(saved(model, tmp_path), 32)
    np.testing.assert_allclose(
        read.predict_on_batch(IMAGES), model.predict_on_batch(IMAGES), rtol=1e-4, atol=1e-2
    )


def with_inputs(shape):
    return keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(2)])


def test_grey_images_are_made_before_the_model(tmp_path):
    model = with_inputs((32, 32, 1))
    read = read_model(saved(model, tmp_path), 32)
    grey = IMAGES @ np.array([0.2989, 0.587, 0.114], np.float32)
    np.testing.assert_allclose(read(IMAGES), model(grey[..., None]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((32, 32, 4), "a layer x that computes the 4 channels"),
        ((32, 48, 3), "only square images and maps can be explained"),
        ((3, 32, 32), "channels first, but only maps with channels last"),
        ((48, 48, 3), r"not images of --image_size=32: set --image_size=48"),
        ((784,), "it has no feature maps"),
        ((None, 64, 3), "set --image_size=64"),
    ],
)
def test_inputs_that_cannot_be_are_refused_with_the_reason(tmp_path, shape, reason):
    path = str(tmp_path / "model.keras")
    model = (
        with_inputs(shape)
        if None not in shape
        else keras.Sequential([keras.Input(shape), L.GlobalMaxPool2D()])
    )
    model.save(path)
    with pytest.raises(UserError, match=reason):
        read_model(path, 32)


def test_the_way_on_from_four_channels_leads_on(tmp_path):
    model = with_inputs((32, 32, 4))
    image = keras.Input((32, 32, 3))
    opaque = L.Concatenate()([image, keras.ops.full_like(image[..., :1], 255.0)])
    read = read_model(saved(keras.Model(image, model(opaque)), tmp_path), 32)
    four = np.concatenate([IMAGES, np.full((2, 32, 32, 1), 255, np.float32)], axis=-1)
    np.testing.assert_allclose(read(IMAGES), model(four), rtol=1e-4, atol=1e-3)


def test_the_way_on_from_channels_first_and_from_oblong_images_leads_on(tmp_path):
    def network(shape, data_format):
        image = keras.Input(shape)
        x = L.Conv2D(4, 3, activation="relu", data_format=data_format)(image)
        x = L.GlobalAveragePooling2D(data_format=data_format)(x)
        return keras.Model(image, L.Dense(2)(x))

    for old in (network((3, 32, 32), "channels_first"), network((32, 48, 3), "channels_last")):
        new = network((32, 32, 3), "channels_last")
        new.set_weights(old.get_weights())
        read = read_model(saved(new, tmp_path), 32)
        for ours, theirs in zip(read.get_weights(), old.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_several_inputs_or_outputs_are_refused_with_a_way_on(tmp_path):
    image, mask = keras.Input((32, 32, 3), name="image"), keras.Input((4,), name="mask")
    pooled = L.GlobalAveragePooling2D()(image)
    scores, boxes = L.Dense(2, name="scores")(pooled), L.Dense(4, name="boxes")(pooled)
    two = keras.Model([image, mask], L.Concatenate()([scores, mask]))
    with pytest.raises(UserError, match=r"one input, an image, but has 2 \(image, mask\)"):
        read_model(saved(two, tmp_path), 32)
    model = keras.Model(image, [scores, boxes])
    with pytest.raises(UserError, match=r"one output, the scores, but has 2 \(scores, boxes\)"):
        read_model(saved(model, tmp_path), 32)
    one = keras.Model(model.inputs, model.outputs[0])
    np.testing.assert_allclose(read_model(saved(one, tmp_path), 32)(IMAGES), model(IMAGES)[0], rtol=1e-5)
    with pytest.raises(UserError, match="only classifiers"):
        read_model(saved(backbone(), tmp_path), 32)


@keras.saving.register_keras_serializable(package="tests")
class Classifier(keras.Model):
    """A class of its own around a functional core."""

    def __init__(self, core=None, **kwargs):
        super().__init__(**kwargs)
        self.core = core or backbone()
        self.pool = L.GlobalAveragePooling2D(name="pool")
        self.top = L.Dense(2, activation="softmax", name="top")

    def call(self, images, training=False):
        return self.top(self.pool(self.core(images / 255.0, training=training)))

    def get_config(self):
        return super().get_config() | {"core": keras.saving.serialize_keras_object(self.core)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("core")), **config)


@keras.saving.register_keras_serializable(package="tests")
class Deciding(Classifier):
    """Looks at what its layers say before it goes on."""

    def call(self, images, training=False):
        scores = super().call(images, training=training)
        return scores if float(keras.ops.max(scores)) > 0 else -scores


@keras.saving.register_keras_serializable(package="tests")
class Masking(Classifier):
    """Needs numbers where a symbolic image has none."""

    def build(self, shape):
        self.core.build(shape)
        self.top.build((None, 4))
        self.built = True

    def call(self, images, training=False):
        return super().call(keras.ops.convert_to_tensor(np.asarray(images)), training=training)


@keras.saving.register_keras_serializable(package="tests")
class Unsteady(Classifier):
    """Does something else with an image that is none yet."""

    def call(self, images, training=False):
        scores = super().call(images, training=training)
        return scores if isinstance(images, keras.KerasTensor) else 1 - scores


def test_a_class_around_a_functional_core_is_taken_apart(tmp_path):
    model = Classifier()
    expected = model(IMAGES)
    read = read_model(saved(model, tmp_path), 32, modules=[__name__])
    assert [layer.name for layer in read.layers][-4:] == ["conv", "norm", "pool", "top"]
    np.testing.assert_allclose(read(IMAGES), expected, rtol=1e-5)
    chosen = PerformerConfig(image_size=32, target_layer="conv", distilled_layers=("pool",))
    assert Performer(read, chosen).receptive_field().size == 3


def test_a_class_may_take_grey_images(tmp_path):
    image = keras.Input((32, 32, 1))
    model = Classifier(keras.Model(image, L.Conv2D(4, 3, activation="relu", name="conv")(image)))
    grey = keras.ops.image.rgb_to_grayscale(IMAGES)
    expected = model(grey)
    np.testing.assert_allclose(read_model(saved(model, tmp_path), 32)(IMAGES), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Deciding, "Deciding was saved before its layers had weights, or cannot be built"),
        (Masking, "Masking does more than call layers on one image"),
        (Unsteady, "Unsteady does something else than its layers one by one"),
    ],
)
def test_classes_that_are_more_than_their_layers_are_refused(tmp_path, cls, message):
    model = cls()
    model(IMAGES)
    with pytest.raises(UserError, match=message):
        read_model(saved(model, tmp_path), 32, modules=[__name__])


def test_models_without_a_graph_are_refused(tmp_path):
    model = keras.Sequential([L.Flatten(), L.Dense(2)])
    path = str(tmp_path / "model.keras")
    model.save(path)
    with pytest.raises(UserError, match="no functional Keras model"):
        read_model(path, 32)


def test_layers_of_one_name_get_that_of_their_model(tmp_path):
    image = keras.Input((32, 32, 3))
    joined = L.Concatenate()([backbone()(image), backbone(name="other")(image)])
    model = keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(joined)))
    read = read_model(saved(model, tmp_path), 32)
    assert {"conv", "norm", "other.conv", "other.norm"} <= {layer.name for layer in read.layers}
    np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-5)


def test_a_class_inside_a_model_is_taken_apart_or_stays_whole(tmp_path):
    for cls, whole in ((Classifier, False), (Unsteady, True)):
        image = keras.Input((32, 32, 3))
        model = keras.Model(image, L.Dense(2)(cls(name="inner")(image)))
        read = read_model(saved(model, tmp_path), 32)
        assert any(isinstance(layer, keras.Model) for layer in read.layers) is whole
        np.testing.assert_allclose(read(IMAGES), model(IMAGES), rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"GlobalAveragePooling2D"', b'"TFOpLambda"'),
        (b'"module": "keras"', b'"module": "tf_keras.src.engine"'),
    ],
    ids=["operation", "module"],
)
def test_files_of_keras_2_are_called_so(tmp_path, old, new):
    path = saved(transfer_model(), tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["metadata.json"] = b'{"keras_version": "2.15.0"}'
    files["config.json"] = files["config.json"].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"written by Keras 2.15.0, not by Keras 3: .*save it as HDF5"):
        read_model(path, 32)


def test_hdf5_files_of_keras_2_are_read_or_told_how_to_rebuild(tmp_path):
    path = str(tmp_path / "old.h5")
    model = transfer_model()
    model.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
    np.testing.assert_allclose(read_model(path, 32)(IMAGES), model(IMAGES), rtol=1e-5)
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"].replace("GlobalAveragePooling2D", "TFOpLambda")
        file.attrs["model_config"] = config
    with pytest.raises(
        UserError, match=r"written by Keras 2.15.0, not by Keras 3: build the model in Keras 3"
    ):
        read_model(path, 32)
