"""What training and evaluation leave is read back, or refused."""

import numpy as np
import pytest

from tests.support.evaluation_example import DISTILLED, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.errors import UserError
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.results import load_explainer, read_best_measure, read_metrics


def test_what_the_epoch_was_chosen_by_is_told(tmp_path, evaluated):
    features, _, explainer, head, result, _ = evaluated
    assert result.metrics()["epoch_chosen_by"] is None
    path = tmp_path / "run.json"
    assert read_best_measure(str(path)) == ""
    path.write_text('{"flags": {"best_measure": "validation/landmarks/missed"}}')
    chosen_by = read_best_measure(str(path))
    metrics = evaluate(explainer, head, features, EvaluationConfig(), chosen_by=chosen_by).metrics()
    assert metrics["epoch_chosen_by"] == "validation/landmarks/missed"
    assert metrics["epoch_chosen_with_landmarks"] is True


def test_an_explainer_is_read_back(tmp_path, evaluated):
    features, _, explainer, _, _, _ = evaluated
    path = str(tmp_path / "explainer.keras")
    explainer.save(path)
    x = np.ones((1, *explainer.feature_shape), np.float32)
    np.testing.assert_array_equal(load_explainer(path, features.manifest)(x)["fc2"], explainer(x)["fc2"])


def test_measures_of_other_runs_are_read_or_refused(tmp_path, evaluated):
    result, path = evaluated[4], tmp_path / "metrics.json"
    with pytest.raises(UserError, match=r"there is no .*metrics.json: measure that run first"):
        read_metrics(str(path), str(path.with_suffix(".keras")))
    path.write_text("{}")
    with pytest.raises(UserError, match="contains no measures"):
        read_metrics(str(path), str(path.with_suffix(".keras")))
    path.write_text(result.to_json())
    assert read_metrics(str(path), str(path.with_suffix(".keras"))) == result.metrics()


def test_what_is_no_explainer_is_refused(tmp_path, evaluated):
    manifest = evaluated[0].manifest
    path = tmp_path / "explainer.keras"
    with pytest.raises(UserError, match=r"no explainer .*explainer.keras.*tf_explainer.train"):
        load_explainer(str(path), manifest)
    path.write_bytes(b"not a zip file")
    with pytest.raises(UserError, match=r"not a Keras file"):
        load_explainer(str(path), manifest)
    small_head().save(path)
    with pytest.raises(UserError, match=r"is a Functional, not an explainer"):
        load_explainer(str(path), manifest)


def test_an_explainer_of_other_layers_is_refused(tmp_path, evaluated):
    features, _, explainer, _, _, _ = evaluated
    path = str(tmp_path / "explainer.keras")
    explainer.save(path)
    manifest = type(features.manifest)(
        **vars(features.manifest) | {"distilled": features.manifest.distilled[:1]}
    )
    with pytest.raises(UserError, match=r"fc2.*the stored features have"):
        load_explainer(path, manifest)


def test_measures_and_explainers_belong_to_each_other(tmp_path, evaluated):
    features, _, explainer, _, result, _ = evaluated
    path, keras_file = tmp_path / "metrics.json", tmp_path / "explainer.keras"
    path.write_text(result.to_json())
    explainer.save(keras_file)
    assert read_metrics(str(path), str(keras_file))["explainer"] == explainer.fingerprint
    other = small_explainer()
    other.get_layer("fc_dec_1").bias.assign_add(np.ones(DISTILLED["fc1"]))
    other.save(keras_file)
    assert other.fingerprint != explainer.fingerprint
    with pytest.raises(UserError, match="belongs to another explainer than"):
        read_metrics(str(path), str(keras_file))
    config = explainer.get_config() | {"performer": "f" * 64}
    type(explainer).from_config(config).save(keras_file)
    with pytest.raises(UserError, match="explains another performer"):
        load_explainer(str(keras_file), features.manifest)
