"""A small training as a program of its own: `python -m tests.support.training_process JSON`.

The argument holds `root` (work directory), `features_dir`, `config` (changes of the settings), `out` (a file
for the weights, `.npz`), `pause` (seconds between steps) and `steps` (a file to which steps are appended).
SIGTERM is answered as the binary does. Several arguments are trained side by side, each in a fork of this
process, which has imported everything but started nothing; `environment` holds what one's variables are.
"""

import dataclasses
import json
import os
import pathlib
import sys
import time

import keras
import numpy as np

from tests.support.small_training import CONFIG, small_trainer
from tf_explainer.command_line.termination import Termination
from tf_explainer.config import WorkDir
from tf_explainer.errors import UserError
from tf_explainer.features.manifest import read_manifest
from tf_explainer.training import distribution
from tf_explainer.training.trainer import Terminated


class Pace(keras.callbacks.Callback):
    """Tells the steps that were taken, and waits."""

    def __init__(self, file, seconds):
        super().__init__()
        self.file, self.seconds = pathlib.Path(file), seconds

    def on_train_batch_end(self, batch, logs=None):
        with self.file.open("a") as file:
            file.write(f"{batch}\n")
        time.sleep(self.seconds)


def train(settings):
    """Returns the exit code."""
    termination = Termination()
    config = dataclasses.replace(CONFIG, **settings.get("config", {}))
    strategy = distribution.strategy_named(config.strategy, config.logical_cpus)
    workdir = WorkDir(root=settings["root"], features_dir=settings["features_dir"])
    trainer = small_trainer(
        workdir,
        read_manifest(workdir.features),
        config=config,
        strategy=strategy,
        callbacks=[Pace(settings["steps"], settings.get("pause", 0))] if "steps" in settings else [],
        stop=lambda: termination.requested,
    )
    try:
        explainer = trainer.run()
    except (Terminated, UserError) as end:
        print(end)
        return 0 if isinstance(end, Terminated) else 1
    if "out" in settings:
        values = {weight.path: keras.ops.convert_to_numpy(weight) for weight in explainer.weights}
        np.savez(settings["out"], **values)
    return 0


def started(settings):
    """Trains in a fork of this process, and returns its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(settings.get("environment", {}))
        code = train(settings)
    finally:
        sys.stdout.flush()
        os._exit(code)


def main(arguments):
    """Returns the first exit code that is not 0."""
    settings = [json.loads(argument) for argument in arguments]
    if len(settings) == 1:
        return train(*settings)
    children = [started(each) for each in settings]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return next(filter(None, codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
