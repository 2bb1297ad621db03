"""Trains the performer for a task: reads the images, trains, and writes `performer.keras` and its report."""

from __future__ import annotations

import os
import pathlib

import keras
import numpy as np

from tf_explainer import atomic_file
from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig, WorkDir
from tf_explainer.datasets.labelled_crops import check_classes, is_held_out, read_crops
from tf_explainer.datasets.source import ImageSource
from tf_explainer.errors import UserError
from tf_explainer.performer import fitting, layer_graph, layer_selection
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.fingerprint import fingerprint
from tf_explainer.performer.fitting import Progress
from tf_explainer.performer.heads import POOLING, attach_head, with_pooling
from tf_explainer.performer.model_files import read_model
from tf_explainer.performer.performer import Performer
from tf_explainer.performer.report import (
    ClassResult,
    PerformerReport,
    differing_settings,
    results_by_class,
    settings_of,
)


def existing_performer(
    dataset: DatasetConfig, performer: PerformerConfig, training: PerformerTrainingConfig, workdir: WorkDir
) -> PerformerReport | None:
    """Returns the report of the performer in the work directory, or None if there is no performer.

    Raises:
        UserError: the performer was trained with other settings or not at all, or its report is missing or
            belongs to another model.
    """
    if not os.path.exists(workdir.performer):
        return None
    replace = "name another --workdir, or replace it by --overwrite"
    try:
        with open(workdir.performer_report, encoding="utf-8") as file:
            report = PerformerReport.from_json(file.read())
    except (OSError, ValueError) as error:
        raise UserError(
            f"the settings of {workdir.performer} are unknown, as {workdir.performer_report} cannot be read "
            f"({error}): {replace}"
        ) from error
    if not report.is_trained:
        raise UserError(
            f"{workdir.performer} is a backbone with its own head, which was not trained: {replace}"
        )
    settings = settings_of(dataset, performer, with_pooling(training, performer))
    if differing := differing_settings(report.settings, settings):
        raise UserError(
            f"{workdir.performer} was trained with other settings: {', '.join(differing)}; {replace}"
        )
    if fingerprint(read_model(workdir.performer, performer.image_size)) != report.fingerprint:
        raise UserError(
            f"{workdir.performer} is not the model that {workdir.performer_report} describes: {replace}"
        )
    return report


def train_performer(
    source: ImageSource,
    *,
    dataset: DatasetConfig,
    performer: PerformerConfig,
    training: PerformerTrainingConfig,
    workdir: WorkDir,
    progress: Progress = fitting.silent,
) -> PerformerReport:
    """Trains a performer on a data set's training folds, and saves it.

    Keras' global random state is seeded, so that the same settings give the same performer.

    Args:
        source: the images.
        dataset: which fold is held out.
        performer: the backbone, and the layers to explain later.
        training: the head, and how to train.
        workdir: where `performer.keras`, `performer.json` and the maps of a frozen backbone are written;
            existing files are replaced.
        progress: is called after every step.

    Returns:
        The content of `performer.json`.

    Raises:
        UserError: there are no training images of at least two classes, no image can be read, or the settings
            do not fit together.
    """
    references = list(source.references())
    training_labels = [each.label for each in references if not is_held_out(each, dataset)]
    check_classes(np.array(training_labels, np.int64), source.classes, dataset)
    if performer.backbone_weights == "none" and not training.train_backbone:
        raise UserError("--backbone_weights=none has learned nothing: add --train_backbone")

    training = with_pooling(training, performer)
    keras.utils.set_random_seed(training.seed)
    model = attach_head(build_backbone(performer), len(source.classes), training)
    # Refuses layers that cannot be explained before the training, not after it.
    explained = Performer(model, layer_selection.with_layers(model, performer))

    crops = read_crops(source, references, performer.image_size, dataset)
    if training.train_backbone:
        pathlib.Path(workdir.backbone_maps).unlink(missing_ok=True)
        examples = fitting.collect_crops(crops, len(references), progress)
    else:
        below = explained.below_target()
        maps = MapStore(workdir.backbone_maps, below)
        above = layer_graph.between(below.outputs[0], model.get_layer(POOLING).output)
        examples = fitting.collect_features(
            maps, above, crops, len(references), training.batch_size, progress
        )
    check_classes(examples.labels[~examples.held_out], source.classes, dataset)
    train = fitting.train_end_to_end if training.train_backbone else fitting.train_head
    probabilities = train(model, examples, training, progress)
    # A new, uncompiled model, so that no optimizer is saved.
    model = keras.Model(model.inputs[0], model.outputs[0], name="performer")

    def results(rows: np.ndarray) -> dict[str, ClassResult]:
        return results_by_class(examples.labels[rows], probabilities[rows], source.classes)

    report = PerformerReport(
        settings=settings_of(dataset, performer, training),
        fingerprint=fingerprint(model),
        classes=list(source.classes),
        unreadable_images=len(references) - len(examples.labels),
        training=results(~examples.held_out),
        held_out=results(examples.held_out),
    )
    with atomic_file.replacing(workdir.performer) as temporary:
        model.save(temporary)
    atomic_file.write_text(workdir.performer_report, report.to_json())
    return report
