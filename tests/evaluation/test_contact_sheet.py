import dataclasses

import numpy as np
import pytest

from tests.metrics.examples import GRID, SIDE
from tests.support.evaluation_example import (
    features_of,
    small_explainer,
    small_head,
    stored_images,
    write_features,
)
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation import contact_sheet
from tf_explainer.evaluation.contact_sheet import part_colours, parts_map
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.parts import Part
from tf_explainer.metrics.followed_landmarks import Followed

CONFIG = EvaluationConfig(sheet_filters=4, sheet_images=3)


@pytest.mark.parametrize("landmarks", [True, False])
def test_a_sheet_of_an_evaluation(tmp_path, landmarks):
    features, _ = features_of(tmp_path)
    if not landmarks:
        stored = [image | {"landmarks": np.zeros((0, 4), np.float32)} for image in stored_images(60)]
        manifest = dataclasses.replace(write_features(tmp_path, stored), landmarks=())
        features = dataclasses.replace(features, manifest=manifest)
    progress = []
    result = evaluate(small_explainer(), small_head(), features, CONFIG, groups=np.array([0, 0, 1, 1, 2, -1]))
    page = contact_sheet.draw(result, features, CONFIG, lambda *step: progress.append(step))
    pixels = np.asarray(page)
    for colour in part_colours(3):
        assert (pixels == colour).all(axis=-1).sum() > 100, "a part without outlines"
    assert sum(images for stage, images in progress if stage == "pictures") == 40


def test_where_nothing_responds_the_sheet_says_so(tmp_path):
    features, _ = features_of(tmp_path)
    result = evaluate(small_explainer(), small_head(), features, CONFIG)
    layers = {
        name: dataclasses.replace(
            layer, peaks=dataclasses.replace(layer.peaks, values=np.zeros_like(layer.peaks.values))
        )
        for name, layer in result.layers.items()
    }
    silent = dataclasses.replace(
        result, layers=layers, part_maps=np.zeros((40, 5, 5, 0), np.float32), parts=[]
    )
    assert contact_sheet.draw(silent, features, CONFIG).height < 200


def test_each_place_has_the_colour_of_the_strongest_part():
    maps = np.zeros((SIDE, SIDE, 3), np.float32)
    maps[1, 1, 0] = maps[4, 4, 1] = 1.0
    maps[4, 4, 2] = 0.9
    maps[1, 4, 2] = 0.25  # too faint to be shown
    black, colours = np.zeros((60, 60, 3), np.uint8), [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    picture = np.asarray(parts_map(black, maps, GRID, colours, 60))
    at = [int(60 * (GRID.first + GRID.spacing * unit)) for unit in range(SIDE)]
    red, green, faint = picture[at[1], at[1]], picture[at[4], at[4]], picture[at[1], at[4]]
    assert red[0] > 100
    assert red[1:].tolist() == [0, 0]
    assert green[1] > 100
    assert green[[0, 2]].tolist() == [0, 0]
    assert faint.tolist() == [0, 0, 0]


def test_colours_of_parts_differ():
    assert len(set(part_colours(24))) == 24


def test_parts_on_landmarks_come_first_and_what_is_off_the_object_last():
    on = {"fox": Followed(landmark="head", found=0.9, chance=0.2)}
    parts = [
        Part(number=1, name="image border", filters=(0,)),
        Part(number=2, name="part 2", filters=(1,)),
        Part(number=3, name="head", filters=(2,), followed=on),
    ]
    assert contact_sheet._shown_order(parts) == [2, 1, 0]
