from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dp_spark.end_model.feed import open_feed
from dp_spark.end_model.rows import Batch
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest

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
        assert not batch.inputs[batch.weights == 0].any()


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
    assert row_numbers(batches_of(manifest, 1, cache_bytes=0)[0]) == expected
    assert row_numbers(batches_of(make_manifest((700, 103)), 1)[0]) == expected
    assert sorted(expected) == list(range(NUM_ROWS))


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
