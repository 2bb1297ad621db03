"""Runs the studies on photographs of docs/results.md, and prints their tables.

python -m benchmarks.results --data_dir=DATA --backbone_weights=WEIGHTS       (make results)

The studies are birds on VGG-16 and on MobileNetV2, each of four animals separately, and the four in one
explainer, with the defaults of configs/vgg.flags, by the commands that users type. You can stop it at any
time; the next run skips finished steps. `--only=birds,fox` chooses studies, `--seeds=1` sets the number of
seeds; all other options are passed to the commands, with `{backbone}` replaced by the network's name. Tables
have means and standard deviations over seeds; a mean that reaches its aim is bold.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

from benchmarks.child_process import ROOT
from benchmarks.results_table import table

_FLAGS = "--flagfile=configs/vgg.flags"
_ANIMALS = ("fox", "giant panda", "cat", "turtle")
# Folders of birds and of negatives that tensorflow-datasets expects (docs/datasets.md).
_BIRDS = ("CUB_200_2011", "interpretableCNN")
_FIDELITY = {"error of fc1, both tracks": 0.20, "error of fc2, both tracks": 0.14, "agreement, %": 99}
_BIRDS_PCK = {
    "head": 88,
    "nape": 40,
    "breast": 45,
    "belly": 42,
    "back": 38,
    "wing": 50,
    "leg": 60,
    "tail": 42,
}


@dataclasses.dataclass(frozen=True)
class Study:
    """A study of docs/results.md.

    Attributes:
        name: of the study, of its folder below `runs/results`, and of its table.
        flags: for all commands, in addition to configs/vgg.flags.
        landmarks: landmarks with rows in the table.
        aims: value to reach, by row.
        has_test_split: whether to measure on the data set's own test split.
        backbone: the performer's convolutions.
    """

    name: str
    flags: tuple[str, ...]
    landmarks: tuple[str, ...]
    aims: dict[str, float]
    has_test_split: bool = False
    backbone: str = "vgg16"


def studies() -> list[Study]:
    """Returns all studies."""
    birds = Study(
        name="birds",
        flags=("--dataset=cub200_parts/bird", "--views=flip,crop", "--categories="),
        landmarks=tuple(_BIRDS_PCK),
        aims={f"PCK@0.1, %: {name}": aim for name, aim in _BIRDS_PCK.items()}
        | _FIDELITY
        | {"parts that are the best for a landmark": 5, "NMI, %": 48, "ARI, %": 28, "independent parts": 3},
        has_test_split=True,
    )
    small = dataclasses.replace(
        birds,
        name="birds_mobilenet",
        flags=(*birds.flags, "--head_pooling=average", "--target_layer=block_13_expand_relu"),
        backbone="mobilenet_v2",
        aims={},
    )
    animals = [
        Study(
            name=animal.replace(" ", "_"),
            flags=(f"--categories={animal}",),
            landmarks=("head", "frontal_legs"),
            # The published values of the interpretable network, plus 15 per cent.
            aims=_FIDELITY | {"location instability": limit},
        )
        for animal, limit in zip(_ANIMALS, (0.079, 0.072, 0.099, 0.132), strict=True)
    ]
    together = Study(
        name="four_animals",
        flags=("--flagfile=configs/vgg_animals.flags",),
        landmarks=("head", "frontal_legs"),
        aims={"location instability": 0.1},
    )
    return [birds, *animals, small, together]


def main(arguments: Sequence[str]) -> None:
    """Runs all steps that are not finished, and prints a study's table after each seed."""
    known = {study.name: study for study in studies()}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data_dir", type=pathlib.Path, required=True, help="the benchmarks' folders")
    parser.add_argument("--only", default=",".join(known), help="which studies")
    parser.add_argument("--seeds", type=int, default=3)
    options, others = parser.parse_known_args(arguments)
    for seed in range(options.seeds):
        for name in options.only.split(","):
            directory = ROOT / "runs" / "results" / name
            for module, flags, output in _steps(known[name], directory, seed, options.data_dir.resolve()):
                if not output.exists():
                    passed = [each.replace("{backbone}", known[name].backbone) for each in others]
                    command = [sys.executable, "-m", module, _FLAGS, *flags, *passed]
                    subprocess.run(command, cwd=ROOT, check=True)
            print(measured(known[name], directory), flush=True)  # noqa: T201


def _steps(
    study: Study, directory: pathlib.Path, seed: int, data: pathlib.Path
) -> Iterator[tuple[str, list[str], pathlib.Path]]:
    """Yields each command's module, its flags, and the file that exists once it is finished."""
    common = [*study.flags, f"--backbone={study.backbone}"]
    common.append(f"--data_dir={_prepared(directory, data) if study.has_test_split else data}")
    once = [*common, f"--workdir={directory}"]
    of_performer = [*common, f"--performer={directory / 'performer.keras'}"]
    yield "tf_explainer.train_performer", once, directory / "performer.json"
    yield "pipelines.extract_features", once, directory / "features" / "manifest.json"
    measured_on = directory / "features"
    if study.has_test_split:
        measured_on = directory / "test" / "features"
        of_test = [*of_performer, f"--workdir={directory / 'test'}", "--split=test", "--views="]
        yield "pipelines.extract_features", of_test, measured_on / "manifest.json"
    workdir = directory / f"seed-{seed}"
    again = [*of_performer, f"--workdir={workdir}", f"--seed={seed}"]
    learned_from = f"--features_dir={directory / 'features'}"
    yield "tf_explainer.train", [*again, learned_from], workdir / "explainer.keras"
    folds = ["--folds=2"] if study.has_test_split else []
    evaluated = [*again, *folds, f"--features_dir={measured_on}", "--evidence_images=6"]
    yield "tf_explainer.evaluate", evaluated, workdir / "metrics.json"


def _prepared(directory: pathlib.Path, data: pathlib.Path) -> pathlib.Path:
    """Links the folders into tensorflow-datasets' directory for manual downloads."""
    manual = directory / "tfds" / "downloads" / "manual"
    manual.mkdir(parents=True, exist_ok=True)
    for name in _BIRDS:
        if not (manual / name).is_symlink():
            (manual / name).symlink_to(data / name)
    return directory / "tfds"


def measured(study: Study, directory: pathlib.Path) -> str:
    """Returns the table over all finished seeds."""
    files = sorted(directory.glob("seed-*/metrics.json"))
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    seeds = "seed" if len(runs) == 1 else "seeds"
    return f"### {study.name}: {len(runs)} {seeds}\n\n" + table(runs, study.landmarks, study.aims)


if __name__ == "__main__":
    main(sys.argv[1:])
