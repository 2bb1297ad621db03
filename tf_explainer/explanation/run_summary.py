"""What a network looks at over many images: the shares of each class's score, as text and as JSON.

summary = load_run("runs/vgg_fox").summary()
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tf_explainer.evaluation.parts import is_off_object
from tf_explainer.explanation import verdict

_FORMAT_VERSION = 1
_SHOWN_PARTS, _SHOWN_CLASSES, _SHOWN_MISTAKES = 6, 12, 5
_NAME_WIDTH = 54
NOT_PARTS = (verdict.OTHER_FILTERS, verdict.ORDINARY)
NOT_EXPLAINED = (verdict.BASELINE, verdict.GAP)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Share:
    """The mean contribution of a part, or of another term, to the score of a class.

    Attributes:
        name: of a part, or from `NOT_PARTS` or `NOT_EXPLAINED`.
        nats: the mean contribution.
        share: of the mean score; None unless that is positive.
        interval: the central 95 % of the share when images are resampled; None if there is no share, or only
            one image.
    """

    name: str
    nats: float
    share: float | None
    interval: tuple[float, float] | None

    def __str__(self) -> str:
        if self.share is None:
            return f"{self.nats:+8.2f}"
        bounds = "" if self.interval is None else f" {[round(100 * bound) for bound in self.interval]}"
        return f"{self.nats:+8.2f} {round(100 * self.share):6} %{bounds}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassSummary:
    """The images on which the performer names one class.

    Attributes:
        name: of the class.
        images: how many.
        score: mean log-odds of the class by the explainer, in nats.
        parts: the greatest (of either sign) first.
        rest: shares of `NOT_PARTS` and `NOT_EXPLAINED`, in this order. `parts` and `rest` sum to the score.
        of_no_object: whether the class stands for 'no object', which missing parts explain.
    """

    name: str
    images: int
    score: float
    parts: tuple[Share, ...]
    rest: tuple[Share, ...]
    of_no_object: bool = False

    @property
    def verdict(self) -> str:
        """Whether object parts explain the mean score, in words."""
        terms = {
            verdict.MISSING_PARTS if self.of_no_object else verdict.PARTS: sum(
                part.nats for part in self.parts if not is_off_object(part.name)
            ),
            verdict.OFF_OBJECT: sum(part.nats for part in self.parts if is_off_object(part.name)),
        }
        return verdict.verdict(self.score, terms | {share.name: share.nats for share in self.rest})

    def rows(self) -> list[Share]:
        """Returns the rows to display: the first parts, the other parts in one row, and the rest."""
        rows, others = [*self.parts[:_SHOWN_PARTS]], self.parts[_SHOWN_PARTS:]
        if others:
            known = [part.share for part in others if part.share is not None]
            rows.append(
                Share(
                    name=f"{len(others)} other part" + "s" * (len(others) > 1),
                    nats=sum(part.nats for part in others),
                    share=sum(known) if known else None,
                    interval=None,
                )
            )
        return [*rows, *self.rest]

    def __str__(self) -> str:
        head = (
            f"{self.name}: {self.images} image{'s' * (self.images != 1)}, mean score {self.score:+.2f} nats"
        )
        rows = [f"  {label(share.name):{_NAME_WIDTH}}{share}" for share in self.rows()]
        return "\n".join([head, *rows, f"  {self.verdict}"])


def label(name: str) -> str:
    """Returns the name of a share, marked if it belongs to `NOT_EXPLAINED`."""
    return f"not explained: {name}" if name in NOT_EXPLAINED else name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that the performer gets wrong.

    Attributes:
        image: its id.
        true_class, named_class: the true class, and the class that the performer names.
        margin: the explainer's score of the named class minus its score of the true class, in nats; negative
            if the explainer does not repeat the mistake.
        misled: the terms that speak most for the mistake, at most three, with their contributions to the
            margin.
    """

    image: str
    true_class: str
    named_class: str
    margin: float
    misled: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        causes = ", ".join(f"{name} {nats:+.2f}" for name, nats in self.misled) or "cause not known"
        doubt = "" if self.margin > 0 else " (the explainer does not repeat it)"
        mistake = f"{self.named_class} for {self.true_class}, by {self.margin:+.2f} nats{doubt}"
        return f"  {self.image}: {mistake}: {causes}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What a network looks at.

    Attributes:
        classes: that the performer names, the most frequent first.
        images: how many.
        held_out: whether training never saw the images.
        agreement: share of images on which explainer and performer name the same class.
        mistakes: of the performer; None if its outputs are not the classes of the data set.
        method: how scores were shared out, in words.
        gap: the error of the attribution, `|gap| / |score|`: `median` and `percentile_95` over the images.
        removal: compares contributions with how much the score drops if filters respond as in the baseline,
            over images and parts: `spearman`, `mean_difference`, `mean_absolute_difference`, and
            `mean_absolute_loss` as their scale.
    """

    classes: tuple[ClassSummary, ...]
    images: int
    held_out: bool
    agreement: float
    mistakes: tuple[Mistake, ...] | None
    method: str
    gap: Mapping[str, float]
    removal: Mapping[str, float]

    def __str__(self) -> str:
        kind = "held-out images" if self.held_out else "images (none is held out)"
        head = (
            f"What does this network look at? {self.images} {kind}, by the class that the performer names.\n"
            f"Contributions to its score (log-odds, by the explainer) in nats, and their share of it,\n"
            f"by {self.method}; in brackets 95 % of resampled images.\nThe explainer names the same class on "
            f"{100 * self.agreement:.0f} %."
        )
        blocks = [head, *map(str, self.classes[:_SHOWN_CLASSES])]
        if len(self.classes) > _SHOWN_CLASSES:
            blocks.append(f"({len(self.classes) - _SHOWN_CLASSES} classes with fewer images: summary.json)")
        return "\n\n".join([*blocks, self._about_mistakes(), self._about_itself()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
        from tf_explainer.explanation import report  # Imports this module.

        return report.of_summary(self)

    def _about_mistakes(self) -> str:
        if self.mistakes is None:
            return "The performer's outputs are not the classes of this data set: mistakes are not known."
        count = len(self.mistakes)
        if not count:
            return f"The performer gets none of these {self.images} images wrong."
        lines = [
            f"The performer gets {count} of these {self.images} images wrong. What misled it, in nats of the "
            "named class's score minus the true one's:",
            *map(str, self.mistakes[:_SHOWN_MISTAKES]),
        ]
        if count > _SHOWN_MISTAKES:
            lines.append(f"  ({count - _SHOWN_MISTAKES} more: summary.json)")
        return "\n".join(lines)

    def _about_itself(self) -> str:
        lost = self.removal
        missed = [f"{100 * self.gap[name]:.1f} %" for name in ("median", "percentile_95")]
        return (
            f"How far to trust it: the gap of the attribution is {missed[0]} of the score in the median and "
            f"{missed[1]} at\nthe 95th percentile of the images. What a part contributes, and what the score "
            "loses where its filters\nrespond as in the baseline: rank correlation "
            f"{lost['spearman']:.2f}, mean difference {lost['mean_difference']:+.3f}, mean absolute "
            f"difference {lost['mean_absolute_difference']:.3f}\nnats (of a mean absolute loss of "
            f"{lost['mean_absolute_loss']:.3f})."
        )

    def to_json(self, explainer: str) -> str:
        """Returns the content of `summary.json`, which `docs/explanations.md` describes.

        Args:
            explainer: the explainer's fingerprint.
        """
        content = dataclasses.asdict(self)
        for fields, summary in zip(content["classes"], self.classes, strict=True):
            fields["verdict"] = summary.verdict
        content = {"format_version": _FORMAT_VERSION, "explainer": explainer} | content
        return json.dumps(content, indent=1, allow_nan=False) + "\n"


def from_json(text: str, explainer: str) -> RunSummary:
    """Reads what `to_json` wrote.

    Args:
        text: the content of the file.
        explainer: the fingerprint that the summary must have.

    Raises:
        ValueError: the text is not a summary, or of another explainer.
    """
    try:
        content = json.loads(text)
        if content.pop("format_version") != _FORMAT_VERSION:
            raise ValueError("another format version")
        if content.pop("explainer") != explainer:
            raise ValueError("it is of another explainer")
        classes = [_class_summary(fields) for fields in content.pop("classes")]
        mistakes = content.pop("mistakes")
        if mistakes is not None:
            mistakes = tuple(_mistake(fields) for fields in mistakes)
        return RunSummary(classes=tuple(classes), mistakes=mistakes, **content)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a summary of a run: {error!r}") from error


def _class_summary(fields: dict[str, Any]) -> ClassSummary:
    del fields["verdict"]
    return ClassSummary(**fields | {name: _shares(fields[name]) for name in ("parts", "rest")})


def _shares(of: Sequence[dict[str, Any]]) -> tuple[Share, ...]:
    return tuple(
        Share(**fields | {"interval": fields["interval"] and tuple(fields["interval"])}) for fields in of
    )


def _mistake(fields: dict[str, Any]) -> Mistake:
    return Mistake(**fields | {"misled": tuple((name, nats) for name, nats in fields["misled"])})
