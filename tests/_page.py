"""A notebook in JupyterLab, in headless Chromium: seen and used as by a person."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ._lab import PATIENCE, programs

__all__ = ["Output", "Page"]

Found = TypeVar("Found")

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # Whatever a page asks for, it finds on this machine or not at all.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,2000",
)

_CELLS = ".jp-Notebook .jp-Cell"


class Output(NamedTuple):
    """What a cell shows in one place.

    Attributes:
        kind: Its MIME type.
        text: What can be read.
        rows: How many rows its table has; 0 without one.
        picture: The picture's source; empty without one.
        size: The picture's width and height.
        fits: Whether the picture is shown whole.
        contrast: Of the text that is hardest to read, on its background: from 1 to 21.
    """

    kind: str
    text: str
    rows: int
    picture: str
    size: Sequence[int]
    fits: bool
    contrast: float


_OUTPUTS = """
const parts = colour => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
};
const over = ([r, g, b, a], below) => [r, g, b].map((each, at) => a * each + (1 - a) * below[at]);
const background = element => {
    if (!element) return [255, 255, 255];
    const own = parts(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, background(element.parentElement));
};
const light = colour => {
    const [r, g, b] = colour.map(each => each / 255)
        .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = element => {
    const below = background(element);
    const text = over(parts(getComputedStyle(element).color), below);
    const [dark, bright] = [light(below), light(text)].sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
};
const texts = output => [...output.querySelectorAll('*')].filter(
    each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]];
return [...cell.querySelectorAll('.jp-OutputArea-output')].map(output => {
    const picture = output.querySelector('img');
    const place = picture && picture.getBoundingClientRect();
    return [
        output.dataset.mimeType || '',
        output.innerText,
        output.querySelectorAll('tr').length,
        picture ? picture.src : '',
        picture ? [picture.naturalWidth, picture.naturalHeight] : [],
        !picture || place.right <= output.getBoundingClientRect().right,
        Math.min(21, ...texts(output).map(contrast)),
    ];
});
"""


class Page:
    """A notebook in a browser of its own.

    Args:
        address: Where it is.
        cells: How many cells it has.
        profile: Where the browser keeps what it keeps.
    """

    def __init__(self, address: str, cells: int, profile: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        browser, driver = programs()
        options = webdriver.ChromeOptions()
        options.binary_location = str(browser)
        for each in (*_ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(each)
        self._driver = webdriver.Chrome(options=options, service=Service(driver))
        try:
            self._driver.get(address)
            self.until(lambda: len(self._all(_CELLS)) == cells and self.idle())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the browser."""
        self._driver.quit()

    def until(self, condition: Callable[[], Found]) -> Found:
        """What a condition answers, as soon as that is something."""
        from selenium.common.exceptions import WebDriverException

        ends = time.monotonic() + PATIENCE
        while True:
            # The page may have been drawn anew since an element of it was found.
            with contextlib.suppress(WebDriverException, IndexError):
                answer = condition()
                if answer:
                    return answer
            if time.monotonic() > ends:
                raise TimeoutError(self.text("body"))
            time.sleep(0.2)

    def _all(self, selector: str) -> list[Any]:
        return self._driver.find_elements("css selector", selector)

    def find(self, selector: str) -> list[Any]:
        """The elements of a selector that can be seen."""
        return [each for each in self._all(selector) if each.is_displayed()]

    def text(self, selector: str) -> str:
        """What can be read in the elements of a selector."""
        return "\n".join(each.text for each in self.find(selector))

    def idle(self) -> bool:
        """Whether the notebook has a kernel that waits for a cell."""
        return not self.find(".jp-Spinner") and "| Idle" in self.text("#jp-main-statusbar")

    def menu(self, name: str, *entries: str) -> None:
        """Chooses from the menu bar."""
        self.click(".lm-MenuBar-itemLabel", name)
        for each in entries:
            self.click(".lm-Menu-itemLabel", each)

    def click(self, selector: str, label: str) -> None:
        """Clicks what bears a label."""

        def clicked() -> bool:
            for each in self.find(selector):
                if each.text == label:
                    each.click()
                    return True
            return False

        self.until(clicked)

    def change_theme(self, name: str) -> None:
        """Waits until the theme is there and its curtain has gone up."""
        self.menu("Settings", "Theme", name)
        self.until(lambda: self.find(f"body[data-jp-theme-name='{name}']"))
        self.until(lambda: not self.find("#jupyterlab-splash"))

    def press(self, *keys: str) -> None:
        """Presses keys one after the other, ``"ENTER"`` and the like by their names."""
        from selenium.webdriver import ActionChains, Keys

        codes = (getattr(Keys, each) if each.isupper() else each for each in keys)
        ActionChains(self._driver).send_keys(*codes).perform()

    def _in_cell(self, at: int, selector: str) -> Any:
        return self._all(_CELLS)[at].find_element("css selector", selector)

    def edit(self, at: int) -> None:
        """Puts the cursor into a cell."""
        self.until(lambda: self._in_cell(at, ".cm-content").click() is None)
        # What is typed before would be taken for shortcuts.
        self.until(lambda: self._in_cell(at, ".cm-focused"))

    def code(self, at: int) -> str:
        """What stands in a cell."""
        return str(self._in_cell(at, ".cm-content").text)

    def prompt(self, at: int) -> str:
        """``[3]:`` where a cell was the third to be run, ``[*]:`` while it runs."""
        return str(self._in_cell(at, ".jp-InputPrompt").get_property("textContent"))

    def begin(self, at: int) -> None:
        """Begins a cell."""
        before = self.until(lambda: self.prompt(at))
        self.until(lambda: self._in_cell(at, ".jp-InputPrompt").click() is None)
        self.menu("Run", "Run Selected Cell")
        self.until(lambda: self.prompt(at) != before)

    def finish(self, at: int) -> list[Output]:
        """What a cell shows when it has run."""

        def finished() -> bool:
            shown = self.outputs(at) if re.fullmatch(r"\[\d+\]:", self.prompt(at)) else None
            # A picture is there a little later than its place.
            return shown is not None and all(all(each.size) for each in shown)

        self.until(finished)
        return self.outputs(at)

    def run(self, at: int) -> list[Output]:
        """Runs a cell."""
        self.begin(at)
        return self.finish(at)

    def outputs(self, at: int) -> list[Output]:
        """What a cell shows now."""
        return [Output(*each) for each in self._driver.execute_script(_OUTPUTS, at)]

    def keep(self, at: int, picture: Path) -> None:
        """Keeps a picture of a cell."""
        cell = self._all(_CELLS)[at]
        self._driver.execute_script("arguments[0].scrollIntoView({block: 'start'})", cell)
        cell.screenshot(str(picture))
