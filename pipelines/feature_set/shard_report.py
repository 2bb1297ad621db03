"""Describes output shards by sidecar files; a shard with a sidecar is finished."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pipelines.feature_set import atomic_files
from pipelines.feature_set.layer_sums import LayerSums
from tf_explainer.features import schema
from tf_explainer.images.record import ImageReference

_READ_AT_ONCE = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardSettings:
    """The settings that all shards of a set share.

    Attributes:
        features_dir: directory of the shards.
        layers: target layer first, then the distilled ones.
        landmarks: names by row.
        image_size: side of the crops, in pixels.
        num_shards, batch_size, encoding, jpeg_quality, views, views_seed: see `config.ExtractionConfig`.
        configuration: text with everything that the shards' bytes depend on, except the images.
    """

    features_dir: str
    layers: tuple[str, ...]
    landmarks: tuple[str, ...]
    image_size: int
    num_shards: int
    batch_size: int
    encoding: Literal["float16", "gzip", "sparse"]
    jpeg_quality: int
    views: tuple[str, ...]
    views_seed: int
    configuration: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ShardSummary:
    """What the set's manifest needs of a shard; its size does not depend on the number of dead letters.

    Attributes:
        index, shard, labels, num_scores, sums: see `ShardReport`.
        dead_letters: number of images that are not in the shard.
    """

    index: int
    shard: schema.Shard
    labels: dict[int, int]
    num_scores: int
    sums: dict[str, LayerSums]
    dead_letters: int

    @property
    def images(self) -> int:
        """Number of images in the shard; further views of an image do not count."""
        return sum(self.labels.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardReport:
    """A shard's sidecar.

    Attributes:
        index: of the shard.
        digest: see `digest`; shards with equal digests are equal.
        shard: file name, records, bytes and checksum.
        labels: number of images in the shard by label; each image has a record per view.
        num_scores: width of the performer's output; 0 in an empty shard.
        sums: by layer, over the original views.
        dead_letters: id, location, kind and reason of every image that is not in the shard, sorted by id.
    """

    index: int
    digest: str
    shard: schema.Shard
    labels: dict[int, int]
    num_scores: int
    sums: dict[str, LayerSums]
    dead_letters: tuple[dict[str, str], ...]

    def to_json(self) -> str:
        """Returns the report as JSON."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ShardReport:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: the text is not a report.
        """
        try:
            fields = json.loads(text)
            return cls(
                **fields
                | {
                    "shard": schema.Shard(**fields["shard"]),
                    "labels": {int(label): count for label, count in fields["labels"].items()},
                    "sums": {
                        layer: LayerSums(**sums | {"shape": tuple(sums["shape"])})
                        for layer, sums in fields["sums"].items()
                    },
                    "dead_letters": tuple(fields["dead_letters"]),
                }
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a shard's report: {error!r}") from error

    @property
    def images(self) -> int:
        """Number of images in the shard; further views of an image do not count."""
        return self.summary().images

    def summary(self) -> ShardSummary:
        """Returns the report without the dead letters themselves."""
        return ShardSummary(
            index=self.index,
            shard=self.shard,
            labels=self.labels,
            num_scores=self.num_scores,
            sums=self.sums,
            dead_letters=len(self.dead_letters),
        )


def digest(settings: ShardSettings, references: Iterable[ImageReference]) -> str:
    """Returns the SHA-256 of everything that a shard depends on, except the content of image files."""
    text = "\n".join([settings.configuration, *(repr(reference) for reference in references)])
    return hashlib.sha256(text.encode()).hexdigest()


def sidecar_name(index: int, num_shards: int) -> str:
    """Returns the file name of a shard's report."""
    return f"{schema.shard_name(index, num_shards)}.json"


def reports(features_dir: str) -> Iterator[ShardReport]:
    """Yields the reports of all readable sidecars in a directory, whichever set they belong to."""
    for name in sorted(atomic_files.sizes(features_dir, "features-*.tfrecord.json")):
        with contextlib.suppress(ValueError):  # The sidecar is damaged.
            yield ShardReport.from_json(atomic_files.read_text(posixpath.join(features_dir, name)))


def reports_named(features_dir: str, names: Iterable[str]) -> Iterator[ShardReport]:
    """Yields the reports of some sidecars in order; reads a few at once.

    Args:
        features_dir: of the set.
        names: of the sidecars.

    Raises:
        ValueError: a sidecar is damaged.
    """

    def read(name: str) -> ShardReport:
        return ShardReport.from_json(atomic_files.read_text(posixpath.join(features_dir, name)))

    remaining = iter(names)
    with ThreadPoolExecutor(_READ_AT_ONCE) as threads:
        while some := list(itertools.islice(remaining, _READ_AT_ONCE)):
            yield from threads.map(read, some)


def finished_report(
    settings: ShardSettings, index: int, references: Sequence[ImageReference]
) -> ShardReport | None:
    """Returns the report of a shard that exists in full length with these images and settings, or None.

    Args:
        settings: of the set.
        index: of the shard.
        references: of the shard's images, sorted by id.
    """
    name = sidecar_name(index, settings.num_shards)
    if not atomic_files.sizes(settings.features_dir, name):
        return None
    try:
        report = ShardReport.from_json(atomic_files.read_text(posixpath.join(settings.features_dir, name)))
    except ValueError:  # The sidecar is damaged: the shard is computed again.
        return None
    length = atomic_files.sizes(settings.features_dir, report.shard.file).get(report.shard.file)
    same = report.digest == digest(settings, references) and report.shard.bytes == length
    return report if same else None
