import re

import pytest

from pipelines.extraction import cost_estimate
from pipelines.extraction.cost_estimate import Fleet
from pipelines.extraction.throughput_sample import Sample
from tf_explainer.config import DryRunConfig
from tf_explainer.errors import UserError

SAMPLE = Sample(total=720_000, images=64, dead_letters=2, seconds=6.4, bytes=640_000)


def test_size_and_time_of_one_process():
    first, measured, size, time = cost_estimate.describe(SAMPLE, "runs/a/features")
    assert first == "720,000 images. Nothing was written to runs/a/features."
    assert "64 of them: 10.0 images/s" in measured
    assert "10,000 bytes an image, 2 of them cannot be used" in measured
    assert size.endswith("= 7.2 GB")
    assert "= 20.0 h" in time


def test_cost_is_hours_times_workers_times_price():
    prices = DryRunConfig(
        price_vcpu_hour=0.1, price_memory_gb_hour=0.01, price_disk_gb_hour=0.001, price_accelerator_hour=0.45
    )
    fleet = Fleet(workers=10, machine_type="n1-standard-4", disk_gb=50)
    text = "\n".join(cost_estimate.describe_cost(SAMPLE, fleet, 32, prices))
    # 72,000 seconds of one worker; 4 x 0.1 + 15 x 0.01 + 50 x 0.001 + 0.45 = 1.05 an hour.
    assert "720,000 / (10.0 x 10) / 3600 = 2\n" in text
    assert "= 1.05 USD" in text
    assert "2 x 10 x 1.05 = 21.00 USD" in text
    assert "list prices" in text
    for flag in re.findall(r"--(price_\w+)", text):
        assert hasattr(prices, flag)


def test_more_workers_than_shards_are_of_no_use():
    fleet = Fleet(workers=100, machine_type="n1-standard-1", disk_gb=25)
    lines = cost_estimate.describe_cost(SAMPLE, fleet, 16, DryRunConfig())
    assert "16 workers n1-standard-1 (of 100; 16 shards)" in lines[0]
    assert "(10.0 x 16) / 3600 = 1.25" in lines[1]


@pytest.mark.parametrize(
    ("machine_type", "size"),
    [
        ("n1-standard-4", (4, 15)),
        ("n1-highmem-8", (8, 52)),
        ("e2-standard-2", (2, 8)),
        ("n2d-highcpu-16", (16, 16)),
        ("g2-standard-12", (12, 48)),
        ("custom-4-16384", (4, 16)),
        ("n2-custom-2-4096", (2, 4)),
    ],
)
def test_the_size_of_a_machine_is_in_its_name(machine_type, size):
    assert cost_estimate.machine_size(machine_type) == size


def fleet(*options):
    return cost_estimate.dataflow_fleet(options)


def test_workers_are_those_of_beams_options():
    assert fleet("--runner=FnApiRunner") is None
    assert fleet("--runner=DataflowRunner") == Fleet(workers=1, machine_type="n1-standard-1", disk_gb=25)
    asked = ("--num_workers=2", "--max_num_workers=8", "--machine_type=e2-standard-2", "--disk_size_gb=40")
    assert fleet("--runner=dataflow", *asked) == Fleet(workers=8, machine_type="e2-standard-2", disk_gb=40)
    with pytest.raises(UserError, match="--machine_type=e2-micro"):
        fleet("--runner=DataflowRunner", "--worker_machine_type=e2-micro")


@pytest.mark.parametrize(("seconds", "words"), [(10, "64 s"), (100, "11 min"), (2000, "3.6 h")])
def test_time_is_told_in_fitting_units(seconds, words):
    sample = Sample(total=640, images=100, dead_letters=0, seconds=seconds, bytes=1)
    assert f"= {words} in one process" in cost_estimate.describe(sample, "x")[3]
