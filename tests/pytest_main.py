"""Runs the test file that it is given; Bazel would otherwise execute the file, which tests nothing."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]]))
