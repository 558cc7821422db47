import os
import pickle
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark import SparkContext
from voting import votes_of

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import labeling_function
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.resources import loaded_once
from dp_spark.labeling.shipping import BROADCAST_BYTES
from dp_spark.labeling.vote import vote

MONEY = SimpleNamespace(text="$ 100")


def member_lf(words, name="member"):
    return labeling_function(name=name, resources={"words": words})(
        lambda x, words: vote(positive=x.text in words)
    )


def load_lines(path):
    return frozenset(Path(path).read_text().split())


@pytest.fixture
def table(spark):
    """Ids 0 to 39 as text, in four partitions of ten."""
    return spark.range(0, 40, numPartitions=4).selectExpr("id", "string(id) AS text")


def votes_for(words):
    return {i: [int(str(i) in words)] for i in range(40)}


def noting_set(log):
    """A class of sets that note where they are unpickled; defined here, it is unknown to the workers."""

    class NotingSet:
        def __init__(self, words):
            self.words = words

        def __contains__(self, word):
            return word in self.words

        def __setstate__(self, state):
            self.__dict__.update(state)
            with open(log, "a") as file:
                file.write(f"{os.getpid()}\n")

    return NotingSet


def test_it_is_loaded_once_per_process_when_first_needed():
    loads = []
    model = loaded_once(lambda: loads.append("loaded") or {"$": 1})
    lf = labeling_function(name="weak classifier", resources={"model": model})(
        lambda x, model: model[x.text[0]]
    )
    assert loads == []
    assert [lf(MONEY), lf(MONEY)] == [1, 1]
    assert loads == ["loaded"]


def test_different_loaders_do_not_share_what_they_load():
    one, two = loaded_once(lambda: "one"), loaded_once(lambda: "two")
    assert (one.get(), two.get()) == ("one", "two")


@pytest.mark.parametrize("num_words", [20, 50_000])
def test_a_large_set_is_unpacked_once_in_a_worker_process_and_a_small_one_with_every_task(
    table, tmp_path, num_words
):
    words = noting_set(str(tmp_path / "log"))({str(i) for i in range(0, 2 * num_words, 2)})
    lfs = [member_lf(words), member_lf(words, "again")]
    is_large = len(pickle.dumps(words.words)) > BROADCAST_BYTES
    assert is_large == (num_words > 20)
    matrix = apply_lfs(table, lfs, key=["id"])
    (tmp_path / "log").unlink(missing_ok=True)
    assert votes_of(matrix) == {i: [int(i % 2 == 0)] * 2 for i in range(40)}
    processes = (tmp_path / "log").read_text().split()
    if is_large:
        assert len(processes) == len(set(processes)) <= 2  # local[2]: two workers
    else:
        assert len(processes) >= 4  # four tasks


def test_a_large_set_is_broadcast_once_for_all_its_labeling_functions(table, storage, tmp_path, monkeypatch):
    broadcasts = []
    original = SparkContext.broadcast
    monkeypatch.setattr(SparkContext, "broadcast", lambda *args: broadcasts.append(1) or original(*args))
    words = {str(i) for i in range(0, 100_000, 2)}
    matrix = apply_lfs(table, [member_lf(words), member_lf(words, "again")], key=["id"])
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert votes_of(written) == {i: [int(i % 2 == 0)] * 2 for i in range(40)}
    assert len(broadcasts) == 1


def test_a_file_reaches_the_workers_which_load_it_once(table, tmp_path):
    words, log = tmp_path / "words.txt", str(tmp_path / "log")
    words.write_text("1 3 5")

    def load(path):
        with open(log, "a") as file:
            file.write(f"{os.getpid()} {path}\n")
        return frozenset(Path(path).read_text().split())

    resource = loaded_once(load, file=words)
    seen = preprocessor(name="seen", resources={"words": resource})(lambda x, words: x.text in words)
    reads_it = labeling_function(name="reads it", preprocessors=[seen])(lambda x: vote(negative=x.seen))
    matrix = apply_lfs(table, [member_lf(resource), reads_it], key=["id"])
    assert votes_of(matrix) == {i: [int(i in (1, 3, 5)), -int(i in (1, 3, 5))] for i in range(40)}
    loads = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(loads) == len({process for process, _ in loads}) <= 2
    assert str(words) not in {path for _, path in loads}
    assert member_lf(resource)(SimpleNamespace(text="3")) == 1  # also without Spark


def test_a_directory_reaches_the_workers_and_new_content_is_another_resource(table, tmp_path):
    folder = tmp_path / "words"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_text("1")

    def load(path):
        return {word for file in Path(path).rglob("*.txt") for word in file.read_text().split()}

    def declared():
        (folder / "more" / "b.txt").write_text("2 3")
        return member_lf(loaded_once(load, file=folder))

    first = declared()
    assert votes_of(apply_lfs(table, [first], key=["id"])) == votes_for({"1", "2", "3"})
    (folder / "a.txt").write_text("7")
    second = declared()
    assert votes_of(apply_lfs(table, [second], key=["id"])) == votes_for({"7", "2", "3"})
    assert first.content_hash != second.content_hash


def test_a_file_that_changed_since_it_was_declared_is_refused(table, tmp_path):
    (tmp_path / "words.txt").write_text("1")
    lf = member_lf(loaded_once(load_lines, file=tmp_path / "words.txt"))
    (tmp_path / "words.txt").write_text("2")
    with pytest.raises(LabelingFunctionError, match=r"words.txt' holds something else than when loaded_once"):
        apply_lfs(table, [lf], key=["id"])


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"the resource file '.*nothing' is not there: expected a file or dir"
    ):
        loaded_once(load_lines, file=tmp_path / "nothing")


def test_the_content_hash_covers_loader_and_content_but_not_the_place_of_a_file(tmp_path):
    def hash_of(name, content, load=load_lines):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
        return member_lf(loaded_once(load, file=file)).content_hash

    base = hash_of("a.txt", "1 2")
    assert hash_of("moved/b.txt", "1 2") == base
    os.utime(tmp_path / "a.txt", (0, time.time()))
    others = [hash_of("a.txt", "1 3"), hash_of("a.txt", "1 2", lambda path: {path}), hash_of("a.txt", "1 2")]
    assert others[2] == base
    assert len({base, *others}) == 3


def test_the_content_hash_covers_sets_and_dictionaries_by_content():
    hashes = [member_lf(w).content_hash for w in ({"a", "b"}, {"b", "a"}, {"a"}, {"a": 1}, {"a": 2}, ["a"])]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 5


def test_resources_and_preprocessors_that_cannot_be_pickled_are_named_all_at_once(table):
    def generator():
        yield 1

    lfs = [
        member_lf(generator(), "one"),
        labeling_function(
            name="two", preprocessors=[preprocessor(name="p", resources={"g": generator()})(lambda x, g: 1)]
        )(lambda x: None),
        labeling_function(name="fine")(lambda x: None),
    ]
    with pytest.raises(LabelingFunctionError) as caught:
        apply_lfs(table, lfs, key=["id"])
    assert "'one' cannot be sent to the executors: its resource 'words': TypeError: cannot p" in str(
        caught.value
    )
    assert "'two' cannot be sent to the executors: its preprocessor 'p': TypeError" in str(caught.value)
    assert "'fine'" not in str(caught.value)
