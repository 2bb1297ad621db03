r"""Runs all steps, one after another, and keeps finished work.

python -m tf_explainer run --data_dir=photos --performer=model.keras
python -m tf_explainer run --flagfile=configs/vgg.flags

Takes the flags of every step, and options of Apache Beam. If it is interrupted, the same command continues.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence

from tf_explainer.command_line import entry_point, flags
from tf_explainer.command_line import usage as command_line
from tf_explainer.config import WorkDir
from tf_explainer.errors import UserError

_TRAIN_PERFORMER, _EXTRACT, _EXPLAIN = (
    "tf_explainer.train_performer",
    "pipelines.extract_features",
    "tf_explainer.explain",
)
_STEPS = (_TRAIN_PERFORMER, _EXTRACT, "tf_explainer.train", "tf_explainer.evaluate", _EXPLAIN)


def main(arguments: Sequence[str]) -> None:
    """Runs each step in its own process, and ends with the paths of the results."""
    assumed = _assume()
    workdir = flags.workdir()
    _check_settings(arguments)
    steps = [step for step in _STEPS if step != _TRAIN_PERFORMER or _needs_head(workdir)]
    if assumed:
        print(f"Assumed: {' '.join(assumed)}")
    ours = command_line.without(sys.argv[1:], arguments)
    for number, step in enumerate(steps, 1):
        name = step.rpartition(".")[2]
        print(f"Step {number} of {len(steps)}: {name}")
        page = ["--html"] if step == _EXPLAIN else []
        code = _run(step, [*assumed, *page, *(sys.argv[1:] if step == _EXTRACT else ours)])
        if code:
            sys.stderr.write(
                f"Stopped in step {number} of {len(steps)}, {name}. Finished work is kept: the same command "
                "continues from there.\n"
            )
            sys.exit(code)
    output = flags.explanation().output or workdir.explanations
    another = command_line.following(_EXPLAIN, sys.orig_argv, [*assumed, *ours, "--image=..."])
    print(f"The report:         {os.path.join(output, 'report.html')}")
    print(f"What it looks at:   {workdir.summary_picture}, its parts: {workdir.parts}")
    print(f"Every part, filter: tensorboard --logdir={workdir.tensorboard}")
    print(f"Another image:      {another}")


def _assume() -> list[str]:
    """Sets flags that the user left out; returns them as arguments.

    Raises:
        UserError: no images are named.
    """
    data_dir = flags.FLAGS.data_dir
    assumed = []
    if not flags.names_dataset():
        if not data_dir:
            raise UserError(
                "no images are named: --data_dir=photos, a folder with a sub-folder for each class"
            )
        assumed += flags.assume("dataset", "folder")
    if not flags.names_workdir():
        named = re.split(r"[*?\[]", data_dir)[0] if data_dir else flags.FLAGS.dataset
        assumed += flags.assume("workdir", f"runs/{_base_name(named)}")
    if not flags.is_written("views"):
        assumed += flags.assume("views", ["flip"])  # For the equivariance loss.
    return assumed


def _base_name(path: str) -> str:
    base = os.path.basename(os.path.abspath(path)) if "://" not in path else path.rstrip("/").split("/")[-1]
    return re.sub(r"[^\w.-]+", "_", base).strip("_.") or "run"


def _check_settings(beam_options: Sequence[str]) -> None:
    """Checks the settings of all steps before hours of work.

    Raises:
        UserError: a setting is wrong.
    """
    steps = flags.dataset, flags.performer_training, flags.extraction, flags.training, flags.evaluation
    for read_settings in steps:
        read_settings()
    if beam_options:
        from pipelines.dataflow.beam_options import check

        check(beam_options, list(flags.FLAGS))


def _needs_head(workdir: WorkDir) -> bool:
    """Returns whether a head must be trained.

    Raises:
        UserError: --own_head is given, but a head was trained in this work directory before.
    """
    if flags.performer().performer:
        return False
    if not flags.chain().own_head:
        return True
    from tf_explainer.performer.report import PerformerReport

    try:
        with open(workdir.performer_report, encoding="utf-8") as file:
            trained = PerformerReport.from_json(file.read()).is_trained
    except (OSError, ValueError):
        trained = False
    if trained:
        raise UserError(f"--own_head: {workdir.performer} already has a trained head: name another --workdir")
    return False


def _run(step: str, arguments: Sequence[str]) -> int:
    """Runs a step and returns its exit status; 128 + N if signal N came, however the step ended."""
    environment = os.environ | {command_line.ONE_OF_ALL_STEPS: "1"}
    command = [sys.executable, "-m", step, *arguments]
    with subprocess.Popen(command, env=environment) as process, _signals_for(process) as received:
        code = process.wait()
    if received:
        return 128 + received[0]
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _signals_for(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Lets the step decide how to end on SIGINT or SIGTERM; yields the signals received in the block."""
    received: list[int] = []

    def record(number: int, frame: types.FrameType | None) -> None:
        del frame
        received.append(number)
        if number == signal.SIGTERM:  # The terminal sends Ctrl-C to the step itself.
            process.send_signal(number)

    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run() -> None:
    """The console script tf-explainer-run."""
    entry_point.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
