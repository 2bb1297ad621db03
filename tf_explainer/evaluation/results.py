"""Reads the results of training and evaluation: the explainer, its parts and its measures."""

from __future__ import annotations

import json
from typing import Any

import keras
import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.evaluation import parts
from tf_explainer.evaluation.parts import Part
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.schema import Manifest

_TRAIN = "run `python -m tf_explainer.train` with the same flags"


def read_metrics(path: str, explainer_path: str = "") -> dict[str, Any]:
    """Reads the measures of a run.

    Args:
        path: path of the file of measures.
        explainer_path: path of the explainer that the measures must belong to; not checked if it does not
            exist.

    Raises:
        UserError: there is no such file, it is damaged, or the measures belong to another explainer.
    """
    measure = "measure that run first, by `python -m tf_explainer.evaluate` with its flags"
    try:
        with tf.io.gfile.GFile(path) as file:
            metrics = json.loads(file.read())
        if not isinstance(metrics, dict) or "layers" not in metrics:
            raise ValueError("it has no layers")
    except tf.errors.NotFoundError as error:
        raise UserError(f"there is no {path}: {measure}") from error
    except ValueError as error:
        raise UserError(f"{path} contains no measures ({error}): {measure}") from error
    if tf.io.gfile.exists(explainer_path):
        current = _load(explainer_path).fingerprint
        if metrics.get("explainer") != current:
            raise UserError(
                f"{path} belongs to another explainer than {explainer_path} ({current[:12]}): {measure}"
            )
    return metrics


def read_parts(path: str, explainer: Explainer) -> list[Part]:
    """Reads the parts that an evaluation found in an explainer's filters.

    Raises:
        UserError: there is no such file, it is damaged, or the parts belong to another explainer.
    """
    evaluate = "run `python -m tf_explainer.evaluate` with the same flags: it groups filters into parts"
    try:
        with tf.io.gfile.GFile(path) as file:
            return parts.from_json(file.read(), explainer.fingerprint)
    except tf.errors.NotFoundError as error:
        raise UserError(f"there is no {path}: {evaluate}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}; {evaluate}") from error


def read_best_measure(path: str) -> str:
    """Returns the measure by which training chose its best epoch; empty if the last epoch was used.

    Args:
        path: path of the record of the training run, `run.json`.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            return json.loads(file.read())["flags"]["best_measure"] or ""
    except (tf.errors.NotFoundError, ValueError, KeyError):
        return ""


def load_explainer(path: str, manifest: Manifest, *, trust_code: bool = False) -> Explainer:
    """Loads a trained explainer.

    Args:
        path: path of a `.keras` file.
        manifest: manifest of the features that the explainer is used with.
        trust_code: whether to run code stored in the performer's layers, which the file contains copies of.

    Raises:
        UserError: the file is missing or not an explainer, or its performer or layers are not those of the
            features.
    """
    explainer = _load(path, trust_code=trust_code)
    if explainer.performer not in (None, manifest.performer):
        raise UserError(
            f"{path} explains another performer ({explainer.performer[:12]}) than the one that the stored "
            f"features come from ({manifest.performer[:12]}): {_TRAIN}"
        )
    theirs = [explainer.feature_shape, *((layer.name, layer.units) for layer in explainer.distilled)]
    ours = [manifest.target.shape, *((layer.name, layer.shape[-1]) for layer in manifest.distilled)]
    if theirs != ours:
        raise UserError(f"{path} explains layers {theirs}, the stored features have {ours}: {_TRAIN}")
    return explainer


def _load(path: str, *, trust_code: bool = False) -> Explainer:
    if not tf.io.gfile.exists(path):
        raise UserError(f"there is no explainer {path}: {_TRAIN}")
    try:
        explainer = keras.models.load_model(path, compile=False, safe_mode=not trust_code)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise UserError(f"{path} is not a Keras file ({str(error).splitlines()[0]}): {_TRAIN}") from error
    if not isinstance(explainer, Explainer):
        raise UserError(f"{path} is a {type(explainer).__name__}, not an explainer: {_TRAIN}")
    return explainer
