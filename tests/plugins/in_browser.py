"""What the browser tests of the tabs have in common; their fixtures are in `conftest`."""

import pytest

from benchmarks import browser_tab

MINUS = "\N{MINUS SIGN}"

IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser_tab.is_available(), reason="needs Debian's chromium and chromium-driver"),
    pytest.mark.usefixtures("nothing_is_complained_about"),
]


def number_of(element):
    """What a bar's figure says."""
    return float(element.text.replace(MINUS, "-"))
