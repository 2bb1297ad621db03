"""The site that `make docs` builds: its links lead somewhere, and it fetches nothing from elsewhere."""

import html.parser
import pathlib
import re
import urllib.parse

import pytest

import tf_explainer

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "site"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SITE.exists(), reason="there is no site: make docs")]


class Links(html.parser.HTMLParser):
    """What a page names, what it leads to, and what it fetches."""

    def __init__(self, page):
        super().__init__()
        self.anchors, self.leads_to, self.fetches = set(), [], []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs.get("id"), attrs.get("name")}
        if tag == "a" and "href" in attrs:
            self.leads_to.append(attrs["href"])
        elif tag == "link" and attrs.get("rel") not in ("next", "prev", "canonical"):
            self.fetches.append(attrs["href"])
        self.fetches += [attrs[name] for name in ("src", "srcset", "poster", "data") if name in attrs]


@pytest.fixture(scope="module")
def pages():
    return {page: Links(page) for page in SITE.rglob("*.html")}


def test_pages_show_what_is_linked_to(pages):
    names = {page.relative_to(SITE).as_posix() for page in pages}
    documents = {
        f"docs/{path.stem}.html"
        for path in (ROOT / "docs").glob("*.*")
        if path.suffix not in {".svg", ".webp"}
    }
    assert names >= documents | {"index.html", "CONTRIBUTING.html", "CHANGELOG.html"}
    assert names >= {"tf_explainer/explainer/layers.html", "pipelines.html", "tf_explainer/images.html"}


def test_a_link_leads_to_a_page_and_its_heading(pages):
    broken = []
    for page, links in pages.items():
        for link in links.leads_to + links.fetches:
            address = urllib.parse.urlsplit(link)
            if address.scheme or address.netloc or page.name == "404.html":
                continue
            target = (page.parent / urllib.parse.unquote(address.path)).resolve() if address.path else page
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].anchors if target in pages else {""}
            if not target.is_file() or urllib.parse.unquote(address.fragment) not in known | {"", "__skip"}:
                broken.append(f"{page.relative_to(SITE)}: {link}")
    assert sum(len(links.leads_to) for links in pages.values()) > 1000
    assert broken == []


def test_nothing_is_fetched_from_another_host(pages):
    fetched = {link for links in pages.values() for link in links.fetches}
    styles = "\n".join(path.read_text(encoding="utf-8") for path in SITE.rglob("*.css"))
    fetched |= set(re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", styles))
    assert len(fetched) > 20
    assert [link for link in fetched if re.match(r"(?!data:)(\w+:)?//|\w+:(?!//|image)", link)] == []


def test_the_reference_has_the_names_of_the_package(pages):
    anchors = {anchor for anchor in pages[SITE / "docs" / "api.html"].anchors if anchor}
    named = {anchor.rpartition(".")[2] for anchor in anchors}
    assert named >= {*tf_explainer.__all__, "UserError", "explain", "plot"}


def test_lists_are_lists(pages):
    """Unlike other readers of Markdown, this one wants an empty line before a list."""
    swallowed = [
        (page.relative_to(SITE).as_posix(), found)
        for page in pages
        if page.parent in (SITE, SITE / "docs")
        for found in re.findall(r"<p>[^<]*\n(?:[-*]|\d+\.) [^\n]{0,40}", page.read_text(encoding="utf-8"))
    ]
    assert swallowed == []
