"""Names of runs that a loader of TensorBoard cannot read, and names in any script."""

import pytest

from tests.plugins.snapshot_example import client_of, wait_for, write_run

NAMES = ["\u65e5\u672c\u8a9e \N{FOX FACE}", "plain"]
HARD = ['a"b', "c\\d"]


@pytest.mark.parametrize("fast", [True, False], ids=["fast loader", "slow loader"])
def test_what_the_fast_loader_cannot_read_is_skipped_with_the_flag_that_helps(tmp_path, fast):
    for name in NAMES + HARD:
        write_run(tmp_path / name, steps=(2,))
    client = client_of(tmp_path, fast=fast)

    def listed():
        return client.get("/data/plugin/parts/runs").json

    wait_for(lambda: len(listed()["runs"]) + len(listed()["skipped"]) == 4)
    found = listed()
    assert set(found["runs"]) == set(NAMES if fast else NAMES + HARD)
    assert set(found["skipped"]) == set(HARD if fast else [])
    assert all("--load_fast=false" in text for (text,) in found["skipped"].values())
    for run in found["runs"]:
        assert len(found["written"][run]) == 1
        asked = {"run": run, "step": 2, "image": 0}
        assert client.get("/data/plugin/parts/crop", query_string=asked).status_code == 200
