import subprocess
import sys
from types import SimpleNamespace

import pytest

from dp_spark.labeling.functions import LabelingFunction, labeling_function, loaded_once, vote_column
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


def test_a_resource_is_loaded_once_per_process_when_first_needed():
    loads = []
    lf = labeling_function(
        name="weak classifier", resources={"model": loaded_once(lambda: loads.append("loaded") or {"$": 1})}
    )(lambda x, model: model[x.text[0]])
    assert loads == []
    assert [lf(MONEY), lf(MONEY)] == [1, 1]
    assert loads == ["loaded"]


def test_different_loaders_do_not_share_what_they_load():
    one, two = loaded_once(lambda: "one"), loaded_once(lambda: "two")
    assert (one.get(), two.get()) == ("one", "two")
