import pyarrow as pa
import pytest

from dp_spark.labeling.data_point import UnreadableValueError, data_points, explained, row_type

COLUMNS = {"id": [1, 2], "text": ["hi", None], "a.b": [0.5, 1.5], "odd name": [[1], []], "count": [7, 8]}
BATCH = pa.RecordBatch.from_pydict(COLUMNS)


def points_of(batch):
    return data_points(batch, row_type(batch.schema.names))


@pytest.fixture
def first():
    return points_of(BATCH)[0]


def test_rows_come_in_their_order_with_null_as_none():
    points = points_of(BATCH)
    assert [(x.id, x.text) for x in points] == [(1, "hi"), (2, None)]


def test_columns_are_attributes_and_items_whatever_their_names(first):
    assert first.text == first["text"] == "hi"
    assert first["a.b"] == getattr(first, "a.b") == 0.5  # noqa: B009
    assert first["odd name"] == [1]
    assert first.count == 7  # not the method of a tuple


@pytest.mark.parametrize("read", [lambda x: x.txt, lambda x: x["txt"]])
def test_a_missing_column_is_named_with_the_known_ones(first, read):
    with pytest.raises(AttributeError, match="'txt'") as caught:
        read(first)
    problem = explained(caught.value)
    assert "no column 'txt'; it has ['id', 'text', 'a.b', 'odd name', 'count']. If" in str(problem)
    assert problem.__traceback__ is caught.value.__traceback__  # where it was read


def test_what_else_is_raised_stays_as_it_is(first):
    for raised in (KeyError("txt"), AttributeError("txt"), AttributeError("txt", name="txt", obj="other")):
        assert explained(raised) is raised


def test_a_data_point_shows_its_columns(first):
    assert repr(first) == "DataPoint(id=1, text='hi', a.b=0.5, odd name=[1], count=7)"


def test_a_data_point_cannot_be_changed(first):
    with pytest.raises(AttributeError):
        first.text = "other"
    with pytest.raises(AttributeError):
        first.new = "other"


def test_a_sliced_batch_gives_the_rows_of_the_slice():
    points = points_of(BATCH.slice(1))
    assert [x.id for x in points] == [2]


def test_no_rows_are_no_data_points():
    assert points_of(BATCH.slice(2)) == []


def test_a_batch_without_columns_still_has_rows():
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    assert [repr(x) for x in points_of(batch)] == ["DataPoint()"] * 2


def test_positions_and_slices_are_those_of_a_tuple(first):
    assert (first[0], first[1:3], len(first), tuple(first)[-1]) == (1, ("hi", 0.5), 5, 7)


def test_a_text_that_is_not_utf8_is_named_by_column_and_row():
    broken = pa.array([b"fine", b"\xff"]).view(pa.string())
    with pytest.raises(UnreadableValueError) as caught:
        points_of(pa.RecordBatch.from_arrays([broken], names=["text"]))
    assert (caught.value.column, caught.value.row, caught.value.is_text) == ("text", 1, True)
