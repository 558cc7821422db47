"""Rows that a training process keeps on its machine's own disk."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dp_spark.end_model import scratch
from dp_spark.end_model.feed import open_feed
from dp_spark.end_model.rows import Rows
from dp_spark.end_model.scratch import ScratchFile, open_scratch
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.manifest import RowSlice

ONE, OTHER = (RowSlice(0, 0, 5),), (RowSlice(0, 5, 7), RowSlice(1, 0, 3))


def rows_of(seed: int, num_classes: int = 2) -> Rows:
    random = np.random.default_rng(seed)
    labels = random.random((5, num_classes) if num_classes > 2 else 5, dtype=np.float32)
    features = random.random((5, 3), dtype=np.float32)
    return Rows({"features": features}, labels, np.ones(5, np.float32))


def assert_same(found: Rows | None, expected: Rows) -> None:
    assert found is not None
    np.testing.assert_array_equal(found.parts["features"], expected.parts["features"])
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_pieces_come_back_as_they_were_kept() -> None:
    kept = open_scratch(1 << 20)
    assert kept is not None
    kept.keep(ONE, rows_of(0))
    kept.keep(OTHER, rows_of(1, num_classes=4))
    assert_same(kept.read(OTHER), rows_of(1, num_classes=4))
    assert_same(kept.read(ONE), rows_of(0))
    assert kept.read((RowSlice(0, 0, 4),)) is None


def test_texts_are_not_kept() -> None:
    kept = open_scratch(1 << 20)
    assert kept is not None
    rows = rows_of(0)
    kept.keep(ONE, Rows({**rows.parts, "text": pa.array(list("abcde"))}, rows.labels, rows.weights))
    assert kept.read(ONE) is None


def test_no_more_is_kept_than_the_limit_and_nothing_without_one() -> None:
    num_bytes = 4 * 5 * (3 + 1 + 1)
    kept = open_scratch(num_bytes + 1)
    assert kept is not None
    for piece, seed in ((ONE, 0), (OTHER, 1)):
        kept.keep(piece, rows_of(seed))
    assert_same(kept.read(ONE), rows_of(0))
    assert kept.read(OTHER) is None
    assert open_scratch(0) is None


def test_a_full_disk_is_named_and_what_was_kept_stays(caplog: pytest.LogCaptureFixture) -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full:
        kept = ScratchFile(full, 1 << 20)
        kept.keep(ONE, rows_of(0))
        kept.keep(OTHER, rows_of(1))
        assert kept.read(ONE) is None
    (message,) = caplog.messages
    assert "the disk takes no more rows ([Errno 28] No space left on device)" in message


def test_a_directory_that_takes_no_file_leaves_the_shards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert open_scratch(1 << 20) is None
    assert "no scratch file can be made" in caplog.text


def test_later_epochs_are_read_from_scratch_and_not_from_shards(
    make_manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dp_spark.end_model.pieces.PIECE_BYTES", 17 * 4 * 6)
    manifest = make_manifest()
    feeds = [
        open_feed(manifest, TrainingSettings(batch_size=64, cache_bytes=0, **given), 0)
        for given in ({}, {"scratch_bytes": 10_000}, {"scratch_bytes": 0})
    ]
    streams = [feed.batches(0, 3) for feed in feeds]
    for batches in zip(*streams, strict=True):
        for other in batches[1:]:
            np.testing.assert_array_equal(batches[0].inputs, other.inputs)
            np.testing.assert_array_equal(batches[0].labels, other.labels)
            np.testing.assert_array_equal(batches[0].weights, other.weights)
    monkeypatch.setattr("dp_spark.end_model.pieces.PieceReader._rows", None)  # no shard can be read any more
    assert len(list(feeds[0].batches(3, 4))) == feeds[0].num_steps
    for feed in feeds[1:]:
        with pytest.raises(TypeError):
            list(feed.batches(3, 4))


def test_at_most_a_share_of_what_is_free_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "SHARE_OF_FREE", 0.0)
    kept = open_scratch(1 << 20)
    assert kept is not None
    kept.keep(ONE, rows_of(0))
    assert kept.read(ONE) is None
