"""Copies the example flagfiles into a new folder, to use and change.

python -m tf_explainer.command_line.configs [DIR]     DIR: a new folder; default: configs
"""

from __future__ import annotations

import argparse
import importlib.metadata
import pathlib
import sys

from tf_explainer.errors import UserError

_FOLDER = "configs"


def flagfiles() -> dict[str, pathlib.Path]:
    """Returns the example flagfiles of this installation by their paths below `configs`.

    Raises:
        UserError: there are none.
    """
    checkout = pathlib.Path(__file__).resolve().parents[2] / _FOLDER
    if checkout.is_dir():
        return {path.relative_to(checkout).as_posix(): path for path in sorted(checkout.rglob("*.flags"))}
    found = {}
    for file in importlib.metadata.files("tf-explainer") or ():
        _, _, name = file.as_posix().partition(f"share/tf_explainer/{_FOLDER}/")
        if name:
            found[name] = pathlib.Path(str(file.locate()))
    if not found:
        raise UserError("this installation has no example flagfiles: reinstall tf-explainer")
    return found


def copy(folder: pathlib.Path) -> list[pathlib.Path]:
    """Copies the example flagfiles into a new folder and adapts the paths inside them.

    Raises:
        UserError: the folder exists.
    """
    if folder.exists():
        raise UserError(f"{folder} exists, so nothing was copied: name a new folder")
    copies = []
    for name, source in flagfiles().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Flagfiles name each other (and themselves, in comments) relative to the project's root.
        text = source.read_text(encoding="utf-8").replace(f"={_FOLDER}/", f"={folder.as_posix()}/")
        target.write_text(text, encoding="utf-8")
        copies.append(target)
    return copies


def run() -> None:
    """The console script tf-explainer-configs."""
    parser = argparse.ArgumentParser(prog="tf-explainer-configs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", default=_FOLDER, help="a new folder; default: %(default)s")
    try:
        copied = copy(pathlib.Path(parser.parse_args().folder))
    except UserError as error:
        sys.exit(f"Error: {error}")
    print("\n".join(path.as_posix() for path in copied))


if __name__ == "__main__":
    run()
