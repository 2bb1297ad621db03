"""The Parts plugin behind TensorBoard's own server, with both of its readers."""

import concurrent.futures
import dataclasses
import gzip
import io
import json
import random
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.plugins.snapshot_example import (
    CROP,
    FILTERS,
    HOSTILE,
    IMAGES,
    SIDE,
    client_of,
    some_images,
    some_maps,
    some_snapshot,
    wait_for,
    write_run,
)
from tf_explainer.plugins.parts import summary

BASE = "/data/plugin/parts"
LAYER = "block/parts"
PART_MAPS = np.random.default_rng(4).integers(0, 256, (2, IMAGES, SIDE, SIDE), np.uint8)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / HOSTILE.replace("/", "_"))
    write_run(folder / "twelve", steps=range(12))
    with tf.summary.create_file_writer(str(folder / "explainer")).as_default():
        summary.write(with_part_maps(), 3)
    return folder


@pytest.fixture(scope="module", params=[True, False], ids=["fast loader", "slow loader"])
def client(logdir, request):
    client = client_of(logdir, fast=request.param)
    wait_for(lambda: sum(map(len, get(client, "runs")["runs"].values())) == 2 + 12 + 1)
    return client


@pytest.fixture
def run():
    return HOSTILE


def with_part_maps():
    snapshot = some_snapshot()
    layer = dataclasses.replace(snapshot.layers[0], part_maps=PART_MAPS)
    return dataclasses.replace(snapshot, layers=[layer, *snapshot.layers[1:]])


def ask(client, route, method="GET", headers=None, **arguments):
    return client.open(
        f"{BASE}/{route}?{urllib.parse.urlencode(arguments)}", method=method, headers=headers or {}
    )


def get(client, route, **arguments):
    answer = ask(client, route, **arguments)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.data) if answer.content_type == "application/json" else answer.data


def test_every_run_and_step_is_listed(client, run):
    listed = get(client, "runs")
    expected = {run: [2, 30], "twelve": list(range(12)), "explainer": [3]}
    assert listed["runs"] == expected, "more than ten steps are kept"


def test_the_map_of_a_part_is_the_mean_of_its_filters(client, run):
    layer = some_snapshot(1).layers[0]
    (groups,) = [figure.values for figure in layer.figures if figure.key == "group"]
    maps = layer.maps.transpose(1, 2, 3, 0).astype(np.float32)
    in_peaks = maps / np.maximum(maps.max(axis=(1, 2)).mean(axis=0), 1e-6)
    expected = np.stack(
        [in_peaks[..., groups == k].mean(axis=-1) for k in range(int(np.nanmax(groups)) + 1)], axis=-1
    )
    for group in range(expected.shape[-1]):
        answer = get(client, "part_maps", run=run, step=30, layer=LAYER, group=group)
        coded = np.frombuffer(answer, np.uint8).reshape(IMAGES, SIDE, SIDE)
        share = expected[..., group] / expected[..., group].max()
        np.testing.assert_allclose(coded / 255, share, atol=1 / 500)
    refused = ask(client, "part_maps", run=run, step=30, layer=LAYER, group=99)
    assert (refused.status_code, refused.text) == (400, "there is no part 100 in this layer")


def test_the_map_of_an_explainers_part_is_the_stored_one(client):
    for group, maps in enumerate(PART_MAPS):
        answer = get(client, "part_maps", run="explainer", step=3, layer=LAYER, group=group)
        np.testing.assert_array_equal(np.frombuffer(answer, np.uint8).reshape(IMAGES, SIDE, SIDE), maps)
    refused = ask(client, "part_maps", run="explainer", step=3, layer=LAYER, group=2)
    assert refused.status_code == 400


def test_the_index_says_what_is_known(client, run):
    index = get(client, "index", run=run, step=30)
    images = some_images()
    assert index["pictures_step"] == 2
    assert index["images"]["ids"] == list(images.ids)
    assert index["images"]["labels"] == images.labels.tolist()
    assert index["images"]["landmarks"][8:10] == [None, None]
    np.testing.assert_allclose(index["images"]["landmarks"][:2], images.landmarks[0, 0], atol=1e-4)
    assert [layer["name"] for layer in index["layers"]] == [LAYER, "performer"]
    assert index["layers"][0]["grid"] == {"side": 5, "first": 0.1, "spacing": 0.2, "extent": 0.3}


@pytest.mark.parametrize("step", [2, 30])
def test_maps_are_the_network_s_to_half_a_level(client, run, step):
    maps = some_maps(seed=0 if step == 2 else 1)
    peaks = get(client, "peaks", run=run, step=step, layer=LAYER)
    scales = np.frombuffer(peaks, "<f4", FILTERS)
    for f in range(FILTERS):
        got = np.frombuffer(get(client, "maps", run=run, step=step, layer=LAYER, filter=f), np.uint8)
        got = got.reshape(IMAGES, SIDE, SIDE) * scales[f] / 255
        np.testing.assert_allclose(got, maps[..., f], atol=scales[f] / 509)
    values = np.frombuffer(peaks, np.uint8, FILTERS * IMAGES, 4 * FILTERS).reshape(FILTERS, IMAGES)
    units = np.frombuffer(peaks, "<u2", offset=4 * FILTERS + FILTERS * IMAGES).reshape(FILTERS, IMAGES)
    highest = maps.reshape(IMAGES, SIDE**2, FILTERS)
    np.testing.assert_allclose(values * scales[:, None] / 255, highest.max(1).T, atol=scales.max() / 509)
    live = scales != 1
    assert (units[live] == highest.argmax(1).T[live]).mean() > 0.95, "but for ties of the levels"
    tops = np.frombuffer(get(client, "tops", run=run, step=step, layer=LAYER), np.uint8)
    assert tops.reshape(FILTERS, -1).max(axis=1).tolist() == [255 * bool(one) for one in live]


def test_figures_and_their_history_agree(client, run):
    index = get(client, "index", run=run, step=2)
    keys = [figure["key"] for figure in index["layers"][0]["figures"]]
    figures = np.frombuffer(get(client, "figures", run=run, step=2, layer=LAYER), "<f4").reshape(FILTERS, -1)
    by_key = dict(zip(keys, figures.T, strict=True))
    assert by_key["live"].tolist()[3] == 0
    assert by_key["duplicate"][5] == 2
    assert np.isnan(np.delete(by_key["duplicate"], 5)).all()
    history = get(client, "history", run=run, layer=LAYER, filter=5)
    assert history["steps"] == [2, 30]
    assert history["figures"] == [keys, keys]
    got = np.array([np.nan if value is None else value for value in history["values"][0]])
    np.testing.assert_allclose(got, figures[5], rtol=1e-4)


def test_pictures_are_the_crops(client, run):
    colours = some_images().crops[:, 0, 0]
    for n in (0, IMAGES - 1):
        crop = np.asarray(Image.open(io.BytesIO(get(client, "crop", run=run, step=2, image=n))))
        assert crop.shape == (CROP, CROP, 3)
        assert np.abs(crop.astype(int) - colours[n]).max() < 8
    sheet = np.asarray(Image.open(io.BytesIO(get(client, "sprite", run=run, step=2, sheet=0))))
    assert sheet.shape == (112, 16 * 112, 3)
    assert np.abs(sheet[56, 56 + 112 * 4].astype(int) - colours[4]).max() < 12


@pytest.mark.parametrize(
    ("route", "arguments", "code", "words"),
    [
        ("index", {"step": 2}, 400, "run"),
        ("index", {"run": "{run}", "step": "two"}, 400, "whole number"),
        ("index", {"run": "{run}", "step": "-1"}, 400, "whole number"),
        ("index", {"run": "{run}", "step": "9" * 19}, 400, "whole number"),
        ("index", {"run": "{run}", "step": 3}, 404, "at 2, 30"),
        ("index", {"run": "other", "step": 2}, 404, "tf_explainer.evaluate"),
        ("maps", {"run": "{run}", "step": 2, "layer": "x", "filter": 0}, 404, "tf_explainer.evaluate"),
        ("maps", {"run": "{run}", "step": 2, "layer": LAYER, "filter": FILTERS}, 400, "0 to 6"),
        ("maps", {"run": "{run}", "step": 2, "layer": "a" * 2000, "filter": 0}, 400, "too long"),
        ("crop", {"run": "{run}", "step": 30, "image": 0}, 404, "at 2"),
        ("crop", {"run": "{run}", "step": 2, "image": IMAGES}, 400, "0 to 8"),
        ("history", {"run": "{run}", "layer": LAYER, "filter": FILTERS}, 400, "no filter 7"),
    ],
)
def test_what_is_not_there_is_said(client, run, route, arguments, code, words):
    filled = {name: run if value == "{run}" else value for name, value in arguments.items()}
    answer = ask(client, route, **filled)
    assert answer.status_code == code
    assert words in answer.text
    assert answer.content_type.startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_that_has_it_is_told_so(client, run):
    arguments = {"run": run, "step": 2, "layer": LAYER, "filter": 1}
    first = ask(client, "maps", **arguments, headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(first.data)) == IMAGES * SIDE**2
    again = ask(client, "maps", **arguments, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = ask(client, "maps", **arguments | {"filter": 0}, headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_addresses_are_for_reading(client, run):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = ask(client, "runs", method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD"
    head = ask(client, "index", method="HEAD", run=run, step=2)
    assert (head.status_code, head.data) == (200, b"")


def test_static_files_are_a_list(client):
    assert b"export function render" in get(client, "static/parts/parts.js")
    assert get(client, "static/vendor/preact-htm.js")
    for path in ("plugin.py", "../plugin.py", "%2e%2e/plugin.py", "vendor/LICENSE.htm", "..%2fplugin.py", ""):
        assert ask(client, f"static/{path}").status_code == 404


def test_hostile_requests_never_fail_the_server(client, run):
    draw = random.Random(0)
    routes = [
        "runs",
        "index",
        "figures",
        "history",
        "peaks",
        "tops",
        "maps",
        "crop",
        "sprite",
        "static/parts/parts.js",
    ]
    odd = [
        run,
        "twelve",
        LAYER,
        "2",
        "30",
        "0",
        "",
        "-1",
        "1e9",
        "\x00",
        "../../etc/passwd",
        "%",
        "٣",
        "😀" * 300,
    ]
    odd += ["9" * 30, "null", "[]", "2.0", " 2", HOSTILE, "\r\nX: y", "a" * 3000]
    codes = set()
    for _ in range(600):
        names = draw.sample(
            ["run", "step", "layer", "filter", "image", "sheet", "tag", "key"], draw.randrange(1, 7)
        )
        arguments = {name: draw.choice(odd) for name in names}
        route = draw.choice(routes) + draw.choice(["", "", "", "/", "/..", "%00", "?", ";x"])
        method = draw.choice(["GET"] * 8 + ["HEAD", "POST", "TRACE"])
        answer = ask(client, route, method=method, **arguments)
        codes.add(answer.status_code)
        assert answer.status_code < 500, (route, arguments, answer.text)
        assert "X" not in answer.headers
    assert {200, 400, 404, 405} <= codes


def test_many_clients_at_once(client, run):
    def read(f):
        return ask(client, "maps", run=run, step=2, layer=LAYER, filter=f % FILTERS).status_code

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(read, range(200))) == {200}


def test_the_tab_is_there(client):
    listing = json.loads(client.get("/data/plugins_listing").data)["parts"]
    assert (listing["enabled"], listing["tab_name"]) == (True, "Parts")
    assert "static/parts/parts.js" in client.get("/data/plugin_entry.html?name=parts").text


def test_without_data_it_says_what_to_run(tmp_path):
    client = client_of(tmp_path, fast=False)
    answer = get(client, "runs")
    assert answer["runs"] == {}
    assert "python -m tf_explainer.evaluate" in answer["write_one"]
    assert json.loads(client.get("/data/plugins_listing").data)["parts"]["enabled"] is False


def test_a_path_prefix_does_not_matter(logdir):
    client = client_of(logdir, fast=False, extra=["--path_prefix=/pre"])
    wait_for(lambda: client.get(f"/pre{BASE}/runs").status_code == 200)
    assert client.get(f"/pre{BASE}/static/parts/parts.js").status_code == 200


def test_tensorboard_does_not_pay_for_it():
    modules = [f"tf_explainer.plugins.{name}.plugin" for name in ("parts", "images")]
    heavy = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", heavy], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "tf_explainer.plugins.parts.metadata" in loaded
    assert not {"tensorflow", "keras", "scipy", "PIL", "apache_beam"} & set(loaded)
