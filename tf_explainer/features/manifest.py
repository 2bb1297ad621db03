"""Reads the manifest of a set of features, and checks it against the files and the performer."""

from __future__ import annotations

import hashlib
import posixpath

import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import Performer

_EXTRACT = "run `python -m pipelines.extract_features` with the same flags"


def read_manifest(features_dir: str) -> Manifest:
    """Reads the manifest of a complete set of features, and checks that its files exist in the right size.

    Args:
        features_dir: directory, local or `gs://`.

    Raises:
        UserError: there is no manifest (the set is incomplete), it is damaged or has another format version,
            or a shard is missing or has another size.
    """
    path = posixpath.join(features_dir, schema.MANIFEST)
    if not tf.io.gfile.exists(path):
        raise UserError(f"there is no feature manifest {path}: {_EXTRACT}")
    with tf.io.gfile.GFile(path) as file:
        try:
            manifest = Manifest.from_json(file.read())
        except ValueError as error:
            raise UserError(f"{path}: {error}; {_EXTRACT} and --overwrite") from error
    for shard in manifest.shards:
        file = posixpath.join(features_dir, shard.file)
        if not tf.io.gfile.exists(file):
            raise UserError(
                f"{file} is missing, though {path} lists it: {_EXTRACT} to restore only this file"
            )
        length = tf.io.gfile.stat(file).length
        if length != shard.bytes:
            raise UserError(
                f"{file} has {length} bytes, but its manifest says {shard.bytes}: {_EXTRACT} to restore only "
                "this file"
            )
    return manifest


def verify_checksums(manifest: Manifest, features_dir: str) -> None:
    """Compares the checksum of every shard with the manifest.

    Raises:
        UserError: the content of a shard has changed.
    """
    for shard in manifest.shards:
        path = posixpath.join(features_dir, shard.file)
        with tf.io.gfile.GFile(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != shard.sha256:
            raise UserError(f"{path} has changed since it was written: remove it, then {_EXTRACT}")


def check_manifest(manifest: Manifest, performer: Performer) -> None:
    """Checks that features were stored with this performer and for its layers.

    Raises:
        UserError: they were not; the message names both values and what to do.
    """
    config = performer.config
    for flag, asked, stored in [
        ("--target_layer", config.target_layer, manifest.target.name),
        (
            "--distilled_layers",
            ",".join(config.distilled_layers),
            ",".join(layer.name for layer in manifest.distilled),
        ),
    ]:
        if asked != stored:
            raise UserError(
                f"{flag}={asked}, but the stored features are of {stored}: change the flag, or {_EXTRACT} "
                "and another --workdir (or --overwrite)"
            )
    if performer.fingerprint != manifest.performer:
        raise UserError(
            f"the stored features are of a performer with fingerprint {manifest.performer[:12]}, but this "
            f"performer has {performer.fingerprint[:12]}: {_EXTRACT} and another --workdir (or --overwrite), "
            "or name the right file, --performer=FILE"
        )
