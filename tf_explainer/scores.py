"""The kinds of a classifier's scores, and conversions between scores, probabilities and logits.

| kind | scores | logits | log-odds of a class |
| --- | --- | --- | --- |
| `softmax` | probabilities that sum to 1 | their logarithms | `z_c - log sum_{k != c} exp z_k` |
| `softmax_logits` | inputs of a softmax | the scores | the same |
| `sigmoid` | an independent probability for each class | `log p / (1 - p)` | its logit |
| `sigmoid_logits` | inputs of a sigmoid | the scores | its logit |

A single output is the probability, or logit, of the second of two classes. `performer.output_kind`
determines the kind from a network's graph. All functions take and return `[B, outputs]` or `[B, classes]`; a
single output stands for two classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_explainer.config import OutputKind
from tf_explainer.errors import UserError

# The smallest positive float32 in full precision.
_SMALLEST = 1.2e-38
# Distance between 1 and the largest float32 below 1.
_NEXT_TO_ONE = 6e-8
# Added to a logit, it removes the logit from a sum of exponentials.
_FAR_BELOW = -1e9
_TOLERANCE = 1e-2


def are_logits(kind: OutputKind) -> bool:
    """Returns whether scores are logits rather than probabilities."""
    return kind.endswith("_logits")


def are_exclusive(kind: OutputKind) -> bool:
    """Returns whether the classes exclude each other, as in a softmax."""
    return kind.startswith("softmax")


def class_probabilities(scores: Any, kind: OutputKind) -> Any:
    """Returns the probabilities of all classes, `[B, classes]`, from scores `[B, outputs]`."""
    probabilities = scores
    if are_logits(kind):
        probabilities = ops.softmax(scores) if are_exclusive(kind) else ops.sigmoid(scores)
    if scores.shape[-1] == 1:
        return ops.concatenate([1 - probabilities, probabilities], axis=-1)
    return probabilities


def logits_of(scores: Any, kind: OutputKind) -> Any:
    """Returns the logits, `[B, outputs]` float32, of scores `[B, outputs]`."""
    scores = ops.cast(scores, "float32")
    if are_logits(kind):
        return scores
    if are_exclusive(kind):
        return ops.log(ops.maximum(scores, _SMALLEST))
    likely = ops.minimum(ops.maximum(scores, _SMALLEST), 1 - _NEXT_TO_ONE)
    return ops.log(likely) - ops.log(1 - likely)


def from_logits(logits: Any, kind: OutputKind) -> Any:
    """Returns the scores, `[B, outputs]`, of logits `[B, outputs]`."""
    if are_logits(kind):
        return logits
    return ops.softmax(logits) if are_exclusive(kind) else ops.sigmoid(logits)


def log_odds(logits: Any, kind: OutputKind) -> Any:
    """Returns `log p / (1 - p)` of every class, `[B, classes]`, from logits `[B, outputs]`."""
    outputs = logits.shape[-1]
    if outputs == 1:
        return ops.matmul(logits, ops.convert_to_tensor([[-1.0, 1.0]], logits.dtype))
    if not are_exclusive(kind):
        return logits
    itself = ops.eye(outputs, dtype=logits.dtype) * _FAR_BELOW
    return logits - ops.logsumexp(ops.expand_dims(logits, 1) + itself, axis=-1)


def decisions(scores: Any, kind: OutputKind) -> Any:
    """Returns the likeliest class, `[B]` int32; a single output is compared with 0.5, or 0 for logits."""
    if scores.shape[-1] > 1:
        return ops.cast(ops.argmax(scores, axis=-1), "int32")
    return ops.cast(said(scores, kind)[:, 0], "int32")


def said(scores: Any, kind: OutputKind) -> Any:
    """Returns which outputs are above 0.5, or 0 for logits, as `[B, outputs]` bool."""
    return ops.cast(scores, "float32") > (0.0 if are_logits(kind) else 0.5)


def check(scores: np.ndarray, kind: OutputKind) -> None:
    """Checks that scores agree with their kind.

    Args:
        scores: `[B, outputs]`.
        kind: the expected kind.

    Raises:
        UserError: probabilities are not in [0, 1], or those of a softmax do not sum to 1.
    """
    scores = np.asarray(scores, np.float64)
    if are_logits(kind) or not scores.size:
        return
    beyond = (scores < -_TOLERANCE) | (scores > 1 + _TOLERANCE)
    if beyond.any():
        raise UserError(
            f"the performer's outputs are no probabilities ({scores[beyond][0]:.3g}), as --outputs={kind} "
            "says: set the flag to their real kind"
        )
    sums = scores.sum(axis=-1)
    if are_exclusive(kind) and (wrong := np.abs(sums - 1) > _TOLERANCE).any():
        raise UserError(
            f"the performer's outputs sum to {sums[wrong][0]:.3g}, not to 1, as --outputs={kind} says: set "
            "the flag to their real kind"
        )
