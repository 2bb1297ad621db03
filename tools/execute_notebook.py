"""Runs a notebook and writes a copy with what it shows.

tools/execute_notebook.py NOTEBOOK COPY   (make notebook)
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient

from tf_explainer.terminal import silence_libraries


def execute(notebook: pathlib.Path, copy: pathlib.Path) -> None:
    """Runs all cells in this folder, and writes the copy with their outputs."""
    content = nbformat.read(notebook, as_version=4)
    NotebookClient(content, timeout=1800, resources={"metadata": {"path": str(pathlib.Path.cwd())}}).execute()
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(content, copy)


if __name__ == "__main__":
    silence_libraries()
    execute(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
