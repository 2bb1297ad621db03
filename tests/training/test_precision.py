import pytest
import tensorflow as tf

from tf_explainer.training import precision

CPU, GPU = "/job:localhost/replica:0/task:0/device:CPU:0", "/job:localhost/replica:0/task:0/device:GPU:1"


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    """Sets what the system says of its processors."""

    def cpu(text):
        file = tmp_path / "cpuinfo"
        file.write_text(text)
        monkeypatch.setattr(precision, "_CPU_FILE", file)

    return cpu


@pytest.fixture
def capability(monkeypatch):
    """Sets the GPUs' compute capabilities."""

    def capability(*found):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: list(found))
        monkeypatch.setattr(
            tf.config.experimental,
            "get_device_details",
            lambda gpu: {"compute_capability": gpu} if gpu else {},
        )

    return capability


@pytest.fixture
def said(monkeypatch):
    said = []
    for level in ("info", "warning"):
        monkeypatch.setattr(
            precision.logging, level, lambda text, *values, level=level: said.append((level, text % values))
        )
    return said


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx512f avx512_bf16", "bfloat16"),
        ("fpu amx_bf16 amx_tile", "bfloat16"),
        ("fpu avx2 avx512f avx512_vnni", "none"),
        ("", "none"),
    ],
)
def test_auto_goes_by_the_instructions_of_the_cpu(cpu, said, flags, expected):
    cpu(f"processor\t: 0\nmodel name\t: A CPU with avx512_bf16 in its name\nflags\t\t: {flags}\n")
    assert precision.chosen("auto", [CPU]) == expected
    ((level, text),) = said
    assert level == "info"
    assert ("float32" if expected == "none" else "bfloat16") in text


def test_a_system_that_tells_nothing_computes_in_float32(monkeypatch, tmp_path, said):
    monkeypatch.setattr(precision, "_CPU_FILE", tmp_path / "nowhere")
    assert precision.chosen("auto", [CPU]) == "none"
    assert "avx512_bf16 or amx_bf16" in said[0][1]


@pytest.mark.parametrize(
    ("found", "expected"),
    [([(8, 0)], "bfloat16"), ([(9, 0), (7, 5)], "none"), ([None], "none")],
)
def test_auto_goes_by_the_oldest_gpu(capability, said, found, expected):
    capability(*found)
    assert precision.chosen("auto", [GPU]) == expected
    assert len(said) == 1


def test_bfloat16_on_a_cpu_without_it_is_warned_of_and_done(cpu, said):
    cpu("flags : avx2\n")
    assert precision.chosen("bfloat16", [CPU]) == "bfloat16"
    ((level, text),) = said
    assert level == "warning"
    assert "slower" in text
    assert "--mixed_precision=auto" in text


def test_nothing_is_said_where_it_is_fast_or_not_asked_for(cpu, said):
    cpu("flags : amx_bf16\n")
    assert precision.chosen("bfloat16", [CPU]) == "bfloat16"
    assert precision.chosen("none", [CPU]) == "none"
    assert said == []
