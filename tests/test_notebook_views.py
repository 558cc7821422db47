"""What the types show in notebooks: escaped, bounded, on light and dark pages, without a Spark job."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import dp_spark
from dp_spark import EndModel, TrainingSettings, VoteCounts, fit_label_model, lf_summary
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.html import MAX_ROWS, table
from dp_spark.labels.input_columns import InputColumns
from dp_spark.report.comparison import comparison_of
from dp_spark.report.score_sums import Rows, empty_sums
from dp_spark.synthetic import SyntheticTask

ROOT = Path(__file__).parents[1]
NASTY = "<script>alert('$x_1$')</script>"
NUM_GOLD = 200


def counts_of(num_lfs, names=None):
    task = SyntheticTask(num_data_points=2000, num_lfs=num_lfs, seed=2)
    return VoteCounts.from_votes(task.votes(np.arange(2000)), lf_names=names)


def comparison():
    random = np.random.default_rng(1)
    gold = random.integers(0, 2, NUM_GOLD)
    positive = np.clip(0.4 * gold + 0.3 + random.normal(0, 0.2, NUM_GOLD), 0, 1)
    probs = np.stack([np.stack([1 - positive, positive], axis=1)] * 2)
    rows = Rows(np.arange(NUM_GOLD), np.arange(NUM_GOLD) % 5 > 0, gold, probs)
    seen = np.array([NUM_GOLD, NUM_GOLD, 0, 0, 0.0])
    sums = empty_sums(2, 2, 20, 0).with_rows(rows).with_counts(seen, np.zeros(2), np.zeros(2))
    return comparison_of(sums, ["labels", "end_model"], "end_model", True)


def end_model():
    return EndModel(
        model_bytes=b"secret" * 10_000,
        inputs=InputSpec(("text",), vocabulary=("a",)),
        columns=InputColumns(text=NASTY),
        history=tuple({"loss": 1 / (epoch + 1), "validation_loss": 1.5 / (epoch + 1)} for epoch in range(20)),
        settings=TrainingSettings(),
        manifest_digest="m",
        versions={},
        label_model_id="4f5e",
    )


@pytest.fixture(scope="module")
def shown():
    """Objects of every type whose view needs no Spark, by type."""
    counts = counts_of(6, [NASTY, *(f"lf_{i}" for i in range(5))])
    compared = comparison()
    objects = [counts, lf_summary(counts), fit_label_model(counts, "one_coin"), end_model(), compared]
    return {type(thing).__name__: thing for thing in [*objects, compared.reports["labels"]]}


KINDS = ["VoteCounts", "LFSummary", "LabelModel", "EndModel", "Comparison", "Report"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_is_well_formed_names_its_type_and_runs_nothing(shown, kind):
    view = shown[kind]._repr_html_()
    root = ET.fromstring(f"<div>{view}</div>")  # noqa: S314
    assert root.find(".//b").text == kind
    assert {element.tag.rpartition("}")[2] for element in root.iter()}.isdisjoint({"script", "style"})
    assert not re.search(r"\bon\w+=|https?://(?!www\.w3\.org)", view)


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_is_the_same_for_the_same_object(shown, kind):
    assert shown[kind]._repr_html_() == shown[kind]._repr_html_()


@pytest.mark.parametrize("kind", ["VoteCounts", "LabelModel", "EndModel", "Report"])
def test_a_plot_has_the_text_colour_of_the_page_it_is_on(shown, kind):
    plot, *_ = re.findall(r"<svg.*?</svg>", shown[kind]._repr_html_(), re.DOTALL)
    assert "currentColor" in plot
    assert 'style="max-width: 100%; height: auto"' in plot
    texts = re.findall(r"<text style=\"([^\"]*)\"", plot)
    assert texts
    assert all("fill: currentColor" in style for style in texts)


@pytest.mark.parametrize("kind", ["VoteCounts", "LFSummary", "LabelModel", "EndModel"])
def test_names_of_users_are_escaped_and_not_taken_for_mathematics(shown, kind):
    view = shown[kind]._repr_html_()
    assert "<script" not in view
    assert "&lt;script&gt;" in view


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_text_of_an_object_is_one_line(shown, kind):
    text = repr(shown[kind])
    assert text.startswith(f"{kind}(")
    assert "\n" not in text
    assert len(text) < 400
    assert "secret" not in text


def test_the_plain_text_holds_the_numbers_that_one_asks_for_first(shown):
    assert re.fullmatch(r"VoteCounts\(n=2,000, m=6, k=2, covered=\d\d\.\d%\)", repr(shown["VoteCounts"]))
    assert repr(shown["LabelModel"]).startswith("LabelModel(one_coin, m=6, k=2, accuracies 0.")
    assert "20 epochs, loss=0.0500, digest=" in repr(shown["EndModel"])
    assert repr(shown["Report"]).startswith("Report(200 rows with gold, accuracy 0.")


def test_counts_of_nothing_show_themselves_too():
    nothing = VoteCounts.from_votes(np.zeros((0, 2), dtype=np.int8))
    assert repr(nothing) == "VoteCounts(n=0, m=2, k=2, covered=nothing)"
    assert "nan" not in nothing._repr_html_()


def test_views_of_two_hundred_labeling_functions_are_bounded():
    counts = counts_of(200)
    model = fit_label_model(counts, "majority_vote")
    for view in (counts._repr_html_(), model._repr_html_(), lf_summary(counts)._repr_html_()):
        assert "and 170 more" in view
        assert view.count("<tr>") == 1 + MAX_ROWS
        assert len(view) < 100_000


def test_a_table_says_how_many_rows_it_leaves_out():
    rows = [(str(i), i) for i in range(MAX_ROWS + 5)]
    assert "and 5 more" in table(["name", "number"], rows)
    assert "more" not in table(["name", "number"], rows[:MAX_ROWS])


def test_the_accuracies_of_the_view_are_those_of_the_model(shown):
    model = shown["LabelModel"]
    root = ET.fromstring(f"<div>{model._repr_html_()}</div>")  # noqa: S314
    cells = [["".join(cell.itertext()) for cell in row] for row in root.findall(".//tbody/tr")]
    (low, high), coverage = np.asarray(model.intervals)[1], model.diagnostics["coverage"][1]
    expected = f"{model.accuracies[1]:.3f} ({low:.3f} to {high:.3f})"
    assert cells[1] == ["lf_0", expected, f"{model.weights[1]:.3f}", f"{coverage:.3f}"]


def test_drawing_changes_no_setting_of_matplotlib_and_loads_no_pyplot():
    program = """
import sys, numpy as np, dp_spark
from dp_spark.plots import bars
assert "matplotlib" not in sys.modules
import matplotlib
matplotlib.rcParams["text.color"] = "red"
names = [name for name in matplotlib.rcParams if name != "backend"]  # asking for it loads pyplot
before = [matplotlib.rcParams[name] for name in names]
plot = bars("share", ["a", "b"], {"coverage": np.array([0.5, 0.25])})
assert "red" not in plot
assert [matplotlib.rcParams[name] for name in names] == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=120)


def test_a_plot_shows_names_that_its_own_font_lacks():
    plot = dp_spark.plots.bars("share", ["数据编程"], {"coverage": np.array([0.5])})
    assert "数据编程" in plot


def num_jobs(spark):
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup("shown"))


def test_a_label_matrix_shows_itself_without_a_spark_job_before_and_after_it_is_written(
    spark, storage, tmp_path
):
    @dp_spark.labeling_function
    def odd(x):
        return 1 if x.id % 2 else None

    matrix = dp_spark.apply_lfs(spark.range(10), [odd], key=["id"])
    written = dp_spark.write_label_matrix(matrix, f"{tmp_path}/label_matrix", storage)
    spark.conf.set("spark.sql.repl.eagerEval.enabled", "true")  # as some notebooks have it: DataFrames run
    spark.sparkContext.setJobGroup("shown", "what is shown")
    try:
        before, after = matrix._repr_html_(), written._repr_html_()
        assert repr(matrix) == str(matrix) == "LabelMatrix(m=1, k=2, key=[id], not written)"
        assert repr(written) == "LabelMatrix(m=1, k=2, key=[id], written)"
        assert num_jobs(spark) == 0
        matrix.df.count()
        assert num_jobs(spark) > 0  # so the group does see jobs
    finally:
        spark.conf.unset("spark.sql.repl.eagerEval.enabled")
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    assert "not counted" in before
    assert "write_label_matrix casts them once" in before
    assert "data points <b>10</b>" in after
    assert ">0.500<" in after
    assert ">1: 5<" in after
