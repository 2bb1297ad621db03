import dataclasses

import numpy as np
import pytest
from keras import ops

from tests.evaluation_example import DISTILLED, LANDMARKS, features_of, small_explainer
from tests.metrics import literal
from tf_explainer.images.folds import fold_of, fold_position
from tf_explainer.training.validation import Validation


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Features, the held-out images of the categories, an explainer and its validation."""
    features, stored = features_of(tmp_path_factory.mktemp("features"))
    unseen = [i for i in stored if i["label"] != 2 and fold_of(fold_position(i["id"]), 4) == 0]
    explainer = small_explainer()
    return features, unseen, explainer, Validation(features)(explainer)


def test_loss_terms_are_those_of_held_out_images(example):
    _, unseen, explainer, measures = example
    assert 5 < len(unseen) <= 32
    blocks = np.stack([image["block"] for image in unseen]).astype(np.float32)
    targets = {name: np.stack([image[name] for image in unseen]).astype(np.float32) for name in DISTILLED}
    terms = explainer.loss_terms(targets, explainer(blocks))
    for name, value in terms.items():
        assert measures[f"validation/{name}"] == pytest.approx(float(value), rel=1e-4, abs=1e-6)
    assert measures["validation/loss"] == pytest.approx(float(explainer.total_loss(terms)), rel=1e-4)


def test_parts_are_measured_as_by_literal_loops(example):
    """Each filter on the category, of two, on which it is more stable."""
    features, unseen, explainer, measures = example
    blocks = np.stack([image["block"] for image in unseen]).astype(np.float32)
    maps = ops.convert_to_numpy(explainer(blocks)["conv_interp_2"])
    landmarks = np.stack([image["landmarks"] for image in unseen])
    labels = np.array([image["label"] for image in unseen])

    def of(measure, category, f):
        images = np.flatnonzero(labels == category)
        found = [
            literal.responses(maps, landmarks, images, f, k, features.grid) for k in range(len(LANDMARKS))
        ]
        return [measure(responses) for responses in found]

    chosen = [
        min(range(2), key=lambda c: np.mean(of(literal.instability, c, f))) for f in range(maps.shape[-1])
    ]
    instability = [np.mean(of(literal.instability, c, f)) for f, c in enumerate(chosen)]
    ratio = [min(of(literal.ratio, c, f)) for f, c in enumerate(chosen)]
    assert measures["validation/instability"] == pytest.approx(np.mean(instability), rel=1e-5)
    assert measures["validation/tracking"] == pytest.approx(np.median(ratio), rel=1e-5)
    assert measures["validation/untracked"] == pytest.approx(np.mean(np.array(ratio) >= 0.5))


def test_without_landmarks_there_are_loss_terms_alone(example):
    features, _, explainer, measures = example
    bare = dataclasses.replace(features, manifest=dataclasses.replace(features.manifest, landmarks=()))
    found = Validation(bare)(explainer)
    assert set(measures) - set(found) == {f"validation/{n}" for n in ("instability", "tracking", "untracked")}
    assert found["validation/loss"] == measures["validation/loss"]


def test_without_held_out_images_nothing_is_measured(example):
    features, _, explainer, _ = example
    many = dataclasses.replace(features.dataset, folds=1000, held_out_fold=999)
    assert Validation(dataclasses.replace(features, dataset=many))(explainer) == {}
