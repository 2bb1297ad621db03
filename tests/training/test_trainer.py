"""Training end to end on a small set of features: what it leaves, how it goes on, what it refuses."""

import dataclasses
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.evaluation_example import CHANNELS, DISTILLED, SHARD, SIDE
from tests.support.small_training import CONFIG, small_features, small_performer, small_trainer, weights
from tf_explainer.config import ExplainerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.training.checkpoints import Checkpoints
from tf_explainer.training.tensorboard_summaries import TensorBoardSummaries
from tf_explainer.training.trainer import Terminated
from tf_explainer.training.training_batches import TrainingBatches

WHOLE = dataclasses.replace(CONFIG, learning_rate_schedule="linear", learning_rate_warmup=2)
# Epochs have 5 steps: the second one is cut short.
BY_STEPS = dataclasses.replace(CONFIG, steps=8, epochs=9, learning_rate_schedule="linear")
# Reported beside the loss terms.
EXTRA = {"loss", "live_filters", "gradient_norm", "images", "stopping"}


class Recorder(keras.callbacks.Callback):
    """Keeps what a training tells its callbacks."""

    def __init__(self):
        super().__init__()
        self.steps, self.epochs, self.values, self.totals = [], [], [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch + 1)
        self.totals.append(self.params["total_steps"])

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)
        self.values.append(logs)


class Rates(keras.callbacks.Callback):
    """Keeps the learning rate of every step."""

    def __init__(self):
        super().__init__()
        self.trainer, self.values = None, []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(self.trainer.optimizer.learning_rate))


def run_with_rates(rates, trainer):
    rates.trainer = trainer
    return trainer.run()


def measure(explainer):
    return {"validation/p": 1 - explainer.part_share}


@pytest.fixture(scope="module")
def performer():
    return small_performer()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Features that several trainings share, and their manifest."""
    folder = tmp_path_factory.mktemp("stored") / "features"
    return folder, small_features(folder)


@pytest.fixture(scope="module")
def trained(performer, stored, tmp_path_factory):
    """A whole training: its work directory, what it reported, its explainer, its learning rates."""
    folder, manifest = stored
    workdir = WorkDir(root=str(tmp_path_factory.mktemp("whole")), features_dir=str(folder))
    recorder, rates = Recorder(), Rates()
    callbacks = [recorder, rates, TensorBoardSummaries(workdir.tensorboard, {"epochs": 3, "profile": ()})]
    trainer = small_trainer(workdir, manifest, performer, WHOLE, callbacks=callbacks, validate=measure)
    return workdir, recorder, run_with_rates(rates, trainer), rates.values


@pytest.fixture(scope="module")
def by_steps(performer, stored, tmp_path_factory):
    """The same of a training by steps; its last are how often it was measured, and its learning rates."""
    folder, manifest = stored
    workdir = WorkDir(root=str(tmp_path_factory.mktemp("by_steps")), features_dir=str(folder))
    recorder, rates, measured = Recorder(), Rates(), []
    trainer = small_trainer(
        workdir,
        manifest,
        performer,
        BY_STEPS,
        callbacks=[recorder, rates],
        validate=lambda _: measured.append(1) or {},
    )
    return workdir, recorder, run_with_rates(rates, trainer), len(measured), rates.values


@pytest.fixture
def start(performer, stored, tmp_path):
    """Makes trainers of one work directory, `tmp_path`."""
    folder, manifest = stored

    def start(config=CONFIG, root=tmp_path, features=folder, **options):
        workdir = WorkDir(root=str(root), features_dir=str(features))
        return small_trainer(workdir, manifest, performer, config, **options)

    return start


def test_early_stopping_needs_a_measure(start):
    with pytest.raises(UserError, match="--early_stopping=2 needs a measure"):
        start(dataclasses.replace(CONFIG, early_stopping=2))


def test_every_step_is_reported(trained):
    _, recorder, explainer, _ = trained
    assert recorder.steps == list(range(1, 16))
    assert recorder.epochs == [1, 2, 3]
    for values in recorder.values:
        named = {name for name in values if not name.startswith("gradient_square/")}
        assert named == {*explainer.loss_weights_by_term, *EXTRA}
        assert all(np.isfinite(value) for value in values.values())
        assert 0 < values["part_share"] < 1
    assert recorder.values[-1]["part_share"] > recorder.values[0]["part_share"]


def test_no_image_is_lost(trained):
    images = [values["images"] for values in trained[1].values]
    assert images == [10, 10, 10, 10, 6] * 3 or sum(images[:5]) == sum(images[5:10]) > 40


def test_the_explainer_is_left(trained):
    workdir, _, explainer, _ = trained
    saved = keras.models.load_model(workdir.explainer)
    for one, other in zip(weights(saved), weights(explainer), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scalars_and_histograms_reach_tensorboard(trained):
    workdir, recorder, explainer, _ = trained
    (events,) = pathlib.Path(workdir.tensorboard).glob("events.out.tfevents.*")
    written = {}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            written.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    histograms = {name for name in written if name.startswith("weights/")}
    assert histograms == {f"weights/{weight.path}" for weight in explainer.weights}
    assert "_hparams_/session_start_info" in written
    assert set(written["validation/p"]) == {5, 10, 15}
    for step, values in zip(recorder.steps, recorder.values, strict=True):
        for name in ("loss", "filter/conv_interp_1", "part_share", "gradient_norm"):
            assert float(written[name][step]) == pytest.approx(values[name])


@pytest.mark.slow
def test_an_interrupted_training_goes_on_in_mid_epoch_to_the_same_weights(trained, start):
    """Interrupted by request in the second epoch, and by a crash behind a checkpoint in the third."""
    first = Recorder()
    with pytest.raises(Terminated, match="Stopped after step 7, in epoch 2 of 3"):
        start(WHOLE, callbacks=[first], stop=lambda: len(first.steps) == 6).run()
    assert first.steps == list(range(1, 8))

    class Crash(Recorder):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if batch == 13:
                raise MemoryError

    second = Crash()
    with pytest.raises(MemoryError):
        start(dataclasses.replace(WHOLE, checkpoint_steps=4), callbacks=[second]).run()
    assert second.steps == list(range(8, 14))
    third = Recorder()
    explainer = start(WHOLE, callbacks=[third]).run()
    assert third.steps == [13, 14, 15]
    for one, other in zip(weights(explainer), weights(trained[2]), strict=True):
        np.testing.assert_array_equal(one, other)


def copied(training, tmp_path):
    """Copies what a training left, for another to go on from."""
    return shutil.copytree(training[0].root, tmp_path / "copied")


@pytest.mark.slow
def test_a_finished_training_can_be_prolonged(trained, start, tmp_path):
    recorder = Recorder()
    start(dataclasses.replace(WHOLE, epochs=4), root=copied(trained, tmp_path), callbacks=[recorder]).run()
    assert set(recorder.epochs) == {4}
    assert recorder.steps == list(range(16, 21))


@pytest.mark.slow
def test_as_many_steps_are_trained_as_asked(by_steps, start, tmp_path):
    """The epoch that is cut short is measured as if it were whole."""
    _, recorder, _, measured, _ = by_steps
    assert recorder.epochs == [1, 2]
    assert recorder.steps == list(range(1, 9))
    assert recorder.params["total_steps"] == 8
    assert measured == 2
    root = copied(by_steps, tmp_path)
    again = Recorder()
    start(BY_STEPS, root=root, callbacks=[again]).run()
    assert again.steps == []
    more = Recorder()
    start(dataclasses.replace(BY_STEPS, steps=10), root=root, callbacks=[more]).run()
    assert more.steps == [9, 10]


def test_an_interrupted_training_by_steps_ends_at_the_same_step_with_the_same_weights(by_steps, start):
    first = Recorder()
    with pytest.raises(Terminated, match=r"Stopped after step 6 of 8\. Everything is saved"):
        start(BY_STEPS, callbacks=[first], stop=lambda: len(first.steps) == 5).run()
    second = Recorder()
    explainer = start(BY_STEPS, callbacks=[second]).run()
    assert second.steps == [7, 8]
    for one, other in zip(weights(explainer), weights(by_steps[2]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_fall_with_the_schedule_to_the_last(by_steps):
    np.testing.assert_allclose(by_steps[4], [1e-3 * (8 - done) / 8 for done in range(8)], rtol=1e-6)


@pytest.mark.slow
def test_the_steps_of_an_epoch_are_known_after_the_first(start, monkeypatch):
    """Four are expected, and five come."""
    recorder = Recorder()
    monkeypatch.setattr(TrainingBatches, "expected", 4)
    start(callbacks=[recorder]).run()
    assert recorder.totals == [12, 15, 15]
    assert recorder.params["total_steps"] == recorder.steps[-1] == 15


@pytest.mark.slow
def test_other_settings_are_refused_until_asked_for(trained, start, tmp_path):
    checkpoints = copied(trained, tmp_path) / "checkpoints"
    before = sorted(path.name for path in checkpoints.iterdir())
    other = ExplainerConfig(filter_weight=9.0)
    weight = ExplainerConfig().filter_weight
    with pytest.raises(UserError, match=rf"filter_weight: {weight} -> 9\.0.*--noresume"):
        start(WHOLE, root=checkpoints.parent, explainer=other).run()
    assert sorted(path.name for path in checkpoints.iterdir()) == before
    start(dataclasses.replace(WHOLE, steps=1, resume=False), root=checkpoints.parent, explainer=other).run()
    settings = json.loads((checkpoints / "settings.json").read_text())
    assert settings["explainer"]["filter_weight"] == 9.0


@pytest.mark.slow
def test_the_best_epoch_is_kept_and_ends_the_training(start, tmp_path):
    """The measure is best after the first epoch: two more are waited for, then the first one counts."""
    found = iter([0.1, 0.3, 0.2, 0.4, 0.5])
    config = dataclasses.replace(
        CONFIG, epochs=5, keep_checkpoints=1, best_measure="validation/x", early_stopping=2
    )
    recorder = Recorder()
    explainer = start(config, callbacks=[recorder], validate=lambda _: {"validation/x": next(found)}).run()
    assert set(recorder.epochs) == {1, 2, 3}
    names = [path.name for path in Checkpoints(str(tmp_path / "checkpoints"), 1).all()]
    assert names == ["epoch-0001-batch-000000", "epoch-0003-batch-000000"]
    assert explainer.part_share == pytest.approx(recorder.values[4]["part_share"], abs=0.01)
    assert explainer.part_share < recorder.values[-1]["part_share"] - 0.01


@pytest.mark.slow
def test_a_measure_that_is_not_taken_is_refused(start):
    config = dataclasses.replace(CONFIG, best_measure="validation/y")
    with pytest.raises(
        UserError, match="--best_measure=validation/y is not measured; available: validation/p"
    ):
        start(config, validate=measure).run()


@pytest.mark.slow
def test_infinite_weights_stop_the_training_before_the_step(start, tmp_path):
    recorder = Recorder()

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 6:
                layer = self.model.get_layer("conv_interp_2")
                layer.bias.assign(layer.bias * 0 + np.inf)

    with pytest.raises(UserError) as refusal:
        start(callbacks=[recorder, Spoil()]).run()
    assert recorder.steps[-1] == 6
    for words in (
        "step 7 (epoch 2)",
        "filter/conv_interp_2 is nan",
        "the output of layer conv_interp_2",
        "epoch-0001-batch-000000",
    ):
        assert words in str(refusal.value)
    assert [path.name for path in Checkpoints(str(tmp_path / "checkpoints"), 1).all()] == [
        "epoch-0001-batch-000000"
    ]
    assert not (tmp_path / "explainer.keras").exists()


def test_a_torn_shard_is_named(start, stored, tmp_path):
    folder, _ = stored
    torn = tmp_path / "features"
    torn.mkdir()
    content = bytearray((folder / SHARD).read_bytes())
    content[len(content) // 2] ^= 255
    (torn / SHARD).write_bytes(content)
    trainer = start(features=torn)
    with pytest.raises(UserError, match=rf"{SHARD} has changed since it was written"):
        trainer.run()
    assert not Checkpoints(str(tmp_path / "checkpoints"), 1).all()


@pytest.mark.slow
def test_the_gradient_is_clipped(start):
    """Clipping shows in Adam's state: its mean gradient is no longer than the limit."""
    recorder = Recorder()
    trainer = start(dataclasses.replace(CONFIG, epochs=1, gradient_clip=1e-3), callbacks=[recorder])
    trainer.run()
    assert min(values["gradient_norm"] for values in recorder.values) > 1e-2
    momenta = [v for v in trainer.optimizer.variables if v.path.endswith("_momentum")]
    assert momenta
    assert np.sqrt(sum(np.square(keras.ops.convert_to_numpy(v)).sum() for v in momenta)) <= 1e-3


@pytest.mark.slow
def test_mixed_precision_trains_the_same_within_its_precision(trained, start):
    recorder = Recorder()
    trainer = start(dataclasses.replace(WHOLE, mixed_precision="bfloat16"), callbacks=[recorder])
    assert trainer.explainer.get_layer("conv_interp_1").compute_dtype == "bfloat16"
    assert trainer.explainer.trunk.layers[-1].compute_dtype == "bfloat16"
    explainer = trainer.run()
    for mixed, full in zip(recorder.values, trained[1].values, strict=True):
        assert mixed["loss"] == pytest.approx(full["loss"], abs=0.05)
    assert recorder.values[0]["loss"] != trained[1].values[0]["loss"]
    assert {variable.dtype for variable in explainer.weights} == {"float32"}
    saved = keras.models.load_model(trainer.workdir.explainer)
    features = np.random.default_rng(0).uniform(size=(2, SIDE, SIDE, CHANNELS)).astype("float32")
    for name, output in saved(features).items():
        assert output.dtype == "float32"
        np.testing.assert_array_equal(output, explainer(features)[name])


@pytest.mark.slow
def test_xla_gives_the_same_losses(trained, start):
    recorder = Recorder()
    start(dataclasses.replace(WHOLE, xla=True), callbacks=[recorder]).run()
    for compiled, plain in zip(recorder.values, trained[1].values, strict=True):
        assert compiled["loss"] == pytest.approx(plain["loss"], rel=1e-4)


@pytest.mark.slow
def test_peaks_come_to_move_with_the_views(tmp_path):
    folder = tmp_path / "features"
    manifest = small_features(folder, mirrored=True)
    workdir = WorkDir(root=str(tmp_path), features_dir=str(folder))
    recorder = Recorder()
    others = ("filter", "part_share", "prototype", "consensus", "competition")
    explainer = ExplainerConfig(
        equivariance_weight=20.0, init_shift=1, **{f"{name}_weight": 0.0 for name in others}
    )
    config = dataclasses.replace(CONFIG, epochs=12)
    small_trainer(workdir, manifest, config=config, explainer=explainer, callbacks=[recorder]).run()
    apart = [values["equivariance"] for values in recorder.values]
    assert np.mean(apart[-20:]) < 0.7 * np.mean(apart[:10])
    images = [values["images"] for values in recorder.values]
    assert images[0] == 20
    assert all(count % 2 == 0 for count in images)


def test_without_views_a_warning_says_what_to_run(start, caplog):
    with caplog.at_level("WARNING"):
        start(explainer=ExplainerConfig(equivariance_weight=2.0))
    assert "--views=flip and --overwrite" in caplog.text
    caplog.clear()
    with caplog.at_level("WARNING"):
        start(explainer=ExplainerConfig(equivariance_weight=0.0))
    assert not caplog.text


def test_more_parts_than_filters_are_told_of(start, caplog, tmp_path):
    once = dataclasses.replace(CONFIG, epochs=1)
    with caplog.at_level("WARNING"):
        trained = start(once, explainer=ExplainerConfig(parts=50, equivariance_weight=0.0)).run()
    assert f"--parts=50: block has {CHANNELS} filters, so there are {CHANNELS} parts" in caplog.text
    assert len(np.unique(trained.filter_groups)) == CHANNELS
    caplog.clear()
    with caplog.at_level("WARNING"):
        start(
            once, explainer=ExplainerConfig(parts=CHANNELS, equivariance_weight=0.0), root=tmp_path / "other"
        ).run()
    assert not caplog.text


def test_learning_rates_follow_the_schedule(trained):
    """They rise over two steps, and fall to the last of 15."""
    rates = trained[3]
    assert rates[0] == pytest.approx(1e-3 / 3)
    assert rates[1] < rates[2] > rates[3] > rates[14]
    assert rates[14] == pytest.approx(1e-3 / 15)


@pytest.mark.slow
def test_the_filter_losses_weight_falls_as_icnns(start):
    seen = []

    class Shares(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch + 1

        def on_train_batch_end(self, batch, logs=None):
            weights = trainer.explainer.loss_weights_by_term
            terms = {name: weight * logs[name] for name, weight in weights.items() if name != "part_share"}
            terms["part_share"] = -weights["part_share"] * np.log(logs["part_share"])
            whole = sum(value / (self.epoch if "filter/" in name else 1) for name, value in terms.items())
            seen.append((self.epoch, logs["loss"], whole))

    config = dataclasses.replace(CONFIG, epochs=3, filter_weight_schedule="reciprocal", learning_rate=1e-9)
    config = dataclasses.replace(config, part_share_learning_rate=1e-9)
    trainer = start(config, callbacks=[Shares()])
    trainer.run()
    assert {epoch for epoch, _, _ in seen} == {1, 2, 3}
    for _, loss, whole in seen:
        assert loss == pytest.approx(whole, rel=1e-4)


def test_the_decoder_starts_close_to_the_performer(performer, start):
    """Before the first step the ordinary track alone gives the performer's layers what they know."""
    trainer = start(explainer=ExplainerConfig(initial_part_share=0.001))
    trainer._start_or_resume()
    features = np.maximum(np.random.default_rng(5).normal(size=(16, SIDE, SIDE, CHANNELS)), 0)
    expected = keras.Model(
        performer.model.get_layer("block").output,
        [performer.model.get_layer(name).output for name in DISTILLED],
    )(features)
    decoded = trainer.explainer(features.astype("float32"))
    for name, layer in zip(DISTILLED, expected, strict=True):
        error = np.square(np.array(decoded[name]) - np.array(layer)).sum() / np.square(np.array(layer)).sum()
        assert error < 0.01, name
