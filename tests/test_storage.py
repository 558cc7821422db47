import os

import pytest

from dp_spark.errors import EnvironmentProblem, MissingResultError, OutputExistsError
from dp_spark.publishing import delete_leftovers, probe_path, publish, refuse_existing, refuse_foreign
from dp_spark.storage import Storage, join_path, read_description, write_description


@pytest.fixture
def place(tmp_path):
    """A directory with a space and a letter beyond ASCII in its name."""
    directory = tmp_path / "with a späce"
    directory.mkdir()
    return directory


def test_text_and_bytes_come_back_as_written(storage, place):
    storage.write_text(f"{place}/a.txt", "häßlich\n")
    storage.write_bytes(f"{place}/a.bin", bytes(range(256)))
    assert storage.read_text(f"{place}/a.txt") == (place / "a.txt").read_text() == "häßlich\n"
    assert storage.read_bytes(f"{place}/a.bin") == bytes(range(256))


def test_writing_replaces_and_makes_the_directories_above(storage, place):
    path = f"{place}/new/deep/a.txt"
    storage.write_text(path, "a long first text")
    storage.write_text(path, "second")
    assert storage.read_text(path) == "second"


def test_an_empty_file_is_a_file(storage, place):
    storage.write_bytes(f"{place}/empty", b"")
    assert storage.exists(f"{place}/empty")
    assert storage.read_bytes(f"{place}/empty") == b""


def test_reading_what_is_not_there_names_it(storage, place):
    with pytest.raises(MissingResultError, match="nothing.json is not there. Run the stage that writes it"):
        storage.read_text(f"{place}/nothing.json")


def test_names_are_listed_in_order_and_a_missing_directory_is_empty(storage, place):
    for name in ("b", "a", "c d"):
        (place / name).write_text("")
    assert [n for n in storage.list_names(str(place)) if not n.endswith(".crc")] == ["a", "b", "c d"]
    assert storage.list_names(f"{place}/nothing") == []


def test_files_and_directories_are_deleted_and_missing_ones_ignored(storage, place):
    storage.write_text(f"{place}/d/a", "")
    storage.write_text(f"{place}/f", "")
    for name in ("d", "f", "nothing"):
        storage.delete(f"{place}/{name}")
    assert os.listdir(place) == []


def test_a_rename_moves_and_makes_the_parent_but_never_replaces(storage, place):
    storage.write_text(f"{place}/a", "a")
    storage.rename(f"{place}/a", f"{place}/new/b")
    assert storage.read_text(f"{place}/new/b") == "a"
    storage.write_text(f"{place}/c", "c")
    with pytest.raises(OutputExistsError, match=r"cannot rename .*/c to .*/b: the target is there already"):
        storage.rename(f"{place}/c", f"{place}/new/b")
    assert storage.read_text(f"{place}/new/b") == "a"


def test_a_rename_that_the_file_system_refuses_is_an_error(storage, place):
    with pytest.raises(OSError, match=r"refused to rename .*/nothing to .*/b"):
        storage.rename(f"{place}/nothing", f"{place}/b")


def test_a_qualified_path_has_its_scheme_and_is_absolute(storage, place):
    assert storage.qualified(f"{place}/a") == f"file:{place}/a"
    assert storage.qualified("a") == f"file:{os.getcwd()}/a"


def test_paths_are_joined_with_one_slash():
    assert join_path("hdfs://host/out/", "labels", "part") == "hdfs://host/out/labels/part"
    assert join_path("out", "labels") == "out/labels"


def test_a_spark_connect_session_is_refused_with_what_to_do():
    class ConnectSession:
        """What a Spark Connect session is to Storage: it has no JVM."""

    with pytest.raises(EnvironmentProblem, match=r"Spark Connect client.*Run the job with spark-submit"):
        Storage(ConnectSession()).exists("/a")


def test_what_is_there_is_refused_with_what_it_holds(storage, place):
    for name in "abcdefg":
        (place / name).write_text("")
    with pytest.raises(
        OutputExistsError, match=r"is there already \(it holds a, b, c, d, e, \.\.\.\).*pass --over"
    ):
        refuse_existing(storage, str(place), overwrite=False)
    refuse_existing(storage, str(place), overwrite=True)
    refuse_existing(storage, f"{place}/nothing", overwrite=False)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_published_directory_appears_when_the_block_ends(storage, place, slash):
    target = f"{place}/out"
    with publish(storage, target + slash) as staged:
        storage.write_text(f"{staged}/a", "new")
        assert not storage.exists(target)
    assert storage.read_text(f"{target}/a") == "new"
    assert os.listdir(place) == ["out"]


def test_a_published_file_replaces_an_older_one_when_asked(storage, place):
    target = f"{place}/model.json"
    for text in ("old", "new"):
        with publish(storage, target, overwrite=True) as staged:
            storage.write_text(staged, text)
            assert storage.exists(target) == (text == "new")
    assert storage.read_text(target) == "new"
    assert [n for n in os.listdir(place) if not n.endswith(".crc")] == ["model.json"]


def test_publishing_over_something_is_refused_before_the_block_runs(storage, place):
    (place / "out").mkdir()
    (place / "out" / "part").write_text("old")
    ran = []
    with pytest.raises(OutputExistsError, match="out is there already"), publish(storage, f"{place}/out"):
        ran.append("block")
    assert ran == []


@pytest.mark.parametrize("is_there", [True, False])
def test_a_block_that_fails_leaves_the_older_target_and_nothing_else(storage, place, is_there):
    target = place / "out"
    if is_there:
        target.mkdir()
        (target / "a").write_text("old")
    with (
        pytest.raises(ZeroDivisionError),
        publish(storage, str(target), overwrite=True) as staged,
    ):
        storage.write_text(f"{staged}/a", f"half {1 / 0}")
    assert os.listdir(place) == (["out"] if is_there else [])
    assert not is_there or (target / "a").read_text() == "old"


def test_a_block_that_wrote_nothing_does_not_take_the_older_target_away(storage, place):
    storage.write_text(f"{place}/out/a", "old")
    with (
        pytest.raises(OSError, match="refused to rename"),
        publish(storage, f"{place}/out", overwrite=True),
    ):
        pass
    assert storage.read_text(f"{place}/out/a") == "old"
    assert os.listdir(place) == ["out"]


def test_a_target_in_the_working_directory_is_published(storage):
    name = f".test-{os.getpid()}.json"
    try:
        with publish(storage, name) as staged:
            storage.write_text(staged, "{}")
        assert storage.read_text(name) == "{}"
    finally:
        storage.delete(name)


def test_spark_reads_what_was_published_at_a_path_with_spaces(spark, storage, place):
    with publish(storage, f"{place}/a table") as staged:
        spark.range(3).write.parquet(staged)
    assert spark.read.parquet(f"{place}/a table").count() == 3


def test_a_description_says_what_a_directory_holds(storage, place):
    write_description(storage, str(place), {"kind": "label table", "n": 3})
    assert read_description(storage, str(place), "label table") == {"kind": "label table", "n": 3}
    with pytest.raises(MissingResultError, match="holds a label table: expected a label matrix"):
        read_description(storage, str(place), "label matrix")
    with pytest.raises(
        MissingResultError, match=r"deep holds no complete label table: _dp_spark.json, which"
    ):
        read_description(storage, f"{place}/deep", "label table")


def test_an_empty_directory_is_no_result(storage, tmp_path):
    target = tmp_path / "results"
    target.mkdir()
    refuse_existing(storage, str(target), overwrite=False)
    with publish(storage, str(target)) as staged:
        storage.write_text(f"{staged}/part", "new")
    assert storage.read_text(f"{target}/part") == "new"
    assert os.listdir(tmp_path) == ["results"]


def test_what_a_killed_process_left_half_written_is_deleted_and_nothing_else(storage, place):
    probe = probe_path(str(place)).rpartition("/")[2]
    for name in (
        ".staging-0123456789ab/label_matrix/part",
        f"{probe}/x",
        ".staging-mine/part",
        "labels/part",
    ):
        storage.write_text(f"{place}/{name}", "x")
    refuse_foreign(storage, str(place), {".staging-mine", "labels"})
    delete_leftovers(storage, str(place))
    assert storage.list_names(str(place)) == [".staging-mine", "labels"]
    delete_leftovers(storage, f"{place}/nowhere")
