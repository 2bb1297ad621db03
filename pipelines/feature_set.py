"""The directory of a feature set: its configuration while it grows, its manifest when it is whole."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import posixpath
from collections.abc import Sequence
from typing import Any

from apache_beam.io.filesystems import FileSystems

from pipelines.shard import ShardReport, publish_text
from tf_explainer import schema
from tf_explainer.errors import UserError
from tf_explainer.schema import LayerSpec, Manifest, ReceptiveField

_CONFIGURATION = "configuration.json"
_PACKAGES = ("apache-beam", "keras", "numpy", "pillow", "tensorflow")


def claim(features_dir: str, configuration: dict[str, Any], overwrite: bool) -> None:
    """Makes the directory one of this configuration, or refuses.

    Args:
        features_dir: may be new, half filled by a run that died, or whole.
        configuration: everything that the features depend on.
        overwrite: whether features of another configuration are removed.

    Raises:
        UserError: the directory holds features of another configuration.
    """
    path = posixpath.join(features_dir, _CONFIGURATION)
    ours = json.loads(json.dumps(configuration))
    if FileSystems.exists(path):
        with FileSystems.open(path) as file:
            theirs = json.loads(file.read())
        if theirs == ours:
            return
        if not overwrite:
            raise UserError(
                f"{features_dir} holds features of another configuration ({_difference(theirs, ours)}): take "
                "another --workdir or --features_dir, or replace them with --overwrite"
            )
        _remove(features_dir)
    if not FileSystems.exists(features_dir):
        FileSystems.mkdirs(features_dir)
    publish_text(path, json.dumps(ours, indent=2) + "\n")


def is_whole(features_dir: str) -> bool:
    """Returns whether the directory has a manifest."""
    return FileSystems.exists(posixpath.join(features_dir, schema.MANIFEST))


def read_whole(features_dir: str) -> Manifest:
    """Returns the manifest of a whole set."""
    with FileSystems.open(posixpath.join(features_dir, schema.MANIFEST)) as file:
        return Manifest.from_json(file.read().decode())


def finish(
    features_dir: str,
    reports: Sequence[ShardReport],
    inputs: int,
    *,
    target_layer: str,
    distilled_layers: Sequence[str],
    receptive_field: ReceptiveField,
    configuration: dict[str, Any],
    max_dead_letters: float,
) -> Manifest:
    """Writes the dead letters and, if the books balance, the manifest.

    Args:
        features_dir: of the set.
        reports: of all shards.
        inputs: references counted on their own, to be compared with what the shards report.
        target_layer: whose geometry is `receptive_field`.
        distilled_layers: lowest first.
        receptive_field: of the target layer.
        configuration: as given to `claim`.
        max_dead_letters: share of the inputs above which the set is refused.

    Returns:
        The manifest.

    Raises:
        UserError: images got lost, too many are dead letters, or none is left.
    """
    reports = sorted(reports, key=lambda report: report.index)
    letters = [letter for report in reports for letter in report.dead_letters]
    dead_letters_path = posixpath.join(features_dir, schema.DEAD_LETTERS)
    publish_text(dead_letters_path, "".join(json.dumps(letter) + "\n" for letter in letters))
    outputs = sum(report.shard.records for report in reports)
    if inputs != outputs + len(letters):
        raise UserError(
            f"{inputs} images went in, but {outputs} records and {len(letters)} dead letters came out"
        )
    if not outputs or len(letters) > max_dead_letters * inputs:
        raise UserError(
            f"{len(letters)} of {inputs} images cannot be used, more than "
            f"--max_dead_letters={max_dead_letters:g} allows: {dead_letters_path} names them and the reasons"
        )
    classes = configuration["classes"]
    counts = {name: sum(r.labels.get(label, 0) for r in reports) for label, name in enumerate(classes)}
    manifest = Manifest(
        classes=tuple(classes),
        negative_class=configuration["negative_class"],
        landmarks=tuple(configuration["landmarks"]),
        num_scores=max(report.num_scores for report in reports),
        image_size=configuration["image_size"],
        performer=configuration["performer"],
        target=_layer(target_layer, reports, outputs),
        distilled=tuple(_layer(name, reports, outputs) for name in distilled_layers),
        receptive_field=receptive_field,
        dtype="float16",
        compression=configuration["extraction"]["compression"],
        shards=tuple(report.shard for report in reports),
        inputs=inputs,
        outputs=outputs,
        dead_letters=len(letters),
        class_counts=counts,
        configuration=configuration,
        versions={"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
    )
    publish_text(posixpath.join(features_dir, schema.MANIFEST), manifest.to_json())
    return manifest


def _layer(name: str, reports: Sequence[ShardReport], images: int) -> LayerSpec:
    sums = [report.sums[name] for report in reports if report.shard.records]

    def total(field: str) -> float:
        return float(sum(getattr(shard, field) for shard in sums))

    (shape,) = {shard.shape for shard in sums}
    units = total("units")
    return LayerSpec(
        name=name,
        shape=shape,
        mean=total("total") / units,
        mean_norm=total("norm") / images,
        mean_square_norm=total("square_norm") / images,
        zeros=total("zeros") / units,
    )


def _remove(features_dir: str) -> None:
    """Removes what a set consists of, the manifest first, so that nobody takes the rest for whole."""
    patterns = [schema.MANIFEST, "features-*.tfrecord*", schema.DEAD_LETTERS, _CONFIGURATION]
    for pattern in patterns:
        (match,) = FileSystems.match([posixpath.join(features_dir, pattern)])
        if files := [metadata.path for metadata in match.metadata_list]:
            FileSystems.delete(files)


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
