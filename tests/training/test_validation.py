import dataclasses

import numpy as np
import pytest
from keras import ops

from tests.metrics import literal
from tests.support.evaluation_example import DISTILLED, LANDMARKS, features_of, small_explainer
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.images.folds import fold_of, fold_position
from tf_explainer.training.track_fidelity import measure_tracks
from tf_explainer.training.validation import Validation, uses_landmarks


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Features, the held-out images of the categories, an explainer and its validation."""
    features, stored = features_of(tmp_path_factory.mktemp("features"))
    unseen = [i for i in stored if i["label"] != 2 and fold_of(fold_position(i["id"]), 4) == 0]
    explainer = small_explainer()
    return features, unseen, explainer, Validation(features, landmarks=True)(explainer)


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
    assert measures["validation/landmarks/instability"] == pytest.approx(np.mean(instability), rel=1e-5)
    assert measures["validation/landmarks/tracking"] == pytest.approx(np.median(ratio), rel=1e-5)
    assert measures["validation/landmarks/untracked"] == pytest.approx(np.mean(np.array(ratio) >= 0.5))


def test_what_the_parts_carry_is_measured_without_landmarks(example):
    features, _, explainer, measures = example
    alone = measure_tracks(explainer, explainer.head, features, "held_out")
    for name, error in alone.parts_only.relative_error.items():
        assert measures[f"validation/parts_only/{name}"] == error
    assert measures["validation/parts_only/disagreement"] == 1 - alone.parts_only.agreement
    assert measures["validation/outside_mask"] == alone.outside_mask


def test_parts_are_measured_as_in_evaluation(example):
    features, _, explainer, measures = example
    metrics = evaluate(explainer, explainer.head, features, EvaluationConfig(split="held_out")).metrics()
    pck = [landmark["pck"] for landmark in metrics["parts"]["landmarks"].values()]
    measured = [value for value in pck if value is not None]
    missed = 1 - np.mean(measured) if measured else np.nan
    assert measures["validation/landmarks/missed"] == pytest.approx(missed, nan_ok=True)
    assert measures["validation/landmarks/unnamed"] == pytest.approx(1 - metrics["parts"]["nmi"])


def test_landmarks_are_not_used_unless_asked_for(example):
    features, _, explainer, measures = example
    blind = Validation(features)(explainer)
    with_landmarks = set(measures) - set(blind)
    assert with_landmarks == {
        f"validation/landmarks/{name}"
        for name in ("instability", "tracking", "untracked", "missed", "unnamed")
    }
    assert all(map(uses_landmarks, with_landmarks))
    assert not any(map(uses_landmarks, blind))
    bare = dataclasses.replace(features, manifest=dataclasses.replace(features.manifest, landmarks=()))
    assert set(Validation(bare, landmarks=True)(explainer)) == set(blind)


def test_without_held_out_images_nothing_is_measured(example):
    features, _, explainer, _ = example
    many = dataclasses.replace(features.dataset, folds=1000, held_out_fold=999)
    assert Validation(dataclasses.replace(features, dataset=many))(explainer) == {}
