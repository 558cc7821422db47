import pytest
from small_run import small_run


@pytest.fixture(scope="session")
def run(storage, tmp_path_factory):
    """The run on ROWS; tests that change something copy it."""
    return small_run(storage, tmp_path_factory.mktemp("small"))
