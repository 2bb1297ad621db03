r"""Explains images: which object parts the performer sees, where, and how much they add (step 5).

python -m tf_explainer.explain --flagfile=configs/vgg.flags --image=cat.jpg
python -m tf_explainer.explain --flagfile=configs/vgg.flags --image='photos/*.jpg' --html

Without --image it explains some held-out images of the run, if there are any.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from absl import logging

from tf_explainer.command_line import entry_point, flags
from tf_explainer.errors import UserError

_LONGEST = 60  # bytes

if TYPE_CHECKING:
    import numpy as np

    from tf_explainer.config import WorkDir
    from tf_explainer.explanation.explanation import Explanation
    from tf_explainer.explanation.finished_run import FinishedRun
    from tf_explainer.features.dataset import Split
    from tf_explainer.features.schema import Manifest
    from tf_explainer.features.stored_features import Features


def main(arguments: Sequence[str]) -> None:
    """Writes a picture and a JSON file for every explanation, and optionally a page."""
    del arguments
    workdir, config = flags.workdir(), flags.explanation()

    from tf_explainer import atomic_file
    from tf_explainer.explanation import finished_run, report
    from tf_explainer.explanation import picture as explanation_picture
    from tf_explainer.features.manifest import read_manifest

    manifest = read_manifest(workdir.features)
    images = _images(config.images, workdir, manifest)
    run = finished_run.assemble(workdir, manifest, flags.performer(), flags.attribution())
    summary = run.summary() if config.html else None
    folder, several = config.output or workdir.explanations, run.performer.is_multi_label
    shown = []
    for explanation in _explanations(run, images, config.explained_class):
        name = f"{explanation.image} ({explanation.class_name})" if several else explanation.image
        picture = explanation_picture.draw(explanation, name, config.parts)
        path = os.path.join(folder, _file_name(name))
        with atomic_file.replacing(f"{path}.png") as temporary:
            picture.save(temporary)
        atomic_file.write_text(f"{path}.json", json.dumps(run.record(explanation), indent=1) + "\n")
        print(_line(explanation))
        if config.html:
            shown.append((name, explanation, picture))
    if summary is not None:
        atomic_file.write_text(os.path.join(folder, "report.html"), report.report(summary, shown))
    pictures = f"{folder}/report.html shows them all" if config.html else "--html writes them as a page"
    print(f"The explanations are in {folder}; {pictures}")
    print(entry_point.next_command("tf_explainer.export"))


def _explanations(
    run: FinishedRun, images: Iterator[tuple[str, np.ndarray]], class_name: str | None
) -> Iterator[Explanation]:
    try:
        for of_image in run.explain_named(images, class_name):
            yield from of_image
    except ValueError as error:
        raise UserError(f"--explained_class={class_name}: {error}") from error


def _line(explanation: Explanation) -> str:
    """Returns the printed lines of an explanation: class, strongest parts, verdict and gap."""
    greatest = ", ".join(f"{seen.part.name} {seen.contribution:+.2f}" for seen in explanation.strongest[:3])
    return (
        f"{explanation.image}: {explanation.class_name} {explanation.performer_probability:.3f}; {greatest}\n"
        f"  {explanation.verdict} The attribution's gap is {explanation.gap:+.3f} nats."
    )


def _images(named: Sequence[str], workdir: WorkDir, manifest: Manifest) -> Iterator[tuple[str, np.ndarray]]:
    """Returns images with their names; unreadable files are logged and left out."""
    if not named:
        return _images_of_run(workdir, manifest)
    from tf_explainer.datasets.image_files import read_images

    return read_images(named)


def _images_of_run(workdir: WorkDir, manifest: Manifest) -> Iterator[tuple[str, np.ndarray]]:
    from tf_explainer.features.stored_features import Features

    features = Features(manifest=manifest, directory=workdir.features, dataset=flags.dataset())
    count = flags.explanation().held_out_images
    images = list(_of_each_category(features, "held_out", count))
    if not images:
        logging.warning("No image of the run is held out: these were trained on; name others with --image")
        images = list(_of_each_category(features, "all", count))
    yield from images


def _of_each_category(features: Features, split: Split, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yields at most `count` images, divided evenly among the categories."""
    from tf_explainer.features.schema import CROP, ID, LABEL

    counts: collections.Counter[int] = collections.Counter()
    most = -(-count // len(features.categories))
    for batch in features.batches(split, negatives=False, with_crops=True):
        for name, label, crop in zip(batch[ID], batch[LABEL].tolist(), batch[CROP], strict=True):
            if counts.total() < count and counts[label] < most:
                counts[label] += 1
                yield name.decode(), crop


def _file_name(name: str) -> str:
    """Returns the file name of an image's results, without suffix: the end of the image's name and a hash."""
    plain = re.sub(r"[^\w.-]+", "_", name).encode()[-_LONGEST:].decode(errors="ignore").strip("_.-")
    return "-".join(filter(None, (plain, hashlib.sha256(os.fsencode(name)).hexdigest()[:10])))


def run() -> None:
    """The console script tf-explainer-explain."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
