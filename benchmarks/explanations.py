"""Measures `pipelines.explain_images` against one pass of performer and explainer (docs/performance.md).

python -m benchmarks.explanations WORKDIR [PHOTOGRAPHS] [--size=64] [--repetitions=3]

Whole processes that take turns, decoding on both sides. The job's rate is that of the images which a longer
run has more than a shorter one, so that starting up and loading the networks drop out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile

from benchmarks import child_process, photographs
from benchmarks.rate import Rate, compared
from tf_explainer.config import WorkDir
from tf_explainer.features.manifest import read_manifest

_BATCH_SIZE = 32


class Explaining:
    """The real binary on folders of images.

    Args:
        workdir: of a finished run.
        directory: gets folders of images.
        images: that the folders are made of.
    """

    def __init__(self, workdir: str, directory: pathlib.Path, images: list[pathlib.Path]) -> None:
        self._workdir, self._directory, self._images = workdir, directory, images
        manifest = read_manifest(WorkDir(root=workdir).features)
        self._network = [
            f"--workdir={workdir}",
            f"--image_size={manifest.image_size}",
            f"--target_layer={manifest.target.name}",
            f"--distilled_layers={','.join(layer.name for layer in manifest.distilled)}",
        ]

    def folder(self, count: int) -> str:
        """Returns a folder of `count` images."""
        path = self._directory / f"images-{count}"
        return str(path) if path.exists() else photographs.folder(path, self._images, count)

    def rate(self, few: int, many: int, *options: str) -> Rate:
        """Returns images a second of what the longer run has more."""
        output = f"--explanations_file={self._directory / 'explained.jsonl'}"
        batch = f"--extraction_batch_size={_BATCH_SIZE}"
        short, long = (
            child_process.run(
                "pipelines.explain_images",
                [*self._network, batch, output, f"--image={self.folder(count)}", *options],
            )
            for count in (few, many)
        )
        return Rate.of_difference(short, long, many - few)

    def bare(self, count: int) -> Rate:
        """Returns the images a second of one pass of both networks."""
        usage = child_process.run(
            "benchmarks.bare_explanation", [self._workdir, self.folder(count), str(_BATCH_SIZE)]
        )
        return Rate.of(json.loads(usage.output.splitlines()[-1]))


def main() -> None:
    """Measures row after row, and prints each as it is done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workdir", help="of a finished run")
    parser.add_argument(
        "photographs", nargs="?", default="", help="a folder of .JPEG files; drawn ones if none"
    )
    parser.add_argument(
        "--size", type=int, default=64, help="images of a short run; a long one has three times"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="of each measurement")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        named = pathlib.Path(options.photographs) if options.photographs else directory / "none"
        explaining = Explaining(options.workdir, directory, photographs.originals(directory / "drawn", named))
        few, many = options.size, 3 * options.size
        rows = {
            "integrated gradients, job / one pass of both networks": (),
            "gradient x activation, job / one pass": ("--attribution=gradient_x_activation",),
        }
        for name, chosen in rows.items():
            job, bare = [], []
            for _ in range(options.repetitions):
                job.append(explaining.rate(few, many, *chosen))
                bare.append(explaining.bare(many - few))
            sys.stdout.write(f"| {name} | {compared(job, bare)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
