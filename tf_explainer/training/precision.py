"""Chooses the dtype that an explainer computes in; variables, statistics and losses are always float32."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Literal

import keras
import tensorflow as tf
from absl import logging

# CPU instructions for bfloat16. Without them TensorFlow emulates it, several times slower than float32.
_CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_CPU_FILE = pathlib.Path("/proc/cpuinfo")
# Compute capability of Ampere, NVIDIA's first generation with bfloat16.
_GPU_CAPABILITY = (8, 0)
_LACKING = {
    "CPU": f"this CPU is not known to have {' or '.join(_CPU_INSTRUCTIONS)}",
    "GPU": "not every GPU here is known to compute in bfloat16 (NVIDIA: compute capability 8.0)",
}


def chosen(
    setting: Literal["none", "bfloat16", "auto"], devices: Sequence[str]
) -> Literal["none", "bfloat16"]:
    """Resolves `auto` to `bfloat16` or `none` and logs the choice; warns if `bfloat16` is slow here.

    Args:
        setting: `none`, `bfloat16` or `auto`.
        devices: the training devices, as a strategy names them: `/job:localhost/.../device:GPU:0`.
    """
    if setting == "none":
        return setting
    kinds = sorted({device.rpartition("device:")[2].split(":")[0] for device in devices})
    slow = [
        _LACKING.get(kind, f"the {kind} is not known to compute in bfloat16")
        for kind in kinds
        if not _computes_bfloat16(kind)
    ]
    if setting == "bfloat16":
        if slow:
            logging.warning(
                "--mixed_precision=bfloat16 is several times slower than float32 here: %s. "
                "--mixed_precision=auto chooses the faster one",
                slow[0],
            )
        return setting
    if slow:
        logging.info("--mixed_precision=auto: computing in float32, because %s", slow[0])
        return "none"
    logging.info("--mixed_precision=auto: computing in bfloat16, which the %s supports", kinds[0])
    return "bfloat16"


def _computes_bfloat16(kind: str) -> bool:
    """Returns whether all devices of this kind have bfloat16 instructions; False if unknown."""
    if kind == "TPU":
        return True
    if kind == "GPU":
        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return all(gpu.get("compute_capability", (0, 0)) >= _GPU_CAPABILITY for gpu in details)
    return kind == "CPU" and any(name in _cpu_instructions() for name in _CPU_INSTRUCTIONS)


def _cpu_instructions() -> set[str]:
    """Returns the CPU's instruction sets on Linux; empty elsewhere (no Mac has the ones above)."""
    try:
        text = _CPU_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {
        name
        for line in text.splitlines()
        if line.startswith("flags")
        for name in line.partition(":")[2].split()
    }


def set_compute_dtype(model: keras.Model, dtype: str) -> None:
    """Sets the dtype that every layer computes in, including the layers of nested models.

    Args:
        model: the model, changed in place; functions traced earlier keep their dtype.
        dtype: `float32` or `bfloat16`.
    """
    policy = "float32" if dtype == "float32" else f"mixed_{dtype}"
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            set_compute_dtype(layer, dtype)
        elif not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = policy
