r"""Measures the explainer and draws what its parts look at (step 4).

python -m tf_explainer.evaluate --flagfile=configs/vgg.flags
python -m tf_explainer.evaluate --compare=runs/fox,runs/cat --compare_format=markdown
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import logging

from tf_explainer.command_line import entry_point, flags
from tf_explainer.config import DatasetConfig, EvaluationConfig, PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.evaluation.source_digest import source_digest
from tf_explainer.progress_bar import Stages

if TYPE_CHECKING:
    from tf_explainer.explainer.explainer import Explainer
    from tf_explainer.explanation.run_summary import RunSummary


def main(arguments: Sequence[str]) -> None:
    """Prints and writes what the network looks at and the measures; or compares runs."""
    del arguments
    config = flags.evaluation()
    if config.compare:
        _compare(config)
        return
    workdir, dataset, performer_config = flags.workdir(), flags.dataset(), flags.performer()
    shown_images, attribution = flags.snapshot().images, flags.attribution()

    from tf_explainer import atomic_file
    from tf_explainer.evaluation import contact_sheet, evaluation, parts, results
    from tf_explainer.explanation import average_image, run_contributions, summary_picture
    from tf_explainer.features.manifest import check_manifest, read_manifest
    from tf_explainer.features.outputs import outputs_of
    from tf_explainer.features.stored_features import Features
    from tf_explainer.performer.performer import load_performer
    from tf_explainer.plugins.images import run_scores
    from tf_explainer.plugins.parts import run_snapshot
    from tf_explainer.plugins.run_writer import RunWriter
    from tf_explainer.training.checkpoints import last_step
    from tf_explainer.training.training_identity import feature_fingerprint

    manifest = read_manifest(workdir.features)
    performer = load_performer(performer_config, workdir)
    check_manifest(manifest, performer)
    explainer = results.load_explainer(
        workdir.explainer, manifest, trust_code=performer_config.trust_performer_code
    )
    outputs = outputs_of(performer, manifest)
    features = Features(manifest=manifest, directory=workdir.features, dataset=dataset, outputs=outputs)
    description = _network_and_data(performer_config, dataset) | {
        "settings": _settings(config, dataset)
        | {"attribution": dataclasses.asdict(attribution), "shown_images": shown_images}
        | {"features": feature_fingerprint(manifest), "class_names": list(outputs.names)}
        | {"code": source_digest()}
    }
    if not flags.extraction().overwrite and (kept := _earlier_results(workdir, explainer, description)):
        print(f"{workdir.root} was evaluated with these settings before; the results are kept.\n")
        _print_results(workdir, *kept, shown_images=shown_images)
        return
    with Stages() as stages:

        def report(stage: str, images: int) -> None:
            stages.bar(stage, unit="images").update(images)

        head = performer.head()
        result = evaluation.evaluate(
            explainer,
            head,
            features,
            config,
            report,
            feature_model=performer.feature_model(),
            chosen_by=results.read_best_measure(workdir.run_record),
        )
        sheet = contact_sheet.draw(result, features, config, report)
        average = average_image.mean_features(features)
        summary = run_contributions.summarise_run(
            explainer, head, result.parts, average, features, attribution, report
        )
    with contextlib.suppress(FileNotFoundError):
        os.remove(workdir.metrics)  # Written last: it marks the results as complete.
    atomic_file.write_text(workdir.part_groups, parts.to_json(result.parts, result.explainer))
    average_image.write(workdir.mean_features, average, result.explainer)
    atomic_file.write_text(workdir.summary, summary.to_json(result.explainer))
    with atomic_file.replacing(workdir.summary_picture) as path:
        summary_picture.draw(summary).save(path)
    with atomic_file.replacing(workdir.parts) as path:
        sheet.save(path)
    if shown_images:
        shown = run_snapshot.ShownImages.choose(features, config.split, shown_images)
        snapshot = run_snapshot.of_evaluation(explainer, shown, result, result.parts)
        with Stages() as stages:
            scores = run_scores.of_images(explainer, head, shown, average, result.parts, attribution, report)
        writer = RunWriter(workdir.evaluation_snapshot, replace=True)
        writer.write(snapshot, last_step(workdir.checkpoints), scores)
    atomic_file.write_text(workdir.metrics, result.to_json(description))
    _print_results(workdir, summary, result.metrics(), shown_images=shown_images)


def _print_results(
    workdir: WorkDir, summary: RunSummary, metrics: dict[str, Any], *, shown_images: int
) -> None:
    """Prints the results and the paths of their files."""
    from tf_explainer.evaluation.table import table

    print(summary)
    print(f"\n{table(metrics)}")
    if warning := metrics["class_order_warning"]:
        print(f"\n{warning}")
    print(f"\nWhat the network looks at is in {workdir.summary}, as a picture in {workdir.summary_picture}")
    print(f"The measures are in {workdir.metrics}, pictures of the parts in {workdir.parts}")
    if shown_images:
        print(f"Every filter and image: tensorboard --logdir={workdir.tensorboard}, tab Parts")
    print(entry_point.next_command("tf_explainer.explain"))


def _earlier_results(
    workdir: WorkDir, explainer: Explainer, description: dict[str, Any]
) -> tuple[RunSummary, dict[str, Any]] | None:
    """Reads the results of an earlier evaluation of this explainer with these settings, if complete."""
    from tf_explainer.evaluation import results
    from tf_explainer.explanation import average_image
    from tf_explainer.explanation.finished_run import read_summary

    drawn = [workdir.summary_picture, workdir.parts]
    if description["settings"]["shown_images"]:
        drawn.append(workdir.evaluation_snapshot)
    try:
        metrics = results.read_metrics(workdir.metrics)
        if metrics.get("explainer") != explainer.fingerprint or metrics.get("run") != description:
            return None
        results.read_parts(workdir.part_groups, explainer)
        average_image.read(workdir.mean_features, explainer)
        summary = read_summary(workdir.summary, explainer.fingerprint)
    except UserError:
        return None  # Something is missing or damaged.
    return (summary, metrics) if all(map(os.path.exists, drawn)) else None


def _settings(config: EvaluationConfig, dataset: DatasetConfig) -> dict[str, Any]:
    """Returns the settings that the measures depend on, after a round trip through JSON."""
    settings = {
        name: value for name, value in dataclasses.asdict(config).items() if not name.startswith("compare")
    }
    folds = {"folds": dataset.folds, "held_out_fold": dataset.held_out_fold}
    return json.loads(json.dumps(settings | folds))


def _network_and_data(performer: PerformerConfig, dataset: DatasetConfig) -> dict[str, Any]:
    """Returns the names that identify a run in a comparison."""
    categories = f": {', '.join(dataset.categories)}" if dataset.categories else ""
    return {"network": performer.performer or performer.backbone, "dataset": dataset.dataset + categories}


def _compare(config: EvaluationConfig) -> None:
    from tf_explainer.evaluation import results
    from tf_explainer.evaluation.run_table import run_table
    from tf_explainer.evaluation.table import comparison

    measured, failed = {}, {}
    for run in config.compare:
        try:
            workdir = WorkDir(root=run.rstrip("/"))
            measured[run] = results.read_metrics(workdir.metrics, workdir.explainer)
        except UserError as error:
            failed[run] = str(error)
    if not measured:
        raise UserError("; ".join(failed.values()))
    if config.compare_format == "table":
        print(comparison(measured))
    else:
        print(run_table(measured | dict.fromkeys(failed), config.compare_format))
    for run, reason in failed.items():
        logging.warning("%s has no figures: %s", run, reason)


def run() -> None:
    """The console script tf-explainer-evaluate."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
