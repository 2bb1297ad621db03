import pytest
from absl.testing import flagsaver

from tf_explainer.command_line import flags


@pytest.fixture
def parse():
    """Parses a command line; the flags are as before afterwards."""

    def parse(*arguments):
        flags.FLAGS(["program", "--workdir=w", "--dataset=creatures", *arguments])

    with flagsaver.flagsaver():
        yield parse
