r"""Trains the explainer on stored features (step 3).

python -m tf_explainer.train --flagfile=configs/vgg.flags
"""

from __future__ import annotations

from collections.abc import Sequence

import tqdm

from tf_explainer import flags


def main(arguments: Sequence[str]) -> None:
    """Trains, showing one progress line."""
    del arguments
    workdir, performer_config, dataset = flags.workdir(), flags.performer(), flags.dataset()
    config, explainer = flags.training(), flags.explainer()

    # Devices are chosen before anything else touches TensorFlow.
    from tf_explainer import distribution

    strategy = distribution.mirrored_strategy(config.logical_cpus)

    from tf_explainer.dataset import check_manifest, read_manifest
    from tf_explainer.performers import load_performer
    from tf_explainer.trainer import Progress, Trainer

    manifest = read_manifest(workdir.features)
    performer = load_performer(performer_config, workdir)
    check_manifest(manifest, performer)
    trainer = Trainer(
        performer=performer,
        manifest=manifest,
        workdir=workdir,
        dataset=dataset,
        explainer=explainer,
        config=config,
        strategy=strategy,
    )
    print(
        f"Training on {manifest.outputs} images' {manifest.target.name} {manifest.target.shape}, "
        f"{strategy.num_replicas_in_sync} replica(s)"
    )
    with tqdm.tqdm(unit="step") as bar:

        def report(progress: Progress) -> None:
            bar.total = progress.steps
            bar.set_description(f"epoch {progress.epoch}/{progress.epochs}", refresh=False)
            bar.set_postfix(
                {"images/s": f"{progress.images_per_second:.1f}"} | _shown(progress.terms), refresh=False
            )
            bar.update(progress.step - bar.n)

        trained = trainer.run(report)
    print(f"p = {trained.part_share:.3f}. The explainer is in {workdir.explainer}")


def _shown(terms: dict[str, float]) -> dict[str, str]:
    """Returns the loss terms under names short enough for one line."""
    short = {"part_share": "p", "live_filters": "live"}
    return {short.get(name, name.split("/")[-1]): f"{value:.3g}" for name, value in terms.items()}


if __name__ == "__main__":
    flags.run(main)
