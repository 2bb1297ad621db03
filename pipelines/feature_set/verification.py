"""Verifies that a set of features is what its manifest says, and discards what must be recomputed."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

from pipelines.feature_set import atomic_files, dead_letters, feature_set
from pipelines.feature_set.shard_report import ShardReport, sidecar_name
from pipelines.feature_set.shard_verification import RecordVerification, file_problems
from tf_explainer.datasets.source import ImageSource
from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """A broken file.

    Attributes:
        file: name of the file.
        what: what is wrong, as the rest of a sentence that begins with the file.
        shard: the sidecar of the shard that must be recomputed, or None.
        superfluous: whether the file is not part of the set.
    """

    file: str
    what: str
    shard: str | None = None
    superfluous: bool = False


def verify(features_dir: str, source: ImageSource | None = None) -> Iterator[Problem]:
    """Yields everything that is broken in a set of features.

    Args:
        features_dir: of the set.
        source: the data set, to compare the records with its images; None: without this comparison.

    Raises:
        UserError: the directory holds no features.
    """
    parts = schema.MANIFEST, feature_set.CONFIGURATION, "features-*"
    if not any(atomic_files.sizes(features_dir, pattern) for pattern in parts):
        raise UserError(
            f"there are no features in {features_dir}: extract them, or name another --features_dir"
        )
    manifest, problem = _manifest(features_dir)
    if problem:
        yield problem
    configuration, problem = _configuration(features_dir, manifest)
    if problem:
        yield problem
    if configuration is None:
        return
    num_shards = configuration["extraction"]["num_shards"]
    yield from _superfluous(features_dir, num_shards)
    reports: dict[str, ShardReport] = {}
    for index in range(num_shards):
        name = sidecar_name(index, num_shards)
        report = _report(features_dir, name, index)
        if isinstance(report, Problem):
            yield report
        else:
            reports[name] = report
            for what in file_problems(features_dir, report):
                yield Problem(file=report.shard.file, what=what, shard=name)
                del reports[name]
    if manifest is not None:
        yield from _record_problems(features_dir, manifest, reports, source)
        if len(reports) == num_shards:
            yield from _total_problems(features_dir, manifest, list(reports.values()))


def discard(features_dir: str, configuration: dict[str, Any], problems: Iterable[Problem]) -> None:
    """Removes what is broken, so that an extraction of the same configuration recomputes only that.

    Args:
        features_dir: of the set.
        configuration: as given to `feature_set.claim`.
        problems: from `verify`.

    Raises:
        UserError: the set has another configuration.
    """
    feature_set.claim(features_dir, configuration, overwrite=False)
    # First, so that nobody takes the rest for complete.
    atomic_files.remove(features_dir, schema.MANIFEST)
    for problem in problems:
        if problem.shard:
            atomic_files.remove(features_dir, problem.shard)
        if problem.superfluous:
            atomic_files.remove(features_dir, problem.file)


def _manifest(features_dir: str) -> tuple[Manifest | None, Problem | None]:
    text = _text(features_dir, schema.MANIFEST)
    if text is None:
        return None, Problem(file=schema.MANIFEST, what="is missing: the set is incomplete")
    try:
        return Manifest.from_json(text), None
    except ValueError as error:
        return None, Problem(file=schema.MANIFEST, what=f"cannot be read: {error}")


def _configuration(
    features_dir: str, manifest: Manifest | None
) -> tuple[dict[str, Any] | None, Problem | None]:
    expected = manifest.configuration if manifest else None
    text = _text(features_dir, feature_set.CONFIGURATION)
    if text is None:
        return expected, Problem(file=feature_set.CONFIGURATION, what="is missing")
    try:
        found = json.loads(text)
        found["extraction"]["num_shards"]
    except (ValueError, KeyError, TypeError) as error:
        return expected, Problem(file=feature_set.CONFIGURATION, what=f"cannot be read: {error!r}")
    if expected is not None and found != expected:
        return expected, Problem(file=feature_set.CONFIGURATION, what="is not the manifest's configuration")
    return found, None


def _superfluous(features_dir: str, num_shards: int) -> Iterator[Problem]:
    shards = {schema.shard_name(index, num_shards) for index in range(num_shards)}
    ours = shards | {f"{shard}.json" for shard in shards}
    for pattern in ("features-*", ".unfinished-*", feature_set.REFUSAL):
        for name in sorted(atomic_files.sizes(features_dir, pattern).keys() - ours):
            yield Problem(file=name, what="is not part of the set", superfluous=True)


def _report(features_dir: str, name: str, index: int) -> ShardReport | Problem:
    text = _text(features_dir, name)
    if text is None:
        return Problem(file=name, what="is missing", shard=name)
    try:
        report = ShardReport.from_json(text)
    except ValueError as error:
        return Problem(file=name, what=f"cannot be read: {error}", shard=name)
    if (report.index, f"{report.shard.file}.json") != (index, name):
        return Problem(file=name, what=f"is of shard {report.index}, {report.shard.file}", shard=name)
    return report


def _record_problems(
    features_dir: str, manifest: Manifest, reports: dict[str, ShardReport], source: ImageSource | None
) -> Iterator[Problem]:
    num_shards = manifest.configuration["extraction"]["num_shards"]
    shard_of = None
    if source is not None:
        shard_of = {reference.id: source.shard_of(reference, num_shards) for reference in source.references()}
    records = RecordVerification(features_dir, manifest, shard_of)
    for name, report in reports.items():
        for what in records.problems(report):
            yield Problem(file=report.shard.file, what=what, shard=name)


def _total_problems(features_dir: str, manifest: Manifest, reports: list[ShardReport]) -> Iterator[Problem]:
    """Yields where the manifest or the file of dead letters contradicts the sidecars."""
    summaries = [report.summary() for report in reports]
    expected = feature_set.manifest_of(summaries, manifest.receptive_field, manifest.configuration)
    for field in dataclasses.fields(Manifest):
        if field.name != "versions" and getattr(manifest, field.name) != getattr(expected, field.name):
            yield Problem(file=schema.MANIFEST, what=f"has {field.name} that the shards contradict")
    if _text(features_dir, schema.DEAD_LETTERS) != dead_letters.text(reports):
        yield Problem(file=schema.DEAD_LETTERS, what="does not name the images that the shards lack")


def _text(features_dir: str, name: str) -> str | None:
    if not atomic_files.sizes(features_dir, name):
        return None
    try:
        return atomic_files.read_text(posixpath.join(features_dir, name))
    except UnicodeDecodeError:
        return ""
