"""What every test finds: four logical CPUs, a quiet TensorFlow, the project importable by subprocesses."""

import gc
import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Processes share the cores: threads that wait for each other, as k-means' do, would burn what others need.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Memory of large arrays is kept for the next ones. glibc reads this where a process begins, so it is for
# those that this one starts, such as those of pytest-xdist.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 28))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 30))
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(pathlib.Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")])
)


def pytest_configure(config):
    """Prepares TensorFlow, but not in the process that only hands out tests to others."""
    if getattr(config.option, "numprocesses", None):
        return
    try:
        import tensorflow as tf
    except ImportError:  # Layers and losses can be tested where there is JAX alone.
        return
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
    if "PYTEST_XDIST_WORKER" in os.environ:  # There is a process for every core.
        tf.config.threading.set_intra_op_parallelism_threads(1)


def pytest_collection_finish():
    """Spares the garbage collector the million objects of the imports, and looking at graphs all the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def separate_collectives():
    """Keeps strategies of different tests apart.

    All strategies of a process number their groups of devices from the same base. A group of four devices
    that gets the number of an earlier group of two fails, and every reduction behind it.
    """
    try:
        import tensorflow as tf
    except ImportError:
        return
    tf.distribute.MirroredStrategy._collective_key_base += 100_000
