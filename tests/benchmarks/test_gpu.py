import re

import pytest
import tensorflow as tf

from benchmarks import child_process


@pytest.mark.slow
@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_runs_all_the_same():
    said = child_process.run("benchmarks.gpu", []).output.splitlines()
    assert said[0].startswith("NO GPU HERE: a tiny case on the CPU")
    rows = [re.split(r" \| ", line.strip("| ")) for line in said[4:]]
    assert [row[:2] for row in rows] == [
        [name, "4"] for name in ("float32", "mixed_float16", "mixed_bfloat16")
    ]
    for *_, rate, memory, teraflops in rows:
        assert float(rate.replace(",", "")) > 0
        assert memory == "not known"
        assert float(teraflops) > 0
