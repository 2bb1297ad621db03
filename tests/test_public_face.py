"""The package's own names, in fresh processes: nothing heavy for nothing, and Keras knows our classes."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.support.slow_cases import slow_but

REGISTERED = (
    "assert keras.saving.get_registered_object('tf_explainer>Explainer') is not None, 'not registered'"
)


def run(code):
    root = pathlib.Path(__file__).resolve().parents[1]
    # NumPy is imported sooner than Keras' other backends.
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "imports",
    slow_but(
        [
            "import keras, tf_explainer",
            "import keras, tf_explainer.errors",
            "from tf_explainer import load_run; import keras",
        ],
        ["import keras, tf_explainer"],
    ),
)
def test_keras_knows_the_classes(imports):
    result = run(f"{imports}; {REGISTERED}")
    assert result.returncode == 0, result.stderr


def test_the_package_alone_imports_neither_keras_nor_tensorflow():
    imports = "import sys, tf_explainer, tf_explainer.command_line.flags"
    assert run(f"{imports}; print({{'keras', 'tensorflow'}} & set(sys.modules))").stdout.strip() == "set()"


def test_the_package_is_there_at_once():
    code = "import time; start = time.perf_counter(); import tf_explainer; print(time.perf_counter() - start)"
    assert float(run(code).stdout) < 0.1


def test_public_names_lead_to_what_they_say():
    import tf_explainer

    for name in tf_explainer.__all__:
        assert getattr(tf_explainer, name).__name__ == name
        assert name in dir(tf_explainer)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tf_explainer.nothing  # noqa: B018
