"""Answers five questions by the tabs: reads the answers from the screen, and counts the clicks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from benchmarks.browser_tab import Tab, wait_for

MOST_CLICKS = 2


@dataclasses.dataclass(frozen=True)
class Answer:
    """The text on screen, and the number of clicks from the first screen to it."""

    text: str
    clicks: int


class Reader:
    """A person in front of the first screen.

    Args:
        tab: of the browser.
        state: the run, in the form of an address.
    """

    def __init__(self, tab: Tab, state: str = "") -> None:
        self._tab, self._clicks = tab, 0
        tab.open("parts", state)
        tab.ready("classes")

    def click(self, selector: str, text: str = "") -> None:
        """Clicks on an element."""
        self._tab.find(selector, text).click()
        self._clicks += 1

    def go_on_in(self, plugin: str, ready: str) -> None:
        """Waits for the tab that a click has opened."""
        self._tab.enter(plugin)
        self._tab.ready(ready)

    def sees(self, selector: str) -> bool:
        """Returns whether an element is on screen."""
        return self._tab.count(selector) > 0

    def reads(self, *selectors: str) -> Answer:
        """Returns the texts of some elements."""
        texts = [wait_for(lambda at=selector: self._tab.find(at).text) for selector in selectors]
        return Answer("; ".join(texts), self._clicks)


def _speaks_most(reader: Reader) -> Answer:
    return reader.reads(".class-card h2", ".class-card .mean-bars li")


def _errs(reader: Reader) -> Answer:
    if not reader.sees(".mistakes button"):
        return reader.reads(".mistakes")
    reader.click(".mistakes button")
    reader.go_on_in("part_images", "image")
    return reader.reads(".images-side .count", ".misled")


def _is_a_part(reader: Reader) -> Answer:
    reader.click(".class-card .mean-bars button")
    reader.go_on_in("parts", "grid")
    return reader.reads(".part-card .about")


def _loses(reader: Reader) -> Answer:
    reader.click(".class-card .link", "explain this image")
    reader.go_on_in("part_images", "image")
    reader.click(".step[data-step^=g] .switch-off")
    return reader.reads("[data-step=score]", "[data-step=without]", ".why [role=status]")


def _does_not_explain(reader: Reader) -> Answer:
    return reader.reads(".class-card .unexplained")


QUESTIONS: dict[str, tuple[Callable[[Reader], Answer], str]] = {
    "Which part speaks most for a class?": (_speaks_most, "nats"),
    "On which images does the network err, and what misleads it?": (_errs, "taken for"),
    "How sure is it that this part is a part?": (_is_a_part, "chance"),
    "What does the score lose without this part?": (_loses, "Measured"),
    "What share of the score do parts not explain?": (_does_not_explain, "%"),
}
"""The function that answers each question, and a word that every answer contains."""


def answers(tab: Tab, state: str = "") -> dict[str, Answer]:
    """Returns the answers to the questions that can be answered with at most two clicks.

    Args:
        tab: of the browser.
        state: the run, in the form of an address of the Parts tab.
    """
    found = {}
    for question, (ask, word) in QUESTIONS.items():
        try:
            answer = ask(Reader(tab, state))
        except TimeoutError:
            continue
        if answer.clicks <= MOST_CLICKS and word.lower() in answer.text.lower():
            found[question] = answer
    return found
