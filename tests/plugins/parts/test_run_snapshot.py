import dataclasses

import numpy as np
import pytest

from tests.explainer.test_part_maps import by_hand
from tests.plugins.snapshot_example import client_of, wait_for
from tests.support.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig, SnapshotConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.parts import Part
from tf_explainer.metrics.evidence import Evidence
from tf_explainer.metrics.followed_landmarks import Followed
from tf_explainer.plugins.parts import run_snapshot
from tf_explainer.plugins.parts.callback import PartsSnapshots
from tf_explainer.plugins.parts.quantised_maps import LEVELS
from tf_explainer.plugins.parts.run_snapshot import ShownImages


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return features_of(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def explainer():
    return small_explainer()


def test_images_are_chosen_evenly_and_never_negatives(stored):
    features, images = stored
    positive = [image for image in images if image["label"] != 2]
    shown = ShownImages.choose(features, "all", 10)
    assert shown.images.ids == [image["id"] for image in positive[::4]]
    assert shown.images.labels.tolist() == [image["label"] for image in positive[::4]]
    np.testing.assert_array_equal(shown.maps(None, PERFORMER)[3], positive[12]["block"])
    assert len(ShownImages.choose(features, "all", 1000).images.ids) == len(positive)
    predicted = [int(image["scores"].argmax()) for image in positive[::4]]
    assert shown.images.predicted.tolist() == predicted


def test_large_maps_are_of_fewer_images(stored, monkeypatch):
    features, _ = stored
    monkeypatch.setattr(run_snapshot, "_MOST_BYTES", 9 * np.prod(features.manifest.target.shape))
    assert 5 <= len(ShownImages.choose(features, "all", 1000).images.ids) <= 9


def test_the_final_snapshot_has_the_figures_of_evaluation(stored, explainer):
    features, _ = stored
    evaluation = evaluate(explainer, small_head(), features, EvaluationConfig(top_images=20))
    shown = ShownImages.choose(features, "all", 12)
    parts = [
        Part(number=1, name="head", filters=(4, 1)),
        Part(
            number=2,
            name="part 2",
            filters=(0,),
            annotated=("fox", "cat"),
            followed={"fox": Followed(landmark="legs", found=0.75, chance=0.25)},
        ),
    ]
    evidence = Evidence(64, features.grid)
    whole = np.zeros((1, features.grid.side**2, 2), np.float32)
    whole[0, 0] = 1, 0
    side = features.grid.side
    evidence.add(whole.reshape(side, side, 2), np.zeros((49, side, side, 2), np.float32))
    evaluation = dataclasses.replace(evaluation, evidence={"conv_interp_2": evidence})
    snapshot = run_snapshot.of_evaluation(explainer, shown, evaluation, parts)
    assert [layer.name for layer in snapshot.layers] == ["conv_interp_2", "conv_interp_1", PERFORMER]
    for layer in snapshot.layers:
        figures = {figure.key: figure for figure in layer.figures}
        measures = evaluation.layers[layer.name].measures
        np.testing.assert_array_equal(figures["ratio_1"].values, measures.ratio[:, 1])
        np.testing.assert_array_equal(figures["covers_0"].values, 100 * measures.association[:, 0])
        assert figures["ratio_1"].label == "R, frontal_legs"
        assert ("match" in figures) == (layer.name != PERFORMER)
    (group,) = (figure for figure in snapshot.layers[0].figures if figure.kind == "group")
    np.testing.assert_array_equal(group.values, [1, 0, np.nan, np.nan, 0, np.nan])
    layer = snapshot.layers[0]
    maps = layer.maps.transpose(1, 2, 3, 0) * layer.scales / 255
    own = by_hand(maps, np.array([1, 0, -1, -1, 0, -1]), explainer.get_layer("conv_interp_2").mean_peaks)
    assert layer.part_maps.shape == (2, len(maps), *maps.shape[1:3])
    for k, stored_maps in enumerate(layer.part_maps):
        np.testing.assert_allclose(stored_maps / 255, own[..., k] / own[..., k].max(), atol=0.02)
    assert all(other.part_maps is None for other in snapshot.layers[1:])
    assert group.description()["names"] == [
        "head",
        "part 2, fox 75 % of images against 25 % by chance",
    ]
    described = group.description()["groups"]
    assert [one["name"] for one in described] == ["head", "part 2"]
    assert described[1]["in_class"] == {"fox": "legs"}
    assert described[1]["followed"]["fox"] == {"landmark": "legs", "found": 0.75, "chance": 0.25}
    assert described[0]["evidence"] == dataclasses.asdict(evidence.summary([0]))
    assert "evidence" not in described[1], "nothing is lost of it"
    assert "names" not in snapshot.layers[1].figures[0].description()
    maps = snapshot.layers[0].maps.transpose(1, 2, 3, 0) * snapshot.layers[0].scales / LEVELS
    features_in = shown.maps(explainer, PERFORMER).astype(np.float32)
    expected = explainer(features_in, training=False)["conv_interp_2"]
    np.testing.assert_allclose(maps, expected, atol=snapshot.layers[0].scales.max() / 400)


def train(directory, stored, explainer, *, epochs, every, first_step=0):
    """Calls a callback as a training of 3 steps an epoch does; an epoch is lost when it ends early."""
    callback = PartsSnapshots(str(directory), stored[0], SnapshotConfig(every=every, images=6), top_images=10)
    callback.set_model(explainer)
    callback.set_params({"first_step": first_step})
    callback.on_train_begin()
    for epoch in range(first_step // 3 + 1, epochs + 1):
        for step in range(3 * epoch - 2, 3 * epoch + 1):
            callback.on_train_batch_end(step)
        callback.on_epoch_end(epoch)
    callback.on_train_end()


def test_snapshots_every_few_epochs_and_at_the_end(tmp_path, stored, explainer):
    directory = tmp_path / "training"
    train(directory, stored, explainer, epochs=9, every=3)
    train(directory, stored, explainer, epochs=3, every=2)
    train(directory, stored, explainer, epochs=5, every=2, first_step=9)
    client = client_of(tmp_path, fast=False)
    steps = [6, 9, 12, 15]
    wait_for(lambda: client.get("/data/plugin/parts/runs").json["runs"].get("training") == steps)
    for step, pictures in zip(steps, [6, 6, 12, 12], strict=True):
        index = client.get(f"/data/plugin/parts/index?run=training&step={step}").json
        assert index["pictures_step"] == pictures
        assert client.get(f"/data/plugin/parts/crop?run=training&step={pictures}&image=5").status_code == 200
        assert [layer["name"] for layer in index["layers"]] == ["conv_interp_2"]
