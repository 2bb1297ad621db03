"""Fixtures of the browser tests: a module gives a `logdir`, and, if it wants others, `flags` and `WINDOW`."""

import pytest


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def flags():
    """TensorBoard's."""
    return []


@pytest.fixture(scope="module")
def tab(request, logdir, flags, downloads):
    # Only what is asked for by a browser test needs a browser.
    from benchmarks.browser_tab import Tab, browser
    from benchmarks.plugin_server import serving

    width, height = getattr(request.module, "WINDOW", (1280, 900))
    with serving(str(logdir), *flags) as server, browser(width, height, str(downloads)) as driver:
        yield Tab(driver, server)


@pytest.fixture
def nothing_is_complained_about(tab):
    yield
    assert tab.complaints() == []
    assert tab.script("return [parent.canary, window.canary]") == [None, None]
    assert tab.count("img[src=x]") == 0
