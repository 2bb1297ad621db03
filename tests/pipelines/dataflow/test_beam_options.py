import re

import pytest

from pipelines.dataflow import beam_options
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError

OURS = list(flags.FLAGS)


def test_without_a_runner_it_runs_in_this_process():
    assert beam_options.check([], OURS) == ["--runner=FnApiRunner"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runner=DirectRunner"],
        ["--runner", "FlinkRunner", "--flink_master=localhost:8081"],
        [
            "--runner=DataflowRunner",
            "--project=p",
            "--region=r",
            "--temp_location=gs://b/t",
            "--machine_type=n1-standard-4",
            "--experiments=no_use_multiple_sdk_containers",
        ],
        ["--runner=PortableRunner", "--job_endpoint=localhost:8099", "--environment_type=LOOPBACK"],
    ],
)
def test_options_of_beam_pass(arguments):
    assert beam_options.check(arguments, OURS) == arguments


def test_options_without_a_runner_get_one():
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers", "2"]
    assert beam_options.check(arguments, OURS) == [*arguments, "--runner=FnApiRunner"]


@pytest.mark.parametrize(
    ("argument", "nearest"),
    [
        ("--runnner=DirectRunner", "--runner"),
        ("--direct_num_worker=2", "--direct_num_workers"),
        ("--num_shard=3", "--num_shards"),
        ("--targetlayer=conv", "--target_layer"),
        ("stray", ""),
    ],
)
def test_what_nobody_knows_is_refused(argument, nearest):
    with pytest.raises(UserError, match=re.escape(argument)) as error:
        beam_options.check(["--runner=DirectRunner", argument], OURS)
    assert nearest in str(error.value)


def test_a_bad_value_is_refused():
    with pytest.raises(UserError, match=r"direct_num_workers.*'two'"):
        beam_options.check(["--direct_num_workers=two"], OURS)


@pytest.mark.parametrize("name", ["DaskRunner", "dask", "apache_beam.runners.dask.dask_runner.DaskRunner"])
def test_dask_is_refused_with_the_reason(name):
    with pytest.raises(UserError, match="loses elements"):
        beam_options.check([f"--runner={name}"], OURS)


@pytest.mark.parametrize("runner", ["DataflowRunner", "dataflow"])
def test_dataflow_has_several_names(runner):
    assert beam_options.is_dataflow([f"--runner={runner}"])
    assert not beam_options.is_dataflow(["--runner=FlinkRunner"])


def test_flags_of_ours_are_no_options_of_beam():
    theirs = {option for action in beam_options._parser()._actions for option in action.option_strings}
    assert "--runner" in theirs
    # Beam's --dry_run is for Beam's tests; ours takes its place.
    assert theirs & {f"--{name}" for name in OURS} == {"--dry_run"}
