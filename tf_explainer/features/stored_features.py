"""A set of stored features as NumPy batches, for evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tf_explainer.config import DatasetConfig
from tf_explainer.features.dataset import Split, feature_dataset
from tf_explainer.features.outputs import Outputs
from tf_explainer.features.schema import FOLD_POSITION, LABEL, LANDMARKS, ORIGINAL, Manifest
from tf_explainer.images.folds import fold_of
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.layer_measures import Annotations

BATCH_SIZE = 32
ANNOTATIONS = LABEL, LANDMARKS, FOLD_POSITION

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """A set of stored features.

    Attributes:
        manifest: of the set.
        directory: directory of its files.
        dataset: how images are divided into folds.
        outputs: meaning of the stored scores; None: unknown, so scores are not compared with labels.
    """

    manifest: Manifest
    directory: str
    dataset: DatasetConfig
    outputs: Outputs | None = None

    def batches(
        self, split: Split, *, negatives: bool, views: Sequence[str] = (ORIGINAL,), with_crops: bool = False
    ) -> Iterator[Batch]:
        """Yields stored images in the order of the shards.

        Args:
            split: `all`, `train` or `held_out`.
            negatives: whether to include images of the negative class.
            views: the views of every image, which follow each other.
            with_crops: whether to include the performer's inputs.
        """
        images = feature_dataset(
            self.manifest,
            self.directory,
            folds=self.dataset.folds,
            held_out_fold=self.dataset.held_out_fold,
            split=split,
            views=views,
            with_crops=with_crops,
        )
        if not negatives and self.manifest.negative_label is not None:
            images = images.filter(lambda image: image[LABEL] != self.manifest.negative_label)
        yield from images.batch(BATCH_SIZE).as_numpy_iterator()

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of all classes but the negative one."""
        return tuple(name for name in self.manifest.classes if name != self.manifest.negative_class)

    def annotations(self, batches: Iterable[Batch]) -> Annotations:
        """Returns the labels and landmarks of images of the categories.

        Args:
            batches: stored images with at least the fields `ANNOTATIONS`.
        """
        labels, landmarks, positions = (
            np.concatenate(values)
            for values in zip(*([batch[name] for name in ANNOTATIONS] for batch in batches), strict=True)
        )
        manifest, dataset = self.manifest, self.dataset
        in_categories = [i for i in range(len(manifest.classes)) if i != manifest.negative_label]
        return Annotations(
            categories=self.categories,
            landmark_names=manifest.landmarks,
            labels=np.searchsorted(in_categories, labels),
            landmarks=landmarks,
            held_out=np.array([fold_of(float(p), dataset.folds) == dataset.held_out_fold for p in positions]),
        )

    @property
    def grid(self) -> UnitGrid:
        """Positions of the target layer's units, which are also those of the interpretable layers' units."""
        manifest = self.manifest
        return UnitGrid.of(manifest.receptive_field, manifest.image_size, manifest.target.shape[0])
