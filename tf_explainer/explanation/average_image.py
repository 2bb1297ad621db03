"""The average image, the baseline of contributions: the mean of the target layer's stored features."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import tensorflow as tf

from tf_explainer import atomic_file
from tf_explainer.errors import UserError
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.stored_features import Features


def mean_features(features: Features) -> np.ndarray:
    """Returns the mean over all images, negatives included, `[L, L, D]` float32.

    Args:
        features: stored features of the performer.
    """
    target, count = features.manifest.target, 0
    total = np.zeros(target.shape)
    for batch in features.batches("all", negatives=True):
        total += batch[target.name].sum(axis=0, dtype=np.float64)
        count += len(batch[target.name])
    return (total / count).astype(np.float32)


def write(path: str, mean: np.ndarray, explainer: str) -> None:
    """Writes `mean_features.npz`.

    Args:
        path: a local file.
        mean: `[L, L, D]`.
        explainer: the fingerprint of the explainer that was evaluated on the same features.
    """
    with atomic_file.replacing(path) as temporary:
        np.savez(temporary, mean=mean, explainer=explainer)


def read(path: str, explainer: Explainer) -> np.ndarray:
    """Reads what `write` wrote, `[L, L, D]` float32.

    Args:
        path: the file.
        explainer: the one that the file must belong to.

    Raises:
        UserError: the file is missing, damaged, or of another (for example an earlier) explainer.
    """
    evaluate = "run `python -m tf_explainer.evaluate` with the same flags: it computes the mean features"
    try:
        with tf.io.gfile.GFile(path, "rb") as file, np.load(io.BytesIO(file.read())) as content:
            mean, written_for = content["mean"], content["explainer"]
    except tf.errors.NotFoundError as error:
        raise UserError(f"there is no {path}: {evaluate}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}): {evaluate}") from error
    if str(written_for) != explainer.fingerprint or mean.shape != tuple(explainer.feature_shape):
        raise UserError(f"{path} is of another explainer: {evaluate}")
    return mean
