"""Every problem that can be seen before a run is found, all at once; each kind is provoked here."""

import json
import os
import re
from dataclasses import replace

import pytest

from dp_spark.checks.columns import refuse_other_splits
from dp_spark.checks.executors import (
    ExecutorReport,
    executor_problems,
    executor_reports,
    package_versions,
    refuse_other_spark,
)
from dp_spark.commands.init import CONFIG_FILE
from dp_spark.commands.validate import validate
from dp_spark.errors import EnvironmentProblem, SchemaError
from dp_spark.pipeline import _made_from, run_pipeline
from dp_spark.run import Run

BAD_LFS = """
import threading
from types import SimpleNamespace

import numpy as np

from dp_spark import *

LOCK = threading.Lock()

@labeling_function
def reads_nothing_there(x):
    return x.nothing

@labeling_function
def votes_seven(x):
    return 7

@labeling_function
def raises_on_every_row(x):
    return int(x.text)

@labeling_function(max_errors=0.9)
def raises_sometimes_as_it_may(x):
    return 1 if 1 / (x.id % 2) else None

@labeling_function
def holds_a_lock(x):
    return LOCK and 1

@labeling_function
def is_fine(x):
    return 1 if "love" in x.text else None

LFS = [
    reads_nothing_there, votes_seven, raises_on_every_row, raises_sometimes_as_it_may, holds_a_lock, is_fine,
    column_lf("bad_expression", "CASE WHEN no_column > 1 THEN 1 END"),
    column_lf("no_vote", "length(text) > 3"),
    keyword_lf("searches_numbers", "delivery_days", {POSITIVE: ["x"]}),
    lookup_lf("third_class", "delivery_days", {3: {4}}),
]
TWICE = [is_fine, is_fine]

def make(spark):
    return [spark.read.parquet("/no/such/table")]

def make_table(spark):
    return {}["table"]

def make_no_table(spark):
    return 7

def build_model(inputs):
    raise RuntimeError(f"no model of {inputs.kind}")
"""
BAD_SETTINGS = {
    "label_model__model": '"majority_vote"\nprior_accuracies = {nobody = 0.7}\nclass_balance = 2.0',
    "table__gold": '"item"',
    "table__split": '"stars"',
    "training_set__text": '"stars"\nweight = "item"\ncategories = ["nowhere"]',
    "end_model__num_workers": '5\nnum_epoch = 3\nseed = -1\nclass_weights = [1.0, 2.0, 3.0]\ncallbacks = "os:nothing"',
    "labeling__module": '"bad_lfs"',
}


def validated(project, text, **options):
    def open_run(config):
        return Run(project.storage, config, config.output)

    return validate(text, CONFIG_FILE, open_run, **options)


def problems(outcome, check=None):
    """What was found, by where it is."""
    found = [p for p in outcome.content["problems"] if check in (None, p["check"])]
    return {p["where"]: p["what"] for p in found}


def states(outcome):
    return {check["name"]: check["state"] for check in outcome.content["checked"]}


@pytest.fixture(scope="module")
def good(project):
    return validated(project, project.text, deep=True)


@pytest.fixture(scope="module")
def bad(project):
    project.add_module("bad_lfs", BAD_LFS)
    return validated(project, project.edited(**BAD_SETTINGS))


def test_a_new_project_has_no_problems_and_every_check_was_made(good):
    assert problems(good) == {}
    assert set(states(good).values()) == {"ok"}
    assert {"keys of all rows", "inputs of all rows", "labeling functions on 100 rows"} < set(states(good))
    assert good.is_good
    assert good.text.endswith("\nNo problems.")


def test_versions_of_driver_and_executors_are_told(good, spark):
    versions = good.content["versions"]
    assert versions["driver"]["spark"] == spark.version
    assert versions["driver"]["java"].split(".")[0] in {"17", "21"}
    (executor,) = versions["executors"]
    assert executor["versions"] == package_versions()
    assert executor["versions"]["numpy"]
    json.dumps(good.content)


def test_nothing_stays_of_a_validation(good, project):
    assert not (project.folder / "output").exists()
    assert [name for name in os.listdir(project.folder) if "probe" in name] == []


@pytest.mark.parametrize(
    ("check", "where", "message"),
    [
        ("configuration", "end_model.num_epoch", "unknown key; known here: .*num_epochs"),
        ("configuration", "end_model", "seed is -1: expected 0 to"),
        ("settings that go together", "label_model.class_balance", "class_balance is 2.0: expected 2 prob"),
        ("settings that go together", "label_model", "'majority_vote' does not use prior_accuracies"),
        (
            "settings that go together",
            "end_model.class_weights",
            "holds 3 numbers: expected one for each of 2",
        ),
        ("settings that name labeling functions", "label_model.prior_accuracies", "{'nobody': 0.7}"),
        ("functions of the end model", "end_model.callbacks", "module 'os' has no 'nothing'"),
        ("slots for the training workers", "end_model.num_workers", "num_workers is 5, but the cluster runs"),
        ("columns", "table", "table.gold: the column 'item' is of type string: expected integers"),
        ("columns", "training_set", "lacks columns: the end model reads 'nowhere'"),
        ("columns", "training_set.weight", "'item' has the type string: expected a number"),
        ("gold labels and splits", "table.split", "holds .*'5'.*expected 'train'"),
        ("labeling functions on the table", "reads_nothing_there", "lacks columns: .* reads 'nothing'"),
        ("labeling functions on the table", "holds_a_lock", "cannot be sent to the executors: .*'LOCK'"),
        ("labeling functions on the table", "bad_expression", "cannot be resolved.*no_column"),
        ("labeling functions on the table", "searches_numbers", "searches 'delivery_days' of type int"),
        ("labeling functions on the table", "third_class", "votes 3: expected one of"),
        ("labeling functions on 100 rows", "votes_seven", "returned 7: expected one of"),
    ],
)
def test_problems_of_all_kinds_are_found_at_once(bad, check, where, message):
    found = [p for p in bad.content["problems"] if (p["check"], p["where"]) == (check, where)]
    assert len(found) == 1, problems(bad)
    assert re.search(f"(?s){message}", found[0]["what"]), found


def test_problems_make_an_outcome_that_is_not_good_and_the_text_tells_them(bad):
    assert not bad.is_good
    assert "PROBLEM  columns\n" in bad.text
    assert f"\n{len(bad.content['problems'])} problems." in bad.text
    assert bad.text.endswith("Keys and inputs of all rows were not looked at: --deep does.")


def test_a_labeling_function_without_problems_or_within_its_budget_is_not_named(bad):
    assert {"is_fine", "raises_sometimes_as_it_may"} & set(problems(bad)) == set()


def test_a_configuration_that_is_no_toml_leaves_what_needs_it_unchecked(project):
    outcome = validated(project, "[table\n")
    assert "not valid TOML" in problems(outcome)[CONFIG_FILE]
    assert states(outcome)["columns"] == "skipped"
    assert states(outcome)["Java"] == "ok"
    assert "skipped  columns (because of configuration)" in outcome.text


def test_a_session_that_does_not_start_is_a_problem_beside_those_of_the_configuration(project):
    def no_java(config):
        raise EnvironmentProblem("Java was not found")

    outcome = validate(project.edited(end_model__seed="-1"), CONFIG_FILE, no_java)
    assert problems(outcome) == {
        "end_model": "seed is -1: expected 0 to 2**31 - 1. Correct the setting.",
        "spark": "Java was not found",
    }


def quick(project, **settings):
    """Validated without a trial."""
    return validated(project, project.edited(**settings), num_sample_rows=0)


def test_a_table_and_a_module_that_are_not_there_are_two_problems(project):
    found = quick(project, table__path='"no.csv"', labeling__module='"no_such_module"')
    assert "table.path: no.csv is not there" in problems(found)["table.path"]
    assert "module 'no_such_module' cannot be imported" in problems(found)["labeling"]
    assert states(found)["columns"] == states(found)["labeling functions on the table"] == "skipped"


def test_what_a_module_raised_is_told_with_its_own_line(project):
    (project.folder / "raising_lfs.py").write_text("import math\n\nx = math.sqrt(-1)\n")
    (project.folder / "typo_lfs.py").write_text("from dp_spark import *\nlf = keyword_lf('a', 'text', {})\n")
    raising, typo = (quick(project, labeling__module=f'"{m}_lfs"') for m in ("raising", "typo"))
    assert "ValueError: math domain error, at " in problems(raising)["labeling"]
    assert problems(raising)["labeling"].endswith("raising_lfs.py:3: x = math.sqrt(-1). Correct it.")
    assert "typo_lfs.py:2: lf = keyword_lf('a', 'text', {})" in problems(typo)["labeling"]


def test_two_labeling_functions_of_one_name_and_a_factory_that_fails_are_found(project, bad):
    twice = quick(project, labeling__module='"bad_lfs"', labeling__lfs='"TWICE"')
    assert "share the names ['is_fine']" in problems(twice)["labeling"]
    failing = quick(project, labeling__module='"bad_lfs"', labeling__lfs='"make"')
    assert "bad_lfs:make failed: AnalysisException: [PATH_NOT_FOUND]" in problems(failing)["labeling"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("make_table", "bad_lfs:make_table failed: KeyError: 'table', at .*bad_lfs.py"),
        ("make_no_table", "bad_lfs:make_no_table returned a int: expected a DataFrame"),
    ],
)
def test_a_generator_that_makes_no_table_is_found(project, bad, function, message):
    lines = [line for line in project.text.splitlines() if not line.startswith("schema")]
    text = "\n".join(lines).replace(
        f'path = "{project.folder}/reviews.csv"', f'path = "/no/table"\ngenerator = "bad_lfs:{function}"'
    )
    found = validated(project, text, num_sample_rows=0)
    assert re.search(message, problems(found)["table.path"]), problems(found)


@pytest.mark.parametrize(
    ("csv", "settings", "where", "message"),
    [
        ("id,text,gold\n", {}, "table.path", "holds no rows: expected at least one data point"),
        ("id,text,gold\n1,a,2\n", {}, "table.gold", "'gold' holds 2: expected one of"),
        ("id,text,gold\n1,a,0\n2,b,1\n", {}, "table.gold", "holds 0 and 1, but never -1"),
        (
            "id,text,few\n1,a,\n",
            {"gold": None, "fit": "few"},
            "label_model.gold",
            "no row has a gold label in",
        ),
        ("prob_label,text\n1,a\n", {"gold": None, "key": "prob_label"}, "table.key", "prob_label"),
        (
            "id,text\n1,a\n",
            {"gold": None, "key": "row"},
            "table",
            "add a column once, for instance with pandas",
        ),
    ],
)
def test_values_that_would_stop_a_late_stage_are_found(project, tmp_path, csv, settings, where, message):
    (tmp_path / "t.csv").write_text(csv)
    gold, key = settings.get("gold", "gold"), settings.get("key", "id")
    names = csv.partition("\n")[0].split(",")
    schema = ", ".join(f"{name} {'STRING' if name == 'text' else 'INT'}" for name in names)
    lines = [f'path = "{tmp_path}/t.csv"', f'schema = "{schema}"', f'key = ["{key}"]']
    lines += [f'gold = "{gold}"'] if gold else []
    fit = f'[label_model]\ngold = "{settings["fit"]}"' if "fit" in settings else ""
    text = "\n".join(
        [f'output = "{tmp_path}/out"', "[table]", *lines, '[labeling]\nmodule = "labeling_functions"', fit,
         '[training_set]\ntext = "text"']
    )  # fmt: skip
    found = validated(project, text, num_sample_rows=0)
    assert message in problems(found)[where], problems(found)


def test_deep_looks_at_all_keys_and_inputs(project, tmp_path):
    rows = "".join(f"{i % 3},,{'NaN' if i == 5 else i}\n" for i in range(6))
    (tmp_path / "t.csv").write_text("id,text,x\n" + rows)
    text = f"""
output = "{tmp_path}/out"
[table]
path = "{tmp_path}/t.csv"
schema = "id INT, text STRING, x DOUBLE"
key = ["id"]
[labeling]
module = "labeling_functions"
[training_set]
text = "text"
features = ["x"]
"""
    found = problems(validated(project, text, deep=True, num_sample_rows=0))
    assert "occurs more than once" in found["table.key"]
    assert "'x' in 1 rows; 'text' in 6 rows" in found["training_set"]


def test_an_output_with_results_with_files_of_others_or_that_cannot_be_written_is_found(project):
    occupied = project.folder / "occupied"
    occupied.mkdir()
    (occupied / "labels").write_text("")
    text = project.text.replace(f"{project.folder}/output", str(occupied))
    assert (
        "is there already (it holds labels)"
        in problems(validated(project, text, num_sample_rows=0))["output"]
    )
    resumed = validated(project, text, num_sample_rows=0, resume=True)
    assert "holds no run to resume: run.json is not there" in problems(resumed)["output"]
    nowhere = project.text.replace(f"{project.folder}/output", "/proc/dp_spark/output")
    found = problems(validated(project, nowhere, num_sample_rows=0))
    assert "/proc/dp_spark/output cannot be written: in file:/proc" in found["output"]
    inside = project.text.replace(f"{project.folder}/output", str(project.folder))
    told = [p["what"] for p in validated(project, inside, num_sample_rows=0).content["problems"]]
    assert any("lie in each other" in text for text in told)


@pytest.mark.slow
def test_the_model_function_of_a_user_is_called_in_a_process_of_its_own(project, bad):
    model = '"bad_lfs:build_model"\n# l2'
    found = validated(project, project.edited(end_model__model=model, end_model__l2="0.0"), num_sample_rows=0)
    (what,) = problems(found).values()
    assert "bad_lfs:build_model failed: RuntimeError: no model of text, at " in what
    assert "raise RuntimeError" in what


def test_executors_that_differ_or_lack_packages_are_named():
    here = {"numpy": "2.1.0", "tensorflow": "2.20.0"}
    reports = [
        ExecutorReport("a", 1, here),
        ExecutorReport("b", 2, {**here, "numpy": "1.26.4"}),
        ExecutorReport("c", 3, {**here, "tensorflow": ""}),
    ]
    numpy, tensorflow, without = executor_problems(reports, here)
    assert numpy.startswith("numpy is 2.1.0 on the driver and 1.26.4 on b: expected the same everywhere")
    assert tensorflow.startswith("tensorflow is 2.20.0 on the driver and none on c")
    assert without.startswith("TensorFlow is not installed for the Python of executors on c")
    assert executor_problems(reports[:1], here) == []


def test_storage_that_executors_do_not_share_is_named(storage, tmp_path):
    (report,) = executor_reports(storage, str(tmp_path / "out"))
    assert report.storage_problem == ""
    told = replace(report, storage_problem="executors and driver do not share file:/x")
    assert executor_problems([told], package_versions()) == [
        f"executors and driver do not share file:/x (on {report.host})"
    ]


def test_a_spark_that_is_not_of_the_package_is_refused(spark, monkeypatch):
    refuse_other_spark(spark)
    monkeypatch.setattr("dp_spark.checks.executors.pyspark.__version__", "4.0.0")
    with pytest.raises(
        EnvironmentProblem, match=rf"Spark is {spark.version} and the Python package pyspark 4.0.0"
    ):
        refuse_other_spark(spark)


def test_a_run_that_would_stop_late_names_all_problems_before_any_work(project):
    run = project.run(
        "early",
        table__split='"item"',
        training_set__weight='"text"',
        label_model__prior_accuracies="{x = 0.7}",
    )
    with pytest.raises(ValueError, match="prior_accuracies") as caught:
        run_pipeline(run)
    told = str(caught.value)
    assert told.startswith("3 problems, found before anything was computed:")
    assert "training_set.weight" in told
    assert "table.split" in told
    assert not (project.folder / "early" / "label_matrix").exists()


def test_a_validation_of_a_run_that_resumes_finds_what_changed_since(project, tmp_path):
    text = project.text.replace(f"{project.folder}/output", f"{tmp_path}/out")
    run = replace(project.run(), directory=f"{tmp_path}/out")
    run.storage.write_text(run.path("label_matrix/part"), "")
    run.storage.write_text(run.path("run.json"), json.dumps(_made_from(run)))
    assert validated(project, text, num_sample_rows=0, resume=True).is_good
    run.storage.write_text(run.path("run.json"), json.dumps({**_made_from(run), "labeling": "another"}))
    found = validated(project, text, num_sample_rows=0, resume=True)
    assert "[labeling] changed since the run in" in problems(found)["output"]
    found = validated(project, text.replace("[end_model]", "[end_model]\nseed = -1"), resume=True)
    assert list(problems(found)) == ["end_model"], "what was left out is not what changed"


def test_a_split_with_many_values_may_hold_train_and_texts_are_not_shown(spark):
    many = spark.range(200).selectExpr("if(id = 199, 'train', concat('fold ', id)) AS s")
    refuse_other_splits(many, "s")
    texts = spark.range(200).selectExpr("concat('a long text of somebody, number ', id) AS s")
    with pytest.raises(SchemaError, match=r"'s' holds \['a long text of someb'\]: expected 'train'"):
        refuse_other_splits(texts, "s")
    with pytest.raises(SchemaError, match=r"'id' holds \['0', '1'\]"):
        refuse_other_splits(spark.range(2), "id")
