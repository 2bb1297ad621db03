"""A clone stays light: no large files, and few pictures."""

import subprocess

import pytest

from tests.support.source_imports import ROOT

LARGEST_FILE = 200_000
ALL_PICTURES = 300_000


def test_the_pictures_of_the_documents_are_small():
    sizes = [
        path.stat().st_size
        for path in (ROOT / "docs").iterdir()
        if path.suffix in {".jpg", ".png", ".svg", ".webp"}
    ]
    assert sizes
    assert sum(sizes) <= ALL_PICTURES


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_no_tracked_file_but_a_lock_is_large():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [
        ROOT / name for name in listed.stdout.split("\0") if name and not name.startswith("requirements/")
    ]
    assert len(paths) > 100
    large = {
        str(path): path.stat().st_size
        for path in paths
        if path.exists() and path.stat().st_size > LARGEST_FILE
    }
    assert not large
