"""A small data set, a small performer and what extraction makes of them, each as fast as can be."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np

from pipelines.extraction.feature_extraction import FeatureExtraction, plan
from pipelines.extraction.shard_writer import ShardWriter
from pipelines.feature_set import feature_set
from pipelines.feature_set.shard_report import ShardReport
from tf_explainer.config import DatasetConfig, ExtractionConfig, PerformerConfig, WorkDir
from tf_explainer.datasets.source import ReadResult
from tf_explainer.features.schema import Manifest
from tf_explainer.images.folds import hashed_shard
from tf_explainer.images.record import Box, ImageRecord, ImageReference, Landmark, UnreadableImageError
from tf_explainer.performer.performer import Performer, load_performer

SIZE = 32
LAYERS = ("conv", "fc1", "fc2")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Squares:
    """Noise of three classes; `read` yields backwards, and the numbers in `unreadable` as such."""

    count: int = 24
    unreadable: tuple[int, ...] = ()
    classes: tuple[str, ...] = ("fox", "cat", "negative")
    all_classes: tuple[str, ...] = ("fox", "cat", "negative")
    negative_class: str | None = "negative"
    landmark_names: tuple[str, ...] = ("eye", "tail")

    def references(self) -> Iterator[ImageReference]:
        for number in range(self.count):
            yield ImageReference(
                id=f"square/{number}",
                label=number % len(self.classes),
                location=str(number),
                box=Box(xmin=4, ymin=0, xmax=44, ymax=30),
                landmarks={"eye": Landmark(x=14, y=15, width=4, height=3)} if number % 2 else {},
            )

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        return hashed_shard(reference.id, num_shards)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        for reference in reversed(list(references)):
            number = int(reference.location)
            if number in self.unreadable:
                yield reference, UnreadableImageError("it is torn")
            else:
                yield reference, ImageRecord(reference=reference, image=pixels(number))


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)


def small_performer(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, strides=4, padding="same", activation="relu", name="conv")(x)
    x = keras.layers.Dense(6, activation="relu", name="fc1")(keras.layers.Flatten()(x))
    x = keras.layers.Dense(5, activation="relu", name="fc2")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(x))


def saved_performer(folder: pathlib.Path, seed: int = 0) -> Performer:
    """Saves a small performer and loads it as the chain does."""
    file = str(folder / "small.keras")
    small_performer(seed).save(file)
    config = PerformerConfig(
        performer=file, image_size=SIZE, target_layer="conv", distilled_layers=("fc1", "fc2")
    )
    return load_performer(config, WorkDir(root=str(folder)))


def planned(
    performer: Performer,
    features_dir: str | pathlib.Path,
    source: Squares | None = None,
    **extraction: object,
) -> FeatureExtraction:
    """An extraction, ready to be run."""
    source = source or Squares()
    settings = ExtractionConfig(**{"num_shards": 3, "batch_size": 4, **extraction})
    dataset = DatasetConfig(dataset="squares", num_images=source.count)
    return plan(source, dataset, performer, settings, str(features_dir))


def write_shards(extraction: FeatureExtraction, performer: Performer) -> list[ShardReport]:
    """Writes every shard, without Beam."""
    source, settings = extraction.source, extraction.shards
    by_shard: dict[int, list[ImageReference]] = {index: [] for index in range(settings.num_shards)}
    for reference in source.references():
        by_shard[source.shard_of(reference, settings.num_shards)].append(reference)
    predict = _predict(performer)
    return [
        ShardWriter(settings, source, predict, lambda *_: None).write(
            index, sorted(references, key=lambda reference: reference.id)
        )
        for index, references in by_shard.items()
    ]


@functools.lru_cache(maxsize=4)
def _predict(performer: Performer) -> Callable:
    """Traced once for all sets of a performer: that takes longer than predicting its few images."""
    return performer.feature_model().predict_on_batch


def write_set(extraction: FeatureExtraction, performer: Performer) -> Manifest | None:
    """Writes a whole set, without Beam."""
    directory = extraction.shards.features_dir
    feature_set.claim(directory, extraction.configuration, overwrite=False)
    finish(extraction, write_shards(extraction, performer), sum(1 for _ in extraction.source.references()))
    return feature_set.find_whole(directory)


def finish(extraction: FeatureExtraction, reports: list[ShardReport], inputs: int) -> bool:
    return feature_set.finish(
        extraction.shards.features_dir,
        [report.summary() for report in reports],
        inputs,
        receptive_field=extraction.receptive_field,
        configuration=extraction.configuration,
        max_dead_letters=extraction.max_dead_letters,
    )


def files(folder: str | pathlib.Path) -> dict[str, bytes]:
    """Everything in a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir())}
