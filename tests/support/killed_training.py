"""Kills a small training again and again: `python -m tests.support.killed_training JSON KILLS SEED`.

JSON is that of `training_process`. Every process is a fork of this one, which has imported everything but
started nothing: that saves most of the time. Prints how many steps were taken, repeated ones included.
"""

import json
import os
import pathlib
import random
import signal
import sys
import time

from tests.support.training_process import started


def kill_after_a_step(child, steps, wait):
    """Kills `wait` seconds after the process has taken its first step."""
    before = steps.stat().st_size
    while steps.stat().st_size == before and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.005)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(settings, kills, seed):
    moments, steps = random.Random(seed), pathlib.Path(settings["steps"])
    steps.touch()
    for _ in range(kills):
        kill_after_a_step(started(settings), steps, moments.uniform(0, 0.4))
    _, status = os.waitpid(started(settings), 0)
    taken = steps.read_text().split()
    print(len(taken), len(set(taken)))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
