import keras
import numpy as np
import pytest

from tests.support.evaluation_example import CHANNELS, CROP, small_explainer, stored_images, write_features
from tf_explainer.config import DatasetConfig, EvaluationConfig
from tf_explainer.evaluation.evidence import measure_evidence
from tf_explainer.evaluation.part_figures import evidence_figures
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.evidence import Evidence, covered


def test_images_are_covered_and_measured(tmp_path):
    random, stored = np.random.default_rng(0), stored_images(12)
    for image in stored:
        image["crop"] = random.integers(0, 256, (CROP, CROP, 3), np.uint8)
    manifest = write_features(tmp_path, stored)
    dataset = DatasetConfig(dataset="folder")
    features = Features(manifest=manifest, directory=str(tmp_path), dataset=dataset)
    inputs = keras.Input((CROP, CROP, 3))
    keras.utils.set_random_seed(0)
    maps = keras.layers.Conv2D(CHANNELS, 8, strides=8, activation="relu")(inputs)
    model = keras.Model(inputs, {"block": maps})
    explainer, progress = small_explainer(), []
    groups = np.array([0, 0, 1, -1, 1, -1])
    found = measure_evidence(
        explainer,
        model,
        features,
        groups,
        "all",
        EvaluationConfig(evidence_images=3),
        lambda *step: progress.append(step),
    )
    assert set(found) == {"performer", "conv_interp_2"}
    assert progress == [("evidence", 1)] * 3
    expected = Evidence(CROP, features.grid)

    def responses(image):
        return np.asarray(model(image[None].astype(np.float32))["block"])[0]

    batches = features.batches("all", negatives=False, with_crops=True)
    crops = [crop for batch in batches for crop in batch["crop"]]
    for crop in (crops[0], crops[3], crops[7]):
        expected.add(responses(crop), np.stack([responses(image) for image in covered(crop)]))
    performer = found["performer"].summary()
    assert performer.pairs == expected.summary().pairs > 0
    assert performer.distance == pytest.approx(expected.summary().distance, rel=1e-4)
    figures = evidence_figures(found, ["head", "background"])
    assert "parts" not in figures["performer"]
    parts = figures["conv_interp_2"]["parts"]
    assert sum(each["pairs"] for each in parts.values()) == figures["conv_interp_2"]["pairs"]
    assert parts["head"]["pairs"] == found["conv_interp_2"].summary([0]).pairs
    assert figures["conv_interp_2"]["on_object"] == parts["head"]
    assert parts["background"]["pairs"] > 0
    assert evidence_figures({}, ["head"]) is None
