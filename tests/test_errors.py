"""Bad input that takes more than one stage to show, and how errors reach the driver and the shell."""

import re

import numpy as np
import pytest
from pyspark.errors import PythonException

from dp_spark import errors
from dp_spark.counting.count import count_votes
from dp_spark.label_model.fit import fit_label_model
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import vote_column
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labels.label import label
from dp_spark.session import run_job
from dp_spark.worker_errors import marked, translated_errors

EXIT_CODES = {
    "EnvironmentProblem": 2,
    "ConfigError": 2,
    "OutputExistsError": 2,
    "MissingResultError": 2,
    "SchemaError": 3,
    "LabelingFunctionError": 4,
    "IllegalVoteError": 4,
    "DivergedError": 1,
    "TrainingError": 1,
}
COIN = 7 / 10  # accuracy of a labeling function that the votes say nothing about


@pytest.fixture
def labeled(spark, storage, tmp_path):
    """Votes by row, one column per labeling function -> (prob_label, num_votes) by row, and the model."""

    def run(votes, class_balance=None):
        names = [f"lf_{i}" for i in range(len(votes[0]))]
        schema = ", ".join(["id long", *(f"{name} int" for name in names)])
        table = spark.createDataFrame([(i, *row) for i, row in enumerate(votes)], schema)
        matrix = apply_lfs(table, [vote_column(name) for name in names], key=["id"])
        matrix = write_label_matrix(matrix, str(tmp_path / f"L{len(names)}"), storage)
        model = fit_label_model(count_votes(matrix), "auto", class_balance)
        rows = {row.id: (row.prob_label, row.num_votes) for row in label(matrix, model).collect()}
        return [rows[i] for i in range(len(votes))], model

    return run


def warnings_naming(model, *names):
    return [w for w in model.warnings if all(repr(name) in w for name in names)]


def test_one_row_is_labeled_like_a_majority_vote_and_every_labeling_function_is_named(labeled):
    rows, model = labeled([[1, -1, 1]])
    least = 2 / 3  # no certainty beyond one right and one wrong vote more than the one that was cast
    assert rows == [(pytest.approx(least), 3)]
    assert model.accuracies.tolist() == pytest.approx([least] * 3)
    for name in ("lf_0", "lf_1", "lf_2"):
        assert warnings_naming(model, name)


def test_one_labeling_function_counts_as_in_a_majority_vote_and_is_named(labeled):
    rows, model = labeled([[1], [-1], [None], [1]])
    assert rows == [(pytest.approx(p), n) for p, n in [(COIN, 1), (1 - COIN, 1), (1 / 2, 0), (COIN, 1)]]
    (told,) = warnings_naming(model, "lf_0")
    assert "'lf_0' are not determined: they share no data point with another labeling function" in told
    assert "Add labeling functions that vote on the same data points" in told


def test_two_labeling_functions_count_as_in_a_majority_vote_and_both_are_named(labeled):
    rows, model = labeled([[1, 1], [1, -1], [-1, None], [1, 1], [-1, 1], [1, 1]])
    agreement = (3 + 10 * (COIN**2 + (1 - COIN) ** 2)) / (5 + 10)  # 3 of 5 pairs; the prior counts as 10
    p = (1 + np.sqrt(2 * agreement - 1)) / 2
    both = p**2 / (p**2 + (1 - p) ** 2)
    expected = [(both, 2), (1 / 2, 2), (1 - p, 1), (both, 2), (1 / 2, 2), (both, 2)]
    assert rows == [(pytest.approx(p), n) for p, n in expected]
    (told,) = warnings_naming(model, "lf_0", "lf_1")
    assert "only products of their q = 2p - 1 are known. Add a labeling function that votes on" in told


def test_rows_on_which_all_abstain_get_the_class_balance(labeled):
    rows, model = labeled([[None, 0, None]] * 4, class_balance=3 / 10)
    assert rows == [(pytest.approx(3 / 10), 0)] * 4
    (told,) = warnings_naming(model, "lf_0", "lf_1", "lf_2")
    assert "they never vote. Check their conditions, or leave them out" in told


def votes_with_accuracies(accuracies, num_rows=600, seed=1):
    rng = np.random.default_rng(seed)
    gold = rng.choice([-1, 1], num_rows)
    is_right = rng.random((num_rows, len(accuracies))) < np.array(accuracies)
    return np.where(is_right, gold[:, None], -gold[:, None])


def test_two_identical_labeling_functions_are_named_and_count_once(labeled):
    votes = votes_with_accuracies([0.85, 0.75, 0.7, 0.65])
    alone, _ = labeled(votes.tolist())
    doubled, model = labeled(np.column_stack([votes, votes[:, 0]]).tolist())
    (told,) = model.warnings
    assert "'lf_0', 'lf_4' cast the same votes on the same data points: they count as one" in told
    assert "Remove all but one" in told
    difference = np.abs(np.array(alone)[:, 0] - np.array(doubled)[:, 0])
    assert difference.max() < 0.02  # counted twice, the labels move by far more
    assert model.weights[0] == model.weights[4]
    assert 2 * model.weights[0] == pytest.approx(np.log(0.85 / 0.15), abs=0.5)


@pytest.mark.parametrize(("name", "exit_code"), EXIT_CODES.items())
def test_every_error_has_its_exit_code_and_becomes_one_line_without_trace(name, exit_code, capsys):
    def job():
        raise getattr(errors, name)("what was wrong. What to do.")

    with pytest.raises(SystemExit) as ended:
        run_job(job)
    assert ended.value.code == exit_code
    assert capsys.readouterr().err == f"{name}: what was wrong. What to do.\n"


def test_every_error_of_the_package_is_listed_here():
    defined = {n for n, v in vars(errors).items() if isinstance(v, type) and v is not errors.DpSparkError}
    assert defined == set(EXIT_CODES)


def test_a_bad_argument_ends_a_job_with_2_and_a_defect_with_its_trace(capsys):
    def bad_argument():
        raise ValueError("class_balance is 7")

    with pytest.raises(SystemExit) as ended:
        run_job(bad_argument)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ValueError: class_balance is 7\n"
    with pytest.raises(ZeroDivisionError):
        run_job(lambda: print(1 / 0))


def raise_in_worker(spark, problem):
    def fail(batches):
        raise problem
        yield

    with translated_errors():
        spark.range(1).mapInArrow(fail, "id long").collect()


@pytest.mark.parametrize("name", ["SchemaError", "IllegalVoteError", "TrainingError"])
def test_an_error_in_a_worker_is_raised_on_the_driver_as_itself(spark, name):
    message = f"{name} with 'quotes', [[brackets]],\na second line, and ü."
    with pytest.raises(errors.DpSparkError, match=f"^{re.escape(message)}$") as caught:
        raise_in_worker(spark, marked(getattr(errors, name)(message)))
    assert type(caught.value) is getattr(errors, name)


def test_other_errors_in_a_worker_stay_what_they_are(spark):
    with pytest.raises(PythonException, match="ValueError: unmarked"):
        raise_in_worker(spark, ValueError("unmarked"))
