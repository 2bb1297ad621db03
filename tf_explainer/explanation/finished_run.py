"""What the steps have left in a work directory, ready to explain images.

run = load_run("runs/vgg_fox")
run.summary()  # what the network looks at
run.parts["head"]  # what a part looks at
run.explain("fox.jpg")

In a notebook, each of them shows itself.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import tensorflow as tf

from tf_explainer.config import AttributionConfig, PerformerConfig, WorkDir
from tf_explainer.datasets.image_files import read_images
from tf_explainer.errors import UserError
from tf_explainer.evaluation.parts import Part
from tf_explainer.evaluation.results import load_explainer, read_parts
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explanation import average_image, run_summary
from tf_explainer.explanation.explanation import Explanation
from tf_explainer.explanation.explanations import Explanations
from tf_explainer.explanation.image_explainer import ImageExplainer
from tf_explainer.explanation.run_parts import RunParts
from tf_explainer.explanation.run_summary import RunSummary
from tf_explainer.features.manifest import check_manifest, read_manifest
from tf_explainer.features.outputs import outputs_of
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import Performer, load_performer

_BATCH_SIZE = 32

ImageLike = str | os.PathLike[str] | np.ndarray
"""A file, or pixels `[H, W, 3]` uint8, RGB, of any size."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A performer that is explained.

    Attributes:
        performer: the network.
        explainer: trained on its features.
        part_groups: groups of the explainer's filters.
        class_names: of the performer's classes; `output 0`, ... where nobody has named them.
        mean_features: `[L, L, D]`, the target layer's on the average image, from which contributions are
            counted.
        attribution: how scores are shared out among filters.
        workdir: where it lies; None: nowhere.
    """

    performer: Performer
    explainer: Explainer
    part_groups: tuple[Part, ...]
    class_names: tuple[str, ...]
    mean_features: np.ndarray
    attribution: AttributionConfig = dataclasses.field(default_factory=AttributionConfig)
    workdir: WorkDir | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """The explainer's."""
        return self.explainer.fingerprint

    @functools.cached_property
    def parts(self) -> RunParts:
        """The groups by name: `parts["head"].plot()`."""
        return RunParts(self.part_groups, self.explainer, self.workdir)

    @functools.cached_property
    def image_explainer(self) -> ImageExplainer:
        """What explains images."""
        return ImageExplainer(
            self.performer,
            self.explainer,
            self.part_groups,
            self.class_names,
            self.mean_features,
            self.attribution,
        )

    def summary(self) -> RunSummary:
        """Returns what the network looks at, over many images, as the evaluation has measured it.

        Raises:
            UserError: it has not, or the file is damaged.
        """
        if self.workdir is None:
            raise UserError("a run that lies in no work directory has no summary: read one by load_run")
        return read_summary(self.workdir.summary, self.fingerprint)

    @overload
    def explain(  # type: ignore[overload-overlap]  # A text is a sequence of texts, too.
        self, image: ImageLike, class_name: str | None = None
    ) -> Explanation: ...

    @overload
    def explain(self, image: Sequence[ImageLike], class_name: str | None = None) -> Explanations: ...

    def explain(
        self, image: ImageLike | Sequence[ImageLike], class_name: str | None = None
    ) -> Explanation | Explanations:
        """Explains one image, or several.

        Args:
            image: a file, or `[H, W, 3]` uint8, RGB, of any size; or a sequence of these and of folders and
                patterns, of which what cannot be read is logged and left out.
            class_name: whose score; None: the class that the performer names.

        Raises:
            UserError: a file is no image, or nothing that is named is.
            ValueError: the performer has no such class.
        """
        if isinstance(image, (str, os.PathLike)) or (isinstance(image, np.ndarray) and image.ndim == 3):
            name, pixels = _named_pixels(image)
            return dataclasses.replace(self.image_explainer.explain(pixels, class_name), image=name)
        named = (each for one in image for each in _several(one))
        return Explanations(
            dataclasses.replace(explanation, image=name)
            for names, pixels in _batches(named)
            for name, explanation in zip(
                names, self.image_explainer.explain_batch(pixels, class_name), strict=True
            )
        )

    def explain_each(self, image: ImageLike) -> Explanations:
        """Explains every class that the performer says of one image: several where it is multi-label.

        Args:
            image: as of `explain`.

        Raises:
            UserError: the file is no image.
        """
        return Explanations(next(self.explain_named([_named_pixels(image)])))

    def explain_named(
        self,
        images: Iterable[tuple[str, np.ndarray]],
        class_name: str | None = None,
        batch_size: int = _BATCH_SIZE,
    ) -> Iterator[tuple[Explanation, ...]]:
        """Explains images in batches, and yields each one's explanations.

        Args:
            images: names and pixels, `[H, W, 3]` uint8, RGB, of any size.
            class_name: whose score; None: every class that the performer says of an image, several where it
                is multi-label.
            batch_size: images that the networks see at once.

        Raises:
            ValueError: the performer has no such class.
        """
        for names, pixels in _batches(images, batch_size):
            if class_name is None:
                explained = self.image_explainer.explain_each_of_batch(pixels)
            else:
                explained = [(one,) for one in self.image_explainer.explain_batch(pixels, class_name)]
            for name, of_image in zip(names, explained, strict=True):
                yield tuple(dataclasses.replace(each, image=name) for each in of_image)

    def record(self, explanation: Explanation) -> dict[str, Any]:
        """Returns an explanation of this run as plain values; `docs/explanations.md` tells of them."""
        return {"image": explanation.image, "explainer": self.fingerprint} | explanation.to_dict()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.parts._repr_html_()

    def __repr__(self) -> str:
        target = self.performer.config.target_layer
        return f"FinishedRun({len(self.parts)} parts of {target}, classes {', '.join(self.class_names)})"


def _batches(
    images: Iterable[tuple[str, np.ndarray]], size: int = _BATCH_SIZE
) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    remaining = iter(images)
    while batch := list(itertools.islice(remaining, size)):
        yield [name for name, _ in batch], [pixels for _, pixels in batch]


def _named_pixels(image: ImageLike) -> tuple[str, np.ndarray]:
    several = list(_several(image))
    if len(several) > 1:
        raise UserError(f"{image} stands for {len(several)} images: explain([{str(image)!r}]) takes several")
    return several[0]


def _several(image: ImageLike) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(image, np.ndarray):
        yield "", image
    else:
        yield from read_images([os.fspath(image)])


def load_run(root: str, features_dir: str | None = None, **performer: Any) -> FinishedRun:
    """Reads a run by its directory alone.

    Args:
        root: the work directory.
        features_dir: where the features lie if not in it.
        **performer: what `PerformerConfig` must know of a performer that does not lie in the work directory:
            `performer="model.keras"`, `preprocessing="vgg16"`, `class_names=("cat", "dog")`, ...

    Raises:
        UserError: something is missing, damaged, or of another run.
    """
    workdir = WorkDir(root=root, features_dir=features_dir)
    manifest = read_manifest(workdir.features)
    if not performer and not tf.io.gfile.exists(workdir.performer):
        raise UserError(f"there is no {workdir.performer}: name the network, performer='FILE.keras'")
    config = PerformerConfig(
        image_size=manifest.image_size,
        target_layer=manifest.target.name,
        distilled_layers=tuple(layer.name for layer in manifest.distilled),
    )
    return assemble(workdir, manifest, dataclasses.replace(config, **performer))


def assemble(
    workdir: WorkDir,
    manifest: Manifest,
    performer: PerformerConfig,
    attribution: AttributionConfig | None = None,
) -> FinishedRun:
    """Reads what belongs to a set of stored features.

    Args:
        workdir: holds the explainer, the parts and the average image.
        manifest: of the features.
        performer: names the network and its layers.
        attribution: how scores are shared out; None: as by default.

    Raises:
        UserError: something is missing, damaged, or of another run.
    """
    network = load_performer(performer, workdir)
    check_manifest(manifest, network)
    explainer = load_explainer(workdir.explainer, manifest, trust_code=performer.trust_performer_code)
    return FinishedRun(
        performer=network,
        explainer=explainer,
        part_groups=tuple(read_parts(workdir.part_groups, explainer)),
        class_names=outputs_of(network, manifest).names,
        mean_features=average_image.read(workdir.mean_features, explainer),
        attribution=attribution or AttributionConfig(),
        workdir=workdir,
    )


def read_summary(path: str, explainer: str) -> RunSummary:
    """Reads the summary that an evaluation has left of an explainer, by its fingerprint.

    Raises:
        UserError: there is none, or the file is damaged.
    """
    evaluate = "run `python -m tf_explainer.evaluate` with the flags of the run: it sums up what is looked at"
    try:
        with tf.io.gfile.GFile(path) as file:
            return run_summary.from_json(file.read(), explainer)
    except tf.errors.NotFoundError as error:
        raise UserError(f"there is no {path}: {evaluate}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}; {evaluate}") from error
