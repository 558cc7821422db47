"""Execute a notebook and store its outputs, without what differs from machine to machine: `make notebook`."""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 600


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh kernel in an empty folder.

    What Spark, TensorFlow and logging write to stderr is left out, and so are times of execution.

    Args:
        path: of the notebook, which stays as it is.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails, with the cell and its error.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=CELL_SECONDS, record_timing=False, resources={"metadata": {"path": folder}}
        )
        client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.metadata = {}
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        nbformat.write(executed(Path(argument)), argument)
