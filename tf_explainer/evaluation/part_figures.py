"""Arranges the measures of parts for `metrics.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tf_explainer.evaluation.parts import is_off_object
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS
from tf_explainer.metrics.evidence import Evidence, EvidenceSummary
from tf_explainer.metrics.part_measures import PartMeasures, Pointing


def part_figures(measures: PartMeasures, names: Sequence[str]) -> dict[str, Any]:
    """Returns the measures of parts against landmarks as plain values.

    Args:
        measures: the measures of the parts.
        names: names of the parts.
    """

    def best(pointing: Pointing) -> list[str]:
        return [names[part] for part in pointing.chosen if part >= 0]

    return {
        "count": measures.count,
        "landmarks": {
            name: {
                "pck": landmark.pck.value,
                "pck_part": best(landmark.pck),
                "pck_fixed_point": landmark.pck_fixed_point.value,
                "pck_performer": landmark.pck_performer.value,
                "pck_performer_filter": [f for f in landmark.pck_performer.chosen if f >= 0],
                "pck_images": landmark.images,
                "ratio": landmark.ratio.value,
                "ratio_part": best(landmark.ratio),
            }
            for name, landmark in measures.landmarks.items()
        },
        "nmi": measures.names.nmi,
        "ari": measures.names.ari,
        "nmi_fixed_grid": measures.names_by_cell.nmi,
        "ari_fixed_grid": measures.names_by_cell.ari,
        "independent_parts": measures.independent_parts,
        "own_instability": measures.own_instability.parts,
        "own_instability_fixed_centre": measures.own_instability.fixed_centre,
    }


def evidence_figures(evidence: Mapping[str, Evidence], names: Sequence[str]) -> dict[str, Any] | None:
    """Returns the measures of evidence as plain values; None if evidence was not measured.

    For parts, there are figures over all parts, over the parts on the object (the evidence of the background
    is not at a single place), and for each part.

    Args:
        evidence: the evidence by layer.
        names: names of the parts.
    """
    figures: dict[str, Any] = {name: dataclasses.asdict(each.summary()) for name, each in evidence.items()}
    if of_parts := evidence.get(INTERPRETABLE_LAYERS[-1]):
        on_object = [part for part, name in enumerate(names) if not is_off_object(name)]
        by_part = zip(names, evidence_by_part(evidence, len(names)), strict=True)
        figures[INTERPRETABLE_LAYERS[-1]] |= {
            "on_object": dataclasses.asdict(of_parts.summary(on_object)),
            "parts": {name: dataclasses.asdict(each) for name, each in by_part},
        }
    return figures or None


def evidence_by_part(evidence: Mapping[str, Evidence], count: int) -> list[EvidenceSummary]:
    """Returns the summary of each part's evidence; empty if evidence was not measured."""
    of_parts = evidence.get(INTERPRETABLE_LAYERS[-1])
    return [] if of_parts is None else [of_parts.summary([part]) for part in range(count)]
