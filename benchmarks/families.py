"""Tests a model of each family of `keras.applications`, from the choice of layers to an explainer's epoch.

python -m benchmarks.families [ResNet50 ...]

prints the table of docs/performers.md. Weights are random; batch normalisations have the statistics of some
drawn animals, so that features neither fade nor explode.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable, Sequence

import keras
import numpy as np
from absl.testing import flagsaver

from benchmarks.gradient_support import measured_field
from pipelines import extract_features
from tf_explainer import train
from tf_explainer.command_line import flags
from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig
from tf_explainer.datasets.labelled_crops import read_crops
from tf_explainer.datasets.registry import open_source
from tf_explainer.features import schema
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer import layer_graph, layer_selection
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head, with_pooling
from tf_explainer.performer.performer import Performer

MODELS = (
    *("VGG16", "ResNet50", "ResNet50V2", "DenseNet121", "InceptionV3"),
    *("InceptionResNetV2", "Xception", "MobileNet", "MobileNetV2", "MobileNetV3Small"),
    *("EfficientNetB0", "EfficientNetV2B0", "NASNetMobile", "ConvNeXtTiny"),
)
_SIZE, _SMALL_SIZE, _IMAGES = 224, 128, 40
_HEADER = (
    "model",
    f"target layer at {_SIZE} pixels",
    "map",
    "distilled, own head",
    "field, stride, centre",
    "by gradients",
    f"explained at {_SMALL_SIZE} pixels",
    "energy below 0",
    "one epoch",
)


def main(arguments: Sequence[str]) -> None:
    """Prints the table, row by row."""
    print("| " + " | ".join(_HEADER) + " |\n" + "| --- " * len(_HEADER) + "|", flush=True)
    for name in arguments or MODELS:
        keras.backend.clear_session()  # Restarts the numbering of layers at 0.
        print("| " + " | ".join(_row(name)) + " |", flush=True)


def _row(name: str) -> tuple[str, ...]:
    performer = _performer(name, include_top=True)
    target, field = performer.config.target_layer, performer.receptive_field()
    measured = measured_field(performer.model, target)
    return (
        name,
        f"`{target}` ({_made_by(performer)})",
        _map(performer.feature_shape),
        ", ".join(f"`{layer}`" for layer in performer.config.distilled_layers),
        _field(field),
        "the same" if measured == field else _field(measured),
        *_chain(name),
    )


def _performer(name: str, *, include_top: bool) -> Performer:
    config = PerformerConfig(backbone=name, backbone_weights="none", image_size=_SIZE)
    model = build_backbone(config, include_top=include_top)
    return Performer(model, layer_selection.with_layers(model, config))


def _made_by(performer: Performer) -> str:
    output = performer.model.get_layer(performer.config.target_layer).output
    return layer_graph.activation(layer_graph.producer(output))


def _chain(name: str) -> tuple[str, str, str]:
    """Extracts and trains as users do; returns the layer with its map, the energy below zero, the result."""
    with tempfile.TemporaryDirectory() as folder:
        workdir = pathlib.Path(folder)
        _save_lively(name, workdir / "performer.keras")
        common = [f"--workdir={workdir}", f"--image_size={_SMALL_SIZE}"]
        common += ["--dataset=creatures", f"--num_images={_IMAGES}"]
        extracted = _run(extract_features.main, [*common, "--num_shards=2"])
        manifest = json.loads((workdir / "features" / schema.MANIFEST).read_text(encoding="utf-8"))
        training = ["--epochs=1", "--batch_size=8", "--snapshot_images=0", "--validation_every=0"]
        trained = _run(train.main, [*common, *training])
        target = manifest["target"]
        treated = "cut" if "max(x, 0), which" in extracted else "split"
        share = re.search(r"(\S+%) of its energy", extracted)
        part_share = re.search(r"p is (\d\.\d+)", trained)
        if part_share is None or not (workdir / "explainer.keras").exists():
            raise RuntimeError(f"{name}: training made no explainer: {trained}")
        return (
            f"`{target['name']}` {_map(target['shape'])}",
            f"{share[1]}, {treated}" if share else "none",
            f"p = {part_share[1]}",
        )


def _run(step: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> str:
    """Runs a binary's step with some flags, and returns its output."""
    with flagsaver.flagsaver(), contextlib.redirect_stdout(io.StringIO()) as printed:
        flags.FLAGS(["families", *arguments])
        step([])
    return printed.getvalue()


def _save_lively(name: str, path: pathlib.Path) -> None:
    """Saves a performer whose batch normalisations have the statistics of drawn animals."""
    config = PerformerConfig(backbone=name, backbone_weights="none", image_size=_SMALL_SIZE)
    dataset = DatasetConfig(dataset="creatures", num_images=16)
    source = open_source(dataset)
    crops = read_crops(source, list(source.references()), _SMALL_SIZE, dataset)
    training = with_pooling(PerformerTrainingConfig(head_widths=(64, 32), head_dropout=0), config)
    keras.utils.set_random_seed(0)
    model = attach_head(build_backbone(config), len(source.classes), training)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(np.stack([crop.image for crop in crops]).astype(np.float32), training=True)
    model.save(path)


def _field(field: ReceptiveField) -> str:
    return ", ".join(f"{length:g}" for length in dataclasses.astuple(field))


def _map(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


if __name__ == "__main__":
    main(sys.argv[1:])
