import sys

import pytest

from dp_spark.own_modules import find_modules_in, own_places, ship_own_modules


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a module that imports a file and a package beside it; none is left loaded."""
    (tmp_path / "my_shipped_lfs.py").write_text("import my_words\nfrom my_shipped_package import deep")
    (tmp_path / "my_words.py").write_text("WORDS = {'spam'}")
    (tmp_path / "my_shipped_package").mkdir()
    (tmp_path / "my_shipped_package" / "__init__.py").write_text("")
    (tmp_path / "my_shipped_package" / "deep.py").write_text("DEPTH = 2")
    (tmp_path / "not_imported.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    find_modules_in([tmp_path])
    return tmp_path


def loaded_in_a_task(_):
    import my_shipped_package.deep
    import my_words

    yield (my_words.WORDS, my_shipped_package.deep.DEPTH, my_words.__file__)


def test_what_a_module_imports_from_its_folder_reaches_the_executors_with_it(spark, project):
    ship_own_modules(spark, ["my_shipped_lfs"], [project])
    assert own_places([project]) == [
        project / name for name in ("my_shipped_lfs.py", "my_shipped_package", "my_words.py")
    ]
    sys.path.remove(str(project))
    (row,) = spark.sparkContext.parallelize([0], 1).mapPartitions(loaded_in_a_task).collect()
    assert row[:2] == ({"spam"}, 2)
    assert not row[2].startswith(str(project)), "the executor has a copy of its own"


def test_a_module_that_is_not_there_is_left_to_the_stage_that_needs_it(spark, project):
    ship_own_modules(spark, ["no_such_module_at_all"], [project])
    assert own_places([project]) == []


def test_neither_dp_spark_nor_what_lies_deeper_is_sent(project):
    import dp_spark

    package = project / "my_shipped_package"
    assert own_places([package.parent.parent]) == []
    home = type(project)(dp_spark.__file__).parent
    assert home not in own_places([home.parent])
