"""The report and the summary of a run that is on its way, and of one that was evaluated; nothing is trained here."""

import json
from dataclasses import replace

import pytest
from report.run_facts import made_facts, votes_and_gold

from dp_spark.commands.report import write_report
from dp_spark.commands.summary import SORTS, lf_table, summary
from dp_spark.config import parse_config
from dp_spark.errors import MissingResultError
from dp_spark.report.run_report import RunReport
from dp_spark.report.shown_rows import least_certain_rows
from dp_spark.reporting import METRICS, REPORT_NUMBERS, REPORT_PAGE, is_report_current, report_of
from dp_spark.run import Run, publish_file
from dp_spark.stages import run_stage

LFS = """
from dp_spark import column_lf

LFS = [
    column_lf("link", "CASE WHEN text LIKE '%http%' THEN 'spam' WHEN text LIKE '%song%' THEN 'ham' END"),
    column_lf("love", "CASE WHEN text LIKE '%love%' THEN 'ham' WHEN text LIKE '%free%' THEN 'spam' END"),
    column_lf("a name that is too long for any table on a terminal", "CASE WHEN text LIKE '%my%' THEN 'spam' END"),
    column_lf("never", "CASE WHEN text = '' THEN 'ham' END"),
]
"""

CONFIG = """
output = "{place}/out"
[table]
path = "{place}/comments"
key = ["id"]
[labeling]
module = "report_lfs"
class_names = ["ham", "spam"]
[training_set]
text = "text"
"""

TEXTS = ["<script>free http</script>", "love this song", "my free song", "http my page", "nice", "love http"]


@pytest.fixture(scope="module")
def run(spark, storage, tmp_path_factory):
    place = tmp_path_factory.mktemp("reporting")
    (place / "report_lfs.py").write_text(LFS)
    rows = [(i, TEXTS[i % 6] if i < 60 or i % 6 < 3 else "") for i in range(120)]
    spark.createDataFrame(rows, "id long, text string").coalesce(1).write.parquet(f"{place}/comments")
    config = parse_config(CONFIG.format(place=place), "test")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        yield Run(storage, config, config.output)


@pytest.fixture(scope="module")
def counted(run):
    """The run after its second stage: what `report_of` and `summary` say then."""
    with pytest.raises(MissingResultError, match="vote_counts.npz is not there"):
        summary(run)
    for name in ("apply-lfs", "count-votes"):
        run_stage(run, name)
    return report_of(run).facts, summary(run)


@pytest.fixture(scope="module")
def evaluated(run, counted):
    """The report after the stages that need no end model."""
    for name in ("fit-label-model", "label", "evaluate", "report"):
        run_stage(run, name)
    return RunReport.from_json(run.storage.read_text(run.path(REPORT_NUMBERS))).facts


def test_before_the_fit_there_are_counts_and_notes_of_what_is_missing(counted):
    facts, table = counted
    assert facts.subject.label_model is None
    assert facts.quality.source == "nothing"
    num_covered = 50 + 30  # five of six texts in the first 60 rows, then three
    assert facts.lfs[0].coverage == num_covered / 120
    assert facts.lfs[0].accuracy is None
    assert len(facts.notes) == len(set(facts.notes))
    assert any("label_model.json is not there" in note for note in facts.notes)
    assert "labels" in RunReport(facts).to_html()
    assert table.content["lfs"][0]["weight"] is None
    assert "link" in table.text


def test_the_last_stage_leaves_the_page_and_its_numbers(run, evaluated):
    page = run.storage.read_text(run.path(REPORT_PAGE))
    assert page == RunReport(evaluated).to_html()
    assert evaluated.subject.classes == ("ham", "spam")
    assert evaluated.labels.num_labels == 120
    assert evaluated.labels.num_covered == sum(b.num_covered for b in evaluated.labels.buckets)
    assert evaluated.labels.num_covered == round(evaluated.coverage.share_covered * 120)
    assert sum(c.num_covered + c.num_uncovered for c in evaluated.labels.classes) == 120
    assert "report" not in evaluated.seconds
    assert "fit-label-model" in evaluated.seconds


def test_consecutive_rows_that_differ_are_named(evaluated):
    assert [part.num_data_points for part in evaluated.drift.parts] == [60, 60]
    drifting = {lf.name for lf in evaluated.drift.lfs if lf.is_drifting}
    assert "love" in drifting or "link" in drifting
    assert any("not the same in all parts" in sentence for sentence in evaluated.advice)


def test_a_report_that_was_made_from_other_metrics_is_not_current(run, evaluated):
    assert is_report_current(run)
    before = run.storage.read_text(run.path(METRICS))
    over = replace(run, overwrite=True)
    publish_file(over, METRICS, json.dumps({**json.loads(before), "seconds": {"label": 99.0}}).encode())
    assert is_report_current(run)  # times alone make no other report
    publish_file(over, METRICS, json.dumps({**json.loads(before), "warnings": ["new"]}).encode())
    assert not is_report_current(run)
    publish_file(over, METRICS, before.encode())


def test_a_report_of_which_a_part_is_missing_or_damaged_is_not_current(run, evaluated):
    path = run.path(REPORT_NUMBERS)
    before = run.storage.read_text(path)
    for damaged in ("{", "[]", "{}"):
        run.storage.write_text(path, damaged)
        assert not is_report_current(run)
    run.storage.delete(path)
    assert not is_report_current(run)
    run.storage.write_text(path, before)
    assert is_report_current(run)


def test_a_drift_that_spark_cannot_find_is_a_note(run, evaluated, tmp_path):
    (tmp_path / "day=1").mkdir()
    (tmp_path / "day=1" / "part.parquet").write_text("damaged")
    table = run.config.table.model_copy(update={"path": str(tmp_path)})
    facts = report_of(replace(run, config=run.config.model_copy(update={"table": table}))).facts
    assert facts.drift is None
    assert any("between parts of the table is not known" in note for note in facts.notes)


def test_a_shown_row_of_two_most_probable_classes_is_tied(spark):
    labels = spark.createDataFrame(
        [(1, 0.5 + 1e-12, 2), (2, 0.75, 1)], "id long, prob_label double, num_votes int"
    )
    rows = least_certain_rows(labels, spark.range(1, 3), ["id"], ["ham", "spam"], 2)
    assert [row.label for row in rows] == ["tied", "spam"]


def test_the_report_on_demand_replaces_an_older_one_and_shows_rows_if_asked(run, evaluated):
    assert "<script>free" not in run.storage.read_text(run.path(REPORT_PAGE))
    assert "&lt;script&gt;free" not in run.storage.read_text(run.path(REPORT_PAGE))
    outcome = write_report(run, show_rows=5)
    page = run.storage.read_text(run.path(REPORT_PAGE))
    rows = outcome.content["report"]["rows"]
    assert len(rows) == 5
    assert [row["prob_label"] for row in rows] == sorted(row["prob_label"] for row in rows)
    assert all(row["num_votes"] > 0 for row in rows)
    assert rows[0]["values"]["text"] in TEXTS
    assert "Rows with the least certain labels" in page
    assert "<script" not in page
    assert outcome.content["path"] == run.path(REPORT_PAGE)
    assert run.path(REPORT_PAGE) in outcome.text


@pytest.mark.parametrize("num_rows", [-1, 101])
def test_a_report_shows_no_table(run, evaluated, num_rows):
    with pytest.raises(ValueError, match=f"show_rows is {num_rows}: expected 0 to 100"):
        write_report(run, show_rows=num_rows)


def test_too_many_rows_are_refused_before_anything_is_read(run, tmp_path):
    with pytest.raises(ValueError, match="show_rows is 101"):
        report_of(replace(run, directory=str(tmp_path)), show_rows=101)


@pytest.mark.parametrize("sort", ["", *SORTS])
def test_the_summary_fits_a_terminal_in_every_order(run, evaluated, sort):
    outcome = summary(run, sort)
    lines = outcome.text.splitlines()
    assert max(map(len, lines)) <= 100
    assert len([line for line in lines if "%" in line]) == 4 + 1  # the title says 95%
    assert {lf["name"] for lf in outcome.content["lfs"]} == {lf.name for lf in evaluated.lfs}


def test_the_summary_is_sorted_by_what_is_worst(run, evaluated):
    coverages = [lf["coverage"] for lf in summary(run, "coverage").content["lfs"]]
    assert coverages == sorted(coverages, reverse=True)
    accuracies = [lf["accuracy"] for lf in summary(run, "accuracy").content["lfs"]]
    assert accuracies == sorted(accuracies)


def test_an_order_that_is_none_is_refused(run, evaluated):
    with pytest.raises(ValueError, match="sort is 'size': expected one of name, coverage"):
        summary(run, "size")


def test_the_widest_row_fits_too():
    votes, _ = votes_and_gold([0.9] * 3, [0.5] * 3, num_classes=3)
    widest = made_facts(votes, class_names=("one", "two", "three"), lf_names=["x" * 90, "y", "z"]).lfs[0]
    row = replace(
        widest, accuracy=0.912, interval=(0.823, 1.0), empirical_accuracy=0.9, weight=-12.345, num_errors=98_765,
        coverage=0.00001, overlaps=0.00001, conflicts=0.00001, share_of_time=0.00001,
    )  # fmt: skip
    assert max(map(len, lf_table([row, replace(row, num_errors=99_999_999)]))) <= 100
