"""Starts any command of the project: `tf-explainer COMMAND`, or `python -m tf_explainer COMMAND`."""

from __future__ import annotations

import importlib
import sys

_MODULES = (
    "tf_explainer.command_line.run",
    "tf_explainer.command_line.doctor",
    "tf_explainer.train_performer",
    "pipelines.extract_features",
    "tf_explainer.train",
    "tf_explainer.evaluate",
    "tf_explainer.explain",
    "pipelines.explain_images",
    "tf_explainer.export",
    "tf_explainer.performers",
    "tf_explainer.command_line.configs",
    "pipelines.verify_features",
    "pipelines.dataflow_dry_run",
)
COMMANDS = {module.rpartition(".")[2]: module for module in _MODULES}


def run() -> None:
    """The console script tf-explainer."""
    name, *arguments = sys.argv[1:] or [""]
    module = COMMANDS.get(name.replace("-", "_"))
    if module is None:
        if name not in ("", "-h", "--help", "help"):
            sys.exit(f"Error: there is no command {name!r}; there are: {', '.join(COMMANDS)}")
        sys.stdout.write(_usage())
        return
    sys.argv = [sys.argv[0], *arguments]
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:  # The wrong Python, or a package is missing.
        sys.exit(
            f"Error: {sys.executable} has no {error.name}: use Python 3.11 to 3.13, `make setup`, then "
            "`source .venv/bin/activate` (or pip install tf-explainer)"
        )
    command.run()


def _usage() -> str:
    lines = ["tf-explainer COMMAND --help lists the flags of a command.", ""]
    for name, module in COMMANDS.items():
        purpose = (importlib.import_module(module).__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:<18}{purpose}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run()
