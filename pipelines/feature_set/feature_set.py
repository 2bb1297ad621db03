"""The directory of a feature set: its configuration from the start, its manifest once it is complete."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import posixpath
from collections.abc import Iterable, Sequence
from typing import Any

from apache_beam.io.filesystems import FileSystems

from pipelines.feature_set import atomic_files, dead_letters
from pipelines.feature_set.layer_sums import layer_spec
from pipelines.feature_set.shard_report import (
    ShardReport,
    ShardSummary,
    reports,
    reports_named,
    sidecar_name,
)
from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest
from tf_explainer.images.unit_grid import ReceptiveField

CONFIGURATION = "configuration.json"
REFUSAL = "refusal.txt"
_PACKAGES = ("apache-beam", "keras", "numpy", "pillow", "tensorflow")


def claim(features_dir: str, configuration: dict[str, Any], *, overwrite: bool) -> None:
    """Claims the directory for this configuration, or refuses.

    Args:
        features_dir: may be new, complete, or partly filled by an interrupted run.
        configuration: everything that the features depend on, as decoded from JSON.
        overwrite: whether to remove features of another configuration.

    Raises:
        UserError: the directory holds features of another configuration, or cannot be written.
    """
    try:
        theirs = _claimed(features_dir)
        if theirs == configuration:
            _forget_refusal(features_dir)
            if not _readable(features_dir, CONFIGURATION):
                _publish_configuration(features_dir, configuration)
            return
        if theirs is not None and not overwrite:
            difference = _difference(theirs, configuration)
            raise UserError(
                f"{features_dir} holds features of another configuration ({difference}): use another "
                "--workdir or --features_dir, or replace them with --overwrite"
            )
        if theirs is not None:
            _remove(features_dir)
        _publish_configuration(features_dir, configuration)
    except UserError:
        raise
    except Exception as error:  # Cloud clients raise many types.
        raise UserError(f"features cannot be written to {features_dir}: {error}") from error


def claimed_shards(features_dir: str) -> int | None:
    """Returns the number of shards in the configuration that a directory is claimed for, or None."""
    extraction = (_claimed(features_dir) or {}).get("extraction")
    number = extraction.get("num_shards") if isinstance(extraction, dict) else None
    return number if isinstance(number, int) and number > 0 else None


def find_whole(features_dir: str) -> Manifest | None:
    """Returns the manifest if all its files exist in full length, or None.

    Raises:
        UserError: the manifest is damaged.
    """
    path = posixpath.join(features_dir, schema.MANIFEST)
    if not FileSystems.exists(path):
        return None
    try:
        manifest = Manifest.from_json(atomic_files.read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}; remove it, and run this again") from error
    found = atomic_files.sizes(features_dir, "features-*.tfrecord")
    complete = all(found.get(shard.file) == shard.bytes for shard in manifest.shards)
    return manifest if complete else None


def refusal(features_dir: str) -> str | None:
    """Returns why the last run's features were refused, or None."""
    path = posixpath.join(features_dir, REFUSAL)
    return atomic_files.read_text(path) if FileSystems.exists(path) else None


def refuse(features_dir: str, shards: Iterable[ShardReport], objection: str) -> None:
    """Writes the dead letters, and for `refusal` the reason why there is no set.

    The next `claim` marks shards with dead letters as not computed, as users may have fixed the images.
    """
    atomic_files.remove(features_dir, schema.MANIFEST)
    dead_letters.publish(features_dir, shards)
    atomic_files.publish_text(posixpath.join(features_dir, REFUSAL), objection)


def stop_if_hopeless(features_dir: str, number: int, inputs: int, allowed: float) -> None:
    """Refuses a set that is still being written if it already has too many dead letters.

    Args:
        features_dir: of the set.
        number: of dead letters known so far.
        inputs: images in all.
        allowed: share of the inputs that may be dead letters.

    Raises:
        UserError: there are too many dead letters.
    """
    if objection := dead_letters.too_many(features_dir, number, inputs, allowed):
        refuse(features_dir, reports(features_dir), objection)
        raise UserError(f"{objection}; this run stopped at that point, so there may be more")


def finish(
    features_dir: str,
    shards: Sequence[ShardSummary],
    inputs: int,
    *,
    receptive_field: ReceptiveField,
    configuration: dict[str, Any],
    max_dead_letters: float,
) -> bool:
    """Writes the dead letters and the manifest if the counts agree; else writes the reason, for `refusal`.

    A refusal raises no exception: a worker would retry, and bury the reason in its traceback.

    Args:
        features_dir: of the set.
        shards: all of them; their sidecars lie in the directory.
        inputs: number of references, counted separately, to be compared with what the shards report.
        receptive_field: of the target layer.
        configuration: as given to `claim`.
        max_dead_letters: share of the inputs above which the set is refused.

    Returns:
        Whether the set is complete; it is not if there is no image, if images or shards were lost, or if too
        many images are dead letters.
    """
    shards = sorted(shards, key=lambda summary: summary.index)
    num_shards = configuration["extraction"]["num_shards"]
    atomic_files.remove_unfinished(features_dir)
    # Read from the sidecars, so that memory never holds the dead letters of all shards.
    holders = (sidecar_name(shard.index, num_shards) for shard in shards if shard.dead_letters)
    unusable = reports_named(features_dir, holders)
    if objection := _objection(features_dir, shards, inputs, num_shards, max_dead_letters):
        refuse(features_dir, unusable, objection)
        return False
    dead_letters.publish(features_dir, unusable)
    manifest = manifest_of(shards, receptive_field, configuration)
    atomic_files.publish_text(posixpath.join(features_dir, schema.MANIFEST), manifest.to_json())
    return True


def manifest_of(
    shards: Sequence[ShardSummary], receptive_field: ReceptiveField, configuration: dict[str, Any]
) -> Manifest:
    """Returns the manifest of the set that consists of these shards, in their order."""
    filled = [summary for summary in shards if summary.shard.records]
    target, *distilled = (
        layer_spec(name, [summary.sums[name] for summary in filled]) for name in configuration["layers"]
    )
    outputs = sum(summary.images for summary in shards)
    dead = sum(summary.dead_letters for summary in shards)
    return Manifest(
        classes=tuple(configuration["classes"]),
        all_classes=tuple(configuration.get("all_classes", ())),
        negative_class=configuration["negative_class"],
        landmarks=tuple(configuration["landmarks"]),
        num_scores=filled[0].num_scores,
        image_size=configuration["image_size"],
        performer=configuration["performer"],
        target=target,
        distilled=tuple(distilled),
        receptive_field=receptive_field,
        dtype="float16",
        encoding=configuration["extraction"]["encoding"],
        views=tuple(configuration["extraction"]["views"]),
        shards=tuple(summary.shard for summary in shards),
        inputs=outputs + dead,
        outputs=outputs,
        dead_letters=dead,
        class_counts={
            name: sum(summary.labels.get(label, 0) for summary in shards)
            for label, name in enumerate(configuration["classes"])
        },
        configuration=configuration,
        versions={"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
    )


def _objection(
    features_dir: str, shards: Sequence[ShardSummary], inputs: int, num_shards: int, max_dead_letters: float
) -> str | None:
    """Returns why the shards are not a complete set, or None."""
    outputs = sum(summary.images for summary in shards)
    dead = sum(summary.dead_letters for summary in shards)
    if [summary.index for summary in shards] != list(range(num_shards)):
        return f"the runner lost shards: {len(shards)} of {num_shards} came back"
    if not inputs:
        return "the data set holds no image"
    if inputs != outputs + dead:
        return f"{inputs} images went in, but {outputs} stored ones and {dead} dead letters came out"
    return dead_letters.too_many(features_dir, dead, inputs, max_dead_letters)


def _forget_refusal(features_dir: str) -> None:
    if refusal(features_dir) is not None:
        dead_letters.forget(features_dir)
        atomic_files.remove(features_dir, REFUSAL)


def _publish_configuration(features_dir: str, configuration: dict[str, Any]) -> None:
    atomic_files.publish_text(
        posixpath.join(features_dir, CONFIGURATION), json.dumps(configuration, indent=2) + "\n"
    )


def _claimed(features_dir: str) -> dict[str, Any] | None:
    """Returns the configuration that the directory is claimed for, or None."""
    if claimed := _readable(features_dir, CONFIGURATION):
        return claimed
    manifest = _readable(features_dir, schema.MANIFEST)  # If the set was copied without its configuration.
    return manifest.get("configuration") if manifest else None


def _readable(features_dir: str, name: str) -> dict[str, Any] | None:
    """Returns the object in a JSON file, or None if the file is missing or damaged."""
    path = posixpath.join(features_dir, name)
    try:
        content = json.loads(atomic_files.read_text(path)) if FileSystems.exists(path) else None
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _remove(features_dir: str) -> None:
    """Removes the files of a set, the manifest first, so that nobody takes the rest for complete."""
    for pattern in (schema.MANIFEST, "features-*.tfrecord*", schema.DEAD_LETTERS, REFUSAL, CONFIGURATION):
        atomic_files.remove(features_dir, pattern)
    atomic_files.remove_unfinished(features_dir)


def _difference(theirs: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> str:
    parts = []
    for key in sorted(theirs.keys() | ours.keys()):
        old, new = theirs.get(key), ours.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if inner := _difference(old, new, f"{prefix}{key}."):
                parts.append(inner)
        elif old != new:
            parts.append(f"{prefix}{key}: {old} there, {new} here")
    return "; ".join(parts)
