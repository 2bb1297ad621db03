import dataclasses
import pathlib
import types

import numpy as np
import pytest

from tests.pipelines.squares import saved_performer
from tests.support.small_training import small_features, small_performer
from tf_explainer.config import PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.evaluation.class_accuracy import ClassAccuracy, order_warning
from tf_explainer.features.outputs import Outputs, outputs_of
from tf_explainer.performer import class_names
from tf_explainer.performer.performer import load_performer
from tf_explainer.performer.report import PerformerReport


def test_names_from_a_file(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\ufeffcat, grey\n\ndog\n", encoding="utf-8")
    named = class_names.named(PerformerConfig(class_names=(str(path),)))
    assert named.class_names == ("cat, grey", "dog")
    assert class_names.named(PerformerConfig(class_names=("a", "b"))).class_names == ("a", "b")
    with pytest.raises(UserError, match="nor a file with one name per line"):
        class_names.named(PerformerConfig(class_names=("nowhere.txt",)))


@pytest.mark.parametrize(
    ("names", "message"), [(("a",), "1 names, but .* 3 classes"), (("a", "b", "a"), "'a' stands for several")]
)
def test_names_that_are_not_one_a_class(names, message):
    performer = small_performer()
    with pytest.raises(UserError, match=message):
        dataclasses.replace(performer, config=dataclasses.replace(performer.config, class_names=names))


def test_names_of_the_outputs(tmp_path):
    performer, manifest = small_performer(), small_features(tmp_path)
    assert outputs_of(performer, manifest).names == manifest.classes
    few = dataclasses.replace(manifest, classes=("fox", "ox"), all_classes=("fox", "ox", "yak", "zebu"))
    assert outputs_of(performer, few).names == ("output 0", "output 1", "output 2")
    assert outputs_of(performer, few).of_labels.tolist() == [-1, -1]
    told = dataclasses.replace(performer.config, class_names=("yak", "ox", "fox"))
    outputs = outputs_of(dataclasses.replace(performer, config=told), few)
    assert outputs.of_labels.tolist() == [2, 1]
    assert outputs.labels(np.eye(3)).tolist() == [-1, 1, 0]
    three = dataclasses.replace(manifest, classes=("fox", "zebu"), all_classes=("fox", "ox", "zebu"))
    assert outputs_of(performer, three).of_labels.tolist() == [0, 2], (
        "categories select, they do not renumber"
    )


def test_names_of_the_training_are_those_of_this_performer_alone(tmp_path):
    workdir = types.SimpleNamespace(performer_report=str(tmp_path / "performer.json"))
    (tmp_path / "performer.json").write_text(
        '{"settings": {}, "fingerprint": "f", "classes": ["b", "a"], "unreadable_images": 0, '
        '"training": {}, "held_out": {}}'
    )
    assert class_names.of_training(PerformerConfig(), workdir, "f").class_names == ("b", "a")
    assert class_names.of_training(PerformerConfig(), workdir, "other").class_names == ()


def test_a_performer_of_another_run_has_the_names_beside_it(tmp_path):
    (tmp_path / "first").mkdir()
    performer = saved_performer(tmp_path / "first")
    path = performer.config.performer
    elsewhere = WorkDir(root=str(tmp_path / "second"))
    assert load_performer(performer.config, elsewhere).config.class_names == ()
    report = PerformerReport.of_own_head(performer.fingerprint, ("b", "a", "c"))
    pathlib.Path(path).with_name("performer.json").write_text(report.to_json())
    assert load_performer(performer.config, elsewhere).config.class_names == ("b", "a", "c")
    told = dataclasses.replace(performer.config, class_names=("x", "y", "z"))
    assert load_performer(told, elsewhere).config.class_names == ("x", "y", "z")
    other = PerformerReport.of_own_head("another", ("b", "a", "c"))
    pathlib.Path(path).with_name("performer.json").write_text(other.to_json())
    assert load_performer(performer.config, elsewhere).config.class_names == ()


def warning_of(names, scores, labels, kind="softmax", classes=("a", "b")):
    accuracy = ClassAccuracy(Outputs(kind=kind, names=names, classes=classes))
    accuracy.add(np.asarray(scores), np.asarray(labels))
    return order_warning(accuracy.by_class())


def test_a_mix_up_of_names_is_told():
    right, labels = np.eye(2)[[0, 1] * 10], [0, 1] * 10
    assert warning_of(("a", "b"), right, labels) is None
    assert "--class_names" in warning_of(("b", "a"), right, labels)
    assert "recognises no image of b" in warning_of(("a", "b"), np.eye(2)[[0] * 20], labels)
    assert warning_of(("c", "d"), right, labels) is None, "other classes"
    logits = np.array([[-0.3], [0.3]] * 10)
    assert warning_of(("a", "b"), logits, labels, "sigmoid_logits") is None
    assert "accuracy 0.000" in warning_of(("b", "a"), logits, labels, "sigmoid_logits")
    assert warning_of(("b", "a"), right[:2], labels[:2]) is None, "too few images to tell"
