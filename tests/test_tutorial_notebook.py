"""docs/tutorial.ipynb runs, and the outputs that it is stored with are those of this code."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"
TOLERANCE = (
    0.02  # of shares, accuracies and probabilities; end models differ in the last digits between machines
)
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*")
OF_THIS_MACHINE = re.compile(r"(digest|id|time)[ =]+\S+")  # hashes of floats, and shares of time


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def plain_texts(cell):
    """The plain texts of a cell's outputs: of objects that show themselves as HTML, too."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return [OF_THIS_MACHINE.sub("", text) for text in texts if text]


def numbers(text):
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_stored_outputs_hold_no_paths_times_or_warnings(stored):
    shown = [output for cell in code_cells(stored) for output in cell.outputs]
    assert len(shown) >= 10
    assert {output.output_type for output in shown} <= {"execute_result", "stream", "display_data"}
    assert not [output for output in shown if output.get("name") == "stderr"]
    text = nbformat.writes(stored)
    for found in (
        r"/tmp/",
        r"/home/",
        r"/root/",
        r"/work/",
        r"\b20\d\d-\d\d-\d\d[T ]",
        r"Warning\b",
        "WARN",
        "Traceback",
    ):
        assert not re.search(found, text), found
    assert len(text) < 1_000_000


def test_every_cell_was_executed_in_order(stored):
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_the_comparison_of_outputs_would_find_other_numbers():
    assert numbers("VoteCounts(n=3,000, covered=93.8%) -0.5") == [3000.0, 93.8, -0.5]
    assert numbers("accuracy 0.92") != pytest.approx(numbers("accuracy 0.95"), abs=TOLERANCE)


@pytest.mark.slow
def test_a_fresh_execution_gives_the_stored_outputs(stored):
    """Without errors in any cell; texts are the same but for numbers, and these are close."""
    executed = runpy.run_path(str(DOCS / "execute_notebook.py"))["executed"]
    for was, now in zip(code_cells(stored), code_cells(executed(NOTEBOOK)), strict=True):
        before, after = plain_texts(was), plain_texts(now)
        assert [NUMBER.sub("#", text) for text in after] == [NUMBER.sub("#", text) for text in before], (
            was.source
        )
        for old, new in zip(before, after, strict=True):
            assert numbers(new) == pytest.approx(numbers(old), abs=TOLERANCE, rel=TOLERANCE), was.source
