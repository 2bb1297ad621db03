"""A work directory as the steps leave it, of a small performer and an explainer that was not trained."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from tests.support.small_training import small_features, small_performer
from tests.support.summary_example import known_contributions, known_summary
from tf_explainer.config import ExplainerConfig
from tf_explainer.evaluation import parts
from tf_explainer.evaluation.parts import Part
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explanation import average_image
from tf_explainer.explanation.finished_run import FinishedRun
from tf_explainer.features import schema
from tf_explainer.metrics.followed_landmarks import Followed
from tf_explainer.performer.performer import Performer
from tf_explainer.training.initialisation import explainer_for

CLASSES = ("fox", "fish", "negative")
PARTS = (
    Part(
        number=1,
        name="head",
        filters=(0, 1),
        followed={"fox": Followed(landmark="head", found=0.9, chance=0.2)},
        annotated=("fox",),
    ),
    Part(number=2, name="part 2", filters=(3, 4, 5), responds=0.5),
)


def write_run(
    root: pathlib.Path, performer: Performer | None = None, class_names: tuple[str, ...] = CLASSES
) -> FinishedRun:
    performer = performer or small_performer()
    manifest = dataclasses.replace(small_features(root / "features"), performer=performer.fingerprint)
    (root / "features" / schema.MANIFEST).write_text(manifest.to_json())
    explainer = explainer_for(performer, manifest, ExplainerConfig())
    explainer(
        np.random.default_rng(0).uniform(0, 50, (8, *explainer.feature_shape)).astype("float32"),
        training=True,
    )
    explainer.rescale_decoder()
    performer.model.save(root / "performer.keras")
    explainer.save(root / "explainer.keras")
    (root / "parts.json").write_text(parts.to_json(PARTS, explainer.fingerprint))
    summary = known_summary(known_contributions())
    (root / "summary.json").write_text(summary.to_json(explainer.fingerprint))
    average_image.write(str(root / "mean_features.npz"), mean_features(explainer), explainer.fingerprint)
    return FinishedRun(
        performer=performer,
        explainer=explainer,
        part_groups=PARTS,
        class_names=class_names,
        mean_features=mean_features(explainer),
    )


def mean_features(explainer: Explainer) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 30, explainer.feature_shape).astype(np.float32)
