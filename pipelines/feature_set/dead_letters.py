"""Images that cannot be used: the file that names them, how many are too many, and another try."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from pipelines.feature_set import atomic_files
from pipelines.feature_set.shard_report import ShardReport, reports
from tf_explainer.features import schema


def publish(features_dir: str, shards: Iterable[ShardReport]) -> None:
    """Writes the file of dead letters: those of the given shards, in their order, of one shard at a time."""
    atomic_files.publish_texts(posixpath.join(features_dir, schema.DEAD_LETTERS), map(_lines, shards))


def text(shards: Iterable[ShardReport]) -> str:
    """Returns what the file says: a JSON object a line."""
    return "".join(map(_lines, shards))


def _lines(report: ShardReport) -> str:
    return "".join(json.dumps(letter) + "\n" for letter in report.dead_letters)


def too_many(features_dir: str, number: int, inputs: int, allowed: float) -> str | None:
    """Returns why so many dead letters are refused, or None.

    Args:
        features_dir: of the set, for the message.
        number: of dead letters known so far: more may come, fewer may not.
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
    """Makes shards with dead letters ones that are still to be computed, and the set one that is not whole.

    Returns:
        The number of dead letters.
    """
    holders = [report for report in reports(features_dir) if report.dead_letters]
    if holders:
        atomic_files.remove(features_dir, schema.MANIFEST)
    for report in holders:
        atomic_files.remove(features_dir, f"{report.shard.file}.json")
    return sum(len(report.dead_letters) for report in holders)
