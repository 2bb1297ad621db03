r"""Lists the layers of a performer that can be explained, and marks the chosen one.

python -m tf_explainer.performers --backbone=resnet50
python -m tf_explainer.performers --performer=model.keras --preprocessing=vgg16 --image=photos

A backbone gets the head that `train_performer` would attach. Zeros are counted on the images of --image, or
on a few drawn animals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tf_explainer.command_line import entry_point, flags
from tf_explainer.config import DatasetConfig, PerformerConfig
from tf_explainer.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from tf_explainer.performer.activation_statistics import ActivationStatistics
    from tf_explainer.performer.layer_selection import Candidate

_IMAGES = 8
_HEADER = ("layer", "map", "made by", "field", "stride", "first centre", "<= 0", "energy < 0")


def main(arguments: Sequence[str]) -> None:
    """Prints one line for each candidate, lowest first, and the chosen layers."""
    del arguments
    config = flags.performer()
    model, origin = _model(config)

    from tf_explainer.performer import class_names, layer_selection, signed_maps
    from tf_explainer.performer.activation_statistics import activation_statistics
    from tf_explainer.performer.performer import Performer

    candidates = layer_selection.candidates(model)
    performer, reason = None, ""
    try:
        performer = Performer(model, layer_selection.with_layers(model, class_names.named(config)))
    except UserError as error:
        # The user must now choose a target layer, and needs the list for it.
        if config.target_layer or not candidates:
            raise
        reason = str(error)
    target = performer.config.target_layer if performer else ""
    names = [each.layer for each in candidates]
    statistics = activation_statistics(
        model, [*names, target] if target else names, _images(config.image_size)
    )
    print(f"{origin}, {config.image_size} x {config.image_size} pixels")
    print("\n".join(_table(candidates, statistics, target)))
    if performer is None:
        print(f"\n> {reason}")
        return
    chosen = "by --target_layer" if config.target_layer else "by the rule in docs/performers.md"
    print(f"\n> target layer ({chosen}): {target} {_size(performer.feature_shape)}")
    units = performer.distilled_units()
    print(f"  distilled layers: {', '.join(f'{name} ({width})' for name, width in units.items())}")
    print(f"  {performer.num_classes} classes, outputs: {performer.output_kind}")
    if performer.treatment != "whole":
        print("  " + signed_maps.notice(target, performer.treatment, statistics[target].negative_energy))


def _model(config: PerformerConfig) -> tuple[Any, str]:
    """Returns the network and its description."""
    from tf_explainer.performer.performer import saved_model

    model = saved_model(config, flags.workdir() if flags.names_workdir() else None)
    if model is None:
        return _backbone(config)
    return model, config.performer or flags.workdir().performer


def _backbone(config: PerformerConfig) -> tuple[Any, str]:
    """Builds a backbone with a head for two classes; with random weights if ImageNet's cannot be fetched."""
    from tf_explainer.performer.backbones import build_backbone
    from tf_explainer.performer.heads import attach_head, with_pooling

    training = with_pooling(flags.performer_training(), config)
    weights = config.backbone_weights
    try:
        backbone = build_backbone(config)
    except UserError as error:
        if weights != "imagenet":
            raise
        backbone = build_backbone(dataclasses.replace(config, backbone_weights="none"))
        weights = "none"
        print(f"Using random weights, so zeros are those of an untrained network: {error}")
    widths = ", ".join(map(str, training.head_widths))
    head = f"head: {training.head_pooling}, {widths}"
    return attach_head(backbone, 2, training), f"{config.backbone}, weights: {weights}, {head}"


def _images(size: int) -> Iterator[np.ndarray]:
    """Yields crops, `[S, S, 3]` uint8, of the images of --image or of drawn animals."""
    from tf_explainer.datasets.image_files import read_images
    from tf_explainer.datasets.labelled_crops import read_crops
    from tf_explainer.datasets.registry import open_source
    from tf_explainer.images.crop import crop_to_object
    from tf_explainer.images.record import ImageRecord, ImageReference

    if named := flags.explanation().images:
        for name, image in read_images(named):
            yield crop_to_object(
                ImageRecord(reference=ImageReference(id=name, label=0, location=""), image=image), size
            )
        return
    dataset = DatasetConfig(dataset="creatures", num_images=_IMAGES)
    source = open_source(dataset)
    for crop in read_crops(source, list(source.references()), size, dataset):
        yield crop.image


def _table(
    candidates: Sequence[Candidate], statistics: dict[str, ActivationStatistics], target: str
) -> list[str]:
    rows: list[tuple[str, ...]] = [_HEADER]
    for each in candidates:
        field, measured = each.receptive_field, statistics[each.layer]
        rows.append(
            (
                each.layer,
                _size(each.shape),
                each.kind,
                *(f"{length:g}" for length in (field.size, field.stride, field.centre)),
                f"{measured.zeros:.1%}",
                f"{measured.negative_energy:.1%}" if each.negative else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return [
        ("> " if row[0] == target else "  ")
        + "  ".join(
            f"{cell:<{width}}" if column < 3 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _size(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))


def run() -> None:
    """The console script tf-explainer-performers."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
