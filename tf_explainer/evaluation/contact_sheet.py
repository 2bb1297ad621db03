"""Draws `parts.png`: a map of all parts, each part separately, and the performer's filters for comparison."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.evaluation import Evaluation, Progress
from tf_explainer.evaluation.part_examples import performer_filters, read_examples, strongest_images
from tf_explainer.evaluation.parts import Part, is_off_object
from tf_explainer.evaluation.region_overlay import Colour, overlay, upsampled
from tf_explainer.evaluation.sheet_layout import PICTURE, Panel, Section, sheet
from tf_explainer.features.stored_features import Features
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.merged_landmarks import merge_landmarks

_REGION = 0.5  # a region consists of places above this share of the map's peak
_FAINTEST = 0.3  # the parts map shows a part only above this share of its strongest response
_OPAQUE = 0.6
_PERFORMER_COLOUR = (255, 159, 28)


def draw(
    evaluation: Evaluation,
    features: Features,
    config: EvaluationConfig,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> Image.Image:
    """Draws the contact sheet.

    Args:
        evaluation: the evaluation to show.
        features: the stored features that it used, with crops.
        config: settings for the numbers of filters and images.
        progress: called with the stage and the number of images processed since the last call.
    """
    labels, maps = evaluation.annotations.labels, evaluation.part_maps
    peaks = maps.max(axis=(1, 2))
    typical = strongest_images(peaks.sum(axis=1), labels, config.sheet_images)
    of_parts = [strongest_images(of_part, labels, config.sheet_images) for of_part in peaks.T]
    performer = evaluation.layers[PERFORMER].peaks.values
    filters = performer_filters(evaluation, config.sheet_filters)
    of_filters = [strongest_images(performer[:, f], labels, config.sheet_images) for f in filters]
    wanted = np.unique(np.concatenate([typical, *of_parts, *of_filters]))
    heading = "What the network sees: " + _listed(evaluation.annotations.categories)
    if not len(wanted):
        return sheet(heading, "No filter of the explainer or of the performer responds.", [], 1)
    examples = read_examples(features, wanted, config, progress)
    colours = part_colours(len(evaluation.parts))

    def picture(image: int, activations: np.ndarray, colour: Colour, part: Part | None = None) -> Image.Image:
        return overlay(
            examples.crops[examples.row(image)],
            activations,
            _REGION * float(activations.max()),
            features.grid,
            size=PICTURE,
            colour=colour,
            mark=_landmark_place(evaluation, image, part),
        )

    panels = [
        Panel(
            name=part.name,
            figures=part.title.removeprefix(part.name).lstrip(", ") or _responds(part),
            colour=colours[column],
            pictures=[
                picture(image, maps[image][..., column], colours[column], part) for image in of_parts[column]
            ],
        )
        for column, part in enumerate(evaluation.parts)
    ]
    performer_panels = [
        Panel(
            name=f"filter {f}",
            colour=_PERFORMER_COLOUR,
            pictures=[
                picture(image, examples.performer[examples.row(image)][..., f], _PERFORMER_COLOUR)
                for image in images
            ],
        )
        for f, images in zip(filters, of_filters, strict=True)
    ]
    loudest = np.quantile(maps, 0.999, axis=(0, 1, 2)) if maps.size else np.zeros(0)
    together = Panel(
        name="parts map",
        figures="each place in the colour of its strongest part",
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
    order = _shown_order(evaluation.parts)
    sections = [
        Section(title="All parts", panels=[together] if len(typical) else []),
        Section(title="Explainer, part by part", panels=[panels[column] for column in order]),
        Section(
            title=f"Performer, {features.manifest.target.name}",
            figures="the filters that are nearest to the landmarks",
            panels=performer_panels,
        ),
    ]
    return sheet(heading, _explanation(evaluation), sections, config.sheet_images)


def part_colours(count: int) -> list[Colour]:
    """Returns a colour for each part: evenly spaced hues of alternating brightness.

    Args:
        count: number of parts.
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
        maps: `[L, L, P]`, scaled so that 1 is about the strongest response of each part.
        grid: positions of the units in the crop.
        colours: colours of the parts.
        size: side of the picture, in pixels.
    """
    fine = np.stack([upsampled(maps[..., part], grid, size) for part in range(maps.shape[-1])], axis=-1)
    strongest, strength = fine.argmax(axis=-1), fine.max(axis=-1)
    opacity = np.where(strength > _FAINTEST, _OPAQUE * np.clip(strength, 0, 1), 0)[..., None]
    picture = np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.LANCZOS), np.float64)
    painted = np.array(colours, np.float64)[strongest]
    return Image.fromarray(((1 - opacity) * picture + opacity * painted).round().astype(np.uint8))


def _landmark_place(evaluation: Evaluation, image: int, part: Part | None) -> tuple[float, float] | None:
    """Returns the position (y, x), on an image, of the landmark that the part follows; None if unknown."""
    annotations = evaluation.annotations
    followed = part and part.followed.get(annotations.categories[annotations.labels[image]])
    if not followed:
        return None
    merged = merge_landmarks(annotations.landmark_names, annotations.landmarks[image : image + 1, :, :2])
    y, x = map(float, merged.places[0, merged.names.index(followed.landmark)])
    return None if np.isnan(y) else (y, x)


def _shown_order(parts: Sequence[Part]) -> list[int]:
    """Orders parts: those that follow a landmark first, those off the object last."""
    return sorted(range(len(parts)), key=lambda n: (is_off_object(parts[n].name), not parts[n].followed))


def _responds(part: Part) -> str:
    return "" if part.responds is None else f"responds on {100 * part.responds:.0f} % of the images"


def _explanation(evaluation: Evaluation) -> str:
    text = (
        "Each panel shows a part on the images that excite it most, from each category in turn. "
        "Bright: more than half of the part's peak."
    )
    if not evaluation.annotations.landmark_names:
        return text
    return f"{text} Cross: the landmark that the part follows. Percentages: share of images on which it does."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} categories"
