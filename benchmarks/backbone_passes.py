"""Measures how often images pass through a frozen backbone in `train_performer` and `extract_features`.

python -m benchmarks.backbone_passes WEIGHTS PHOTOGRAPHS

All figures are seconds of CPU per image, with VGG-16: the difference between processes on many and on few
images, so that starting up drops out.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

from benchmarks import child_process, photographs
from tf_explainer.config import WorkDir

_FEW, _MANY = 32, 160
_EPOCHS = 10


class Runs:
    """Steps on the first images of a folder of photographs, in a work directory for each number of images."""

    def __init__(self, folder: pathlib.Path, weights: str, images: list[pathlib.Path]) -> None:
        self._folder, self._weights, self._images = folder, weights, images

    def workdir(self, count: int) -> WorkDir:
        """Returns the work directory for `count` images."""
        return WorkDir(root=str(self._folder / f"run_{count}"))

    def images(self, count: int) -> str:
        """Returns a folder of two classes with `count` images."""
        data = self._folder / f"images_{count}"
        if not data.exists():
            data.mkdir()
            for name, half in (("even", self._images[::2]), ("odd", self._images[1::2])):
                photographs.folder(data / name, half, count // 2)
        return str(data)

    def seconds(self, module: str, *arguments: str) -> float:
        """Returns the seconds of CPU per image in a step."""
        few, many = (
            child_process.run(module, [*self._flags(count), *arguments]).cpu_seconds
            for count in (_FEW, _MANY)
        )
        return (many - few) / (_MANY - _FEW)

    def bare(self) -> float:
        """Returns the seconds of CPU that the performer alone takes for a decoded crop."""
        file, layers = self.workdir(_FEW).performer, ("block5_conv3", "fc1,fc2")
        usage = child_process.run(
            "benchmarks.bare_model", [file, "224", *layers, self.images(_MANY), "32", "decoded"]
        )
        measured = json.loads(usage.output.splitlines()[-1])
        return measured["cpu_seconds"] / measured["images"]

    def _flags(self, count: int) -> list[str]:
        return [
            f"--workdir={self.workdir(count).root}",
            "--dataset=folder",
            f"--data_dir={self.images(count)}",
            f"--backbone_weights={self._weights}",
            "--target_layer=block5_conv3",
            "--distilled_layers=fc1,fc2",
            "--num_shards=2",
        ]


def measured(runs: Runs) -> dict[str, float]:
    """Returns the seconds of CPU per image, by name of the step."""
    train, extract = "tf_explainer.train_performer", "pipelines.extract_features"
    seconds = {"train_performer, 1 epoch": runs.seconds(train, "--performer_epochs=1")}
    seconds["extract_features after it"] = runs.seconds(extract)
    again = runs.seconds(train, "--performer_epochs=1", "--overwrite")
    long = runs.seconds(train, f"--performer_epochs={_EPOCHS}", "--overwrite")
    seconds["train_performer again, 1 epoch"] = again
    seconds["an epoch of the head"] = (long - again) / (_EPOCHS - 1)
    for count in (_FEW, _MANY):
        pathlib.Path(runs.workdir(count).backbone_maps).unlink()
        shutil.rmtree(runs.workdir(count).features)
    seconds["extract_features without maps"] = runs.seconds(extract)
    seconds["the bare performer on decoded crops"] = runs.bare()
    return seconds


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", help="file of VGG-16's weights without the top")
    parser.add_argument("photographs", type=pathlib.Path, help="folder of JPEG files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        images = photographs.originals(folder / "drawn", options.photographs)
        seconds = measured(Runs(folder, str(pathlib.Path(options.weights).absolute()), images))
    bare = seconds["the bare performer on decoded crops"]
    for name, value in seconds.items():
        sys.stdout.write(f"| {name} | {value:.3f} | {value / bare:.2f} |\n")
    both = seconds["train_performer, 1 epoch"] + seconds["extract_features after it"]
    without_head = both - seconds["an epoch of the head"]
    sys.stdout.write(f"both steps / bare: {both / bare:.2f}, without the head: {without_head / bare:.2f}\n")


if __name__ == "__main__":
    main()
