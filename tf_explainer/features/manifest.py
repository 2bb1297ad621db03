"""The manifest of a set of features: read, and checked against files and performer."""

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
    """Reads the manifest of a whole set of features, and checks that its files are there in full length.

    Args:
        features_dir: directory, local or `gs://`.

    Raises:
        UserError: there is no manifest (the set is not whole), it is damaged or of another format version, or
            a shard is missing or torn.
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
            raise UserError(f"{file} is missing, though {path} lists it: {_EXTRACT}, for this file alone")
        length = tf.io.gfile.stat(file).length
        if length != shard.bytes:
            raise UserError(
                f"{file} has {length} bytes, its manifest says {shard.bytes}: {_EXTRACT}, for this file alone"
            )
    return manifest


def verify_checksums(manifest: Manifest, features_dir: str) -> None:
    """Reads every shard of a set, and compares it with the manifest.

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
            raise UserError(f"{path} is not what its manifest says: remove it, then {_EXTRACT}")


def check_manifest(manifest: Manifest, performer: Performer) -> None:
    """Refuses features that are not this performer's, or not of the layers asked for.

    Raises:
        UserError: names both sides and what to do.
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
                f"{flag}={asked}, but the stored features are of {stored}: change the flag, or {_EXTRACT} in "
                "another --workdir (or with --overwrite)"
            )
    if performer.fingerprint != manifest.performer:
        raise UserError(
            f"the stored features are of a performer with fingerprint {manifest.performer[:12]}, but the "
            f"performer at hand has {performer.fingerprint[:12]}: {_EXTRACT} in another --workdir (or with "
            "--overwrite), or name the right file, --performer=FILE"
        )
