"""Spark's own archives are listed once per worker, those of users before every task."""

import importlib
import sys
import zipfile

import pytest

from dp_spark.worker_reuse import keep_spark_archives


@pytest.mark.parametrize(("archive", "is_kept"), [("pyspark.zip", True), ("users.zip", False)])
def test_only_sparks_own_archives_are_not_listed_again(tmp_path, monkeypatch, archive, is_kept):
    path, name = str(tmp_path / archive), f"packed_{archive[:2]}"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}/__init__.py", "")
        packed.writestr(f"{name}/first.py", "")
    monkeypatch.syspath_prepend(path)
    importlib.import_module(f"{name}.first")  # caches importers of the archive and of the folder in it
    keep_spark_archives()
    cached = [entry for entry in sys.path_importer_cache if entry.startswith(path)]
    assert bool(cached) is not is_kept
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(f"{name}/later.py", "")
    importlib.invalidate_caches()  # as Spark does before every task
    if is_kept:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"{name}.later")
    else:
        importlib.import_module(f"{name}.later")


def test_a_module_of_an_archive_that_is_kept_is_still_found(tmp_path, monkeypatch):
    path = str(tmp_path / "pyspark.zip")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("packed_one.py", "VALUE = 1")
        packed.writestr("packed_two.py", "VALUE = 2")
    monkeypatch.syspath_prepend(path)
    assert importlib.import_module("packed_one").VALUE == 1
    keep_spark_archives()
    assert importlib.import_module("packed_two").VALUE == 2
