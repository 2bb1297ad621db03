import pathlib

import pytest


@pytest.fixture(scope="session")
def shared_datasets() -> pathlib.Path:
    """The real data that lies beside the project, on machines that have it."""
    folder = pathlib.Path(__file__).resolve().parents[3] / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip("needs the real data: there is no folder shared/datasets beside the project")
    return folder
