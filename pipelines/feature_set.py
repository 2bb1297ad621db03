"""The directory of a feature set: its configuration while it grows, its manifest when it is whole."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import posixpath
from collections.abc import Sequence
from typing import Any

from apache_beam.io.filesystems import FileSystems

from pipelines import atomic_files
from pipelines.layer_sums import layer_spec
from pipelines.shard_report import ShardReport, sidecar_name
from tf_explainer import schema
from tf_explainer.errors import UserError
from tf_explainer.schema import Manifest, ReceptiveField

_CONFIGURATION = "configuration.json"
_REFUSAL = "refusal.txt"
_PACKAGES = ("apache-beam", "keras", "numpy", "pillow", "tensorflow")


def claim(features_dir: str, configuration: dict[str, Any], *, overwrite: bool) -> None:
    """Makes the directory one of this configuration, or refuses.

    Args:
        features_dir: may be new, half filled by a run that died, or whole.
        configuration: everything that the features depend on, as it comes back from JSON.
        overwrite: whether features of another configuration are removed.

    Raises:
        UserError: the directory holds features of another configuration, or cannot be written.
    """
    try:
        atomic_files.remove(features_dir, _REFUSAL)
        theirs = _claimed(features_dir)
        if theirs == configuration:
            return
        if theirs is not None and not overwrite:
            difference = _difference(theirs, configuration)
            raise UserError(
                f"{features_dir} holds features of another configuration ({difference}): take another "
                "--workdir or --features_dir, or replace them with --overwrite"
            )
        _remove(features_dir)
        atomic_files.publish_text(
            posixpath.join(features_dir, _CONFIGURATION), json.dumps(configuration, indent=2) + "\n"
        )
    except UserError:
        raise
    except Exception as error:  # Whatever a cloud's client raises.
        raise UserError(f"features cannot be written to {features_dir}: {error}") from error


def whole(features_dir: str) -> Manifest | None:
    """Returns the manifest of a set whose files are all there in full length, or None.

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
    there = all(found.get(shard.file) == shard.bytes for shard in manifest.shards)
    return manifest if there else None


def refusal(features_dir: str) -> str | None:
    """Returns why the last run's features were refused, or None."""
    path = posixpath.join(features_dir, _REFUSAL)
    return atomic_files.read_text(path) if FileSystems.exists(path) else None


def finish(
    features_dir: str,
    reports: Sequence[ShardReport],
    inputs: int,
    *,
    receptive_field: ReceptiveField,
    configuration: dict[str, Any],
    max_dead_letters: float,
) -> bool:
    """Writes the dead letters and, if the books balance, the manifest; else why not, for `refusal`.

    A refusal is no exception: a worker would try again, and surround the reason by its traceback.

    Args:
        features_dir: of the set.
        reports: of all shards.
        inputs: references counted on their own, to be compared with what the shards report.
        receptive_field: of the target layer.
        configuration: as given to `claim`.
        max_dead_letters: share of the inputs above which the set is refused.

    Returns:
        Whether the set is whole; if it is not (there is no image, images got lost, or too many are dead
        letters), shards with dead letters will be computed again by the next run.
    """
    reports = sorted(reports, key=lambda report: report.index)
    num_shards = configuration["extraction"]["num_shards"]
    atomic_files.remove_unfinished(features_dir)
    _publish_dead_letters(features_dir, reports)
    if objection := _objection(features_dir, reports, inputs, num_shards, max_dead_letters):
        _refuse(features_dir, reports, num_shards, objection)
        return False
    manifest = _manifest(reports, receptive_field, configuration)
    atomic_files.publish_text(posixpath.join(features_dir, schema.MANIFEST), manifest.to_json())
    return True


def _manifest(
    reports: Sequence[ShardReport], receptive_field: ReceptiveField, configuration: dict[str, Any]
) -> Manifest:
    filled = [report for report in reports if report.shard.records]
    target, *distilled = (
        layer_spec(name, [report.sums[name] for report in filled]) for name in configuration["layers"]
    )
    outputs = sum(report.images for report in reports)
    dead_letters = sum(len(report.dead_letters) for report in reports)
    return Manifest(
        classes=tuple(configuration["classes"]),
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
        shards=tuple(report.shard for report in reports),
        inputs=outputs + dead_letters,
        outputs=outputs,
        dead_letters=dead_letters,
        class_counts={
            name: sum(report.labels.get(label, 0) for report in reports)
            for label, name in enumerate(configuration["classes"])
        },
        configuration=configuration,
        versions={"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
    )


def _publish_dead_letters(features_dir: str, reports: Sequence[ShardReport]) -> None:
    lines = [json.dumps(letter) + "\n" for report in reports for letter in report.dead_letters]
    atomic_files.publish_text(posixpath.join(features_dir, schema.DEAD_LETTERS), "".join(lines))


def _objection(
    features_dir: str, reports: Sequence[ShardReport], inputs: int, num_shards: int, max_dead_letters: float
) -> str | None:
    """Returns why the shards make no set, or None."""
    outputs = sum(report.images for report in reports)
    dead_letters = sum(len(report.dead_letters) for report in reports)
    if [report.index for report in reports] != list(range(num_shards)):
        return f"the runner lost shards: {len(reports)} of {num_shards} came back"
    if not inputs:
        return "the data set holds no image"
    if inputs != outputs + dead_letters:
        return f"{inputs} images went in, but {outputs} stored ones and {dead_letters} dead letters came out"
    if outputs and dead_letters <= max_dead_letters * inputs:
        return None
    allowed = f"more than --max_dead_letters={max_dead_letters:g} allows" if outputs else "which leaves none"
    return (
        f"{dead_letters} of {inputs} images cannot be used, {allowed}: "
        f"{posixpath.join(features_dir, schema.DEAD_LETTERS)} names them and the reasons"
    )


def _refuse(features_dir: str, reports: Sequence[ShardReport], num_shards: int, objection: str) -> None:
    atomic_files.remove(features_dir, schema.MANIFEST)
    # What made so many images fail may be repaired: their shards are not finished.
    for report in reports:
        if report.dead_letters:
            atomic_files.remove(features_dir, sidecar_name(report.index, num_shards))
    atomic_files.publish_text(posixpath.join(features_dir, _REFUSAL), objection)


def _claimed(features_dir: str) -> dict[str, Any] | None:
    """Returns the configuration that the directory is claimed for, or None."""
    path = posixpath.join(features_dir, _CONFIGURATION)
    if FileSystems.exists(path):
        return json.loads(atomic_files.read_text(path))
    manifest = posixpath.join(features_dir, schema.MANIFEST)  # Of a set that was copied without.
    return (
        json.loads(atomic_files.read_text(manifest))["configuration"]
        if FileSystems.exists(manifest)
        else None
    )


def _remove(features_dir: str) -> None:
    """Removes what a set consists of, the manifest first, so that nobody takes the rest for whole."""
    for pattern in (schema.MANIFEST, "features-*.tfrecord*", schema.DEAD_LETTERS, _CONFIGURATION):
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
