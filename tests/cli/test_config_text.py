import os

import pytest
from pyspark import SparkFiles

from dp_spark.cli.config_text import config_text
from dp_spark.errors import ConfigError


def no_spark():
    raise AssertionError("a local file needs no Spark")


def message_of(path, storage):
    with pytest.raises(ConfigError) as caught:
        config_text(path, storage)
    return str(caught.value)


def test_a_local_file_is_read_without_spark(tmp_path):
    (tmp_path / "my.toml").write_text("output = 'é'")
    assert config_text(str(tmp_path / "my.toml"), no_spark) == "output = 'é'"


def test_a_uri_is_read_through_hadoop(tmp_path, storage):
    (tmp_path / "my.toml").write_text("output = 'é'")
    assert config_text(f"file://{tmp_path}/my.toml", lambda: storage) == "output = 'é'"


def test_a_bare_name_that_was_shipped_is_found(tmp_path, storage, monkeypatch):
    shipped = tmp_path / "shipped for a test.toml"
    shipped.write_text("output = 'out'")
    storage.spark.sparkContext.addFile(str(shipped))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert os.path.exists(SparkFiles.get(shipped.name))
    assert config_text(shipped.name, lambda: storage) == "output = 'out'"


def test_a_configuration_that_is_nowhere_lists_every_place_tried(tmp_path, storage, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    message = message_of("nowhere.toml", lambda: storage)
    for place in (
        f"{tmp_path}/nowhere.toml",
        SparkFiles.getRootDirectory(),
        storage.qualified("nowhere.toml"),
    ):
        assert place in message
    assert "spark-submit --files nowhere.toml" in message


def test_without_a_name_a_project_is_proposed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert "make a project with `dp-spark init`" in message_of("dp_spark.toml", no_spark)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///no/such/place.toml", "is not there. Tried: file:/no/such/place.toml"),
        ("nosuchscheme://bucket/my.toml", 'No FileSystem for scheme "nosuchscheme"'),
    ],
)
def test_a_uri_that_cannot_be_read_is_told(uri, told, storage):
    assert told in message_of(uri, lambda: storage)
