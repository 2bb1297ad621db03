"""The SavedModel, read by a process that has TensorFlow alone, against ImageExplainer in this one."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.evaluation_example import CROP, DISTILLED, SIDE
from tests.support.small_run import CLASSES, write_run
from tf_explainer.config import PerformerConfig
from tf_explainer.explanation import saved_model
from tf_explainer.explanation.image_explainer import ImageExplainer
from tf_explainer.performer.performer import Performer

IMAGES = np.random.default_rng(3).integers(0, 256, (5, CROP, CROP, 3), np.uint8)
RELOAD = """
import sys
import numpy as np
import tensorflow as tf

folder, images, results = sys.argv[1:]
images = np.load(images)
explain = tf.saved_model.load(folder).signatures
results_of = {
    "serve": explain["serving_default"](image=tf.constant(images, tf.float32)),
    "serve_uint8": explain["serve_uint8"](image=tf.constant(images)),
}
for chosen in range(3):
    results_of[f"class {chosen}"] = explain["explain_class"](
        image=tf.constant(images, tf.float32), explained_class=tf.fill([len(images)], chosen)
    )
assert "tf_explainer" not in sys.modules
np.savez(results, **{f"{n}/{name}": value for n, out in results_of.items() for name, value in out.items()})
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    saved_model.save(str(folder), run)
    return folder


@pytest.fixture(scope="module")
def reloaded(exported, tmp_path_factory):
    """What every signature says of the images, in a fresh process elsewhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    np.save(elsewhere / "images.npy", IMAGES)
    command = [sys.executable, "-c", RELOAD, str(exported), "images.npy", "results.npz"]
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    without = os.pathsep.join(path for path in paths if not os.path.isdir(os.path.join(path, "tf_explainer")))
    environment = os.environ | {"PYTHONPATH": without}
    result = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "custom gradients" not in result.stderr
    return dict(np.load(elsewhere / "results.npz"))


def outputs(reloaded, signature):
    return {name.split("/")[1]: v for name, v in reloaded.items() if name.startswith(f"{signature}/")}


def compare(run, found, class_name=None):
    explainer = ImageExplainer(
        run.performer, run.explainer, run.part_groups, run.class_names, run.mean_features
    )
    for n, image in enumerate(IMAGES):
        expected = explainer.explain(image, class_name)
        assert run.class_names[found["explained_class"][n]] == expected.class_name
        assert run.class_names[found["scores"][n].argmax()] == expected.performer_class
        chosen = found["explained_class"][n]
        by_both = [expected.performer_probability, expected.explainer_probability]
        np.testing.assert_allclose(
            [found["scores"][n, chosen], found["explainer_scores"][n, chosen]], by_both, rtol=1e-4
        )
        says = found["explainer_scores"][n].argmax() == found["scores"][n].argmax()
        assert found["agreement"][n] == says
        sums = [expected.score, expected.other_filters, expected.ordinary, expected.baseline, expected.gap]
        np.testing.assert_allclose(
            [found[name][n] for name in ("log_odds", "other_filters", "ordinary", "baseline", "gap")],
            sums,
            rtol=1e-5,
            atol=2e-5,
        )
        by_name = {seen.part.name: seen for seen in expected.parts}
        for p, part in enumerate(run.part_groups):
            seen = by_name[part.name]
            assert found["part_contribution"][n, p] == pytest.approx(seen.contribution, rel=1e-5, abs=2e-5)
            assert found["part_activation"][n, p] == pytest.approx(seen.strength, rel=1e-4)
            place = [np.nan, np.nan] if seen.place is None else [CROP * seen.place[1], CROP * seen.place[0]]
            np.testing.assert_allclose(found["part_place"][n, p], place, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["serve", "serve_uint8"])
def test_a_fresh_process_explains_as_this_one(run, reloaded, signature):
    compare(run, outputs(reloaded, signature))


@pytest.mark.slow
@pytest.mark.parametrize("chosen", range(3))
def test_a_fresh_process_explains_any_class(run, reloaded, chosen):
    compare(run, outputs(reloaded, f"class {chosen}"), CLASSES[chosen])


@pytest.mark.slow
def test_contributions_add_up(reloaded):
    found = outputs(reloaded, "serve")
    total = found["part_contribution"].sum(axis=1) + found["other_filters"] + found["ordinary"]
    above = found["log_odds"] - found["baseline"]
    np.testing.assert_allclose(total + found["gap"], above, atol=1e-5)
    np.testing.assert_allclose(total, above, atol=0.05 * np.abs(above).max())
    assert np.abs(found["part_contribution"]).max() > 1e-3


@pytest.mark.slow
def test_the_description_names_what_comes_out(exported, reloaded):
    described = json.loads((exported / saved_model.DESCRIPTION).read_text())
    assert described["classes"] == list(CLASSES)
    assert described["image_size"] == CROP
    assert [part["title"] for part in described["parts"]] == [
        "head, 90 % of images against 20 % by chance",
        "part 2",
    ]
    assert set(described["outputs"]) == set(outputs(reloaded, "serve"))


def test_sizes_are_fixed_and_nothing_branches(exported):
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    assert signature.structured_input_signature[1]["image"].shape.as_list() == [None, CROP, CROP, 3]
    for name, tensor in signature.structured_outputs.items():
        assert tensor.shape[1:].is_fully_defined(), name
    graph = signature.graph.as_graph_def()
    operations = {node.op for body in (graph, *graph.library.function) for node in _nodes(body)}
    assert len(operations) > 10
    assert not {op for op in operations if op.endswith(("If", "While", "Case", "PyFunc"))}


def _nodes(body):
    return body.node if hasattr(body, "node") else body.node_def


def test_an_earlier_export_is_replaced_and_nothing_else_is(run, exported, tmp_path):
    (exported / "left.txt").write_text("of the one before")
    saved_model.save(str(exported), run)
    assert not (exported / "left.txt").exists()
    assert (exported / "saved_model.pb").exists()
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]
    (tmp_path / "photo.jpg").write_text("")
    for taken in (tmp_path, tmp_path / "photo.jpg"):
        with pytest.raises(FileExistsError, match="is not an earlier export: name another directory"):
            saved_model.save(str(taken), run)


def sigmoid_performer():
    """One score, a convolution above the target layer, and overlapping pooling."""
    keras.utils.set_random_seed(4)
    image = keras.Input((CROP, CROP, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(6, 8, strides=8, activation="relu", name="block")(x)
    assert x.shape[1] == SIDE
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.ReLU(6)(keras.layers.BatchNormalization()(x))
    x = keras.layers.Add()([x, keras.layers.Conv2D(6, 3, strides=1, padding="same")(x)])
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    for name, units in DISTILLED.items():
        x = keras.layers.Dense(units, activation="relu", name=name)(x)
    model = keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(x))
    config = PerformerConfig(image_size=CROP, target_layer="block", distilled_layers=tuple(DISTILLED))
    return Performer(model, config)


@pytest.mark.slow
def test_one_score_and_layers_of_other_kinds(tmp_path):
    single = write_run(tmp_path / "run", sigmoid_performer(), ("other", "fox"))
    saved_model.save(str(tmp_path / "model"), single)
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    images = tf.constant(IMAGES, tf.float32)
    compare(single, {name: value.numpy() for name, value in signatures["serve"](image=images).items()})
    for chosen, name in enumerate(single.class_names):
        found = signatures["explain_class"](image=images, explained_class=tf.fill([len(IMAGES)], chosen))
        compare(single, {name: value.numpy() for name, value in found.items()}, name)


@pytest.mark.slow
def test_onnx_says_the_same(exported, reloaded, tmp_path):
    _, onnxruntime = (
        pytest.importorskip(name, reason=f"needs {name}: make test_onnx")
        for name in ("tf2onnx", "onnxruntime")
    )
    file = tmp_path / "explainer.onnx"
    command = ["tf2onnx.convert", "--saved-model", exported, "--signature_def", "serve", "--output", file]
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True)
    session = onnxruntime.InferenceSession(file)
    names = [output.name for output in session.get_outputs()]
    expected = outputs(reloaded, "serve")
    assert set(names) == set(expected)
    for count in (5, 2):
        results = session.run(names, {"image": IMAGES[:count].astype(np.float32)})
        for name, value in zip(names, results, strict=True):
            np.testing.assert_allclose(value, expected[name][:count], rtol=1e-4, atol=2e-5, err_msg=name)
