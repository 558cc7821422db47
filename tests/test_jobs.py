"""The scripts in jobs/ as a user runs them, and the arguments that they take."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dp_spark.cli import main
from dp_spark.stage_names import REPORT_NUMBERS, RUN_FILE
from dp_spark.stages import STAGES

REPOSITORY = Path(__file__).parents[1]
JOBS = sorted((REPOSITORY / "jobs").glob("*.py"))
SPARK_SUBMIT = Path(sys.executable).with_name("spark-submit")
FAILING_LFS = """
from dp_spark import labeling_function

@labeling_function
def too_strict(x):
    if len(x.text) < 3:
        raise ValueError("this text is too short")
    return 1

LFS = [too_strict]
"""


def verb_of(job):
    """What a job passes to dp_spark.cli.main before the user's own arguments."""
    calls = [n for n in ast.walk(ast.parse(job.read_text())) if isinstance(n, ast.Call)]
    (call,) = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "main"]
    return call.args[0].elts[0].value


def run(command, folder):
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def config_in(folder, **replaced):
    text = (REPOSITORY / "conf" / "spam.toml").read_text().replace("num_epochs = 30", "num_epochs = 2")
    for old, new in replaced.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "my.toml").write_text(text)
    return folder / "my.toml"


def test_every_stage_has_a_job_of_its_name():
    verbs = {job.stem: verb_of(job) for job in JOBS}
    stages = {name.replace("-", "_"): name for name in STAGES}
    assert verbs == {**stages, "pipeline": "run", "tutorial": "tutorial"}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_says_in_its_docstring_how_it_is_submitted(job):
    assert f"spark-submit jobs/{job.name}" in ast.get_docstring(ast.parse(job.read_text()))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lable"], "there is no verb 'lable'. Did you mean label?"),
        (["xyz"], "there is no verb 'xyz'. The verbs: "),
        (
            ["run", "--config", "x.toml", "--outptu", "y"],
            "No such option '--outptu'. Did you mean '--output'?",
        ),
        (["tutorial", "--n", "many"], "Invalid value for '--n': 'many' is not a valid integer"),
        (["run", "--quiet", "--verbose"], "--quiet and --verbose exclude each other"),
        (["run", "--resume", "--overwrite"], "--overwrite and --resume exclude each other"),
    ],
)
def test_wrong_arguments_end_with_2_and_say_what_is_wrong(arguments, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_the_pipeline_runs_from_a_table_of_ones_own_under_spark_submit(spark, tmp_path):
    rows = [(i, f"check out my channel {i}" if i % 3 else f"i love this song {i}") for i in range(120)]
    spark.createDataFrame(rows, "id long, text string").write.parquet(f"{tmp_path}/my table")
    own = {'gold = "gold"': "", 'split = "split"': "", "generator = ": "# "}
    config = config_in(tmp_path, **own)
    job = REPOSITORY / "jobs" / "pipeline.py"
    command = [SPARK_SUBMIT, "--master", "local[2]", job, "--config", config]
    done = run([*command, "--table", "my table", "--output", "my results"], tmp_path)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "my results"
    written = {name for name in os.listdir(results) if not name.startswith(".")}
    results_of_stages = {output for _, output in STAGES.values()} - {"gold_end_model"}  # no gold
    assert written == {*results_of_stages, REPORT_NUMBERS, RUN_FILE}
    assert json.loads((results / "metrics.json").read_text())["num_data_points"] == 120
    assert "120 data points" in done.stdout
    assert done.stdout.rstrip().endswith("results are in my results; open its report.html")


@pytest.mark.slow
def test_a_labeling_function_that_raises_ends_a_job_with_4_and_one_sentence(spark, tmp_path):
    (tmp_path / "my_lfs.py").write_text(FAILING_LFS)
    rows = [("a", "good text"), ("b", "no")]
    spark.createDataFrame(rows, "id string, text string").write.parquet(f"{tmp_path}/table")
    own = {'gold = "gold"': "", 'split = "split"': "", "dp_spark.examples.spam": "my_lfs"}
    config = config_in(tmp_path, **own)
    job = REPOSITORY / "jobs" / "apply_lfs.py"
    command = [sys.executable, job, "--config", config, "--table", "table", "--output", "results"]
    done = run(command, tmp_path)
    assert done.returncode == 4
    sentence, sample = done.stderr.splitlines()[-2:]
    said = "LabelingFunctionError: labeling function 'too_strict' failed on 1 of "
    assert sentence.startswith(said)
    assert "more than its budget allows (max_errors: 0). Correct it, or let it return None" in sentence
    assert sample.startswith("  row {'id': 'b'}: ValueError at my_lfs.py:7: raise ValueError(")
    for trace in (
        "Traceback",
        "at org.apache.spark",
        "at java.base",
        "Py4JJavaError",
        "log4j",
        "NativeCodeLoader",
    ):
        assert trace not in done.stderr
    assert done.stdout == ""
    left = set(os.listdir(tmp_path / "results")) if (tmp_path / "results").exists() else set()
    assert left == set()
