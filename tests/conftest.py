"""What every test finds: four logical CPUs, a quiet TensorFlow, the project importable by subprocesses."""

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(pathlib.Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")])
)

try:
    import tensorflow as tf
except ImportError:  # Layers and losses can be tested where there is JAX alone.
    tf = None
else:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)


@pytest.fixture(autouse=True)
def separate_collectives():
    """Keeps strategies of different tests apart.

    All strategies of a process number their groups of devices from the same base. A group of four devices
    that gets the number of an earlier group of two fails, and every reduction behind it.
    """
    if tf is not None:
        tf.distribute.MirroredStrategy._collective_key_base += 100_000
