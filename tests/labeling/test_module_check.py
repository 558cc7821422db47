import sys
import textwrap

import pytest

from dp_spark.errors import EnvironmentProblem
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import labeling_function
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.module_check import module_digests, refuse_other_modules
from dp_spark.labeling.votes import POSITIVE


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A module of a user with a function that a labeling function calls."""
    (tmp_path / "lf_helper.py").write_text(textwrap.dedent("def is_spam(text):\n    return 'free' in text\n"))
    monkeypatch.syspath_prepend(str(tmp_path))
    import lf_helper

    yield lf_helper
    del sys.modules["lf_helper"]


def test_the_modules_behind_a_labeling_function_are_those_of_the_user(helper):
    lf = labeling_function(name="spam")(helper.is_spam)
    assert "lf_helper" in module_digests([lf])
    assert not {"re", "numpy", "builtins"} & set(module_digests([lf]))


def test_the_same_source_is_accepted_and_another_is_named_with_its_file(helper):
    digests = module_digests([labeling_function(name="spam")(helper.is_spam)])
    refuse_other_modules(digests)
    refuse_other_modules({"never_imported_here": "0"})
    with pytest.raises(
        EnvironmentProblem, match=r"not of the driver's version: lf_helper \(.*lf_helper.py\)"
    ):
        refuse_other_modules({"lf_helper": "0" * 64})


def test_a_worker_with_another_version_of_a_module_refuses_to_vote(spark, storage, tmp_path, helper):
    place = tmp_path / "on_executors"
    place.mkdir()
    (place / "lf_helper.py").write_text("def is_spam(text):\n    return True\n")
    table = spark.createDataFrame([(1, "free")], "id long, text string")
    is_spam = helper.is_spam
    lf = labeling_function(name="spam", columns=["text"])(lambda x: POSITIVE if is_spam(x.text) else None)
    spark.sparkContext.addPyFile(str(place / "lf_helper.py"))
    with pytest.raises(EnvironmentProblem, match="not of the driver's version: lf_helper"):
        write_label_matrix(apply_lfs(table, [lf], key=["id"]), str(tmp_path / "L"), storage)
    assert not (tmp_path / "L").exists()
