"""Runs the test file that it is given; Bazel would otherwise execute the file, which tests nothing."""

import sys

import pytest


class Deselected:
    """Counts the tests that were left out on purpose: a file of slow tests alone is no mistake."""

    def __init__(self):
        self.count = 0

    def pytest_deselected(self, items):
        self.count += len(items)


if __name__ == "__main__":
    deselected = Deselected()
    code = pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]], plugins=[deselected])
    sys.exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED and deselected.count else code)
