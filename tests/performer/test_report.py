import dataclasses

import numpy as np
import pytest

from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig
from tf_explainer.performer.report import (
    ClassResult,
    PerformerReport,
    differing_settings,
    results_by_class,
    settings_of,
)

CONFIGS = (DatasetConfig(dataset="creatures"), PerformerConfig(), PerformerTrainingConfig())
REPORT = PerformerReport(
    settings=settings_of(*CONFIGS),
    fingerprint="0f",
    classes=["fox", "negative"],
    unreadable_images=1,
    training={"fox": ClassResult(images=8, accuracy=1.0), "negative": ClassResult(images=4, accuracy=0.75)},
    held_out={"fox": ClassResult(images=2, accuracy=0.5), "negative": ClassResult(images=0, accuracy=None)},
)


def test_results_by_class():
    probabilities = np.eye(3)[[0, 0, 1, 1, 0]]
    results = results_by_class(np.array([0, 0, 0, 1, 1]), probabilities, ("a", "b", "c"))
    assert results == {
        "a": ClassResult(images=3, accuracy=pytest.approx(2 / 3)),
        "b": ClassResult(images=2, accuracy=0.5),
        "c": ClassResult(images=0, accuracy=None),
    }


def test_json_round_trip():
    assert PerformerReport.from_json(REPORT.to_json()) == REPORT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"training": {}, "held_out": {}}', '{"training": 1}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="not a performer's report"):
        PerformerReport.from_json(text)


def test_table_lists_every_class():
    lines = REPORT.table().splitlines()
    assert lines[1].split() == ["fox", "8", "1.000", "2", "0.500"]
    assert lines[2].split() == ["negative", "4", "0.750", "0", "-"]
    assert len({len(line) for line in lines}) == 1


def test_settings_that_make_another_performer():
    dataset, performer, training = CONFIGS
    other = settings_of(
        dataclasses.replace(dataset, categories=("cat",)),
        dataclasses.replace(performer, backbone="vgg19"),
        dataclasses.replace(training, epochs=3),
    )
    assert differing_settings(REPORT.settings, other) == [
        "categories ([], now ['cat'])",
        "backbone (vgg16, now vgg19)",
        "epochs (10, now 3)",
    ]


def test_the_layers_to_explain_do_not_make_another_performer():
    dataset, performer, training = CONFIGS
    chosen = dataclasses.replace(performer, target_layer="block4_conv3", distilled_layers=("fc2",))
    assert differing_settings(REPORT.settings, settings_of(dataset, chosen, training)) == []
