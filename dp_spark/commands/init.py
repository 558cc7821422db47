"""`dp-spark init`: a folder with a project that runs, to be changed into one's own."""

import csv
import io
from dataclasses import astuple
from importlib.resources import files
from pathlib import Path

from dp_spark.commands.outcome import Outcome
from dp_spark.errors import OutputExistsError
from dp_spark.examples.reviews import COLUMNS, reviews

CONFIG_FILE = "dp_spark.toml"  # what verbs read in the working directory if no --config is given
TABLE_FILE = "reviews.csv"

_TEMPLATES = {
    CONFIG_FILE: "dp_spark.toml.txt",
    "labeling_functions.py": "labeling_functions.py.txt",
    "test_labeling_functions.py": "test_labeling_functions.py.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
}


def init(directory: str, force: bool = False) -> Outcome:
    """Write a new project: labeling functions with a test, a configuration and a small table.

    Args:
        directory: where; made if it is not there. Other files in it stay as they are.
        force: replace files of the project that are there.

    Raises:
        OutputExistsError: if files of these names are there and may not be replaced, or the place is no directory;
            nothing is written then.
    """
    place = Path(directory)
    contents = project_files()
    _refuse_occupied(place, list(contents), force)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (place / name).write_text(text, encoding="utf-8", newline="")
    steps = [] if place.resolve() == Path.cwd() else [f"cd {directory}"]
    steps += ["python -m pytest", "dp-spark validate", "dp-spark try", "dp-spark run"]
    text = "\n".join(
        [f"Wrote {', '.join(contents)} to {place.resolve()}. Next:", *(f"  {step}" for step in steps)]
    )
    return Outcome(text, {"directory": str(place), "files": list(contents), "next": steps})


def project_files() -> dict[str, str]:
    """The texts of a new project's files, by name."""
    folder = files("dp_spark.commands").joinpath("templates")
    texts = {name: folder.joinpath(file).read_text(encoding="utf-8") for name, file in _TEMPLATES.items()}
    return {**texts, TABLE_FILE: _table()}


def _table() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(review) for review in reviews())
    return text.getvalue()


def _refuse_occupied(place: Path, names: list[str], force: bool) -> None:
    if place.exists() and not place.is_dir():
        raise OutputExistsError(
            f"{place} is a file: expected a folder, or a place where there is nothing yet."
        )
    there = [name for name in names if (place / name).exists()]
    if there and not force:
        raise OutputExistsError(
            f"{place} holds {', '.join(there)} already, and files are not replaced unasked. Choose another folder, or "
            "pass --force to replace them."
        )
