"""Any image data set of tensorflow-datasets, prepared on disk, in a bucket, or downloaded now.

Pixels are read in contiguous ranges of the split, so a shard is a contiguous range, too. The Beam reader
`tfds.beam.ReadFromTFDS` is not used: it yields examples without their position in the split, and pixels would
have to travel between workers to reach their shard.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

import tf_explainer.datasets.builders  # noqa: F401 (registers our own data sets)
from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories
from tf_explainer.datasets.decode import decode
from tf_explainer.datasets.prepared_features import FeatureKeys, find_features
from tf_explainer.datasets.source import EncodedResult, ReadResult
from tf_explainer.errors import UserError, nearest_names
from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError

_LONGEST_GAP = 200
"""Reading over up to this many unwanted examples is faster than opening the files again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreparedSplit:
    """A split, or a slice of one; see `source.ImageSource`.

    Attributes:
        name: of the data set, as tensorflow-datasets knows it.
        data_dir: where it is prepared; None: where tensorflow-datasets looks by itself.
        split: name of the split.
        start, stop: range of the examples that are used.
        keys: which features hold the image, its label, its box and its landmarks.
        labels: our label for each of the data set's own labels; None for a class that is not used.
        classes: names by label.
        all_classes: names by the data set's own label.
        negative_class: one of the classes, or None.
    """

    name: str
    data_dir: str | None
    split: str
    start: int
    stop: int
    keys: FeatureKeys
    labels: tuple[int | None, ...]
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    negative_class: str | None

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of all landmarks that an image may have."""
        return self.keys.landmark_names

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, in the order of the split.

        Raises:
            UserError: a file is damaged, or an image has no label.
        """
        try:
            for index, example in enumerate(self._load(self.start, self.stop, pixels=False), self.start):
                label = self._label(index, example)
                if label is not None:
                    yield ImageReference(
                        id=f"{self.name}/{self.split}/{index:06d}",
                        label=label,
                        location=str(index),
                        box=self.keys.box_of(example),
                        landmarks=self.keys.landmarks_of(example),
                    )
        except tf.errors.OpError as error:
            raise UserError(
                f"--dataset={self.name} --split={self.split} is damaged: {error.message}"
            ) from error

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard of an image: shards are contiguous ranges of the split."""
        return (int(reference.location) - self.start) * num_shards // (self.stop - self.start)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each record, or why it cannot be read, in the order of the split."""
        return map(self.decoded, self.encoded(references))

    def at_most(self) -> int:
        """Returns the number of images in the range, including those of unused classes."""
        return self.stop - self.start

    def parts(self) -> list[PreparedSplit]:
        """Divides the range at file boundaries. A part's `shard_of` differs from the entire range's."""
        edges = [self.start, *self._file_edges(), self.stop]
        return [
            dataclasses.replace(self, start=start, stop=stop) for start, stop in itertools.pairwise(edges)
        ]

    def encoded(self, references: Iterable[ImageReference]) -> Iterator[EncodedResult]:
        """Yields each encoded image, or why it cannot be read, in the order of the split."""
        by_index = {int(reference.location): reference for reference in references}
        # After a damaged file, reading continues with the next one.
        for run in _runs(sorted(by_index), self._file_edges()):
            yield from self._read_run({index: by_index[index] for index in run})

    def decoded(self, result: EncodedResult) -> ReadResult:
        """Decodes one image."""
        reference, encoded = result
        if isinstance(encoded, UnreadableImageError):
            return reference, encoded
        try:
            # As tensorflow-datasets decodes it: boxes refer to the pixels as stored.
            return reference, ImageRecord(reference=reference, image=decode(encoded, upright=False))
        except UnreadableImageError as error:
            return reference, error

    def _read_run(self, wanted: dict[int, ImageReference]) -> Iterator[EncodedResult]:
        first, last = min(wanted), max(wanted)
        try:
            for index, example in enumerate(self._load(first, last + 1, pixels=True), first):
                if index in wanted:
                    yield wanted.pop(index), example[self.keys.image]
        except tf.errors.OpError as error:
            for reference in wanted.values():
                yield reference, UnreadableImageError(f"its file is damaged: {error.message}")

    def _file_edges(self) -> list[int]:
        """Returns the indices at which a file begins, without the start of the range."""
        lengths = _builder(self.name, self.data_dir).info.splits[self.split].shard_lengths
        return [end for end in itertools.accumulate(lengths) if self.start < end < self.stop]

    def _label(self, index: int, example: dict[str, Any]) -> int | None:
        original = int(example[self.keys.label]) if self.keys.label else 0
        if not 0 <= original < len(self.labels):
            raise UserError(f"--dataset={self.name} --split={self.split}: image {index} has no label")
        return self.labels[original]

    def _load(self, start: int, stop: int, *, pixels: bool) -> Iterator[dict[str, Any]]:
        features = self.keys.to_load(pixels=pixels)
        if not features:
            return iter([{}] * (stop - start))
        undecoded = {self.keys.image: tfds.decode.SkipDecoding()} if self.keys.image in features else None
        examples = _builder(self.name, self.data_dir).as_dataset(
            split=f"{self.split}[{start}:{stop}]",
            # The order must not change: an example is identified by its index in the split.
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            decoders=tfds.decode.PartialDecoding(features, decoders=undecoded),
        )
        return examples.as_numpy_iterator()


def open_prepared(config: DatasetConfig) -> PreparedSplit:
    """Opens a data set of tensorflow-datasets; downloads and prepares it if necessary.

    Raises:
        UserError: the data set, split or category does not exist, or the data set cannot be prepared.
    """
    builder = _builder(config.dataset, config.data_dir)
    _prepare(builder, config)
    split, start, stop = _range(builder, config)
    keys = find_features(config.dataset, dict(builder.info.features.items()))
    original = builder.info.features[keys.label].names if keys.label else [builder.name]
    classes, negative_class = categories.arranged(config, original, f"--dataset={config.dataset}")
    return PreparedSplit(
        name=config.dataset,
        data_dir=config.data_dir,
        split=split,
        start=start,
        stop=stop,
        keys=keys,
        labels=tuple(classes.index(name) if name in classes else None for name in original),
        classes=classes,
        all_classes=tuple(original),
        negative_class=negative_class,
    )


@functools.cache
def _builder(name: str, data_dir: str | None) -> Any:
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        known = ["animal_part", "creatures", "folder", *tfds.list_builders(with_community_datasets=False)]
        where = f", and not prepared in --data_dir={data_dir}" if data_dir else ""
        nearest = nearest_names(name, known)
        raise UserError(f"--dataset={name} is unknown{where}; the nearest names: {nearest}") from error
    except Exception as error:  # A data set's own code may raise anything.
        raise UserError(f"--dataset={name} cannot be opened: {error}") from error


def _prepare(builder: Any, config: DatasetConfig) -> None:
    if builder.data_path.exists() and builder.is_prepared():  # `is_prepared` warns if there is no folder.
        return
    logging.info("Preparing %s in %s, with a download if necessary", config.dataset, builder.data_path)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()  # In a log, each of its steps would be a line.
    try:
        builder.download_and_prepare()
    except Exception as error:  # No network, no space, a manual download, a server's refusal, ...
        raise UserError(
            f"--dataset={config.dataset} is not prepared in {builder.data_path}, and preparing it failed: "
            f"{error}\nOn a machine that can download it, run `tfds build {config.dataset} --data_dir=DIR "
            "--imports=tf_explainer.datasets.builders`; then pass that folder as --data_dir"
        ) from error


def _range(builder: Any, config: DatasetConfig) -> tuple[str, int, int]:
    """Returns the name, the start and the stop of a split (`train`) or a slice of one (`train[:80%]`)."""
    splits = builder.info.splits
    try:
        ranges = tfds.core.ReadInstruction.from_spec(config.split).to_absolute(splits)
    except Exception as error:  # ValueError, AssertionError or KeyError, depending on the mistake.
        raise UserError(
            f"--split={config.split}: {config.dataset} has: {', '.join(splits)}\n{error}"
        ) from error
    if len(ranges) != 1:
        raise UserError(f"--split={config.split} is more than one range; name one of: {', '.join(splits)}")
    (only,) = ranges
    start, stop = only.from_ or 0, splits[only.splitname].num_examples if only.to is None else only.to
    if start >= stop:
        raise UserError(f"--split={config.split} of {config.dataset} is empty")
    return only.splitname, start, stop


def _runs(indices: Sequence[int], edges: Sequence[int]) -> Iterator[list[int]]:
    """Splits ascending indices at file boundaries and at gaps that are too long to read over."""
    run: list[int] = []
    for index in indices:
        if run and (
            index - run[-1] > _LONGEST_GAP
            or bisect.bisect_right(edges, index) != bisect.bisect_right(edges, run[-1])
        ):
            yield run
            run = []
        run.append(index)
    if run:
        yield run
