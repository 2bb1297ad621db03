"""`parts.png`: the best part filters of the explainer, and those of the performer above for comparison."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import PERFORMER, Evaluation, Progress
from tf_explainer.evaluation.filter_selection import best_filters, followed_landmark
from tf_explainer.evaluation.part_examples import PartExamples, collect
from tf_explainer.evaluation.region_overlay import Colour, overlay
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.features.stored_features import Features
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics import tracking
from tf_explainer.metrics.layer_measures import NO_CATEGORY, mean_over_landmarks
from tf_explainer.metrics.summary import summarise

_PICTURE = 112
_GAP = 4
_MARGIN = 28
_COLUMNS = 2
_NARROWEST = 560  # what a line of figures takes
_HEADING, _TITLE, _TEXT = 30, 22, 16
_PAPER, _INK, _GREY = (255, 255, 255), (24, 26, 31), (98, 104, 116)
_COLOURS: dict[str, Colour] = {PERFORMER: (255, 159, 28), INTERPRETABLE_LAYERS[-1]: (46, 204, 255)}
_REGION = 0.5  # a region is what exceeds this share of the map's peak


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One filter: a line of text above its pictures."""

    name: str
    figures: str
    pictures: Sequence[Image.Image]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One layer: a title above its filters."""

    title: str
    figures: str
    colour: Colour
    panels: Sequence[Panel]


def draw(
    evaluation: Evaluation,
    explainer: Explainer,
    features: Features,
    config: EvaluationConfig,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> Image.Image:
    """Draws the sheet.

    Args:
        evaluation: what was measured.
        explainer: the one that was measured.
        features: the ones that it was measured on, with crops.
        config: how many filters and images to show.
        progress: told the stage and how many more images are done.
    """
    filters = {
        layer: best_filters(evaluation.layers[layer], evaluation.annotations, config.sheet_filters)
        for layer in _COLOURS
    }
    examples = collect(evaluation, explainer, features, filters, config, progress)
    names = {PERFORMER: f"Performer, {features.manifest.target.name}"}
    sections = [
        Section(
            title=names.get(layer, f"Explainer, {layer}"),
            figures=_layer_figures(evaluation, layer),
            colour=_COLOURS[layer],
            panels=[_panel(evaluation, layer, shown, features.grid) for shown in examples[layer]],
        )
        for layer in _COLOURS
    ]
    heading = "What the filters stand for: " + _listed(evaluation.annotations.categories)
    return sheet(heading, _explanation(evaluation), sections, config.sheet_images)


def sheet(heading: str, explanation: str, sections: Sequence[Section], images: int) -> Image.Image:
    """Lays sections out below each other, their panels in columns.

    Args:
        heading: of the sheet.
        explanation: how to read it.
        sections: what it shows.
        images: pictures a panel has at most.
    """
    panel_width = max(_NARROWEST, images * (_PICTURE + _GAP) - _GAP)
    panel_height = _PICTURE + _TEXT + 3 * _GAP + 14
    width = 2 * _MARGIN + _COLUMNS * panel_width + (_COLUMNS - 1) * _MARGIN
    rows = [max(1, -(-len(section.panels) // _COLUMNS)) for section in sections]
    lines = _wrapped(explanation, width - 2 * _MARGIN)
    head = _MARGIN + _HEADING + 16 + len(lines) * (_TEXT + 4) + 8
    section_head = 20 + _TITLE + 14
    height = head + sum(section_head + count * panel_height for count in rows) + _MARGIN // 2
    page = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN), heading, fill=_INK, font=_font(_HEADING))
    for number, line in enumerate(lines):
        top = _MARGIN + _HEADING + 16 + number * (_TEXT + 4)
        pen.text((_MARGIN, top), line, fill=_GREY, font=_font(_TEXT))
    top = head
    for section, count in zip(sections, rows, strict=True):
        _draw_section_head(pen, section, top + 20)
        top += section_head
        if not section.panels:
            pen.text((_MARGIN, top), "no filter responds", fill=_GREY, font=_font(_TEXT))
        for index, panel in enumerate(section.panels):
            row, column = divmod(index, _COLUMNS)
            left = _MARGIN + column * (panel_width + _MARGIN)
            _draw_panel(page, pen, panel, left, top + row * panel_height)
        top += count * panel_height
    return page


def _draw_section_head(pen: ImageDraw.ImageDraw, section: Section, top: int) -> None:
    pen.rounded_rectangle((_MARGIN, top + 3, _MARGIN + 16, top + _TITLE), 4, fill=section.colour)
    left = _MARGIN + 28
    pen.text((left, top), section.title, fill=_INK, font=_font(_TITLE))
    left += int(pen.textlength(section.title, font=_font(_TITLE))) + 20
    pen.text((left, top + _TITLE - _TEXT), section.figures, fill=_GREY, font=_font(_TEXT))


def _draw_panel(page: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel, left: int, top: int) -> None:
    pen.text((left, top), panel.name, fill=_INK, font=_font(_TEXT))
    after = left + pen.textlength(panel.name + "   ", font=_font(_TEXT))
    pen.text((after, top), panel.figures, fill=_GREY, font=_font(_TEXT))
    for index, picture in enumerate(panel.pictures):
        page.paste(picture, (left + index * (_PICTURE + _GAP), top + _TEXT + 2 * _GAP))


def _panel(evaluation: Evaluation, layer: str, shown: PartExamples, grid: UnitGrid) -> Panel:
    landmark = int(followed_landmark(evaluation.layers[layer])[shown.filter])
    return Panel(
        name=f"filter {shown.filter}",
        figures=_filter_figures(evaluation, layer, shown.filter),
        pictures=[
            overlay(
                crop,
                activations,
                _REGION * float(activations.max()),
                grid,
                size=_PICTURE,
                colour=_COLOURS[layer],
                mark=_place(evaluation, image, landmark),
            )
            for image, crop, activations in zip(shown.images, shown.crops, shown.maps, strict=True)
        ],
    )


def _place(evaluation: Evaluation, image: int, landmark: int) -> tuple[float, float] | None:
    """Returns where a landmark is on an image, (y, x), if it is annotated."""
    if landmark < 0:
        return None
    y, x = map(float, evaluation.annotations.landmarks[image, landmark, :2])
    return None if math.isnan(y) else (y, x)


def _filter_figures(evaluation: Evaluation, layer: str, f: int) -> str:
    measured, known = evaluation.layers[layer], evaluation.annotations
    responds = 100 * measured.peaks.live[:, f].mean()
    landmark = followed_landmark(measured)[f]
    if landmark < 0:
        return f"responds on {responds:.0f} % of the images"
    several = len(known.categories) > 1 and measured.category[f] != NO_CATEGORY
    words = [known.categories[measured.category[f]]] if several else []
    ratio, everywhere = measured.measures.ratio[f], measured.measures.ratio_all_images[f, landmark]
    verb = "follows" if ratio[landmark] < tracking.TRACKS_BELOW else "nearest to"
    instability = mean_over_landmarks(measured.measures.instability[f : f + 1])[0]
    words += [
        f"{verb} {known.landmark_names[landmark].replace('_', ' ')}",
        f"R {ratio[landmark]:.2f} (all images {everywhere:.2f})",
        f"instability {instability:.3f}",
    ]
    return "  ·  ".join(words)


def _layer_figures(evaluation: Evaluation, layer: str) -> str:
    summary = summarise(evaluation.layers[layer], evaluation.annotations)
    if math.isnan(summary["tracking"]["median_ratio"]):
        return f"{summary['filters']} filters, {100 * summary['dead_filters']:.0f} % dead"
    return (
        f"of all {summary['filters']} filters:  median R {summary['tracking']['median_ratio']:.2f}  ·  "
        f"{100 * summary['tracking']['share_below_half']:.1f} % with R < 0.5  ·  "
        f"location instability {summary['location_instability']:.3f}"
    )


def _explanation(evaluation: Evaluation) -> str:
    text = "One filter a row, with the images that excite it most. Bright: more than half of its peak."
    if not evaluation.annotations.landmark_names:
        return text + " The filters that respond at one place on most images."
    return (
        text + " Cross: the landmark it follows best, where annotated. R: 0 rides on it, 1 ignores the image."
    )


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(_TEXT).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else f"{len(names)} categories"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
