"""Whatever an event file holds, it is answered, named, and hides no other run."""

import contextlib
import gzip
import json
import resource
import urllib.parse

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tests.plugins.snapshot_example import client_of, wait_for, write_run
from tf_explainer.plugins import stored_values
from tf_explainer.plugins.images import metadata as images
from tf_explainer.plugins.parts import metadata as parts

LAYER = "block/parts"
TENSOR, BLOBS = summary_pb2.DATA_CLASS_TENSOR, summary_pb2.DATA_CLASS_BLOB_SEQUENCE
TENSORS = {
    "parts": [parts.INDEX, parts.layer_tag(parts.FIGURES, LAYER), parts.layer_tag(parts.KEYS, LAYER)],
    "part_images": [images.INDEX, images.CONTRIBUTIONS, images.LOST],
}
SEQUENCES = {
    "parts": [
        *(parts.layer_tag(kind, LAYER) for kind in (parts.PEAKS, parts.TOPS, parts.MAPS)),
        parts.CROPS,
        parts.SPRITES,
    ],
    "part_images": [images.TRACKS],
}
ROUTES = {
    "parts": ["runs", "index", "figures", "history", "peaks", "tops", "maps", "part_maps", "crop", "sprite"],
    "part_images": ["runs", "index", "contributions", "lost", "means", "tracks"],
}
ANY_ARGUMENTS = {"layer": LAYER, "filter": 0, "group": 0, "image": 0, "sheet": 0, "track": 0}


def text(content, shape=()):
    content = content if isinstance(content, bytes) else content.encode()
    return tensor(types_pb2.DT_STRING, shape, string_val=[content] * max(int(np.prod(shape)), 1))


def tensor(dtype, shape, **values):
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    return tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims), **values
    )


def numbers(values):
    values = np.asarray(values, np.float32)
    return tensor(types_pb2.DT_FLOAT, values.shape, tensor_content=values.tobytes())


DAMAGE = {
    "nothing": tensor_pb2.TensorProto(),
    "no JSON": text("{"),
    "no text": text(b"\xff\xfe\x00"),
    "another version": text('{"version": 99}'),
    "no object": text("[1, 2]"),
    "nested": text("[" * 100_000 + "]" * 100_000),
    "not a number": text('{"version": 1, "pictures_step": NaN}'),
    "infinite": text('{"version": 1, "pictures_step": 1e999}'),
    "a long number": text('{"version": ' + "9" * 5000 + "}"),
    "several": text("{}", shape=(3,)),
    "absurd size": tensor(types_pb2.DT_FLOAT, (2**31, 2**31), float_val=[1.0]),
    "negative size": tensor(types_pb2.DT_FLOAT, (-5, 3), float_val=[1.0]),
    "cut short": tensor(types_pb2.DT_FLOAT, (4, 4), tensor_content=b"123"),
    "unknown type": tensor(types_pb2.DT_RESOURCE, (2,)),
    "infinities": numbers([[np.inf, -np.inf], [np.nan, 1]]),
    "one axis": numbers([1, 2]),
    "no rows": numbers(np.zeros((0, 3))),
    "no GZIP": text(b"\x1f\x8b\x08 and then nothing", shape=(1,)),
    "half a GZIP": text(gzip.compress(bytes(1000))[:-6], shape=(1,)),
    "a bomb": text(gzip.compress(gzip.compress(bytes(50_000_000))), shape=(1,)),
}


def write_damaged(folder, value, kind=None, time=0.0):
    """Writes a value under every tag of both plugins; kind: with another data class than is due."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    for tags, due in ((TENSORS, TENSOR), (SEQUENCES, BLOBS)):
        for plugin, of_plugin in tags.items():
            for tag in of_plugin:
                about = summary_pb2.SummaryMetadata(data_class=due if kind is None else kind)
                about.plugin_data.plugin_name = plugin
                entry = summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=value)
                summary = summary_pb2.Summary(value=[entry])
                writer.add_event(event_pb2.Event(wall_time=time, step=2, summary=summary))
    writer.close()


def answers(client, run):
    for plugin, routes in ROUTES.items():
        for route in routes:
            arguments = urllib.parse.urlencode({"run": run, "step": 2, **ANY_ARGUMENTS})
            for encoding in ("gzip", "identity"):
                yield (
                    route,
                    client.get(
                        f"/data/plugin/{plugin}/{route}?{arguments}", headers={"Accept-Encoding": encoding}
                    ),
                )


def listed(client, plugin="parts"):
    answer = client.get(f"/data/plugin/{plugin}/runs")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.data)


@contextlib.contextmanager
def little_memory(extra=2 << 30):
    """Lets this process grow by so many bytes at most."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + extra, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module", params=[True, False], ids=["fast loader", "slow loader"])
def client(tmp_path_factory, request):
    logdir = tmp_path_factory.mktemp("logs")
    write_run(logdir / "sound", steps=(2,))
    for name, value in DAMAGE.items():
        write_damaged(logdir / name, value)
    write_damaged(logdir / "of another class", text("{}"), TENSOR)
    whole = next((logdir / "sound").glob("events*")).read_bytes()
    (logdir / "torn").mkdir()
    (logdir / "torn" / "events.out.tfevents.1.torn").write_bytes(whole[: len(whole) // 2])
    (logdir / "garbage").mkdir()
    (logdir / "garbage" / "events.out.tfevents.1.garbage").write_bytes(bytes(range(256)) * 40)
    client = client_of(logdir, fast=request.param)
    wait_for(lambda: listed(client, "part_images")["runs"])
    return client


@pytest.mark.parametrize("run", [*DAMAGE, "of another class", "torn", "garbage", "sound"])
def test_a_damaged_value_is_refused_and_not_an_error_of_the_server(client, run):
    with little_memory():
        for route, answer in answers(client, run):
            assert answer.status_code in (200, 400, 404), (route, answer.status_code)
            assert run != "sound" or answer.status_code == 200


def test_damaged_runs_are_named_and_hide_no_other(client):
    named = {"nested", "no JSON", "another version", "infinite", "not a number", "several"}
    wait_for(lambda: named <= set(listed(client)["skipped"]))
    found = listed(client)
    assert found["runs"] == {"sound": [2]}
    assert "too deeply" in found["skipped"]["nested"][0]
    assert "version 99" in found["skipped"]["another version"][0]


def test_a_time_that_is_none_hides_no_run(tmp_path):
    write_run(tmp_path / "sound", steps=(2,))
    (sound,) = (tmp_path / "sound").glob("events*")
    write_damaged(tmp_path / "timeless", index_of(sound), time=float("nan"))
    client = client_of(tmp_path, fast=False)
    wait_for(lambda: set(listed(client)["runs"]) == {"sound", "timeless"})
    assert listed(client)["written"]["timeless"] == [0.0]


def index_of(path):
    """The description of a snapshot that an event file holds."""
    for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.tag == parts.INDEX:
                return value.tensor
    raise AssertionError(path)


def test_a_stream_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(stored_values, "_LARGEST_STREAM", 1 << 21)
    with pytest.raises(stored_values.DamagedError, match="more than"):
        stored_values.gzip_stream(gzip.compress(bytes(1 << 22)))
    with pytest.raises(stored_values.DamagedError, match="followed"):
        stored_values.gzip_stream(gzip.compress(b"all") + b"more")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
SHAPES = st.lists(st.integers(-1, 5) | st.sampled_from([2**31, 2**62]), max_size=4)
VALUES = st.one_of(
    st.binary(max_size=200).map(text),
    JSON.map(json.dumps).map(text),
    st.builds(lambda index, version: text(json.dumps(index | {"version": version})),
              st.dictionaries(st.sampled_from(["images", "layers", "notes", "thumbnail", "layer", "names",
                                               "others", "pictures_step", "method"]), JSON),
              st.sampled_from([1, 2])),
    st.builds(lambda content, shape: text(content, shape), st.binary(max_size=50),
              st.lists(st.integers(0, 3), max_size=3)),
    st.builds(lambda dtype, shape, content: tensor(dtype, shape, tensor_content=content),
              st.sampled_from(sorted(types_pb2.DataType.values())), SHAPES, st.binary(max_size=64)),
    st.builds(lambda shape, values: tensor(types_pb2.DT_FLOAT, shape, float_val=values), SHAPES,
              st.lists(st.floats(width=32), max_size=20)),
)  # fmt: skip


def check_examples(folder, count, batch):
    """Draws values, writes a run of each batch of them, and asks every route of every run."""
    drawn = []

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(VALUES)
    def draw(value):
        drawn.append(value)

    draw()
    for start in range(0, len(drawn), batch):
        logdir = folder / str(start)
        write_run(logdir / "sound", steps=(2,))
        for n, value in enumerate(drawn[start : start + batch]):
            write_damaged(logdir / f"run{n}", value)
        client = client_of(logdir, fast=bool(start // batch % 2))
        wait_for(lambda client=client: "sound" in listed(client, "part_images")["runs"])
        with little_memory():
            for n, value in enumerate(drawn[start : start + batch]):
                for route, answer in answers(client, f"run{n}"):
                    assert answer.status_code in (200, 400, 404), (route, value, answer.text)


def test_no_stored_value_is_answered_with_an_error_of_the_server(tmp_path):
    check_examples(tmp_path, 60, batch=60)


@pytest.mark.slow
@pytest.mark.long
def test_no_stored_value_of_many_is_answered_with_an_error_of_the_server(tmp_path):
    # Small batches: the fast loader is asked for every run of a directory in which one is damaged.
    check_examples(tmp_path, 200, batch=20)
