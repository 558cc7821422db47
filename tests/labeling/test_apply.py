import math
import os
import re

import numpy as np
import pytest

from dp_spark.errors import IllegalVoteError, LabelingFunctionError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import vote_column
from dp_spark.labeling.functions import labeling_function
from dp_spark.labeling.matrix import read_label_matrix, write_label_matrix
from dp_spark.labeling.resources import loaded_once
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

COMMENTS = [(1, "free $", "bob"), (2, "nice", "ann"), (3, "free", "eve")]


def make_lfs():
    """Defined in a function, so that they travel to the workers by value."""

    @labeling_function
    def money(x):
        return POSITIVE if "$" in x.text else None

    @labeling_function(resources={"friends": {"ann"}})
    def friend(x, friends):
        return NEGATIVE if x.author in friends else 0

    @labeling_function
    def numpy_integer(x):
        return np.int64(len(x.text) > 4) if "free" in x.text else None

    return [money, friend, numpy_integer]


def returning(answer, row=2):
    return labeling_function(name="odd")(lambda x: answer if x.id == row else POSITIVE)


def raising(problem, name="broken", row=2):
    def function(x):
        if x.id == row:
            raise problem
        return POSITIVE

    return labeling_function(name=name)(function)


@pytest.fixture
def comments(spark):
    return spark.createDataFrame(COMMENTS, "id long, text string, author string")


def votes_of(matrix):
    return {tuple(row)[:-1]: list(np.frombuffer(row.votes, dtype=np.int8)) for row in matrix.df.collect()}


@pytest.mark.parametrize("num_partitions", [1, 2, 5])
def test_every_labeling_function_votes_on_every_row_whatever_the_partitions(comments, num_partitions):
    matrix = apply_lfs(comments.repartition(num_partitions), make_lfs(), key=["id"])
    assert matrix.lf_names == ("money", "friend", "numpy_integer")
    assert votes_of(matrix) == {(1,): [1, 0, 1], (2,): [0, -1, 0], (3,): [0, 0, 0]}


def test_spark_casts_the_votes_that_a_plain_call_casts(comments):
    points = comments.collect()  # rows of Spark have the same attributes
    plain = [[lf(x) or 0 for lf in make_lfs()] for x in points]
    by_spark = votes_of(apply_lfs(comments, make_lfs(), key=["id"]))
    assert {(x.id,): row for x, row in zip(points, plain, strict=True)} == by_spark


def test_the_key_is_kept_in_its_order_and_other_columns_are_not(comments):
    matrix = apply_lfs(comments, make_lfs(), key=["author", "id"])
    assert matrix.df.columns == ["author", "id", "votes"]
    assert set(votes_of(matrix)) == {("bob", 1), ("ann", 2), ("eve", 3)}


def test_columns_that_no_labeling_function_reads_are_not_shipped(spark):
    bomb = "CASE WHEN id >= 0 THEN raise_error('this column was read') ELSE 'x' END AS huge"
    table = spark.range(3).selectExpr("id", "concat('text ', id) AS text", "'ann' AS author", bomb)

    def seen_by(lf):
        return votes_of(apply_lfs(table, [lf], key=["id"]))

    (money, *_) = make_lfs()
    assert seen_by(money) == {(0,): [0], (1,): [0], (2,): [0]}
    with pytest.raises(Exception, match="this column was read"):  # it is shown all columns: the trap works
        seen_by(labeling_function(name="all")(lambda x: None))


def test_a_labeling_function_sees_all_columns_if_it_is_not_known_which_it_reads(comments):
    lf = labeling_function(name="lf")(lambda x: POSITIVE if x.author == "bob" and "free" in x["text"] else 0)
    assert lf.columns is None
    assert votes_of(apply_lfs(comments, [lf], key=["id"])) == {(1,): [1], (2,): [0], (3,): [0]}


def test_votes_of_more_classes_are_one_to_k(spark):
    table = spark.createDataFrame([(1, 1), (2, 127), (3, None)], "id long, v int")
    matrix = apply_lfs(table, [vote_column("v")], key=["id"], num_classes=127)
    assert votes_of(matrix) == {(1,): [1], (2,): [127], (3,): [0]}


def test_a_resource_is_loaded_once_in_a_worker_process_and_not_on_the_driver(spark, tmp_path):
    def load():
        with (tmp_path / "loads").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return {"free"}

    lf = labeling_function(name="lf", resources={"words": loaded_once(load)})(
        lambda x, words: POSITIVE if x.text in words else None
    )
    table = spark.range(0, 50, numPartitions=4).selectExpr("id", "'free' AS text")
    votes = votes_of(apply_lfs(table, [lf], key=["id"]))
    assert list(votes.values()) == [[1]] * 50
    processes = (tmp_path / "loads").read_text().split()
    assert len(processes) == len(set(processes))
    assert str(os.getpid()) not in processes


def test_a_resource_that_cannot_be_loaded_names_the_labeling_function(comments, storage, tmp_path):
    lf = labeling_function(name="weak", resources={"m": loaded_once(lambda: 1 / 0)})(lambda x, m: None)
    message = "labeling function 'weak' could not load its resources: ZeroDivisionError: division by zero"
    with pytest.raises(LabelingFunctionError, match=message):
        write_label_matrix(apply_lfs(comments, [lf], key=["id"]), str(tmp_path / "L"), storage)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (7, "7"),
        (math.nan, "nan"),
        ("spam", "'spam'"),
        (True, "True"),
        (1.0, "1.0"),
        ([1], "[1]"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_an_illegal_vote_names_function_value_row_and_what_is_legal(
    comments, storage, tmp_path, answer, shown
):
    matrix = apply_lfs(comments, [*make_lfs(), returning(answer)], key=["id", "author"])
    message = (
        f"labeling function 'odd' returned {shown} for the row {{'id': 2, 'author': 'ann'}}: "
        "expected one of (-1, 1), or 0 or None to abstain. Return an integer vote."
    )
    with pytest.raises(
        IllegalVoteError, match=f"^{re.escape(message)}( Names of classes have to be declared.*)?$"
    ):
        write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert os.listdir(tmp_path) == []


def test_minus_one_is_illegal_with_three_classes(comments, storage, tmp_path):
    matrix = apply_lfs(comments, [returning(-1)], key=["id"], num_classes=3)
    with pytest.raises(IllegalVoteError, match=r"returned -1 .*expected one of \(1, 2, 3\)"):
        write_label_matrix(matrix, str(tmp_path / "L"), storage)


@pytest.mark.parametrize("problem", [KeyError("text"), SystemExit(1), AttributeError("no lower")])
def test_a_function_that_raises_is_named_with_row_and_error_and_leaves_nothing(
    comments, storage, tmp_path, problem
):
    matrix = apply_lfs(comments.coalesce(1), [*make_lfs(), raising(problem)], key=["id"])
    with pytest.raises(LabelingFunctionError) as caught:
        write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert type(caught.value) is LabelingFunctionError
    first, sample = str(caught.value).splitlines()
    said = "'broken' failed on 1 of 3 data points, more than its budget allows (max_errors: 0). Correct it, or let it"
    assert said in first
    assert sample.startswith(f"  row {{'id': 2}}: {type(problem).__name__} at test_apply.py:")
    assert sample.endswith(": raise problem")
    assert "Traceback" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_failed_overwrite_leaves_the_older_result_as_it_was(comments, storage, tmp_path):
    path = str(tmp_path / "L")
    before = votes_of(write_label_matrix(apply_lfs(comments, make_lfs(), key=["id"]), path, storage))
    broken = apply_lfs(comments, [raising(KeyError("x"))], key=["id"])
    with pytest.raises(LabelingFunctionError, match="'broken' failed on 1 of"):
        write_label_matrix(broken, path, storage, overwrite=True)
    assert os.listdir(tmp_path) == ["L"]
    assert votes_of(read_label_matrix(storage, path)) == before


def test_no_labeling_functions_are_refused(comments):
    with pytest.raises(ValueError, match="there are no labeling functions: expected at least one"):
        apply_lfs(comments, [], key=["id"])


def test_a_function_without_decorator_is_refused(comments):
    def plain(x):
        return 1

    with pytest.raises(ValueError, match=r"plain at .* is not a labeling function: put @labeling_function"):
        apply_lfs(comments, [*make_lfs(), plain], key=["id"])


def test_names_that_occur_twice_are_refused_all_at_once(comments):
    lfs = [vote_column("id", name=name) for name in ("b", "a", "c", "b", "a")]
    with pytest.raises(ValueError, match=r"share the names \['a', 'b'\]: expected different names. Rename"):
        apply_lfs(comments, lfs, key=["id"])


def test_missing_columns_are_all_named_with_who_reads_them_and_what_there_is(comments):
    lfs = [*make_lfs(), vote_column("worker_1"), vote_column("worker_2")]
    with pytest.raises(SchemaError) as caught:
        apply_lfs(comments.drop("author"), lfs, key=["id", "part"])
    assert (
        "the key reads 'part'; labeling function 'friend' reads 'author'; labeling function 'worker_1' reads "
        "'worker_1'; labeling function 'worker_2' reads 'worker_2'. It has ['id', 'text']."
    ) in str(caught.value)


@pytest.mark.parametrize("key", [[], ["id", "id"]])
def test_a_key_without_columns_or_with_one_twice_is_refused(comments, key):
    with pytest.raises(ValueError, match=r"key is \[.*expected the names of one or more different columns"):
        apply_lfs(comments, make_lfs(), key=key)


def test_a_key_column_called_votes_is_refused(comments):
    with pytest.raises(SchemaError, match=r"key columns \['votes'\] have the names of columns"):
        apply_lfs(comments.withColumnRenamed("id", "votes"), make_lfs(), key=["votes"])


@pytest.mark.parametrize("num_classes", [1, 128])
def test_numbers_of_classes_that_a_byte_cannot_hold_are_refused(comments, num_classes):
    with pytest.raises(ValueError, match=f"num_classes is {num_classes}: expected 2 to 127"):
        apply_lfs(comments, make_lfs(), key=["id"], num_classes=num_classes)


def test_a_key_that_is_a_text_and_a_function_without_a_list_are_refused(comments):
    with pytest.raises(
        ValueError, match="key is 'id': expected the names of one or more different columns, as a"
    ):
        apply_lfs(comments, make_lfs(), key="id")
    with pytest.raises(
        ValueError, match=r"lfs is one labeling function, 'money': expected a list, such as \[money\]"
    ):
        apply_lfs(comments, make_lfs()[0], key=["id"])


def test_hashes_of_the_matrix_and_of_its_runs_are_the_same_and_cover_class_names(comments, storage, tmp_path):
    named = apply_lfs(comments, make_lfs(), key=["id"], class_names=["ham", "spam"])
    written = write_label_matrix(named, str(tmp_path / "L"), storage)
    assert tuple(run.content_hash for run in written.lf_runs) == written.lf_hashes == named.lf_hashes
    assert set(written.lf_hashes).isdisjoint(lf.content_hash for lf in make_lfs())
