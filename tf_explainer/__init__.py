"""Which object parts does this CNN look at? An explainer network for Keras, learned without labels.

import tf_explainer

explanation = tf_explainer.load_run("runs/vgg_fox").explain("fox.jpg")

Nothing heavy is imported before a name of this module is used. `keras.models.load_model("explainer.keras")`
needs the project's layers to be registered: that happens when a name is used, or on import after Keras.
"""

import importlib
import sys
from typing import Any

# What users need most, by the module that has it.
_PUBLIC = {
    "Explainer": "tf_explainer.explainer.explainer",
    "Explanation": "tf_explainer.explanation.explanation",
    "FinishedRun": "tf_explainer.explanation.finished_run",
    "Performer": "tf_explainer.performer.performer",
    "load_performer": "tf_explainer.performer.performer",
    "load_run": "tf_explainer.explanation.finished_run",
}
# Those that register classes with Keras.
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
