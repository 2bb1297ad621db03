"""Trains an explainer on stored features, on all replicas of a strategy, resumable at every step."""

from __future__ import annotations

import dataclasses
import itertools
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tf_explainer import atomic_file
from tf_explainer.config import DatasetConfig, ExplainerConfig, TrainConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.schema import ORIGINAL, Manifest
from tf_explainer.features.stored_features import Features
from tf_explainer.performer.performer import Performer
from tf_explainer.training import distribution, precision, training_identity
from tf_explainer.training.checkpoints import Checkpoints, TrainingState
from tf_explainer.training.initialisation import explainer_for
from tf_explainer.training.non_finite import origin
from tf_explainer.training.optimizer import GroupedAdam, schedule_factor
from tf_explainer.training.part_discovery import discover_parts
from tf_explainer.training.training_batches import TrainingBatches
from tf_explainer.training.training_step import STOPPING, TrainingStep, squares_of

# Batches for the running statistics before the first step, and for finding parts.
CALIBRATION_BATCHES = 8
DISCOVERY_BATCHES = 12

Measure = Callable[[Explainer], Mapping[str, float]]


class Terminated(Exception):  # noqa: N818 - nothing went wrong
    """Raised when training was asked to stop, after the checkpoint was saved."""


class Trainer:
    """A training run: the explainer, its optimizer, its data and its checkpoints.

    Callbacks are Keras callbacks: `on_train_begin`, `on_epoch_begin(completed epochs)`,
    `on_train_batch_end(completed steps, logs)` with the values of `TrainingStep`,
    `on_epoch_end(completed epochs, logs)` with the values of the last step and of validation, and
    `on_train_end`. Their `model` is the explainer. Their `params` are `epochs` (None if the configuration
    gives the number of steps), `total_steps` (steps at the end of training, an estimate until the first epoch
    is complete) and `first_step` (steps completed before this process started). Setting `model.stop_training`
    ends training after the epoch. Callbacks are called only in the process that writes files.

    Args:
        performer: the network that the features come from.
        manifest: manifest of the features.
        workdir: work directory with the features; all output is written there.
        dataset: data set settings; they determine the held-out images.
        explainer: architecture and loss weights.
        config: training settings.
        strategy: the devices.
        callbacks: Keras callbacks, called as described above.
        validate: measures the explainer on held-out images; the names begin with `validation/`.
        stop: called before every step; if it returns True, training saves a checkpoint after the step and
            raises `Terminated`.
    """

    def __init__(
        self,
        *,
        performer: Performer,
        manifest: Manifest,
        workdir: WorkDir,
        dataset: DatasetConfig,
        explainer: ExplainerConfig,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        validate: Measure | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if config.early_stopping and not config.best_measure:
            raise UserError(
                f"--early_stopping={config.early_stopping} needs a measure: --best_measure=validation/loss"
            )
        devices = strategy.extended.worker_devices
        config = dataclasses.replace(
            config, mixed_precision=precision.chosen(config.mixed_precision, devices)
        )
        self.manifest, self.workdir = manifest, workdir
        self.config, self.strategy = config, strategy
        self._validate, self._stop = validate, stop
        self._chief = distribution.is_chief(strategy)
        keras.utils.set_random_seed(config.seed)
        if config.deterministic:
            tf.config.experimental.enable_op_determinism()
        with strategy.scope():
            self.explainer = explainer_for(performer, manifest, explainer, config.seed)
            self.optimizer = _optimizer(config)
            self.optimizer.build(self.explainer.trainable_variables)
        if config.mixed_precision != "none":
            precision.set_compute_dtype(self.explainer, config.mixed_precision)
        self._step = TrainingStep(self.explainer, self.optimizer, strategy, manifest.target.name, config)
        self._checkpoints = Checkpoints(
            workdir.checkpoints, config.keep_checkpoints, explainer=self.explainer, optimizer=self.optimizer
        )
        self._callbacks = keras.callbacks.CallbackList(
            list(callbacks) if self._chief else [], model=self.explainer
        )
        self._batches = TrainingBatches(
            manifest=manifest,
            features=workdir.features,
            dataset=dataset,
            config=config,
            strategy=strategy,
            views=_views(manifest, explainer),
        )
        self._features = Features(manifest=manifest, directory=workdir.features, dataset=dataset)
        self._identity = training_identity.identity(manifest, dataset, explainer, config)

    def run(self) -> Explainer:
        """Trains to the last epoch, from the last checkpoint if there is one, and saves the explainer.

        Returns:
            The trained explainer, as saved to the work directory.

        Raises:
            UserError: the checkpoints belong to another configuration, a loss term or the gradient is not
                finite, features cannot be read, or a checkpoint cannot be written.
            Terminated: `stop` returned True; everything is saved.
        """
        self.explainer.stop_training = False
        state = self._start_or_resume()
        first = state.step
        self._tell_callbacks(state, first)
        self._callbacks.on_train_begin()
        while not self._is_done(state):
            state = self._run_epoch(state)
            self._tell_callbacks(state, first)
        self._callbacks.on_train_end()
        if self.config.best_measure and state.best:
            self._checkpoints.restore_best(state.best)
        precision.set_compute_dtype(self.explainer, "float32")
        if self._chief:
            with atomic_file.replacing(self.workdir.explainer) as path:
                self.explainer.save(path)
        return self.explainer

    def _tell_callbacks(self, state: TrainingState, first_step: int) -> None:
        epochs, total = None, self.config.steps
        if not self.config.steps:
            epochs = self.config.epochs
            remaining = max(epochs - state.epochs, 0)
            total = state.step - state.batches + remaining * self._steps_per_epoch(state)
        if self._is_done(state):
            total = state.step
        self._callbacks.set_params({"epochs": epochs, "total_steps": total, "first_step": first_step})

    def _is_done(self, state: TrainingState) -> bool:
        steps, epochs = self.config.steps, self.config.epochs
        patience = self.config.early_stopping
        waited = state.epochs - state.best[0] if patience and state.best else 0
        return (
            (state.step >= steps if steps else state.epochs >= epochs)
            or (patience > 0 and waited >= patience)
            or self.explainer.stop_training
        )

    def _start_or_resume(self) -> TrainingState:
        settings = f"{self.workdir.checkpoints}/settings.json"
        if not self.config.resume and self._chief:
            shutil.rmtree(self.workdir.checkpoints, ignore_errors=True)
        if self.config.resume and self._checkpoints.all():
            training_identity.check_identity(settings, self._identity)
            state = self._checkpoints.restore_latest()
            if state:
                if self._is_done(state):
                    logging.info("The explainer is already trained to the end, and is kept")
                else:
                    logging.info("Resumed after step %d, in epoch %d", state.step, state.epochs + 1)
                return state
        self._discover_parts()
        self._calibrate()
        if self._chief:
            training_identity.write_identity(settings, self._identity)
        return TrainingState()

    def _discover_parts(self) -> None:
        """Finds parts in stored features of objects and assigns the filters to them."""
        # Every process reads the same images and so finds the same parts.
        batches = itertools.islice(self._features.batches("train", negatives=False), DISCOVERY_BATCHES)
        prototypes, target = self.explainer.prototypes, self.manifest.target
        if self.explainer.config.parts > prototypes.parts:
            logging.warning(
                "--parts=%d: %s has %d filters, so there are %d parts",
                self.explainer.config.parts,
                target.name,
                target.shape[-1],
                prototypes.parts,
            )
        try:
            *parts, deviation = discover_parts(
                (batch[target.name] for batch in batches),
                prototypes.parts,
                prototypes.dimensions,
                self.config.seed,
            )
        except tf.errors.OpError as error:
            raise self._batches.unreadable(error) from error
        self.explainer.set_parts(*parts)
        self.explainer.inhibit(deviation, self.config.init_inhibition)

    def _calibrate(self) -> None:
        """Initialises the running statistics with some images, then scales the decoder's input."""
        batches, target = self._batches.of_epoch(0, limit=CALIBRATION_BATCHES), self.manifest.target.name
        observe = tf.function(
            lambda features: self.strategy.run(
                lambda x: self.explainer(x, training=True)["conv_interp_2"], args=(features,)
            ),
            input_signature=[batches.element_spec[target]],
            autograph=False,
        )
        for batch in self._batches.read(batches):
            observe(batch[target])
        self.explainer.rescale_decoder()

    def _run_epoch(self, state: TrainingState) -> TrainingState:
        """Runs the rest of the current epoch and saves a checkpoint."""
        self._callbacks.on_epoch_begin(state.epochs)
        limit = self.config.steps - state.step if self.config.steps else -1
        batches = self._batches.of_epoch(state.epochs + 1, skip=state.batches, limit=limit)
        values: dict[str, float] = {}
        filter_factor = 1 / (state.epochs + 1) if self.config.filter_weight_schedule == "reciprocal" else 1.0
        for batch in self._batches.read(batches):
            self._set_learning_rates(state)
            values = self._step(batch, batches.element_spec, self._stop(), filter_factor)
            self._check_finite(batch, values, state)
            state = dataclasses.replace(state, batches=state.batches + 1, step=state.step + 1)
            self._callbacks.on_train_batch_end(state.step, values)
            self._save_within_epoch(state, stopping=values[STOPPING] > 0)
        measures = dict(self._measures(state.epochs + 1))
        state = self._after_epoch(state, measures)
        self._save(state)
        self._callbacks.on_epoch_end(state.epochs, values | measures)
        return state

    def _save_within_epoch(self, state: TrainingState, stopping: bool) -> None:
        every = self.config.checkpoint_steps
        if stopping or (every and state.step % every == 0):
            self._save(state)
        if stopping:
            steps, epochs = self.config.steps, self.config.epochs
            raise Terminated(
                f"Stopped after step {state.step}"
                + (f" of {steps}" if steps else f", in epoch {state.epochs + 1} of {epochs}")
                + ". Everything is saved: the same command continues from here"
            )

    def _save(self, state: TrainingState) -> None:
        if self._chief:
            self._checkpoints.save(state)

    def _measures(self, epoch: int) -> Mapping[str, float]:
        every = self.config.validation_every
        return self._validate(self.explainer) if self._validate and every and epoch % every == 0 else {}

    def _after_epoch(self, state: TrainingState, measures: Mapping[str, float]) -> TrainingState:
        epochs, best, name = state.epochs + 1, state.best, self.config.best_measure
        if name and measures:
            if name not in measures:
                raise UserError(
                    f"--best_measure={name} is not measured; available: {', '.join(sorted(measures))}"
                )
            value = measures[name]
            if not math.isnan(value) and (best is None or value < best[1]):
                best = (epochs, value)
        return TrainingState(epochs=epochs, batches=0, step=state.step, best=best)

    def _check_finite(self, batch: Any, values: dict[str, float], state: TrainingState) -> None:
        if all(map(math.isfinite, values.values())):
            return
        shares = self.strategy.experimental_local_results(batch[self.manifest.target.name])
        features = np.concatenate([share.numpy() for share in shares]).astype(np.float32)
        terms = {name: values[name] for name in (*self.explainer.loss_weights_by_term, "loss")}
        cause = origin(self.explainer, features, terms, squares_of(values))
        checkpoints = self._checkpoints.all()
        raise UserError(
            f"step {state.step + 1} (epoch {state.epochs + 1}) is not finite: {cause}. It was not applied; "
            f"the last good checkpoint: {checkpoints[-1] if checkpoints else 'none'}. Lower --learning_rate, "
            "or set --gradient_clip, in another --workdir or with --noresume"
        )

    def _steps_per_epoch(self, state: TrainingState) -> int:
        """Returns the steps of an epoch; an estimate until the first epoch is complete."""
        return (state.step - state.batches) // state.epochs if state.epochs else self._batches.expected

    def _set_learning_rates(self, state: TrainingState) -> None:
        schedule, warmup = self.config.learning_rate_schedule, self.config.learning_rate_warmup
        if schedule == "constant" and not warmup:
            return
        if self.config.steps:
            done = state.step / self.config.steps
        else:
            epoch = min(state.batches / max(self._steps_per_epoch(state), 1), 1.0)
            done = (state.epochs + epoch) / self.config.epochs
        factor = schedule_factor(schedule, done, state.step, warmup)
        self.optimizer.learning_rate = self.config.learning_rate * factor


def _optimizer(config: TrainConfig) -> GroupedAdam:
    return GroupedAdam(
        config.learning_rate,
        multipliers={
            "mix": config.part_share_learning_rate / config.learning_rate,
            "fc_dec": config.decoder_learning_rate / config.learning_rate,
        },
        gradients_are_summed=True,
    )


def _views(manifest: Manifest, explainer: ExplainerConfig) -> tuple[str, ...]:
    """Returns the views that training reads, the original first."""
    if not explainer.equivariance_weight:
        return (ORIGINAL,)
    if not manifest.views:
        logging.warning(
            "The features have no transformed views of the images, so training has no equivariance loss: "
            "run `python -m pipelines.extract_features` with the same flags, --views=flip and --overwrite"
        )
    return (ORIGINAL, *manifest.views)
