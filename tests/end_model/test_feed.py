import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_spark.end_model.feed import FeedPart, open_feed
from dp_spark.end_model.rows import Batch
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import SHARDS_FOLDER, ShardManifest
from dp_spark.labels.shard_files import describe_file

NUM_ROWS = 803  # of `make_manifest`

MakeManifest = Callable[..., ShardManifest]


def batches_of(manifest: ShardManifest, num_workers: int, epoch: int = 0, **given: int) -> list[list[Batch]]:
    """For every worker its batches of one epoch."""
    settings = TrainingSettings(num_workers=num_workers, batch_size=64, **given)
    feeds = [open_feed(manifest, settings, rank) for rank in range(num_workers)]
    assert len({feed.num_steps for feed in feeds}) == 1
    found = [list(feed.batches(epoch, epoch + 1)) for feed in feeds]
    for feed, batches in zip(feeds, found, strict=True):
        assert {batch.labels.shape for batch in batches} == {(feed.batch_rows,)}
        assert len(batches) == feed.num_steps
    return found


def row_numbers(batches: list[Batch]) -> list[int]:
    """The rows of weight 1, by the number that their first feature holds."""
    return [round(x * NUM_ROWS) for b in batches for x in b.inputs[b.weights == 1, 0]]


@pytest.mark.parametrize("num_workers", [1, 2, 3, 5])
def test_every_row_comes_once_per_epoch(make_manifest: MakeManifest, num_workers: int) -> None:
    workers = batches_of(make_manifest(), num_workers)
    assert sorted(row for batches in workers for row in row_numbers(batches)) == list(range(NUM_ROWS))


def test_global_batches_are_the_same_for_any_number_of_workers(make_manifest: MakeManifest) -> None:
    manifest = make_manifest()

    def global_batches(num_workers: int) -> list[list[int]]:
        workers = batches_of(manifest, num_workers)
        return [
            sorted(r for part in step for r in row_numbers([part])) for step in zip(*workers, strict=True)
        ]

    for num_workers in (2, 3, 5, 16):
        assert global_batches(num_workers) == global_batches(1)


def test_rows_keep_their_own_labels(make_manifest: MakeManifest, toy: tuple[np.ndarray, np.ndarray]) -> None:
    matrix, labels = toy
    for batch in batches_of(make_manifest(), 2)[1]:
        rows = row_numbers([batch])
        np.testing.assert_array_equal(batch.inputs[batch.weights == 1], matrix[rows])
        np.testing.assert_array_equal(batch.labels[batch.weights == 1], labels[rows])
        filling = {row.tobytes() for row in batch.inputs[batch.weights == 0]}
        assert filling <= {
            row.tobytes() for row in batch.inputs[batch.weights == 1]
        }  # repeated, not invented


def test_every_epoch_has_its_own_order_and_can_be_repeated(make_manifest: MakeManifest) -> None:
    manifest = make_manifest()
    first = row_numbers(batches_of(manifest, 1, epoch=0)[0])
    assert first == row_numbers(batches_of(manifest, 1, epoch=0)[0])
    assert first != row_numbers(batches_of(manifest, 1, epoch=1)[0])
    assert first != row_numbers(batches_of(manifest, 1, epoch=0, seed=1)[0])


def test_batches_depend_neither_on_the_cache_nor_on_the_files(
    make_manifest: MakeManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dp_spark.end_model.pieces.PIECE_BYTES", 17 * 4 * 6)  # 17 rows: 3 pieces per range
    manifest = make_manifest()
    expected = row_numbers(batches_of(manifest, 1)[0])
    assert row_numbers(batches_of(manifest, 1, cache_bytes=0, scratch_bytes=0)[0]) == expected
    assert row_numbers(batches_of(manifest, 1, cache_bytes=0)[0]) == expected
    assert row_numbers(batches_of(make_manifest((700, 103)), 1)[0]) == expected
    assert sorted(expected) == list(range(NUM_ROWS))


def test_a_feed_that_starts_at_a_step_gives_the_rest_of_the_epoch(
    make_manifest: MakeManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dp_spark.end_model.pieces.PIECE_BYTES", 17 * 4 * 6)
    feed = open_feed(make_manifest(), TrainingSettings(batch_size=64, cache_bytes=0), 0)
    whole = list(feed.batches(2, 4))
    for first_step in (0, 1, 7, feed.num_steps):
        rest = list(feed.batches(2, 4, first_step))
        assert len(rest) == len(whole) - first_step
        for batch, expected in zip(rest, whole[first_step:], strict=True):
            np.testing.assert_array_equal(batch.inputs, expected.inputs)
            np.testing.assert_array_equal(batch.weights, expected.weights)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_the_last_rows_are_held_out_and_come_in_order(make_manifest: MakeManifest, num_workers: int) -> None:
    manifest = make_manifest()
    settings = TrainingSettings(num_workers=num_workers, batch_size=64, validation_share=0.25)
    num_held_out = 201  # of 803

    def rows(part: FeedPart) -> list[int]:
        feeds = [open_feed(manifest, settings, rank, part) for rank in range(num_workers)]
        assert len({feed.num_steps for feed in feeds}) == 1
        assert {feed.num_rows for feed in feeds} == {
            NUM_ROWS - num_held_out if part == "train" else num_held_out
        }
        return [row for feed in feeds for row in row_numbers(list(feed.batches(0, 1)))]

    assert sorted(rows("train")) == list(range(NUM_ROWS - num_held_out))
    assert sorted(rows("validation")) == list(range(NUM_ROWS - num_held_out, NUM_ROWS))
    feed = open_feed(manifest, settings, 0, "validation")
    one, again = (next(feed.batches(epoch, epoch + 1)) for epoch in (0, 1))
    np.testing.assert_array_equal(one.inputs, again.inputs)
    block = row_numbers([one])[: settings.rows_per_range]
    assert block == list(range(NUM_ROWS - num_held_out, NUM_ROWS - num_held_out + len(block)))


def test_nothing_to_hold_out_or_to_train_on_is_refused(make_manifest: MakeManifest) -> None:
    manifest = make_manifest((1,))
    with pytest.raises(
        SchemaError, match="has 1 rows and validation_share is 0.1: expected at least one row"
    ):
        open_feed(manifest, TrainingSettings(validation_share=0.1), 0)
    with pytest.raises(SchemaError, match="validation_share is 0: .* for the part 'validation'"):
        open_feed(manifest, TrainingSettings(), 0, "validation")


def test_memory_is_bounded_whatever_texts_and_row_groups_are_like(tmp_path: Path) -> None:
    """Texts of 20 kB, 200 MB together in one row group: a worker holds a piece per range, not the file."""
    num_rows, length = 10_000, 20_000
    random = np.random.default_rng(0)
    letters = random.integers(97, 123, size=num_rows * length, dtype=np.uint8)
    offsets = pa.py_buffer(np.arange(num_rows + 1, dtype=np.int32) * length)
    texts = pa.Array.from_buffers(pa.string(), num_rows, [None, offsets, pa.py_buffer(letters)])
    folder = tmp_path / SHARDS_FOLDER
    folder.mkdir()
    table = pa.table({"text": texts, "prob_label": np.full(num_rows, 0.5, np.float32)})
    pq.write_table(table, folder / "part-0.parquet", row_group_size=num_rows, use_dictionary=False)
    file = describe_file(str(folder / "part-0.parquet"), ["text"], 0)
    assert file.input_bytes == num_rows * length
    manifest = ShardManifest(
        path=str(tmp_path), inputs=InputColumns(text="t"), num_classes=2, num_data_points=num_rows,
        seed=0, key=(), schema=(), files=(file,),
    )  # fmt: skip
    (tmp_path / "manifest.json").write_text(manifest.to_json())
    script = (
        "import re\n"
        "from dp_spark.labels.manifest import ShardManifest\n"
        "from dp_spark.end_model import pieces\n"
        "from dp_spark.end_model.feed import open_feed\n"
        "from dp_spark.end_model.settings import TrainingSettings\n"
        "def peak():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) >> 10\n"
        f"manifest = ShardManifest.from_json(open({str(tmp_path / 'manifest.json')!r}).read(), {str(tmp_path)!r})\n"
        "pieces.PIECE_BYTES = 4 << 20\n"
        "before = peak()\n"
        "feed = open_feed(manifest, TrainingSettings(batch_size=64, cache_bytes=0, num_workers=4), 0)\n"
        "rows = sum(int(batch.weights.sum()) for batch in feed.batches(0, 1))\n"
        "print(rows, peak() - before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    rows, megabytes = map(int, done.stdout.split())
    assert rows == num_rows / 4
    assert megabytes < 200  # 155 were measured, and 340 with Arrow's pre_buffer, which is its default


def test_fewer_rows_than_ranges_still_give_every_worker_a_step(make_manifest: MakeManifest) -> None:
    workers = batches_of(make_manifest((3,)), 5)
    assert [len(batches) for batches in workers] == [1] * 5
    assert sum(int(batch.weights.sum()) for batches in workers for batch in batches) == 3


def test_texts_come_as_they_are(make_manifest: MakeManifest) -> None:
    texts = [f"comment {i} ü" for i in range(200)]
    (batches,) = batches_of(make_manifest((150, 50), texts), 1)
    assert sorted(t for b in batches for t in b.inputs[b.weights == 1, 0]) == sorted(texts)


def test_shards_of_another_width_are_refused(make_manifest: MakeManifest) -> None:
    manifest = make_manifest()
    wrong = replace(manifest, inputs=InputColumns(("x",), feature_widths=(7,)))
    with pytest.raises(SchemaError, match="not 28 bytes long: expected 7 float32"):
        open_feed(wrong, TrainingSettings(), 0)
