import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.slow_cases import slow_but
from tf_explainer.config import PerformerTrainingConfig
from tf_explainer.datasets.labelled_crops import LabelledCrop
from tf_explainer.performer import fitting, layer_graph
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.heads import attach_head

CONFIG = PerformerTrainingConfig(
    head_pooling="flatten", head_widths=(8,), epochs=12, learning_rate=3e-3, batch_size=8, head_dropout=0.0
)
IMAGES = np.random.default_rng(1).integers(0, 256, (64, 32, 32, 3), np.uint8)


def crops(count=40, size=32):
    """Dark and light noise, told apart by brightness; every fifth image is held out."""
    random = np.random.default_rng(0)
    for number in range(count):
        image = random.integers(0, 120, (size, size, 3), np.uint8) + np.uint8(120 * (number % 2))
        yield LabelledCrop(image=image, label=number % 2, held_out=number % 5 == 0)


def performer(scale=1.0):
    """A head on a small network whose features grow with `scale`."""
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, 2, name="conv")(keras.layers.Rescaling(1 / 255, -0.5)(image))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(8, 3, 2, activation="relu")(x)
    return attach_head(keras.Model(image, keras.layers.Rescaling(scale)(x)), 2, CONFIG)


def features_of(model, images=None, file=""):
    pooling = model.get_layer("head_pooling")
    below = keras.Model(model.inputs[0], pooling.input)
    above = layer_graph.between(pooling.input, pooling.output)
    return fitting.collect_features(MapStore(file, below), above, images or crops(), 40, 16, fitting.silent)


def test_collected_features_are_the_backbones():
    model = performer()
    examples = features_of(model)
    backbone = keras.Model(model.inputs[0], model.get_layer("head_pooling").output)
    images = np.stack([crop.image for crop in crops()])
    np.testing.assert_allclose(examples.inputs, backbone.predict(images, verbose=0), rtol=2e-3, atol=1e-4)
    assert examples.inputs.dtype == np.float16
    assert examples.labels.tolist() == [0, 1] * 20
    assert examples.held_out.sum() == 8


def test_features_beyond_half_precision_are_clipped():
    image = keras.Input((32, 32, 3))
    x = keras.layers.Flatten(name="head_pooling")(keras.layers.Rescaling(1e6)(image))
    examples = features_of(keras.Model(image, x), crops(4))
    assert examples.inputs.max() == np.finfo(np.float16).max


def test_maps_are_kept_and_taken_over(tmp_path):
    file = str(tmp_path / "maps.sqlite")
    first = features_of(performer(), file=file)
    kept = pathlib.Path(file).read_bytes()
    again = features_of(performer(), file=file)
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert pathlib.Path(file).read_bytes() == kept
    # Of another backbone none is.
    other = features_of(performer(2.0), file=file)
    np.testing.assert_allclose(other.inputs, 2 * first.inputs.astype(np.float32), rtol=2e-3, atol=1e-6)


def test_nothing_to_collect():
    assert len(fitting.collect_crops(iter(()), 0, fitting.silent).labels) == 0


@pytest.mark.parametrize("scale", slow_but([0.01, 1.0, 500.0], [500.0]))
def test_the_whole_performer_gives_what_its_head_learned(scale):
    model = performer(scale)
    before = model.get_layer("conv").kernel.numpy()
    probabilities = fitting.train_head(model, features_of(model), CONFIG, fitting.silent)
    images = np.stack([crop.image for crop in crops()])
    np.testing.assert_allclose(model.predict(images, verbose=0), probabilities, atol=0.01)
    assert (probabilities.argmax(1) == np.arange(40) % 2).all()
    np.testing.assert_array_equal(model.get_layer("conv").kernel, before)


@pytest.mark.slow
@pytest.mark.parametrize("end_to_end", [False, True])
def test_training_is_repeatable_and_blind_to_held_out_images(end_to_end):
    config = dataclasses.replace(CONFIG, epochs=1)

    def trained(*, poison):
        model = performer()
        examples = fitting.collect_crops(crops(), 40, fitting.silent) if end_to_end else features_of(model)
        if poison:
            examples.labels[examples.held_out] = 0
            examples.inputs[examples.held_out] = 7
        train = fitting.train_end_to_end if end_to_end else fitting.train_head
        train(model, examples, config, fitting.silent)
        return model.get_weights()

    for one, other in zip(trained(poison=False), trained(poison=True), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_end_to_end_training_changes_the_backbone_and_learns():
    model = performer()
    before = model.get_layer("conv").kernel.numpy()
    examples = fitting.collect_crops(crops(), 40, fitting.silent)
    probabilities = fitting.train_end_to_end(model, examples, CONFIG, fitting.silent)
    assert np.abs(model.get_layer("conv").kernel.numpy() - before).max() > 0
    assert (probabilities.argmax(1) == np.arange(40) % 2).all()


def test_settled_statistics_are_those_of_all_images():
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.BatchNormalization(momentum=0.999)(image))
    fitting._settle_statistics(model, np.concatenate([IMAGES, IMAGES[::-1] // 2]), fitting.silent)
    norm = model.layers[1]
    mean = (IMAGES.mean((0, 1, 2)) + (IMAGES // 2).mean((0, 1, 2))) / 2
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-5)
    variance = (IMAGES.var((0, 1, 2), dtype=np.float64) + (IMAGES // 2).var((0, 1, 2), dtype=np.float64)) / 2
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)
    assert norm.momentum == 0.999


def test_classes_weigh_the_same():
    labels = np.array([0] * 9 + [1] * 3)
    examples = fitting.Examples(inputs=np.arange(12.0)[:, None], labels=labels, held_out=np.zeros(12, bool))
    batches = list(fitting._batches(examples, CONFIG, None))
    inputs, label, weight = (np.concatenate([batch[part] for batch in batches]) for part in range(3))
    assert sorted(inputs[:, 0]) == list(range(12))
    assert weight[label == 0].sum() == pytest.approx(weight[label == 1].sum()) == pytest.approx(6)


def test_progress_counts_every_step():
    calls = []
    model = performer()
    fitting.train_head(
        model,
        features_of(model),
        dataclasses.replace(CONFIG, epochs=2),
        lambda *arguments: calls.append(arguments),
    )
    assert [call[:3] for call in calls] == [("training", step, 8) for step in range(1, 9)]
    assert {"loss", "accuracy"} <= set(calls[-1][3])


def test_augmented_images_are_mirrored_and_shifted_copies():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    images = tf.constant(np.stack([image] * 64))
    augmented = fitting._flipped_and_shifted(images, tf.constant([1, 2], tf.int64)).numpy()
    assert augmented.dtype == np.uint8
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    copies = {
        (mirror, dy, dx): (image_[dy : dy + 20, dx : dx + 20]).tobytes()
        for mirror, image_ in enumerate((padded, padded[:, ::-1]))
        for dy in range(5)
        for dx in range(5)
    }
    seen = {next(key for key, copy in copies.items() if copy == one.tobytes()) for one in augmented}
    assert {key[0] for key in seen} == {0, 1}
    assert {key[1] for key in seen} == {key[2] for key in seen} == set(range(5))
