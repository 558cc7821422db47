import os
from types import SimpleNamespace

import pandas as pd
import pytest
from voting import votes_of

from dp_spark.errors import LabelingFunctionError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.vote import vote

TEXTS = ["one two", "three", "four five six", "", "seven"]  # 2, 1, 3, 0, 1 words


@pytest.fixture
def comments(spark):
    return spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string").repartition(3)


def make_words(log=None):
    @preprocessor
    def words(x):
        if log:
            with log.open("a") as file:
                file.write(f"{x.text}\n")
        return x.text.split()

    return words


def make_num_words(words):
    @preprocessor(preprocessors=[words], resources={"step": 1})
    def num_words(x, step):
        return sum(step for _ in x.words)

    return num_words


def make_lfs(words):
    """Four that read values, the first only of long texts, and one that reads none."""
    num_words = make_num_words(words)

    @labeling_function(preprocessors=[num_words])
    def many(x):
        return vote(positive=x.num_words > 2) if len(x.text) > 5 else None

    @labeling_function(preprocessors=[words])
    def none(x):
        return vote(negative=not x.words)

    @batch_labeling_function(preprocessors=[words, num_words])
    def one(batch):
        return vote(positive=(batch["num_words"] == 1) & (batch["words"].str.len() == 1))

    @labeling_function(preprocessors=[words, num_words])
    def two(x):
        return vote(negative=x.num_words == 2)

    @labeling_function(preprocessors=[words])
    def reads_nothing(x):
        return vote(positive=x.text == "three")

    return [many, none, one, two, reads_nothing]


EXPECTED = [[0, 0, 0, -1, 0], [0, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, -1, 0, 0, 0], [0, 0, 1, 0, 0]]


def test_values_are_computed_once_per_data_point_whatever_the_labeling_functions(comments, storage, tmp_path):
    lfs = make_lfs(make_words(tmp_path / "log"))
    assert [lf.columns for lf in lfs] == [("text",)] * 5
    written = write_label_matrix(apply_lfs(comments, lfs, key=["id"]), str(tmp_path / "L"), storage)
    assert votes_of(written) == dict(enumerate(EXPECTED))
    assert sorted((tmp_path / "log").read_text().splitlines()) == sorted(TEXTS)
    computed = {r.name: r.num_data_points for r in written.lf_runs if r.kind == "preprocessor"}
    assert computed == {"words": 5, "num_words": 5}


def test_values_are_computed_only_for_data_points_whose_labeling_functions_ask(comments, storage, tmp_path):
    (many, *_, reads_nothing) = make_lfs(make_words(tmp_path / "log"))
    matrix = apply_lfs(comments, [reads_nothing, many], key=["id"])
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert [r.num_data_points for r in written.lf_runs] == [5, 5, 2, 2]
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["four five six", "one two"]
    written = write_label_matrix(
        apply_lfs(comments, [reads_nothing], key=["id"]), str(tmp_path / "none"), storage
    )
    assert [r.num_data_points for r in written.lf_runs] == [5, 0]


def test_plain_calls_compute_them_too():
    many, none, one, two, _ = make_lfs(make_words())
    points = [SimpleNamespace(text=text) for text in TEXTS]
    assert [many(x) or 0 for x in points] == [row[0] for row in EXPECTED]
    assert [none(x) or 0 for x in points] == [row[1] for row in EXPECTED]
    assert one(pd.DataFrame({"text": TEXTS})).tolist() == [row[2] for row in EXPECTED]
    assert [two(x) or 0 for x in points] == [row[3] for row in EXPECTED]
    assert make_num_words(make_words())(points[2]) == 3


@pytest.mark.parametrize("error", [AttributeError, ValueError])
def test_what_a_preprocessor_raises_is_the_failure_of_those_who_ask(comments, storage, tmp_path, error):
    @preprocessor
    def first_word(x):
        if not x.text:
            raise error("no word")
        return x.text.split()[0]

    @labeling_function(preprocessors=[first_word])
    def asks(x):
        return vote(positive=x.first_word == "one")

    @labeling_function(preprocessors=[first_word])
    def asks_too(x):
        return vote(negative=x["first_word"] == "four")

    @batch_labeling_function(preprocessors=[first_word])
    def asks_for_batches(batch):
        return vote(positive=batch["first_word"] == "seven")

    @labeling_function(preprocessors=[first_word])
    def does_not_ask(x):
        return vote(positive=not x.text)

    lfs = [asks, asks_too, asks_for_batches, does_not_ask]
    with pytest.raises(error, match="no word"):
        asks(SimpleNamespace(text=""))
    matrix = apply_lfs(comments.coalesce(1), lfs, key=["id"], max_lf_errors=1)
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert [r.num_errors for r in written.lf_runs] == [1, 1, 1, 0, 0]
    (sample,) = written.lf_runs[2].samples
    assert (sample.row, sample.error) == ("{'id': 3}", error.__name__)
    assert votes_of(written) == {
        0: [1, 0, 0, 0], 1: [0, 0, 0, 0], 2: [0, -1, 0, 0], 3: [0, 0, 0, 1], 4: [0, 0, 1, 0],
    }  # fmt: skip
    with pytest.raises(
        LabelingFunctionError, match=rf"(?s)'asks' failed on 1 .*'id': 3\}}: {error.__name__}"
    ):
        write_label_matrix(apply_lfs(comments, lfs, key=["id"]), str(tmp_path / "M"), storage)
    assert os.listdir(tmp_path) == ["L"]


def test_two_of_one_name_are_refused_unless_they_are_the_same():
    one, other = make_words(), preprocessor(name="words")(lambda x: x.text.split(","))
    with pytest.raises(ValueError, match="two different preprocessors are called 'words'.*Rename one"):
        labeling_function(name="lf", preprocessors=[one, other])(lambda x: None)
    with pytest.raises(ValueError, match="two different preprocessors are called 'words'"):
        labeling_function(name="lf", preprocessors=[make_num_words(one), other])(lambda x: None)
    assert labeling_function(name="lf", preprocessors=[one, make_words()])(lambda x: None).name == "lf"


def test_names_of_columns_missing_columns_and_other_parameters_are_refused(comments):
    lfs = make_lfs(make_words())
    with pytest.raises(ValueError, match=r"the names of columns of the table: \['words'\]"):
        apply_lfs(comments.selectExpr("*", "1 AS words"), lfs, key=["id"])
    with pytest.raises(SchemaError, match="labeling function 'many' reads 'text'"):
        apply_lfs(comments.drop("text"), lfs, key=["id"])
    with pytest.raises(ValueError, match=r"preprocessor 'p' has the parameters \(x, y\) and the resources"):
        preprocessor(name="p")(lambda x, y: 1)


def test_content_hashes_cover_the_preprocessors_and_all_that_they_use():
    def hash_with(**preprocessors):
        made = [preprocessor(name=name)(function) for name, function in preprocessors.items()]
        return labeling_function(name="lf", preprocessors=made)(
            lambda x: vote(positive=x.a > x.b)
        ).content_hash

    def length(x):
        return len(x.text)  # a comment

    def spaces(x):
        return x.text.count(" ")

    base = hash_with(a=length, b=spaces)
    assert hash_with(a=length, b=spaces) == base
    assert hash_with(b=length, a=spaces) != base  # the same functions in the same order
    assert len({base, hash_with(a=spaces, b=length), hash_with(a=length, b=lambda x: 1), hash_with()}) == 4

    def deep(step):
        words = preprocessor(name="words", resources={"step": step})(lambda x, step: x.text.split()[::step])
        num_words = make_num_words(words)
        return labeling_function(name="lf", preprocessors=[num_words])(lambda x: vote(positive=x.num_words))

    assert deep(1).content_hash == deep(1).content_hash != deep(2).content_hash
