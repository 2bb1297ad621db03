"""Measures what a network looks at, on the stored features of held-out images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import scipy.stats

from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.parts import Part
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explanation import removal
from tf_explainer.explanation.attribution import Attribution, Attributor
from tf_explainer.explanation.run_summary import (
    NOT_EXPLAINED,
    NOT_PARTS,
    ClassSummary,
    Mistake,
    RunSummary,
    Share,
)
from tf_explainer.features.outputs import Outputs
from tf_explainer.features.schema import ID, LABEL, SCORES
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.resampling import bootstrap_intervals

Progress = Callable[[str, int], None]
_BATCH_SIZE = 16
_RESAMPLES = 1000
_MISLED_BY = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contributions:
    """N images and the terms of their scores.

    Attributes:
        ids: of the images.
        labels: `[N]` int, the true classes, as numbers of the performer's classes; -1: not among them.
        named: `[N]` int, the classes that the performer names, whose scores these are.
        explainer_named: `[N]` int, the classes that the explainer names.
        scores: `[N]`, in nats.
        columns: `[N, P + 4]`, contributions of the P parts, `NOT_PARTS` and `NOT_EXPLAINED`, which sum to the
            scores.
        lost: `[N, P + 2]`, how much the scores drop without the parts and `NOT_PARTS`.
        against: for each image that the performer gets wrong, by its number: the score of the true class, and
            the columns of that score.
    """

    ids: Sequence[str]
    labels: np.ndarray
    named: np.ndarray
    explainer_named: np.ndarray
    scores: np.ndarray
    columns: np.ndarray
    lost: np.ndarray
    against: dict[int, tuple[float, np.ndarray]]


def summarise_run(
    explainer: Explainer,
    head: keras.Model,
    parts: Sequence[Part],
    mean_features: np.ndarray,
    features: Features,
    config: AttributionConfig,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> RunSummary:
    """Attributes the scores of held-out images (of all images if none is held out) and summarises them.

    Args:
        explainer: the trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        parts: of the explainer's filters.
        mean_features: `[L, L, D]`, the mean features of the target layer.
        features: stored features of the performer, with `outputs`.
        config: the method, and the number of images.
        progress: called with the stage and the number of images just done.

    Raises:
        ValueError: the features do not describe the performer's outputs.
    """
    outputs = features.outputs
    if outputs is None:
        raise ValueError("the features do not describe the performer's outputs")
    records, held_out = _read_images(features, config.summary_images)
    attributor = Attributor(explainer, head, outputs.kind, mean_features, config)
    measured = measure(attributor, outputs, records, features.manifest.target.name, parts, progress)
    return summarise(
        measured,
        parts,
        outputs.names,
        negative_class=explainer.negative_class,
        held_out=held_out,
        labelled=bool((outputs.of_labels >= 0).any()),
        method=attributor.method,
    )


def measure(
    attributor: Attributor,
    outputs: Outputs,
    records: dict[str, np.ndarray],
    target: str,
    parts: Sequence[Part],
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> Contributions:
    """Attributes, for each image, the score of the class that the performer names.

    Args:
        attributor: of the explainer.
        outputs: of the performer.
        records: `id`, `label`, `scores` and the features of the target layer, `[N, ...]` each.
        target: the name of the target layer.
        parts: of the explainer's filters.
        progress: called with the stage and the number of images just done.
    """
    features, labels = records[target].astype(np.float32), outputs.of_labels[records[LABEL]]
    named = outputs.decisions(records[SCORES]).astype(int)
    groups = [part.filters for part in parts]
    grouped = {number for group in groups for number in group}
    others = [number for number in range(features.shape[-1]) if number not in grouped]
    columns, scores, lost, explainer_named = [], [], [], []
    for first in range(0, len(named), _BATCH_SIZE):
        rows = slice(first, first + _BATCH_SIZE)
        attribution = attributor.attribute(features[rows], named[rows])
        columns.append(_columns(attribution, [*groups, others]))
        scores.append(attribution.scores)
        lost.append(removal.losses(attributor, features[rows], named[rows], [*groups, others]))
        explainer_named.append(attributor.log_odds(features[rows]).argmax(axis=1))
        progress("what it looks at", len(attribution.scores))
    against = {}
    for n in np.flatnonzero((named != labels) & (labels >= 0)).tolist():
        true = attributor.attribute(features[n : n + 1], labels[n : n + 1])
        against[n] = float(true.scores[0]), _columns(true, [*groups, others])[0]
    return Contributions(
        ids=[name.decode() for name in records[ID]],
        labels=labels,
        named=named,
        explainer_named=np.concatenate(explainer_named).astype(int),
        scores=np.concatenate(scores),
        columns=np.concatenate(columns),
        lost=np.concatenate(lost),
        against=against,
    )


def summarise(
    measured: Contributions,
    parts: Sequence[Part],
    class_names: Sequence[str],
    *,
    negative_class: int | None,
    held_out: bool,
    labelled: bool,
    method: str,
) -> RunSummary:
    """Summarises contributions by class.

    Args:
        measured: the images.
        parts: of the first columns; each class has its own names for them.
        class_names: of the performer's scores.
        negative_class: the class that stands for 'no object'; None: there is none.
        held_out: whether training never saw the images.
        labelled: whether any class of the data set is among the performer's.
        method: how scores were shared out, in words.
    """
    classes, counts = np.unique(measured.named, return_counts=True)
    frequent = classes[np.argsort(-counts, kind="stable")]
    return RunSummary(
        classes=tuple(
            dataclasses.replace(
                _class(measured, parts, int(number), class_names[number]),
                of_no_object=int(number) == negative_class,
            )
            for number in frequent
        ),
        images=len(measured.named),
        held_out=held_out,
        agreement=float((measured.explainer_named == measured.named).mean()),
        mistakes=tuple(_mistakes(measured, parts, class_names)) if labelled else None,
        method=method,
        gap=_gap(measured),
        removal=_removal(measured),
    )


def _read_images(features: Features, count: int) -> tuple[dict[str, np.ndarray], bool]:
    """Returns evenly spaced records of all classes, and whether they are held out."""
    names = (ID, LABEL, SCORES, features.manifest.target.name)
    for split in ("held_out", "all"):
        kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for batch in features.batches(split, negatives=True):
            for name in names:
                kept[name].append(batch[name])
        if kept[ID]:
            break
    images = sum(map(len, kept[ID]))
    spaced = np.linspace(0, images - 1, min(count, images)).round().astype(int)
    return {name: np.concatenate(kept[name])[spaced] for name in names}, split == "held_out"


def _columns(attribution: Attribution, groups: Sequence[Sequence[int]]) -> np.ndarray:
    by_group = [attribution.parts[:, list(group)].sum(axis=1) for group in groups]
    return np.stack([*by_group, attribution.ordinary, attribution.baseline, attribution.gap], axis=1)


def _names(parts: Sequence[Part], class_name: str) -> list[str]:
    """Returns the names of the columns for images of a class."""
    return [*(part.in_category(class_name).name for part in parts), *NOT_PARTS, *NOT_EXPLAINED]


def _class(measured: Contributions, parts: Sequence[Part], number: int, class_name: str) -> ClassSummary:
    names = _names(parts, class_name)
    images = np.flatnonzero(measured.named == number)
    scores, columns = measured.scores[images], measured.columns[images]

    def shares(sample: np.ndarray) -> dict[str, float]:
        score = scores[sample].mean()
        # Shares of a negative score would have the wrong sign.
        of_score = columns[sample].mean(axis=0) / score if score > 0 else np.full(len(names), np.nan)
        return dict(zip(names, map(float, of_score), strict=True))

    exact = shares(np.arange(len(images)))
    bounds = bootstrap_intervals(shares, np.zeros(len(images), int), _RESAMPLES) or {}
    rows = [
        Share(
            name=name,
            nats=float(nats),
            share=None if np.isnan(exact[name]) else float(exact[name]),
            interval=None if np.isnan(exact[name]) or len(images) < 2 else tuple(bounds[name]),
        )
        for name, nats in zip(names, columns.mean(axis=0), strict=True)
    ]
    rest = len(NOT_PARTS) + len(NOT_EXPLAINED)
    return ClassSummary(
        name=class_name,
        images=len(images),
        score=float(scores.mean()),
        parts=tuple(sorted(rows[:-rest], key=lambda row: -abs(row.nats))),
        rest=tuple(rows[-rest:]),
    )


def _mistakes(measured: Contributions, parts: Sequence[Part], class_names: Sequence[str]) -> list[Mistake]:
    mistakes = []
    for n, (score, columns) in measured.against.items():
        towards, true_class = measured.columns[n] - columns, class_names[measured.labels[n]]
        names = _names(parts, true_class)
        strongest = [k for k in np.argsort(-towards, kind="stable")[:_MISLED_BY] if towards[k] > 0]
        mistakes.append(
            Mistake(
                image=measured.ids[n],
                true_class=true_class,
                named_class=class_names[measured.named[n]],
                margin=float(measured.scores[n] - score),
                misled=tuple((names[k], float(towards[k])) for k in strongest),
            )
        )
    return mistakes


def _gap(measured: Contributions) -> dict[str, float]:
    scores = np.abs(measured.scores)
    error = np.abs(measured.columns[:, -1]) / np.where(scores > 0, scores, 1)
    return {"median": float(np.median(error)), "percentile_95": float(np.percentile(error, 95))}


def _removal(measured: Contributions) -> dict[str, float]:
    contributed = measured.columns[:, : measured.lost.shape[1]]
    difference = contributed - measured.lost
    spearman = 0.0
    if contributed.size > 1 and np.ptp(contributed) > 0 and np.ptp(measured.lost) > 0:
        spearman = float(scipy.stats.spearmanr(contributed.ravel(), measured.lost.ravel()).statistic)
    return {
        "spearman": spearman,
        "mean_difference": float(difference.mean()),
        "mean_absolute_difference": float(np.abs(difference).mean()),
        "mean_absolute_loss": float(np.abs(measured.lost).mean()),
    }
