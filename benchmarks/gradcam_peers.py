"""Grad-CAM of xplique and of tf-keras-vis, and `run.explain`, on the same images and the same performer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.utils.scores import CategoricalScore
from xplique.attributions import GradCAM

from tf_explainer.config import AttributionConfig
from tf_explainer.explanation.finished_run import FinishedRun
from tf_explainer.images.crop import crop_to_object
from tf_explainer.images.record import ImageRecord, ImageReference

Pixels = Sequence[np.ndarray]
Explain = Callable[[Pixels], object]
_CLASS = 0
_METHODS: tuple[AttributionConfig, ...] = (
    AttributionConfig(method="integrated_gradients"),
    AttributionConfig(method="gradient_x_activation"),
)


class Peers:
    """Methods that explain photographs, from pixels of any size.

    Args:
        run: a finished run, of a network whose target layer is not a call of a shared layer.
    """

    def __init__(self, run: FinishedRun) -> None:
        config, self._model = run.performer.config, run.performer.model
        self._size, self._target = config.image_size, config.target_layer
        self._features = run.performer.feature_model()
        self._xplique = GradCAM(self._model, conv_layer=self._target, batch_size=None)
        self._tf_keras_vis = Gradcam(self._model, clone=False)
        self._runs: dict[str, FinishedRun] = {
            each.method: dataclasses.replace(run, attribution=each) for each in _METHODS
        }

    def explainers(self) -> Mapping[str, Explain]:
        """Returns functions by name; each takes photographs and returns once they are explained."""
        ours: dict[str, Explain] = {
            f"`run.explain`, {name.replace('_', ' ')}": functools.partial(self._explain, name)
            for name in self._runs
        }
        return {
            "one pass of the performer": self.one_pass,
            "Grad-CAM of xplique": self.xplique,
            "Grad-CAM of tf-keras-vis": self.tf_keras_vis,
        } | ours

    def one_pass(self, pixels: Pixels) -> np.ndarray:
        """Returns the target layer's maps."""
        return self._features.predict_on_batch(self._crops(pixels))[self._target]

    def xplique(self, pixels: Pixels) -> np.ndarray:
        """Returns maps `[B, S, S]`."""
        outputs = self._model.outputs[0].shape[-1]
        classes = np.tile(np.eye(outputs, dtype=np.float32)[_CLASS], (len(pixels), 1))
        return self._xplique.explain(self._crops(pixels), classes).numpy()[..., 0]

    def tf_keras_vis(self, pixels: Pixels) -> np.ndarray:
        """Returns maps `[B, S, S]`, each divided by its largest value."""
        score = CategoricalScore([_CLASS] * len(pixels))
        return self._tf_keras_vis(score, self._crops(pixels), penultimate_layer=self._target)

    def _explain(self, method: str, pixels: Pixels) -> object:
        return self._runs[method].explain(list(pixels))

    def _crops(self, pixels: Pixels) -> np.ndarray:
        reference = ImageReference(id="", label=0, location="")
        crops = [
            crop_to_object(ImageRecord(reference=reference, image=image), self._size) for image in pixels
        ]
        return np.stack(crops).astype(np.float32)


def agreement(peers: Peers, pixels: Pixels) -> float:
    """Returns the correlation of both Grad-CAMs' maps: the median over images where neither map is constant.

    Args:
        peers: the methods.
        pixels: of photographs.
    """
    maps = zip(peers.xplique(pixels), peers.tf_keras_vis(pixels), strict=True)
    alike = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in maps if one.std() * other.std()]
    return float(np.median(alike)) if alike else float("nan")
