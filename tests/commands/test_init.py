"""A new project: complete, never over other files, and working as it is."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from dp_spark.commands.init import init, project_files
from dp_spark.config import parse_config
from dp_spark.errors import OutputExistsError
from dp_spark.examples.reviews import COLUMNS, reviews
from dp_spark.pipeline import run_pipeline

REPOSITORY = Path(__file__).parents[2]
NAMES = {
    "dp_spark.toml", "labeling_functions.py", "test_labeling_functions.py", "README.md", ".gitignore", "reviews.csv",
}  # fmt: skip


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_project_is_written_into_a_new_folder_and_says_how_to_go_on(tmp_path):
    outcome = init(str(tmp_path / "new" / "project"))
    assert set(contents(tmp_path / "new" / "project")) == NAMES == set(outcome.content["files"])
    assert outcome.is_good
    assert outcome.text.splitlines()[1].strip() == f"cd {tmp_path}/new/project"
    assert outcome.content["next"][-1] == "dp-spark run"


def test_a_folder_with_other_files_keeps_them(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    init(str(tmp_path))
    assert contents(tmp_path)["notes.txt"] == b"mine"


def test_no_file_is_replaced_unasked_and_nothing_is_written_then(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"holds README.md already.*pass --force"):
        init(str(tmp_path))
    assert contents(tmp_path) == {"README.md": b"mine"}
    init(str(tmp_path), force=True)
    assert set(contents(tmp_path)) == NAMES
    assert b"mine" not in contents(tmp_path)["README.md"]


def test_a_file_is_no_place_for_a_project(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="file is a file: expected a folder"):
        init(str(tmp_path / "file"))


def test_every_project_is_the_same(tmp_path):
    for name in ("a", "b"):
        init(str(tmp_path / name))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_readme_has_ten_lines_at_most_that_say_something():
    lines = [line for line in project_files()["README.md"].splitlines() if line]
    assert len(lines) <= 10


def test_the_table_is_of_a_few_hundred_rows_of_both_kinds_with_gaps(tmp_path):
    init(str(tmp_path))
    table = pd.read_csv(tmp_path / "reviews.csv")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(reviews()) == 400
    assert table["id"].is_unique
    assert table["text"].notna().all()
    assert set(table["gold"].dropna()) == {-1, 1}
    assert 0.3 < table["gold"].notna().mean() < 0.7
    assert 0.3 < table["stars"].isna().mean() < 0.8
    assert reviews(3) == reviews()[:3] != reviews(3, seed=1)


def test_its_own_test_passes_without_spark(tmp_path):
    init(str(tmp_path))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY), "JAVA_HOME": "/nowhere", "PATH": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_its_templates_are_read_from_a_zip_of_the_package(tmp_path):
    with zipfile.ZipFile(tmp_path / "dp_spark.zip", "w") as archive:
        for path in (REPOSITORY / "dp_spark").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(REPOSITORY))
    command = "from dp_spark.commands import init; init.init('p'); print(init.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "dp_spark.zip")},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "dp_spark.zip" in done.stdout
    assert set(contents(tmp_path / "p")) == NAMES


@pytest.mark.slow
def test_a_new_project_runs_as_it_is(project):
    metrics = run_pipeline(project.run("first"))
    assert (metrics["num_data_points"], metrics["num_lfs"]) == (400, 5)
    assert metrics["scores"]["all.labels"]["all"]["accuracy"] > 0.85


def test_every_setting_of_the_configuration_has_a_sentence():
    text = project_files()["dp_spark.toml"]
    parse_config(text, "dp_spark.toml")
    settings = [line for line in text.splitlines() if " = " in line and not line.startswith("#")]
    bare = [line for line in settings if "#" not in line]
    assert bare == [line for line in bare if line.startswith(("schema", "text", "learning_rate"))]
