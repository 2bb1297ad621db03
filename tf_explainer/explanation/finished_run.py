"""A finished run, read from its work directory: explains images.

run = load_run("runs/vgg_fox")
run.summary()  # what the network looks at
run.parts["head"]  # what a part looks at
run.explain("fox.jpg")

A notebook renders each of these.
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
    """A performer with its trained explainer.

    Attributes:
        performer: the network.
        explainer: trained on the performer's features.
        part_groups: groups of the explainer's filters.
        class_names: of the performer's classes; `output 0`, ... if they have no names.
        mean_features: `[L, L, D]`, the mean features of the target layer, the baseline of contributions.
        attribution: how scores are shared out among filters.
        workdir: of the run; None if it was not read from one.
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
        """The fingerprint of the explainer."""
        return self.explainer.fingerprint

    @functools.cached_property
    def parts(self) -> RunParts:
        """The parts by name: `parts["head"].plot()`."""
        return RunParts(self.part_groups, self.explainer, self.workdir)

    @functools.cached_property
    def image_explainer(self) -> ImageExplainer:
        """Explains images given as pixels."""
        return ImageExplainer(
            self.performer,
            self.explainer,
            self.part_groups,
            self.class_names,
            self.mean_features,
            self.attribution,
        )

    def summary(self) -> RunSummary:
        """Returns what the network looks at over many images, as measured by the evaluation.

        Raises:
            UserError: the run was not evaluated or has no work directory, or the file is damaged.
        """
        if self.workdir is None:
            raise UserError("a run without a work directory has no summary: read the run with load_run")
        return read_summary(self.workdir.summary, self.fingerprint)

    @overload
    def explain(  # type: ignore[overload-overlap]  # A string is a sequence of strings.
        self, image: ImageLike, class_name: str | None = None
    ) -> Explanation: ...

    @overload
    def explain(self, image: Sequence[ImageLike], class_name: str | None = None) -> Explanations: ...

    def explain(
        self, image: ImageLike | Sequence[ImageLike], class_name: str | None = None
    ) -> Explanation | Explanations:
        """Explains one image or several.

        Args:
            image: a file, or `[H, W, 3]` uint8, RGB, of any size; or a sequence of these, of folders and of
                patterns. Unreadable files of folders and patterns are logged and left out.
            class_name: the class whose score to explain; None: the class that the performer names.

        Raises:
            UserError: a file is not an image, or a folder or pattern has none.
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
        """Explains every class that the performer names on one image; a multi-label one may name several.

        Args:
            image: one image, as for `explain`.

        Raises:
            UserError: the file is not an image.
        """
        return Explanations(next(self.explain_named([_named_pixels(image)])))

    def explain_named(
        self,
        images: Iterable[tuple[str, np.ndarray]],
        class_name: str | None = None,
        batch_size: int = _BATCH_SIZE,
    ) -> Iterator[tuple[Explanation, ...]]:
        """Explains images in batches, and yields the explanations of each image.

        Args:
            images: names and pixels, `[H, W, 3]` uint8, RGB, of any size.
            class_name: the class whose score to explain; None: every class that the performer names.
            batch_size: number of images per pass of the networks.

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
        """Returns an explanation of this run as plain values, which `docs/explanations.md` describes."""
        return {"image": explanation.image, "explainer": self.fingerprint} | explanation.to_dict()

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
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
        raise UserError(f"{image} names {len(several)} images: use explain([{str(image)!r}])")
    return several[0]


def _several(image: ImageLike) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(image, np.ndarray):
        yield "", image
    else:
        yield from read_images([os.fspath(image)])


def load_run(root: str, features_dir: str | None = None, **performer: Any) -> FinishedRun:
    """Reads a run from its work directory.

    Args:
        root: the work directory.
        features_dir: of the features, if they are not in the work directory.
        **performer: fields of `PerformerConfig`, if the performer is not in the work directory:
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
    """Reads the run that belongs to a set of stored features.

    Args:
        workdir: holds the explainer, the parts and the average image.
        manifest: of the features.
        performer: names the network and its layers.
        attribution: how scores are shared out; None: the default.

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
    """Reads the summary that an evaluation wrote for the explainer with this fingerprint.

    Raises:
        UserError: the file is missing, damaged, or of another explainer.
    """
    evaluate = "run `python -m tf_explainer.evaluate` with the flags of the run: it writes the summary"
    try:
        with tf.io.gfile.GFile(path) as file:
            return run_summary.from_json(file.read(), explainer)
    except tf.errors.NotFoundError as error:
        raise UserError(f"there is no {path}: {evaluate}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}; {evaluate}") from error
