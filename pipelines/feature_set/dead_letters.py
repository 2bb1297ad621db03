"""Dead letters, the images that cannot be used: lists them in a file, limits their number, retries them."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from pipelines.feature_set import atomic_files
from pipelines.feature_set.shard_report import ShardReport, reports
from tf_explainer.features import schema


def publish(features_dir: str, shards: Iterable[ShardReport]) -> None:
    """Writes the file of dead letters, shard by shard in the given order."""
    atomic_files.publish_texts(posixpath.join(features_dir, schema.DEAD_LETTERS), map(_lines, shards))


def text(shards: Iterable[ShardReport]) -> str:
    """Returns the content of the file: a JSON object on each line."""
    return "".join(map(_lines, shards))


def _lines(report: ShardReport) -> str:
    return "".join(json.dumps(letter) + "\n" for letter in report.dead_letters)


def too_many(features_dir: str, number: int, inputs: int, allowed: float) -> str | None:
    """Returns why so many dead letters are refused, or None.

    Args:
        features_dir: of the set, for the message.
        number: of dead letters known so far.
        inputs: images in all.
        allowed: share of the inputs that may be dead letters.
    """
    if number <= allowed * inputs and (number < inputs or not inputs):
        return None
    limit = f"more than --max_dead_letters={allowed:g} allows" if number < inputs else "which leaves none"
    return (
        f"{number} of {inputs} images cannot be used, {limit}: "
        f"{posixpath.join(features_dir, schema.DEAD_LETTERS)} names them and the reasons"
    )


def forget(features_dir: str) -> int:
    """Marks shards with dead letters as not computed, and the set as incomplete.

    Returns:
        The number of dead letters.
    """
    holders = [report for report in reports(features_dir) if report.dead_letters]
    if holders:
        atomic_files.remove(features_dir, schema.MANIFEST)
    for report in holders:
        atomic_files.remove(features_dir, f"{report.shard.file}.json")
    return sum(len(report.dead_letters) for report in holders)
