r"""Trains the explainer on stored features (step 3).

python -m tf_explainer.train --flagfile=configs/vgg.flags
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tf_explainer import flags
from tf_explainer.termination import Termination


def main(arguments: Sequence[str]) -> None:
    """Trains, showing one progress line."""
    del arguments
    termination = Termination()
    workdir, performer_config, dataset = flags.workdir(), flags.performer(), flags.dataset()
    config, explainer, snapshot = flags.training(), flags.explainer(), flags.snapshot()
    top_images = flags.evaluation().top_images

    # Devices are chosen before anything else touches TensorFlow.
    from tf_explainer import distribution

    strategy = distribution.strategy_named(config.strategy, config.logical_cpus)

    from tf_explainer.dataset import check_manifest, read_manifest
    from tf_explainer.performer import load_performer
    from tf_explainer.plugins.parts.callback import PartsSnapshots
    from tf_explainer.progress_line import ProgressLine
    from tf_explainer.run_record import RunRecord
    from tf_explainer.stored_features import Features
    from tf_explainer.tensorboard_summaries import StepProfile, TensorBoardSummaries
    from tf_explainer.trainer import Terminated, Trainer
    from tf_explainer.validation import Validation

    manifest = read_manifest(workdir.features)
    performer = load_performer(performer_config, workdir)
    check_manifest(manifest, performer)
    settings = dataclasses.asdict(explainer) | dataclasses.asdict(config)
    seeds = {"training": config.seed, "dataset": dataset.dataset_seed}
    devices = list(strategy.extended.worker_devices)
    callbacks = [
        RunRecord(workdir.run_record, manifest, flags.all_values(), seeds, devices),
        ProgressLine(),
        TensorBoardSummaries(workdir.tensorboard, settings),
    ]
    if config.profile:
        callbacks.append(StepProfile(workdir.tensorboard, config.profile))
    features = Features(manifest=manifest, directory=workdir.features, dataset=dataset)
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
        validate=Validation(features),
        stop=lambda: termination.requested,
    )
    print(
        f"Training on {manifest.outputs} images' {manifest.target.name} {manifest.target.shape}, "
        f"{strategy.num_replicas_in_sync} replica(s)",
        flush=True,
    )
    try:
        trained = trainer.run()
    except Terminated as end:
        print(f"\n{end}.", flush=True)
        return
    print(f"p = {trained.part_share:.3f}. The explainer is in {workdir.explainer}")


def run() -> None:
    """The console script tf-explainer-train."""
    flags.run(main)


if __name__ == "__main__":
    run()
