"""Which object parts does this CNN look at? An explainer network for Keras, trained without part labels.

import tf_explainer

explanation = tf_explainer.load_run("runs/vgg_fox").explain("fox.jpg")

Importing this module is fast: TensorFlow is imported when one of its names is first used. For
`keras.models.load_model("explainer.keras")`, the project's layers must be registered with Keras: that happens
when one of the names is first used, or when this module is imported after Keras.
"""

import importlib
import sys
from typing import Any

# The public names and their modules.
_PUBLIC = {
    "Explainer": "tf_explainer.explainer.explainer",
    "Explanation": "tf_explainer.explanation.explanation",
    "FinishedRun": "tf_explainer.explanation.finished_run",
    "Performer": "tf_explainer.performer.performer",
    "load_performer": "tf_explainer.performer.performer",
    "load_run": "tf_explainer.explanation.finished_run",
}
# Modules that register classes with Keras.
_SERIALISABLE = (
    "explainer.explainer",
    "performer.architectures.local_response_normalization",
    "performer.architectures.mean_image",
    "performer.preprocessing",
    "training.optimizer",
)
__all__ = tuple(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _register()
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])


def _register() -> None:
    for module in _SERIALISABLE:
        importlib.import_module(f"{__name__}.{module}")


if "keras" in sys.modules:
    _register()
