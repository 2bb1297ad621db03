r"""Trains the explainer on stored features (step 3).

python -m tf_explainer.train --flagfile=configs/vgg.flags
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

from tf_explainer.command_line import entry_point, flags
from tf_explainer.command_line.termination import Termination


def main(arguments: Sequence[str]) -> None:
    """Trains with a progress line."""
    del arguments
    termination = Termination()
    workdir, performer_config, dataset = flags.workdir(), flags.performer(), flags.dataset()
    config, explainer, snapshot = flags.training(), flags.explainer(), flags.snapshot()
    top_images = flags.evaluation().top_images

    # Devices must be chosen before anything else uses TensorFlow.
    from tf_explainer.training import distribution

    strategy = distribution.strategy_named(config.strategy, config.logical_cpus)

    from tf_explainer.features.manifest import check_manifest, read_manifest
    from tf_explainer.features.outputs import outputs_of
    from tf_explainer.features.stored_features import Features
    from tf_explainer.performer.performer import load_performer
    from tf_explainer.plugins.parts.callback import PartsSnapshots
    from tf_explainer.training.progress_line import ProgressLine
    from tf_explainer.training.run_record import RunRecord
    from tf_explainer.training.tensorboard_summaries import StepProfile, TensorBoardSummaries
    from tf_explainer.training.trainer import Terminated, Trainer
    from tf_explainer.training.validation import Validation, uses_landmarks

    manifest = read_manifest(workdir.features)
    performer = load_performer(performer_config, workdir)
    check_manifest(manifest, performer)
    settings = dataclasses.asdict(explainer) | dataclasses.asdict(config)
    seeds = {"training": config.seed, "dataset": dataset.dataset_seed}
    devices = list(strategy.extended.worker_devices)
    line = ProgressLine()
    callbacks = [
        RunRecord(workdir.run_record, manifest, flags.all_values(), seeds, devices),
        line,
        TensorBoardSummaries(workdir.tensorboard, settings),
    ]
    if config.profile:
        callbacks.append(StepProfile(workdir.tensorboard, config.profile))
    features = Features(
        manifest=manifest,
        directory=workdir.features,
        dataset=dataset,
        outputs=outputs_of(performer, manifest),
    )
    if snapshot.every and snapshot.images:
        callbacks.append(PartsSnapshots(workdir.training_snapshots, features, snapshot, top_images))
    trainer = Trainer(
        performer=performer,
        manifest=manifest,
        workdir=workdir,
        dataset=dataset,
        explainer=explainer,
        config=config,
        strategy=strategy,
        callbacks=callbacks,
        validate=Validation(
            features, landmarks=config.validation_landmarks or uses_landmarks(config.best_measure)
        ),
        stop=lambda: termination.requested,
    )
    shape = " x ".join(map(str, manifest.target.shape))
    places = ", ".join(device.rpartition("device:")[2] for device in devices)
    print(f"Training on {manifest.target.name} ({shape}) of {manifest.outputs} images, on {places}")
    try:
        with contextlib.closing(line):
            trained = trainer.run()
    except Terminated as end:
        print(f"{end}.")
        return
    print(f"The explainer is {workdir.explainer}; its part share p is {trained.part_share:.3f}")
    print(entry_point.next_command("tf_explainer.evaluate"))


def run() -> None:
    """The console script tf-explainer-train."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
