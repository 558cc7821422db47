import pyarrow as pa
import pytest

from dp_spark.labeling.data_point import data_points

COLUMNS = {"id": [1, 2], "text": ["hi", None], "a.b": [0.5, 1.5], "odd name": [[1], []], "count": [7, 8]}


@pytest.fixture
def first():
    return data_points(pa.RecordBatch.from_pydict(COLUMNS))[0]


def test_rows_come_in_their_order_with_null_as_none():
    points = data_points(pa.RecordBatch.from_pydict(COLUMNS))
    assert [(x.id, x.text) for x in points] == [(1, "hi"), (2, None)]


def test_columns_are_attributes_and_items_whatever_their_names(first):
    assert first.text == first["text"] == "hi"
    assert first["a.b"] == getattr(first, "a.b") == 0.5  # noqa: B009
    assert first["odd name"] == [1]
    assert first.count == 7  # not the method of a tuple


@pytest.mark.parametrize("read", [lambda x: x.txt, lambda x: x["txt"]])
def test_a_missing_column_is_named_with_the_known_ones(first, read):
    message = r"no column 'txt'; it has \['id', 'text', 'a.b', 'odd name', 'count'\]"
    with pytest.raises(AttributeError, match=message):
        read(first)


def test_a_data_point_shows_its_columns(first):
    assert repr(first) == "DataPoint(id=1, text='hi', a.b=0.5, odd name=[1], count=7)"


def test_a_data_point_cannot_be_changed(first):
    with pytest.raises(AttributeError):
        first.text = "other"
    with pytest.raises(AttributeError):
        first.new = "other"


def test_a_sliced_batch_gives_the_rows_of_the_slice():
    points = data_points(pa.RecordBatch.from_pydict(COLUMNS).slice(1))
    assert [x.id for x in points] == [2]


def test_no_rows_are_no_data_points():
    assert data_points(pa.RecordBatch.from_pydict(COLUMNS).slice(2)) == []
