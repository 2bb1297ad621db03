import re

import pytest

from pipelines.extraction.resource_hints import resource_hints
from tf_explainer.errors import UserError


def test_nothing_asked_for():
    assert resource_hints("", "") == {}


def test_a_name_becomes_a_hint():
    assert resource_hints("nvidia-l4", "16GB") == {
        "accelerator": "type:nvidia-l4;count:1;install-nvidia-driver",
        "min_ram": "16GB",
    }


def test_a_whole_hint_stays():
    hint = "type:nvidia-tesla-t4;count:2;install-nvidia-driver:5xx"
    assert resource_hints(hint, "") == {"accelerator": hint}


@pytest.mark.parametrize(
    "accelerator", ["type:nvidia-l4", "count:1;install-nvidia-driver", "nvidia-l4;count:x"]
)
def test_half_a_hint_is_refused(accelerator):
    with pytest.raises(UserError, match=re.escape(f"--accelerator={accelerator} is neither")):
        resource_hints(accelerator, "")


@pytest.mark.parametrize("ram", ["16", "much", "16 G"])
def test_a_size_needs_a_unit(ram):
    with pytest.raises(UserError, match=re.escape(f"--worker_min_ram={ram} is not a size")):
        resource_hints("", ram)
