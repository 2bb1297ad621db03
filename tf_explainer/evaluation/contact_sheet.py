"""`parts.png`: all parts on one image of each category, each part by itself, and the performer's filters."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.evaluation import Evaluation, Progress
from tf_explainer.evaluation.part_examples import Examples, performer_filters, read_examples, strongest_images
from tf_explainer.evaluation.parts import Part, is_off_object
from tf_explainer.evaluation.region_overlay import Colour, overlay, upsampled
from tf_explainer.evaluation.sheet_layout import PICTURE, Panel, Section, sheet
from tf_explainer.features.stored_features import Features
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.merged_landmarks import merge_landmarks

_REGION = 0.5  # a region is what exceeds this share of the map's peak
_FAINTEST = 0.3  # of a part's loudest units: below, the parts map shows no part
_OPAQUE = 0.6
_PERFORMER_COLOUR = (255, 159, 28)


def draw(
    evaluation: Evaluation,
    features: Features,
    config: EvaluationConfig,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> Image.Image:
    """Draws the sheet.

    Args:
        evaluation: what was measured.
        features: the ones that it was measured on, with crops.
        config: how many filters and images to show.
        progress: told the stage and how many more images are done.
    """
    labels, maps = evaluation.annotations.labels, evaluation.part_maps
    peaks = maps.max(axis=(1, 2)) if maps.shape[-1] else np.zeros((len(labels), 0))
    typical = strongest_images(peaks.sum(axis=1), labels, config.sheet_images)
    of_parts = [
        strongest_images(peaks[:, part], labels, config.sheet_images) for part in range(maps.shape[-1])
    ]
    performer = evaluation.layers[PERFORMER].peaks.values
    filters = performer_filters(evaluation, config.sheet_filters)
    of_filters = [strongest_images(performer[:, f], labels, config.sheet_images) for f in filters]
    wanted = np.unique(np.concatenate([typical, *of_parts, *of_filters]))
    heading = "What the network sees: " + _listed(evaluation.annotations.categories)
    if not len(wanted):
        return sheet(heading, "No filter of the explainer or of the performer responds.", [], 1)
    examples = read_examples(features, wanted, config, progress)
    colours = part_colours(len(evaluation.parts))
    panels = [
        Panel(
            name=part.name,
            figures=part.title.removeprefix(part.name).lstrip(", ") or _responds(part),
            colour=colours[column],
            pictures=[
                _picture(
                    evaluation,
                    examples,
                    image,
                    maps[image][..., column],
                    features.grid,
                    colours[column],
                    part,
                )
                for image in of_parts[column]
            ],
        )
        for column, part in enumerate(evaluation.parts)
    ]
    beside = [
        Panel(
            name=f"filter {f}",
            figures="",
            colour=_PERFORMER_COLOUR,
            pictures=[
                _picture(
                    evaluation,
                    examples,
                    image,
                    examples.performer[examples.row(image)][..., f],
                    features.grid,
                    _PERFORMER_COLOUR,
                )
                for image in images
            ],
        )
        for f, images in zip(filters, of_filters, strict=True)
    ]
    loudest = np.quantile(maps, 0.999, axis=(0, 1, 2)) if maps.size else np.zeros(0)
    together = Panel(
        name="parts map",
        figures="each place in the colour of the part that is strongest there",
        colour=(128, 128, 128),
        pictures=[
            parts_map(
                examples.crops[examples.row(image)],
                maps[image] / np.maximum(loudest, 1e-9),
                features.grid,
                colours,
                PICTURE,
            )
            for image in typical
        ],
    )
    sections = [
        Section(title="All parts", figures="", panels=[together] if len(typical) else []),
        Section(
            title="Explainer, part by part",
            figures="",
            panels=[panels[column] for column in _shown_order(evaluation.parts)],
        ),
        Section(
            title=f"Performer, {features.manifest.target.name}",
            figures="the filters that point best to the landmarks",
            panels=beside,
        ),
    ]
    return sheet(heading, _explanation(evaluation), sections, config.sheet_images)


def part_colours(count: int) -> list[Colour]:
    """Returns a colour for each part: hues around the circle, neighbours of different brightness.

    Args:
        count: of the parts.
    """
    colours = []
    for number in range(count):
        hue, bright = number / max(count, 1), (1.0, 0.72)[number % 2]
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.9, bright)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def parts_map(
    crop: np.ndarray, maps: np.ndarray, grid: UnitGrid, colours: Sequence[Colour], size: int
) -> Image.Image:
    """Colours each place of an image by the part that is strongest there.

    Args:
        crop: `[S, S, 3]` uint8.
        maps: `[L, L, P]`, 1 where a part is as strong as it gets.
        grid: where the units look.
        colours: of the parts.
        size: side of the picture, in pixels.
    """
    fine = np.stack([upsampled(maps[..., part], grid, size) for part in range(maps.shape[-1])], axis=-1)
    strongest, strength = fine.argmax(axis=-1), fine.max(axis=-1)
    opacity = np.where(strength > _FAINTEST, _OPAQUE * np.clip(strength, 0, 1), 0)[..., None]
    picture = np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.LANCZOS), np.float64)
    painted = np.array(colours, np.float64)[strongest]
    return Image.fromarray(((1 - opacity) * picture + opacity * painted).round().astype(np.uint8))


def _picture(
    evaluation: Evaluation,
    examples: Examples,
    image: int,
    activations: np.ndarray,
    grid: UnitGrid,
    colour: Colour,
    part: Part | None = None,
) -> Image.Image:
    return overlay(
        examples.crops[examples.row(image)],
        activations,
        _REGION * float(activations.max()),
        grid,
        size=PICTURE,
        colour=colour,
        mark=_place(evaluation, image, part),
    )


def _place(evaluation: Evaluation, image: int, part: Part | None) -> tuple[float, float] | None:
    """Returns where the landmark that a part is on lies on an image, (y, x), if it is annotated."""
    known = evaluation.annotations
    followed = part and part.followed.get(known.categories[known.labels[image]])
    if not followed:
        return None
    merged = merge_landmarks(known.landmark_names, known.landmarks[image : image + 1, :, :2])
    y, x = map(float, merged.places[0, merged.names.index(followed.landmark)])
    return None if np.isnan(y) else (y, x)


def _shown_order(parts: Sequence[Part]) -> list[int]:
    """Puts parts on landmarks first, and what is off the object last."""
    return sorted(range(len(parts)), key=lambda n: (is_off_object(parts[n].name), not parts[n].followed))


def _responds(part: Part) -> str:
    return "" if part.responds is None else f"responds on {100 * part.responds:.0f} % of the images"


def _explanation(evaluation: Evaluation) -> str:
    text = (
        "One part a row, with the images that excite it most, of each category in turn. "
        "Bright: more than half of its peak."
    )
    if not evaluation.annotations.landmark_names:
        return text
    return text + " Cross: the landmark that it is on. Percentages: on how many images it is."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} categories"
