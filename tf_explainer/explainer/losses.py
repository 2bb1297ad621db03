"""The explainer's loss terms other than the filter loss (method: arXiv:1805.07468, section 3).

Every function takes this replica's share of the batch and returns this replica's share of the term: the
shares of all replicas sum to the term over the whole batch. All arithmetic is float32, whatever the inputs'
dtype.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer import scores
from tf_explainer.config import OutputKind
from tf_explainer.explainer import cross_replica


def reconstruction_loss(features: Any, decoded: Any, mean_square_norm: float) -> Any:
    """Returns the relative squared error of one distilled layer, `mean_x ||x_l - x*_l||^2 / E ||x*_l||^2`.

    This is the dimensionless form of the method's `lambda_l ||x_l - x*_l||^2`.

    Args:
        features: `[B, C]`, the performer's features x*_l.
        decoded: `[B, C]`, the decoder's features x_l.
        mean_square_norm: `E ||x*_l||^2` over all images, from the feature manifest.

    Returns:
        A float32 scalar; 0 for a perfect decoder, 1 for one that always returns 0.
    """
    difference = ops.cast(decoded, "float32") - ops.cast(features, "float32")
    images = cross_replica.total(cross_replica.image_count(difference))
    return ops.sum(ops.square(difference)) / (images * mean_square_norm)


def part_share_loss(part_share: Any) -> Any:
    """Returns this replica's share of `-log p` (method: the term of weight eta), a scalar.

    Args:
        part_share: p, a scalar in (0, 1).
    """
    return -ops.log(part_share) / cross_replica.replicas()


def classification_loss(logits: Any, performer_scores: Any, kind: OutputKind) -> Any:
    """Returns the cross entropy between the performer's decision and its head on the decoder's output.

    No annotation is needed: the performer's decision is the label ("Explainer + cls" in the paper). If the
    performer decides each class by itself (sigmoids), this is the mean over the classes.

    Args:
        logits: `[B, outputs]`, from the performer's head on the decoder's output.
        performer_scores: `[B, outputs]`, the performer's scores.
        kind: kind of the performer's scores.

    Returns:
        A float32 scalar, the mean over images.
    """
    logits = ops.cast(logits, "float32")
    if scores.are_exclusive(kind):
        label = ops.one_hot(scores.decisions(performer_scores, kind), logits.shape[-1], dtype="float32")
        entropy = -ops.sum(label * ops.log_softmax(logits), axis=-1)
    else:
        label = ops.cast(scores.said(performer_scores, kind), "float32")
        entropy = ops.mean(ops.softplus(logits) - label * logits, axis=-1)
    return ops.sum(entropy) / cross_replica.total(cross_replica.image_count(logits))
