"""Training end to end on a small set of features: what it leaves, how it goes on, what it refuses."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation_example import CHANNELS, CROP, DISTILLED, SIDE, stored_images, write_features
from tf_explainer.config import DatasetConfig, ExplainerConfig, PerformerConfig, TrainConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performers import Performer
from tf_explainer.trainer import Trainer

CONFIG = TrainConfig(epochs=3, batch_size=8, negatives_per_batch=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def performer():
    keras.utils.set_random_seed(0)
    image = keras.Input((CROP, CROP, 3))
    x = keras.layers.Conv2D(CHANNELS, 8, strides=8, activation="relu", name="block")(image)
    assert x.shape[1] == SIDE
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    for name, units in DISTILLED.items():
        x = keras.layers.Dense(units, activation="relu", name=name)(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    return Performer(
        model, PerformerConfig(image_size=CROP, target_layer="block", distilled_layers=tuple(DISTILLED))
    )


@pytest.fixture
def workdir(tmp_path):
    (tmp_path / "features").mkdir()
    return WorkDir(root=str(tmp_path))


@pytest.fixture
def manifest(workdir):
    written = write_features(pathlib.Path(workdir.features), stored_images(60))
    return dataclasses.replace(
        written,
        target=dataclasses.replace(written.target, mean=0.4),
        distilled=tuple(dataclasses.replace(layer, mean_square_norm=1.5) for layer in written.distilled),
    )


def trainer(performer, manifest, workdir, config=CONFIG, explainer=ExplainerConfig()):  # noqa: B008 - frozen
    return Trainer(
        performer=performer,
        manifest=manifest,
        workdir=workdir,
        dataset=DatasetConfig(dataset="folder"),
        explainer=explainer,
        config=config,
        # Several mirrored strategies in one process get into each other's way (test_cross_replica).
        strategy=tf.distribute.OneDeviceStrategy("CPU:0"),
    )


def quiet(progress):
    del progress


def weights(explainer):
    return [np.array(weight) for weight in explainer.get_weights()]


def test_training_reports_every_step_and_leaves_an_explainer(performer, manifest, workdir):
    reports = []
    trained = trainer(performer, manifest, workdir).run(reports.append)
    assert [report.step for report in reports] == list(range(1, len(reports) + 1))
    assert {report.epoch for report in reports} == {1, 2, 3}
    assert reports[-1].steps == len(reports)
    for report in reports:
        assert set(report.terms) == {
            *trained.loss_weights_by_term,
            "loss",
            "live_filters",
        }
        assert all(np.isfinite(value) for value in report.terms.values())
        assert 0 < report.terms["part_share"] < 1
    assert reports[-1].terms["part_share"] > reports[0].terms["part_share"]
    saved = keras.models.load_model(workdir.explainer)
    for one, other in zip(weights(saved), weights(trained), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scalars_reach_tensorboard(performer, manifest, workdir):
    reports = []
    trainer(performer, manifest, workdir, dataclasses.replace(CONFIG, epochs=1)).run(reports.append)
    (events,) = pathlib.Path(workdir.tensorboard).glob("events.out.tfevents.*")
    written = {}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            written.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    assert set(written) == set(reports[0].terms)
    for report in reports:
        for name, value in report.terms.items():
            assert written[name][report.step] == pytest.approx(value)


def test_an_interrupted_training_goes_on_to_the_same_weights(performer, manifest, workdir, tmp_path_factory):
    elsewhere = WorkDir(root=str(tmp_path_factory.mktemp("whole")), features_dir=workdir.features)
    whole = trainer(performer, manifest, elsewhere).run(quiet)

    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(performer, manifest, workdir).run(interrupt)
    assert not pathlib.Path(workdir.explainer).exists()
    steps = []
    resumed = trainer(performer, manifest, workdir).run(lambda progress: steps.append(progress.epoch))
    assert set(steps) == {3}
    for one, other in zip(weights(resumed), weights(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_finished_training_can_be_prolonged(performer, manifest, workdir):
    trainer(performer, manifest, workdir).run(quiet)
    longer = trainer(performer, manifest, workdir, dataclasses.replace(CONFIG, epochs=4))
    epochs = []
    longer.run(lambda progress: epochs.append(progress.epoch))
    assert set(epochs) == {4}


def test_other_settings_are_refused_until_asked_for(performer, manifest, workdir):
    trainer(performer, manifest, workdir, dataclasses.replace(CONFIG, epochs=1)).run(quiet)
    other = ExplainerConfig(filter_weight=9.0)
    with pytest.raises(UserError, match=r"filter_weight: 0\.4 -> 9\.0.*--noresume"):
        trainer(performer, manifest, workdir, explainer=other).run(quiet)
    anew = dataclasses.replace(CONFIG, epochs=1, resume=False)
    trainer(performer, manifest, workdir, anew, explainer=other).run(quiet)
    settings = json.loads((pathlib.Path(workdir.checkpoints) / "settings.json").read_text())
    assert settings["explainer"]["filter_weight"] == 9.0


def test_the_decoder_starts_close_to_the_performer(performer, manifest, workdir):
    """Before the first step the ordinary track alone gives the performer's layers what they know."""
    start = trainer(performer, manifest, workdir, explainer=ExplainerConfig(initial_part_share=0.001))
    start._start_or_resume()
    features = np.maximum(np.random.default_rng(5).normal(size=(16, SIDE, SIDE, CHANNELS)), 0)
    expected = keras.Model(
        performer.model.get_layer("block").output,
        [performer.model.get_layer(name).output for name in DISTILLED],
    )(features)
    decoded = start.explainer(features.astype("float32"))
    for name, layer in zip(DISTILLED, expected, strict=True):
        error = np.square(np.array(decoded[name]) - np.array(layer)).sum() / np.square(np.array(layer)).sum()
        assert error < 0.01, name
