"""Reads what training and evaluation have left: the explainer, its parts, its measures."""

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
        path: of the measures.
        explainer_path: of the explainer that they are to be of; where it is not there, they are not checked.

    Raises:
        UserError: there are none, the file is damaged, or the measures are of an earlier explainer.
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
        raise UserError(f"{path} holds no measures ({error}): {measure}") from error
    if tf.io.gfile.exists(explainer_path):
        there = _load(explainer_path).fingerprint
        if metrics.get("explainer") != there:
            raise UserError(f"{path} is of another explainer than {explainer_path} ({there[:12]}): {measure}")
    return metrics


def read_parts(path: str, explainer: Explainer) -> list[Part]:
    """Reads the parts that an evaluation found in an explainer's filters.

    Raises:
        UserError: there are none, the file is damaged, or they are of another explainer, an earlier one.
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
    """Reads by which measure a training chose its best epoch; empty where it took the last one.

    Args:
        path: of the record that the training left.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            return json.loads(file.read())["flags"]["best_measure"] or ""
    except (tf.errors.NotFoundError, ValueError, KeyError):
        return ""


def load_explainer(path: str, manifest: Manifest, *, trust_code: bool = False) -> Explainer:
    """Reads a trained explainer.

    Args:
        path: a `.keras` file.
        manifest: of the features that it is to be measured on.
        trust_code: whether code among the performer's layers, of which it holds copies, is run.

    Raises:
        UserError: it is missing, no explainer, or of another performer or other layers than the features.
    """
    explainer = _load(path, trust_code=trust_code)
    if explainer.performer not in (None, manifest.performer):
        raise UserError(
            f"{path} explains another performer ({explainer.performer[:12]}) than the stored features are of "
            f"({manifest.performer[:12]}): {_TRAIN}"
        )
    theirs = [explainer.feature_shape, *((layer.name, layer.units) for layer in explainer.distilled)]
    ours = [manifest.target.shape, *((layer.name, layer.shape[-1]) for layer in manifest.distilled)]
    if theirs != ours:
        raise UserError(f"{path} explains layers {theirs}, the stored features are {ours}: {_TRAIN}")
    return explainer


def _load(path: str, *, trust_code: bool = False) -> Explainer:
    if not tf.io.gfile.exists(path):
        raise UserError(f"there is no explainer {path}: {_TRAIN}")
    try:
        explainer = keras.models.load_model(path, compile=False, safe_mode=not trust_code)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise UserError(f"{path} is no Keras file ({str(error).splitlines()[0]}): {_TRAIN}") from error
    if not isinstance(explainer, Explainer):
        raise UserError(f"{path} is a {type(explainer).__name__}, not an explainer: {_TRAIN}")
    return explainer
