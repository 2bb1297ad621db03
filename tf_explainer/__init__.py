"""Which object parts does this CNN look at? An explainer network for Keras, learned without labels.

import tf_explainer

explanation = tf_explainer.load_run("runs/vgg_fox").explain("fox.jpg")

Nothing heavy is imported before it is used. Importing the package registers its layers, so that
`keras.models.load_model("explainer.keras")` needs no `custom_objects`.
"""

import importlib
from typing import Any

from tf_explainer.keras_registration import register_with_keras

# What users need most, by the module that has it.
_PUBLIC = {
    "Explainer": "tf_explainer.explainer.explainer",
    "Explanation": "tf_explainer.explanation.explanation",
    "FinishedRun": "tf_explainer.explanation.finished_run",
    "Performer": "tf_explainer.performer.performer",
    "load_performer": "tf_explainer.performer.performer",
    "load_run": "tf_explainer.explanation.finished_run",
}
__all__ = tuple(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])


register_with_keras()
