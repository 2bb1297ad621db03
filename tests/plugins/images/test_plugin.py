"""The Explained images plugin behind TensorBoard's own server, with both of its readers."""

import json

import numpy as np
import pytest

from tests.plugins.snapshot_example import (
    FILTERS,
    IMAGES,
    PARTS,
    SIDE,
    client_of,
    some_scores,
    wait_for,
    write_run,
)

BASE = "/data/plugin/part_images"


@pytest.fixture(scope="module", params=[True, False], ids=["fast loader", "slow loader"])
def client(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "run")
    client = client_of(folder, fast=request.param)
    wait_for(lambda: client.get(f"{BASE}/runs").json["runs"] == {"run": [2, 30]})
    return client


@pytest.mark.parametrize(("step", "seed"), [(2, 0), (30, 1)])
def test_what_is_served_sums_to_the_score(client, step, seed):
    scores = some_scores(seed)
    named = scores.ranked[0]
    index = client.get(f"{BASE}/index?run=run&step={step}").json
    assert index["layer"] == "block/parts"
    assert index["method"] == "integrated gradients in 50 steps, from an average image"
    assert len(index["verdicts"]) == IMAGES
    assert all("nats" in words for words in index["verdicts"])
    assert index["classes"] == named.classes.tolist()
    assert index["explainer_classes"] == scores.explainer_scores.argmax(axis=1).tolist()
    shown = scores.performer_scores[np.arange(IMAGES), named.classes]
    np.testing.assert_allclose(index["performer_scores"], shown, rtol=1e-6)
    for n in range(IMAGES):
        answer = client.get(f"{BASE}/contributions?run=run&step={step}&image={n}")
        for one, parts, stored in zip(
            [index, *index["others"]],
            np.frombuffer(answer.data, "<f4").reshape(2, FILTERS),
            scores.ranked,
            strict=True,
        ):
            assert one["classes"][n] == stored.classes[n]
            np.testing.assert_allclose(parts, stored.attribution.parts[n], rtol=1e-6)
            assert one.get("removed", PARTS + 1) == PARTS + 1
            total = parts.sum() + one["ordinary"][n] + one["baseline"][n] + one["gap"][n]
            assert total == pytest.approx(one["scores"][n], abs=1e-4)
            assert parts.sum() == pytest.approx(one["parts"][n], abs=1e-4)
        lost = client.get(f"{BASE}/lost?run=run&step={step}&image={n}").data
        np.testing.assert_allclose(np.frombuffer(lost, "<f4"), scores.lost[n].ravel(), rtol=1e-6)
    attributions = [one.attribution for one in scores.ranked]
    maps = [track for one in attributions for track in (one.interpretable_maps, one.ordinary_maps)]
    scales = [one["scales"] for one in [index, *index["others"]]]
    for track, expected in enumerate(maps):
        answer = client.get(f"{BASE}/tracks?run=run&step={step}&track={track}")
        coded = np.frombuffer(answer.data, np.int8).reshape(IMAGES, SIDE, SIDE)
        scale = np.array(scales[track // 2])[:, None, None]
        assert (np.abs(coded * scale / 127 - expected) <= scale / 253).all()


@pytest.mark.parametrize(("step", "seed"), [(2, 0), (30, 1)])
def test_the_mean_of_a_class_is_that_of_the_images_taken_for_it(client, step, seed):
    named = some_scores(seed).ranked[0]
    answer = client.get(f"{BASE}/means?run=run&step={step}")
    means = np.frombuffer(answer.data, "<f4").reshape(2, FILTERS)
    for label in (0, 1):
        expected = named.attribution.parts[named.classes == label].mean(axis=0)
        np.testing.assert_allclose(means[label], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("index?run=run&step=3", 404, "at 2, 30"),
        ("index?run=other&step=2", 404, "tf_explainer.evaluate"),
        ("contributions?run=run&step=2&image=9", 400, "0 to 8"),
        ("contributions?run=run&step=2&image=x", 400, "whole number"),
        ("tracks?run=run&step=2&track=4", 400, "0 to 3"),
        ("tracks?run=run&step=2", 400, "track"),
    ],
)
def test_what_is_not_there_is_said(client, address, code, words):
    answer = client.get(f"{BASE}/{address}")
    assert answer.status_code == code
    assert words in answer.text


def test_the_tab_is_there(client):
    listing = json.loads(client.get("/data/plugins_listing").data)["part_images"]
    assert (listing["enabled"], listing["tab_name"]) == (True, "Explained images")
    assert client.get(f"{BASE}/static/images/images.js").status_code == 200
    assert client.post(f"{BASE}/runs").status_code == 405
