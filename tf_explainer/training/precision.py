"""Which dtype an explainer computes in; variables, running statistics and losses are float32 either way."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Literal

import keras
import tensorflow as tf
from absl import logging

# Instructions that multiply bfloat16. Without them TensorFlow emulates it, several times slower than float32.
_CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_CPU_FILE = pathlib.Path("/proc/cpuinfo")
# Ampere, NVIDIA's first generation with bfloat16.
_GPU_CAPABILITY = (8, 0)
_LACKING = {
    "CPU": f"this CPU is not known to have {' or '.join(_CPU_INSTRUCTIONS)}",
    "GPU": "not every GPU here is known to compute in bfloat16 (NVIDIA: compute capability 8.0)",
}


def chosen(
    setting: Literal["none", "bfloat16", "auto"], devices: Sequence[str]
) -> Literal["none", "bfloat16"]:
    """Returns `bfloat16` or `none`, and says so where nobody did; warns where bfloat16 is slow.

    Args:
        setting: `none`, `bfloat16` or `auto`.
        devices: that the training runs on, as a strategy names them: `/job:localhost/.../device:GPU:0`.
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
                "--mixed_precision=auto takes the faster one",
                slow[0],
            )
        return setting
    if slow:
        logging.info("--mixed_precision=auto: computing in float32, because %s", slow[0])
        return "none"
    logging.info("--mixed_precision=auto: computing in bfloat16, for which the %s is made", kinds[0])
    return "bfloat16"


def _computes_bfloat16(kind: str) -> bool:
    """Tells whether all devices of a kind here have instructions for bfloat16; unknown is no."""
    if kind == "TPU":
        return True
    if kind == "GPU":
        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return all(each.get("compute_capability", (0, 0)) >= _GPU_CAPABILITY for each in details)
    return kind == "CPU" and any(name in _cpu_instructions() for name in _CPU_INSTRUCTIONS)


def _cpu_instructions() -> set[str]:
    """Returns the instruction sets that Linux names; none elsewhere: no Mac has any of those above."""
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
    """Lets every layer, those of nested models included, compute in a dtype.

    Args:
        model: changed in place; functions traced before keep what they had.
        dtype: `float32` or `bfloat16`.
    """
    policy = "float32" if dtype == "float32" else f"mixed_{dtype}"
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            set_compute_dtype(layer, dtype)
        elif not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = policy
