"""Exports performer and explainer as one SavedModel: images in; parts, their places and contributions out.

The SavedModel needs TensorFlow but not this project, and computes the same numbers as
`image_explainer.ImageExplainer`. It has no control flow and no Python functions, all sizes except the number
of images are fixed, and its gradients can be converted to ONNX (`onnx_gradients`).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer import atomic_file
from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.parts import Part, parts_of_filters
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.explanation import onnx_gradients
from tf_explainer.explanation.attribution import Attributor
from tf_explainer.explanation.finished_run import FinishedRun
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.performer.performer import SCORES, Performer
from tf_explainer.performer.rebuilding import equivalence
from tf_explainer.scores import class_probabilities

DESCRIPTION = "explainer.json"
"""File beside the SavedModel that names classes, parts and outputs."""

_FORMAT_VERSION = 2
_OUTPUTS = {
    "scores": "[B, classes] the performer's probabilities",
    "explainer_scores": "[B, classes] the explainer's probabilities",
    "agreement": "[B] bool, whether both name the same class",
    "explained_class": "[B] int32, the class whose score is explained",
    "log_odds": "[B] the explainer's score of that class, in nats",
    "part_contribution": "[B, parts] what each part adds, in nats",
    "other_filters": "[B] what the filters in no part add",
    "ordinary": "[B] what the ordinary track adds: textures and everything else that is not a part",
    "baseline": "[B] the score of that class for the average image, the baseline of contributions",
    "gap": "[B] the error: log_odds - baseline - all contributions",
    "part_activation": "[B, parts] strongest response of the part, in mean peaks of a filter; 0: not seen",
    "part_place": "[B, parts, 2] x, y in pixels of the image, where it responds most; NaN: not seen",
}


class ExplainingModel:
    """Explains batches of images in one TensorFlow graph, like `ImageExplainer`.

    Args:
        performer: the network.
        explainer: trained on the performer's features.
        parts: of the explainer's filters, at least one, from `parts.name_parts`.
        mean_features: `[L, L, D]`, the mean features of the target layer.
        config: how a score is shared out among filters.
    """

    def __init__(
        self,
        performer: Performer,
        explainer: Explainer,
        parts: Sequence[Part],
        mean_features: np.ndarray,
        config: AttributionConfig,
    ) -> None:
        self._features = performer.feature_model()
        self._attributor = Attributor(
            explainer, performer.head(), performer.output_kind, mean_features, config
        )
        self._kind = performer.output_kind
        self._target, self._size = performer.config.target_layer, performer.config.image_size
        side, _, filters = performer.feature_shape
        units = UnitGrid.of(performer.receptive_field(), self._size, side).centres(np.arange(side**2))
        self._places = (self._size * units[:, ::-1]).astype(np.float32)
        groups = parts_of_filters(parts, filters)
        self._member = (groups[:, None] == np.arange(len(parts))).astype(np.float32)
        self._maps = part_map_model(explainer, groups)

    def explain(self, images: Any, classes: Any) -> dict[str, Any]:
        """Returns the outputs by name, as `DESCRIPTION` lists them; must be called in a `tf.function`.

        Args:
            images: `[B, S, S, 3]` float32, RGB, 0 to 255.
            classes: `[B]` int32, whose scores to explain; below 0: the class that the performer names.
        """
        outputs = self._features(images, training=False)
        features = tf.cast(outputs[self._target], tf.float32)
        by_performer = class_probabilities(tf.cast(outputs[SCORES], tf.float32), self._kind)
        decided = tf.argmax(by_performer, axis=-1, output_type=tf.int32)
        explained = tf.where(classes < 0, decided, classes)
        contributions, log_odds = self._contributions(features, explained)
        by_explainer = tf.sigmoid(log_odds)
        return (
            {
                "scores": by_performer,
                "explainer_scores": by_explainer,
                "agreement": tf.equal(decided, tf.argmax(by_explainer, axis=-1, output_type=tf.int32)),
                "explained_class": explained,
            }
            | contributions
            | self._seen(features)
        )

    def track(self, archive: keras.export.ExportArchive) -> None:
        """Adds the weights to an archive."""
        for model in (self._features, self._maps, self._attributor.tracks, self._attributor.scores):
            archive.track(model)

    def _contributions(self, features: Any, explained: Any) -> tuple[dict[str, Any], Any]:
        """Attributes the scores of classes; also returns the log-odds of all classes."""
        attributor = self._attributor
        tracks = attributor.tracks(features, training=False)
        with onnx_gradients.used():
            log_odds, of_baseline, by_part, by_rest = attributor.shared_out(tracks, explained)
        weight = tf.one_hot(explained, log_odds.shape[-1])
        score, baseline = (tf.reduce_sum(end * weight, axis=-1) for end in (log_odds, of_baseline))
        of_filters = tf.reduce_sum(by_part, axis=[1, 2])
        of_parts = tf.matmul(of_filters, self._member)
        interpretable, ordinary = tf.reduce_sum(of_filters, axis=1), tf.reduce_sum(by_rest, axis=[1, 2, 3])
        return {
            "log_odds": score,
            "part_contribution": of_parts,
            "other_filters": interpretable - tf.reduce_sum(of_parts, axis=1),
            "ordinary": ordinary,
            "baseline": baseline,
            "gap": score - baseline - interpretable - ordinary,
        }, log_odds

    def _seen(self, features: Any) -> dict[str, Any]:
        """Finds where each part's filters respond most."""
        maps = self._maps(features, training=False)
        maps = tf.reshape(maps, [-1, len(self._places), maps.shape[-1]])
        strength = tf.reduce_max(maps, axis=1)
        place = tf.gather(self._places, tf.argmax(maps, axis=1, output_type=tf.int32))
        return {
            "part_activation": strength,
            "part_place": tf.where(strength[..., None] > 0, place, np.float32("nan")),
        }


def save(directory: str, run: FinishedRun) -> None:
    """Writes the SavedModel and its `DESCRIPTION`; replaces an earlier export.

    Its signatures: `serve` (the default) takes `image`, `[B, S, S, 3]` float32, RGB, 0 to 255; `serve_uint8`
    takes the same as uint8; `explain_class` takes the float32 `image` and `explained_class`, `[B]` int32, the
    classes whose scores to explain.

    Args:
        directory: a local path.
        run: performer, explainer and parts.

    Raises:
        FileExistsError: the directory holds something other than an export.
    """
    _check_free(pathlib.Path(directory))
    model = ExplainingModel(run.performer, run.explainer, run.part_groups, run.mean_features, run.attribution)
    archive = keras.export.ExportArchive()
    model.track(archive)
    size = run.performer.config.image_size
    image = tf.TensorSpec([None, size, size, 3], tf.float32, name="image")
    as_uint8 = tf.TensorSpec(image.shape, tf.uint8, name="image")
    explained_class = tf.TensorSpec([None], tf.int32, name="explained_class")
    # Traced once; all signatures call it.
    explain = tf.function(model.explain, input_signature=[image, explained_class], autograph=False)

    def explain_named_class(image: Any) -> Any:
        return explain(tf.cast(image, tf.float32), tf.fill(tf.shape(image)[:1], -1))

    archive.add_endpoint("serve", explain_named_class, [image])
    archive.add_endpoint("serve_uint8", explain_named_class, [as_uint8])
    archive.add_endpoint(
        "explain_class",
        lambda image, explained_class: explain(image, explained_class),
        [image, explained_class],
    )
    with atomic_file.replacing_directory(directory) as temporary:
        archive.write_out(temporary, verbose=False)
        _check_same(temporary, run, size)
        atomic_file.write_text(pathlib.Path(temporary, DESCRIPTION), _description(run))


def _check_same(directory: str, run: FinishedRun, size: int) -> None:
    images = equivalence.drawn_images(size)
    features = run.performer.feature_model()(images, training=False)[SCORES]
    expected = np.asarray(class_probabilities(tf.cast(features, tf.float32), run.performer.output_kind))
    written = tf.saved_model.load(directory)
    found = np.asarray(written.serve(images)["scores"])
    equivalence.check_same_scores(expected, found, run.performer.model, f"the export to {directory}")


def _check_free(path: pathlib.Path) -> None:
    if path.is_file() or (path.exists() and not (path / DESCRIPTION).exists() and any(path.iterdir())):
        raise FileExistsError(f"{path} exists and is not an earlier export: name another directory")


def _description(run: FinishedRun) -> str:
    content = {
        "format_version": _FORMAT_VERSION,
        "explainer": run.fingerprint,
        "performer": run.performer.fingerprint,
        "performer_outputs": run.performer.output_kind,
        "image_size": run.performer.config.image_size,
        "classes": list(run.class_names),
        "parts": [dataclasses.asdict(part) | {"title": part.title} for part in run.part_groups],
        "attribution": {"method": run.attribution.method, "steps": run.attribution.steps},
        "outputs": _OUTPUTS,
    }
    return json.dumps(content, indent=1) + "\n"
