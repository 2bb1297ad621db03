"""Operates a tab of TensorBoard in headless Chromium, as a person does."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import Any

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

_FIND_FRAME = """
function* frames(root) {
  for (const element of root.querySelectorAll("*")) {
    if (element.tagName === "IFRAME") yield element;
    if (element.shadowRoot) yield* frames(element.shadowRoot);
  }
}
for (const frame of frames(document)) {
  const {search} = frame.contentWindow.location;
  if (frame.offsetParent !== null && search === "?name=" + arguments[0]) return frame;
}
return null;
"""

_HAVE_COLOURS = """
return [...document.querySelectorAll(arguments[0])].every((canvas) => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 1;
});
"""


def is_available() -> bool:
    """Returns whether Chromium and its driver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Tab:
    """One plugin's tab.

    Args:
        driver: the browser.
        server: TensorBoard's address.
    """

    def __init__(self, driver: WebDriver, server: str) -> None:
        self.driver, self._server = driver, server

    def open(self, plugin: str, state: str = "", *, dark: bool = False) -> None:
        """Opens a tab by its address, in a fresh page."""
        self.driver.switch_to.default_content()
        self.driver.get("about:blank")
        self.driver.get(f"{self._server}/{'?darkMode=true' if dark else ''}#{plugin}{state}")
        self.enter(plugin)

    def enter(self, plugin: str) -> None:
        """Waits until a plugin is shown, and continues in its frame."""

        def frame() -> Any:
            self.driver.switch_to.default_content()
            return self.driver.execute_script(_FIND_FRAME, plugin)

        self.driver.switch_to.frame(wait_for(frame))

    def ready(self, what: str) -> WebElement:
        """Waits until a part of the page is marked as ready."""
        return self.find(f"[data-ready={what}]")

    def find(self, selector: str, text: str = "") -> WebElement:
        """Waits for an element that contains a text."""

        def found() -> WebElement | None:
            elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in elements if text in element.text), None)

        return wait_for(found)

    def count(self, selector: str) -> int:
        """Counts elements."""
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def drawn(self, selector: str = "canvas.picture") -> bool:
        """Waits until every picture is drawn; returns whether each has more than one colour."""
        wait_for(
            lambda: self.count(selector) and self.count(selector) == self.count(f"{selector}[data-drawn]")
        )
        return self.script(_HAVE_COLOURS, selector)

    def choose(self, label: str, value: str) -> None:
        """Chooses an option of a list."""
        Select(self.find(f"select[aria-label='{label}']")).select_by_value(value)

    def write(self, selector: str, text: str) -> None:
        """Replaces the content of a field; an empty text clears it."""
        self.find(selector).send_keys(Keys.CONTROL, "a", Keys.NULL, text or Keys.DELETE, Keys.ENTER)

    def press(self, *keys: str) -> None:
        """Presses keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def script(self, text: str, *arguments: Any) -> Any:
        """Runs JavaScript in the frame."""
        return self.driver.execute_script(text, *arguments)

    @property
    def address(self) -> str:
        """The hash of the page's address."""
        return self.script("return parent.location.hash")

    def complaints(self) -> list[str]:
        """Returns errors and policy violations that the console has logged since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@contextlib.contextmanager
def browser(width: int = 1500, height: int = 950, downloads: str | None = None) -> Iterator[WebDriver]:
    """Starts headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if downloads:
        options.add_experimental_option("prefs", {"download.default_directory": downloads})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def wait_for(condition: Any, seconds: float = 30) -> Any:
    """Waits until a function returns a true value, and returns it.

    Raises:
        TimeoutError: the function returned no true value in time.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"the page did not meet the condition within {seconds:g} seconds")
        time.sleep(0.03)
    return found
