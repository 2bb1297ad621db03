"""Runs a notebook anew and keeps what it shows: text and pictures, without what varies or names this machine.

tools/execute_notebook.py NOTEBOOK   (make notebook)
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient

from tf_explainer.terminal import silence_libraries


def execute(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Runs all cells in a folder, and writes the notebook with their outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
    notebook.metadata = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
        if cell.cell_type == "code":
            # Warnings and progress bars.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    nbformat.write(notebook, path)


if __name__ == "__main__":
    silence_libraries()
    execute(pathlib.Path(sys.argv[1]), pathlib.Path.cwd())
