import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.evaluation_example import features_of, small_explainer, small_head, stored_images, write_features
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation import contact_sheet
from tf_explainer.evaluation.contact_sheet import Panel, Section, sheet
from tf_explainer.evaluation.evaluation import evaluate

RED, BLUE = (200, 0, 0), (0, 0, 200)


def _section(count: int, colour, pictures: int = 3) -> Section:
    picture = Image.new("RGB", (112, 112), colour)
    panels = [Panel(name=f"filter {n}", figures="R 0.1", pictures=[picture] * pictures) for n in range(count)]
    return Section(title="Layer", figures="median R 2", colour=(0, 200, 0), panels=panels)


def _pixels(page, colour) -> int:
    return int((np.asarray(page) == colour).all(axis=-1).sum())


def test_every_picture_is_on_the_sheet():
    page = sheet("Heading", "How to read it", [_section(5, RED), _section(2, BLUE)], images=3)
    assert _pixels(page, RED) == 5 * 3 * 112**2
    assert _pixels(page, BLUE) == 2 * 3 * 112**2


def test_the_first_section_lies_above_the_second():
    page = np.asarray(sheet("Heading", "How to read it", [_section(3, RED), _section(3, BLUE)], images=3))
    red, blue = (np.nonzero((page == colour).all(axis=-1).any(axis=1))[0] for colour in (RED, BLUE))
    assert red.max() < blue.min()


def test_a_long_explanation_takes_more_lines():
    short = sheet("Heading", "How to read it", [_section(1, RED)], images=3)
    long = sheet("Heading", "How to read it, " * 30, [_section(1, RED)], images=3)
    assert long.width == short.width
    assert long.height > short.height


def test_a_layer_without_filters_says_so():
    page = sheet("Heading", "How to read it", [_section(0, RED)], images=3)
    assert page.height > 150


@pytest.mark.parametrize("landmarks", [True, False])
def test_a_sheet_of_an_evaluation(tmp_path, landmarks):
    features, _ = features_of(tmp_path)
    if not landmarks:
        stored = [image | {"landmarks": np.zeros((0, 4), np.float32)} for image in stored_images(60)]
        manifest = dataclasses.replace(write_features(tmp_path, stored), landmarks=())
        features = dataclasses.replace(features, manifest=manifest)
    explainer, config = small_explainer(), EvaluationConfig(sheet_filters=4, sheet_images=3)
    progress = []
    result = evaluate(explainer, small_head(), features, config)
    page = contact_sheet.draw(result, explainer, features, config, lambda *step: progress.append(step))
    assert page.mode == "RGB"
    assert np.asarray(page).std() > 10
    assert sum(images for stage, images in progress if stage == "pictures") == 40
