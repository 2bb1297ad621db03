"""Makes Keras know the project's classes, without importing Keras for those who do not use it.

`keras.models.load_model("explainer.keras")` needs the classes to be registered. TensorBoard, which imports
this package for its plugins, and the readers of flags must not pay seconds for that. So registration
happens at once where Keras is imported already, and else when it is.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence

_MODULES = ("explainer.explainer", "explainer.layers", "performer.preprocessing", "training.optimizer")


def _register() -> None:
    for module in _MODULES:
        importlib.import_module(f"tf_explainer.{module}")


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Waits for the first import of Keras, steps aside, and registers when that import is done."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: types.ModuleType) -> None:
            execute(module)
            _register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register_with_keras() -> None:
    """Registers the classes now, or as soon as Keras is imported."""
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())
