"""A small training as a program of its own: `python -m tests.training_process JSON`.

The argument holds `root` (work directory), `features_dir`, `config` (changes of the settings), `out` (a file
for the weights, `.npz`), `pause` (seconds between steps) and `steps` (a file to which steps are appended).
SIGTERM is answered as the binary does.
"""

import dataclasses
import json
import pathlib
import sys
import time

import keras
import numpy as np

from tests.small_training import CONFIG, small_trainer
from tf_explainer import distribution
from tf_explainer.config import WorkDir
from tf_explainer.dataset import read_manifest
from tf_explainer.errors import UserError
from tf_explainer.termination import Termination
from tf_explainer.trainer import Terminated


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


if __name__ == "__main__":
    sys.exit(train(json.loads(sys.argv[1])))
