"""Every command of the project by one name: `tf-explainer COMMAND`, or `python -m tf_explainer COMMAND`."""

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
        asked = name in ("", "-h", "--help", "help")
        (sys.stdout if asked else sys.stderr).write(_usage() if asked else f"Error: {_refusal(name)}\n")
        sys.exit(0 if asked else 1)
    sys.argv = [sys.argv[0], *arguments]
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:  # The wrong Python, or none of the project's packages.
        sys.exit(
            f"Error: {sys.executable} has no {error.name}: take Python 3.11 to 3.13, `make setup`, then "
            "`source .venv/bin/activate` (or pip install tf-explainer)"
        )
    command.run()


def _usage() -> str:
    lines = ["tf-explainer COMMAND --help tells of a command's flags.", ""]
    for name, module in COMMANDS.items():
        purpose = (importlib.import_module(module).__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:<18}{purpose}")
    return "\n".join(lines) + "\n"


def _refusal(name: str) -> str:
    return f"there is no command {name!r}; there are: {', '.join(COMMANDS)}"


if __name__ == "__main__":
    run()
