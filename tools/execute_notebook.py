"""Runs a notebook and writes a copy with its outputs.

tools/execute_notebook.py NOTEBOOK COPY   (make notebook)
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient


def execute(
    notebook: pathlib.Path, copy: pathlib.Path, folder: pathlib.Path, parameters: str | None = None
) -> None:
    """Runs all cells, and writes a copy with their outputs, also if a cell fails.

    Args:
        notebook: the file.
        copy: where to write.
        folder: working directory of the cells.
        parameters: code that replaces the cell with the tag `parameters`; None: no cell is replaced.
    """
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if parameters is not None and "parameters" in cell.metadata.get("tags", ()):
            cell.source = parameters
    client = NotebookClient(
        content,
        timeout=3600,
        coalesce_streams=True,  # Keeps only the last state of a progress line.
        resources={"metadata": {"path": str(folder)}},
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        client.execute()
    finally:
        nbformat.write(content, copy)


if __name__ == "__main__":
    execute(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path.cwd())
