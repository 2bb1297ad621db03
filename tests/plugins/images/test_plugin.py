"""The Explained images plugin behind TensorBoard's own server, with both of its readers."""

import json

import numpy as np
import pytest

from tests.plugins.snapshot_example import FILTERS, IMAGES, SIDE, client_of, some_scores, wait_for, write_run

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
    index = client.get(f"{BASE}/index?run=run&step={step}").json
    assert index["layer"] == "block/parts"
    assert index["classes"] == scores.classes.tolist()
    assert index["explainer_classes"] == scores.explainer_scores.argmax(axis=1).tolist()
    shown = scores.performer_scores[np.arange(IMAGES), scores.classes]
    np.testing.assert_allclose(index["performer_scores"], shown, rtol=1e-6)
    for n in range(IMAGES):
        answer = client.get(f"{BASE}/contributions?run=run&step={step}&image={n}")
        parts = np.frombuffer(answer.data, "<f4")
        assert parts.shape == (FILTERS,)
        np.testing.assert_allclose(parts, scores.attribution.parts[n], rtol=1e-6)
        total = parts.sum() + index["ordinary"][n] + index["remainder"][n]
        assert total == pytest.approx(index["scores"][n], abs=1e-4)
        assert parts.sum() == pytest.approx(index["parts"][n], abs=1e-4)
    maps = scores.attribution.interpretable_maps, scores.attribution.ordinary_maps
    for track, expected in enumerate(maps):
        answer = client.get(f"{BASE}/tracks?run=run&step={step}&track={track}")
        coded = np.frombuffer(answer.data, np.int8).reshape(IMAGES, SIDE, SIDE)
        scale = np.array(index["scales"])[:, None, None]
        assert (np.abs(coded * scale / 127 - expected) <= scale / 253).all()


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("index?run=run&step=3", 404, "at 2, 30"),
        ("index?run=other&step=2", 404, "tf_explainer.evaluate"),
        ("contributions?run=run&step=2&image=9", 400, "0 to 8"),
        ("contributions?run=run&step=2&image=x", 400, "whole number"),
        ("tracks?run=run&step=2&track=2", 400, "0 to 1"),
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
    assert client.get(f"{BASE}/static/images.js").status_code == 200
    assert client.post(f"{BASE}/runs").status_code == 405
