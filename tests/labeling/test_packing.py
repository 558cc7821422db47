import numpy as np
import pyarrow as pa
import pytest

from dp_spark.errors import SchemaError
from dp_spark.labeling.packing import pack_votes, unpack_votes

VOTES = np.array([[1, -1, 0], [0, 0, 0], [-1, 1, 127], [5, 100, -1]], dtype=np.int8)


def test_votes_come_back_from_their_packed_form():
    packed = pack_votes(VOTES)
    assert packed.type == pa.binary()
    assert packed[2].as_py() == bytes([255, 1, 127])
    np.testing.assert_array_equal(unpack_votes(packed, 3), VOTES)


@pytest.mark.parametrize(("offset", "length"), [(0, 2), (1, 2), (2, 2), (3, 1), (4, 0)])
def test_unpacking_honours_the_slice(offset, length):
    part = pack_votes(VOTES).slice(offset, length)
    np.testing.assert_array_equal(unpack_votes(part, 3), VOTES[offset : offset + length])


def test_large_binary_is_unpacked_too():
    np.testing.assert_array_equal(unpack_votes(pack_votes(VOTES).cast(pa.large_binary()), 3), VOTES)


def test_the_order_in_memory_does_not_matter():
    np.testing.assert_array_equal(unpack_votes(pack_votes(np.asfortranarray(VOTES)[::-1]), 3), VOTES[::-1])


@pytest.mark.parametrize(
    "packed", [pack_votes(VOTES), pa.array([b"123", b"1234"]), pa.array([b"1234", None])]
)
def test_values_of_another_length_are_refused(packed):
    with pytest.raises(SchemaError, match="'votes' holds values that are null or not 4 bytes long"):
        unpack_votes(packed, 4)
