r"""Writes snapshots of a small untrained network on drawn animals: the Parts tab without training anything.

python -m tf_explainer.plugins.parts.demo --workdir=runs/parts_demo
tensorboard --logdir=runs/parts_demo/tensorboard
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_explainer import flags
from tf_explainer.config import DatasetConfig

_IMAGES = 60
_SIDE = 96
_STEPS = (0, 100, 200)


def main(arguments: Sequence[str]) -> None:
    """Draws the animals and writes a snapshot a step, each with weights of its own."""
    del arguments
    workdir = flags.workdir()

    from tf_explainer.plugins.parts import summary
    from tf_explainer.plugins.run_writer import RunWriter

    crops, known = _animals()
    writer = RunWriter(workdir.training_snapshots, anew=True)
    for step in _STEPS:
        snapshot = summary.of_model(_network(seed=step), ["conv_2", "conv_1"], crops, **known)
        writer.write(snapshot, step)
    print(f"To look at it: tensorboard --logdir={workdir.tensorboard}, tab Parts")


def _animals() -> tuple[Any, dict[str, Any]]:
    import numpy as np

    from tf_explainer.datasets.registry import open_source
    from tf_explainer.images import ImageRecord, crop_to_object, landmarks_in_crop

    source = open_source(DatasetConfig(dataset="creatures", num_images=_IMAGES, negatives=False))
    records = [record for _, record in source.read(source.references()) if isinstance(record, ImageRecord)]
    names = source.landmark_names
    known = {
        "ids": [record.reference.id for record in records],
        "classes": source.classes,
        "labels": np.array([record.reference.label for record in records]),
        "landmark_names": names,
        "landmarks": np.stack([landmarks_in_crop(record, names)[:, :2] for record in records]),
    }
    return np.stack([crop_to_object(record, _SIDE) for record in records]), known


def _network(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((_SIDE, _SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for number, filters in enumerate((24, 40), start=1):
        x = keras.layers.Conv2D(
            filters, 5, strides=3, padding="same", activation="relu", name=f"conv_{number}"
        )(x)
    return keras.Model(inputs, x)


if __name__ == "__main__":
    flags.run(main)
