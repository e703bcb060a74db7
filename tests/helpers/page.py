"""A notebook in JupyterLab, in headless Chromium, used as a person would use it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .lab import TIMEOUT, find_programs

__all__ = ["Output", "Page"]

Result = TypeVar("Result")

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
    # The page can reach nothing but this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,2000",
)

_CELLS = ".jp-Notebook .jp-Cell"


class Output(NamedTuple):
    """One output of a cell.

    Attributes:
        kind: Its MIME type.
        text: Its visible text.
        rows: How many rows its table has; 0 without a table.
        picture: The picture's source; empty without a picture.
        size: The picture's width and height.
        fits: Whether the picture is completely visible.
        contrast: The lowest contrast of a text with its background, from 1 to 21.
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
    const numbers = colour.match(/[\\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers, 1] : numbers;
};
const blend = ([r, g, b, a], below) =>
    [r, g, b].map((each, index) => a * each + (1 - a) * below[index]);
const background = element => {
    if (!element) return [255, 255, 255];
    const own = parts(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : blend(own, background(element.parentElement));
};
const luminance = colour => {
    const [r, g, b] = colour.map(each => each / 255)
        .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = element => {
    const below = background(element);
    const text = blend(parts(getComputedStyle(element).color), below);
    const [dark, bright] = [luminance(below), luminance(text)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
};
const texts = output => [...output.querySelectorAll('*')].filter(
    each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]];
return [...cell.querySelectorAll('.jp-OutputArea-output')].map(output => {
    const picture = output.querySelector('img');
    const box = picture && picture.getBoundingClientRect();
    return [
        output.dataset.mimeType || '',
        output.innerText,
        output.querySelectorAll('tr').length,
        picture ? picture.src : '',
        picture ? [picture.naturalWidth, picture.naturalHeight] : [],
        !picture || box.right <= output.getBoundingClientRect().right,
        Math.min(21, ...texts(output).map(contrast)),
    ];
});
"""


class Page:
    """A notebook in its own browser.

    Args:
        address: The notebook's URL.
        cells: How many cells it has.
        profile: The folder for the browser's data.
    """

    def __init__(self, address: str, cells: int, profile: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        browser, driver = find_programs()
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

    def until(self, condition: Callable[[], Result]) -> Result:
        """Waits until a condition's result is true, and returns that result."""
        from selenium.common.exceptions import WebDriverException

        deadline = time.monotonic() + TIMEOUT
        while True:
            # The page may have been redrawn since an element of it was found.
            with contextlib.suppress(WebDriverException, IndexError):
                result = condition()
                if result:
                    return result
            if time.monotonic() > deadline:
                raise TimeoutError(self.text("body"))
            time.sleep(0.2)

    def _all(self, selector: str) -> list[Any]:
        return self._driver.find_elements("css selector", selector)

    def find(self, selector: str) -> list[Any]:
        """The visible elements of a selector."""
        return [each for each in self._all(selector) if each.is_displayed()]

    def text(self, selector: str) -> str:
        """The visible text of a selector's elements."""
        return "\n".join(each.text for each in self.find(selector))

    def idle(self) -> bool:
        """Whether the notebook's kernel is idle."""
        return not self.find(".jp-Spinner") and "| Idle" in self.text("#jp-main-statusbar")

    def menu(self, name: str, *entries: str) -> None:
        """Chooses from the menu bar."""
        self.click(".lm-MenuBar-itemLabel", name)
        for each in entries:
            self.click(".lm-Menu-itemLabel", each)

    def click(self, selector: str, label: str) -> None:
        """Clicks the element with a label."""

        def has_clicked() -> bool:
            for each in self.find(selector):
                if each.text == label:
                    each.click()
                    return True
            return False

        self.until(has_clicked)

    def change_theme(self, name: str) -> None:
        """Chooses a theme, and waits until it is shown."""
        self.menu("Settings", "Theme", name)
        self.until(lambda: self.find(f"body[data-jp-theme-name='{name}']"))
        self.until(lambda: not self.find("#jupyterlab-splash"))

    def press(self, *keys: str) -> None:
        """Presses keys one after the other; special ones by name, such as ``"ENTER"``."""
        from selenium.webdriver import ActionChains, Keys

        codes = (getattr(Keys, each) if each.isupper() else each for each in keys)
        ActionChains(self._driver).send_keys(*codes).perform()

    def _in_cell(self, index: int, selector: str) -> Any:
        return self._all(_CELLS)[index].find_element("css selector", selector)

    def edit(self, index: int) -> None:
        """Puts the cursor into a cell."""
        self.until(lambda: self._in_cell(index, ".cm-content").click() is None)
        # Keys pressed earlier would be taken for shortcuts.
        self.until(lambda: self._in_cell(index, ".cm-focused"))

    def code(self, index: int) -> str:
        """The source text of a cell."""
        return str(self._in_cell(index, ".cm-content").text)

    def prompt(self, index: int) -> str:
        """``[3]:`` if the cell was the third to run, ``[*]:`` while it runs."""
        return str(self._in_cell(index, ".jp-InputPrompt").get_property("textContent"))

    def begin(self, index: int) -> None:
        """Starts a cell."""
        before = self.until(lambda: self.prompt(index))
        self.until(lambda: self._in_cell(index, ".jp-InputPrompt").click() is None)
        self.menu("Run", "Run Selected Cell")
        self.until(lambda: self.prompt(index) != before)

    def finish(self, index: int) -> list[Output]:
        """Waits until a cell has run, and returns its outputs."""

        def is_finished() -> bool:
            outputs = self.outputs(index) if re.fullmatch(r"\[\d+\]:", self.prompt(index)) else None
            # A picture appears a little later than its element.
            return outputs is not None and all(all(each.size) for each in outputs)

        self.until(is_finished)
        return self.outputs(index)

    def run(self, index: int) -> list[Output]:
        """Runs a cell, and returns its outputs."""
        self.begin(index)
        return self.finish(index)

    def outputs(self, index: int) -> list[Output]:
        """The current outputs of a cell."""
        return [Output(*each) for each in self._driver.execute_script(_OUTPUTS, index)]

    def keep(self, index: int, picture: Path) -> None:
        """Saves a picture of a cell."""
        cell = self._all(_CELLS)[index]
        self._driver.execute_script("arguments[0].scrollIntoView({block: 'start'})", cell)
        cell.screenshot(str(picture))
