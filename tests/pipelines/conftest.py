import pytest

from tests.pipelines import squares


@pytest.fixture(scope="package")
def performer(tmp_path_factory):
    """A small performer, loaded from its file."""
    return squares.saved_performer(tmp_path_factory.mktemp("performer"))
