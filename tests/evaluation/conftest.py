"""An evaluation of a small explainer, shared by the tests."""

import pytest

from tests.support.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import evaluate


@pytest.fixture(name="evaluated", scope="session")
def _evaluated(tmp_path_factory):
    features, stored = features_of(tmp_path_factory.mktemp("features"))
    explainer, head = small_explainer(), small_head()
    progress = []
    config = EvaluationConfig(top_images=7)
    result = evaluate(explainer, head, features, config, lambda *step: progress.append(step))
    return features, stored, explainer, head, result, progress
