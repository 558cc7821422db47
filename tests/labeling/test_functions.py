import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from dp_spark.labeling.column_lfs import column_lf, vote_column
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.lookup_lfs import lookup_lf
from dp_spark.labeling.pattern_lfs import pattern_lf
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.vote import vote
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

MONEY = SimpleNamespace(text="$ 100", author="bob", worker_1=-1)


def test_the_decorator_works_with_and_without_parentheses():
    @labeling_function
    def bare(x):
        return POSITIVE if "$" in x.text else None

    @labeling_function()
    def called(x):
        return POSITIVE if "$" in x.text else None

    assert [type(lf) for lf in (bare, called)] == [LabelingFunction] * 2
    assert (bare.name, called.name) == ("bare", "called")
    assert bare.content_hash == called.content_hash
    assert bare(MONEY) == called(MONEY) == POSITIVE


def test_a_labeling_function_is_called_like_a_function_without_spark():
    @labeling_function(name="known spammer", resources={"spammers": frozenset({"bob"})})
    def from_spammer(x, spammers):
        return POSITIVE if x.author in spammers else None

    assert from_spammer.name == "known spammer"
    assert from_spammer(MONEY) == POSITIVE
    assert from_spammer(SimpleNamespace(author="ann")) is None


def test_defining_and_calling_a_labeling_function_loads_no_spark():
    code = """
import sys
from types import SimpleNamespace
from dp_spark import labeling_function
lf = labeling_function(name="money")(lambda x: 1 if "$" in x.text else None)
print(lf(SimpleNamespace(text="$")), "pyspark" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_columns_are_found_or_given():
    @labeling_function
    def found(x):
        return 1 if x.text and x["author"] else None

    @labeling_function(columns=["text", "a.b"])
    def given(x):
        return max(x)

    assert found.columns == ("author", "text")
    assert given.columns == ("text", "a.b")


@pytest.mark.parametrize(
    ("function", "resources", "message"),
    [
        (
            lambda: 1,
            {},
            r"labeling function 'lf' has the parameters \(\) and the resources \[\]: too many pos",
        ),
        (lambda x, words: 1, {}, r"parameters \(x, words\).*missing a required argument: 'words'"),
        (lambda x: 1, {"words": 1}, r"resources \['words'\]: got an unexpected keyword argument 'words'"),
        (lambda x, y: 1, {}, "Expected one parameter for the data point and one keyword parameter for each"),
    ],
)
def test_a_function_with_other_parameters_than_data_point_and_resources_is_refused(
    function, resources, message
):
    with pytest.raises(ValueError, match=message):
        labeling_function(name="lf", resources=resources)(function)


def test_a_parameter_with_a_default_needs_no_resource():
    lf = labeling_function(name="long")(lambda x, least=3: POSITIVE if len(x.text) > least else None)
    assert lf(MONEY) == POSITIVE


@pytest.mark.parametrize("vote", [NEGATIVE, POSITIVE, 0, None])
def test_a_vote_column_casts_what_stands_there(vote):
    lf = vote_column("worker 1")
    assert (lf.name, lf.columns) == ("worker 1", ("worker 1",))
    assert lf(SimpleNamespace(**{"worker 1": vote})) == vote


def test_vote_columns_can_be_renamed_and_differ_in_content():
    assert vote_column("worker_1", name="ann").name == "ann"
    assert vote_column("worker_1").content_hash != vote_column("worker_2").content_hash


def test_a_function_of_batches_is_called_with_a_batch_without_spark():
    @batch_labeling_function
    def bare(batch):
        return vote(positive=batch["text"].str.contains("$", regex=False))

    @batch_labeling_function(batch_format="arrow", resources={"least": 2})
    def long(batch, least):
        return [POSITIVE if len(text) > least else None for text in batch["text"].to_pylist()]

    assert (bare.kind, bare.name, bare.columns) == ("batch", "bare", ("text",))
    assert bare(pd.DataFrame({"text": ["$ 1", "x"]})).tolist() == [1, 0]
    assert long(pa.RecordBatch.from_pydict({"text": ["$ 1", "x"]})) == [1, None]


def test_the_columns_of_a_function_of_batches_are_found_only_if_it_reads_them_by_name():
    @batch_labeling_function
    def by_name(batch):
        return vote(positive=batch["a"] > batch["b b"])

    @batch_labeling_function
    def by_attribute(batch):
        return vote(positive=batch.a > 1)

    @batch_labeling_function
    def adds_a_column(batch):
        batch["c"] = batch["a"] + 1
        return vote(positive=batch["c"] > 1)

    assert by_name.columns == ("a", "b b")
    assert by_attribute.columns is adds_a_column.columns is None


def test_a_function_of_batches_without_a_parameter_for_them_or_of_other_formats_is_refused():
    with pytest.raises(ValueError, match="Expected one parameter for the batch and one keyword parameter"):
        batch_labeling_function(name="lf")(lambda: 1)
    with pytest.raises(ValueError, match="'lf' has batch_format='polars' and 0 preprocessors: expected"):
        batch_labeling_function(name="lf", batch_format="polars")(lambda batch: 1)
    words = preprocessor(name="words")(lambda x: x.text.split())
    with pytest.raises(ValueError, match="batch_format='arrow' and 1 preprocessors: .* without preproc"):
        batch_labeling_function(name="lf", batch_format="arrow", preprocessors=[words])(lambda batch: 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_errors": -1}, "max_errors of labeling function 'lf' is -1: expected how many"),
        ({"max_errors": 1.0}, "max_errors .* is 1.0"),
        ({"max_errors": True}, "max_errors .* is True"),
        ({"timeout_seconds": 0}, "timeout_seconds of labeling function 'lf' is 0: expected more than 0"),
        ({"name": 7}, "the name of a labeling function is 7: expected a text"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        labeling_function(**{"name": "lf", **settings})(lambda x: 1)


def test_what_only_spark_can_evaluate_cannot_be_called():
    with pytest.raises(ValueError, match="'long' is of kind 'column' and runs inside Spark"):
        column_lf("long", "CASE WHEN length(text) > 10 THEN 1 END")(MONEY)


def test_patterns_and_lookups_can_be_called():
    assert pattern_lf("money", "text", {POSITIVE: r"\$ \d"})(MONEY) == POSITIVE
    assert lookup_lf("friend", "author", {NEGATIVE: {"bob"}})(MONEY) == NEGATIVE


def test_hashes_of_batches_differ_by_code_format_and_resources():
    def make(**settings):
        return batch_labeling_function(name="lf", **settings)(lambda batch, least=1: batch["n"] > least)

    def other(batch, least=1):  # a comment
        return batch["n"] >= least

    hashes = [
        make().content_hash,
        make(batch_format="arrow").content_hash,
        make(resources={"least": 2}).content_hash,
        make(resources={"least": 3}).content_hash,
        batch_labeling_function(other).content_hash,
    ]
    assert len(set(hashes)) == 5
    assert make().content_hash == hashes[0]
