"""A directory that is deleted or written anew while it is served: the server says what is there now."""

import shutil
import time

import pytest

from tests.plugins.snapshot_example import client_of, wait_for, write_run

RUNS = {plugin: f"/data/plugin/{plugin}/runs" for plugin in ("parts", "part_images")}


@pytest.fixture
def served(tmp_path):
    """A client, and what lets TensorBoard read the directory again."""
    write_run(tmp_path / "zebra", steps=(2,))
    write_run(tmp_path / "other", steps=(2,))
    client = client_of(tmp_path, fast=False)
    wait_for(lambda: len(client.get(RUNS["part_images"]).json["runs"]) == 2)

    def read_again():
        client.multiplexer.AddRunsFromDirectory(str(tmp_path))
        client.multiplexer.Reload()

    return client, read_again


@pytest.mark.parametrize("plugin", RUNS)
def test_a_deleted_run_is_listed_no_more_and_what_is_asked_of_it_is_refused_in_words(
    tmp_path, served, plugin
):
    client, read_again = served
    asked = f"/data/plugin/{plugin}/index?run=zebra&step=2"
    assert client.get(asked).status_code == 200
    shutil.rmtree(tmp_path / "zebra")
    read_again()
    assert set(client.get(RUNS[plugin]).json["runs"]) == {"other"}
    refused = client.get(asked)
    assert refused.status_code == 404
    assert "run 'zebra' has no" in refused.text
    crop = client.get("/data/plugin/parts/crop?run=zebra&step=2&image=0")
    assert crop.status_code == 404
    assert client.get(asked.replace("zebra", "other")).status_code == 200


@pytest.mark.parametrize("seen", [True, False], ids=["read in between", "written at once"])
def test_a_run_that_is_written_anew_has_its_new_steps_values_and_pictures(tmp_path, served, seen):
    client, read_again = served

    def stored(run):
        asked = f"layer=block/parts&run={run}&step=2&group=0"
        routes = ("figures", "peaks", "tops", "part_maps")
        return [client.get(f"/data/plugin/parts/{route}?{asked}").data for route in routes]

    before, times = stored("zebra"), client.get(RUNS["parts"]).json["written"]["zebra"]
    shutil.rmtree(tmp_path / "zebra")
    if seen:
        read_again()
    # TensorBoard takes event files by their names, which have the second.
    time.sleep(1.1)
    write_run(tmp_path / "zebra", steps=(2, 5), seed=7)
    read_again()
    listed = client.get(RUNS["parts"]).json
    assert listed["runs"]["zebra"] == [2, 5]
    assert listed["written"]["zebra"][0] > times[0]
    write_run(tmp_path / "new", steps=(2, 5), seed=7)
    read_again()
    assert stored("zebra") == stored("new") != before
    assert client.get("/data/plugin/parts/crop?run=zebra&step=2&image=0").status_code == 200
