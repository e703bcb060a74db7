"""In a real JupyterLab, in a real browser: what users see, type, interrupt and restart.

``STABILITY_MAGIC_ARTEFACTS=folder python -m pytest tests/notebook/test_jupyterlab.py`` saves
pictures of the cells there, in the light and in the dark theme.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from ..helpers.lab import Lab, missing
from ..helpers.page import Output, Page
from ..helpers.project import ROOT

pytestmark = pytest.mark.once

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"
STDERR_KIND = "application/vnd.jupyter.stderr"

OpenNotebook = Callable[..., Page]


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """Where pictures of the cells go."""
    folder = Path(os.environ.get("STABILITY_MAGIC_ARTEFACTS") or tmp_path / "artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_notebook(tmp_path: Path) -> Iterator[OpenNotebook]:
    """Opens a notebook with these cells, in its own server and browser."""
    if lacking := missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    lab = Lab(tmp_path / "lab")
    pages: list[Page] = []

    def open_cells(*cells: str | nbformat.NotebookNode) -> Page:
        new_cells = [
            nbformat.v4.new_code_cell(each) if isinstance(each, str) else each for each in cells
        ]
        count = lab.write("notebook.ipynb", new_cells)
        pages.append(Page(lab.address("notebook.ipynb"), count, tmp_path / "browser"))
        return pages[0]

    try:
        yield open_cells
    finally:
        for page in pages:
            page.close()
        lab.close()


def assert_is_readable(page: Page, cells: dict[str, int], artefacts: Path) -> None:
    """In both themes no text is faint and no picture is cut off; saves pictures of the cells."""
    for theme in ("Light", "Dark"):
        page.change_theme(f"JupyterLab {theme}")
        for name, index in cells.items():
            for output in page.outputs(index):
                assert output.fits
                assert output.contrast >= 4.5, (name, theme, output.text)
            page.keep(index, artefacts / f"{name}-{theme.lower()}.png")


def kinds(outputs: list[Output]) -> list[str]:
    """The kinds of a cell's outputs."""
    return [each.kind.rpartition("/")[2].removeprefix("vnd.jupyter.") for each in outputs]


def test_run_all_shows_each_line_above_its_frame_and_the_picture(open_notebook, artefacts):
    """The quickstart, from top to bottom, in both themes."""
    cells = nbformat.read(QUICKSTART, as_version=4).cells
    page = open_notebook(*cells)
    page.menu("Run", "Run All Cells")
    code_cells = {each.id: index for index, each in enumerate(cells) if each.cell_type == "code"}
    outputs = {name: page.finish(index) for name, index in code_cells.items()}
    assert STDERR_KIND not in [
        each.kind for cell_outputs in outputs.values() for each in cell_outputs
    ]
    for name in ("account", "balance", "usage", "history", "costs"):
        answer = "html" if name == "balance" else "stdout"
        assert kinds(outputs[name]) == [answer, "html"]
        assert outputs[name][1].rows > 1
    assert outputs["balance"][0].text.startswith("Fernhill Studio (simulated)")
    assert "read_at" in outputs["balance"][1].text
    (picture,) = outputs["plot"]
    assert picture.picture.startswith("data:image/png;base64,")
    assert min(picture.size) > 300
    assert_is_readable(page, code_cells, artefacts)


def test_tab_completes_magics_options_and_values(open_notebook):
    """Enter accepts the first completion."""
    page = open_notebook("%load_ext stability_magic", "", "")
    page.run(0)

    def complete(cell: int, text: str, expected_code: str) -> None:
        word = expected_code.rsplit(maxsplit=1)[-1]
        first_completion = f".jp-Completer-item.jp-mod-active[data-value='{word}']"
        page.press(text, "TAB")
        page.until(lambda: page.find(first_completion))
        page.press("ENTER")
        page.until(lambda: page.code(cell) == expected_code)

    page.edit(1)
    complete(1, "%stability_bal", "%stability_balance")
    complete(1, " --sin", "%stability_balance --since")
    complete(1, " yes", "%stability_balance --since yesterday")
    page.edit(2)
    complete(2, "%stability_usage --b", "%stability_usage --by")


def test_a_watch_changes_in_place_and_outlives_an_interrupt(open_notebook, artefacts):
    """Its line and picture are replaced; an interrupt ends the cell, but not the watch."""
    page = open_notebook(
        "%load_ext stability_magic\n%stability_demo",
        "%stability_watch --every 10s --plot",
        "%stability_demo --spend 24",
        "%%stability_cost slow\nimport time\nprint('begun', flush=True)\n"
        # Python does not notice a signal that comes just before it falls asleep.
        "for _ in range(36_000): time.sleep(0.1)",
        "print(6 * 7)",
    )
    page.run(0)
    first_outputs = page.run(1)
    assert kinds(first_outputs) == ["plain", "png"]
    page.run(2)

    def changed_outputs(old: list[Output]) -> list[Output] | None:
        new = page.finish(1)
        has_changed = new[0].text != old[0].text and new[1].picture != old[1].picture
        return new if has_changed else None

    second_outputs = page.until(lambda: changed_outputs(first_outputs))
    assert kinds(second_outputs) == kinds(first_outputs)
    assert "nothing spent since" in first_outputs[0].text
    # The simulated organization may have spent something of its own meanwhile.
    spent = re.search(r"· ([\d.,]+) spent since", second_outputs[0].text)
    assert float(spent[1].replace(",", "")) >= 24.0
    page.begin(3)
    page.until(lambda: "begun" in page.outputs(3)[0].text)
    page.menu("Kernel", "Interrupt Kernel")
    output_text = "".join(each.text for each in page.finish(3))
    assert "KeyboardInterrupt" in output_text
    assert "slow: no change seen yet" in output_text
    assert page.run(4)[0].text == "42\n"
    third_outputs = page.until(lambda: changed_outputs(second_outputs))
    assert kinds(third_outputs) == kinds(first_outputs)
    assert_is_readable(page, {"watch-with-picture": 1}, artefacts)


def test_a_restart_ends_the_watch_and_forgets_the_magics(open_notebook):
    """Until the extension is loaded again."""
    list_threads = "import threading\nprint([each.name for each in threading.enumerate()])"
    page = open_notebook(
        "%load_ext stability_magic\n%stability_demo",
        "%stability_watch --every 10s",
        "%stability_watch --status",
        "%stability_balance",
        list_threads,
    )
    for index in range(4):
        assert "stderr" not in kinds(page.run(index))
    assert "stability_watch" in page.run(4)[0].text
    page.menu("Kernel", "Restart Kernel…")
    page.click(".jp-Dialog button", "Restart")
    page.until(lambda: not page.find(".jp-Dialog"))
    page.until(page.idle)
    assert "stability_watch" not in page.run(4)[0].text
    assert page.prompt(4) == "[1]:"
    (error_output,) = page.run(3)
    assert error_output.kind == STDERR_KIND
    assert "%stability_balance` not found" in error_output.text
    page.run(0)
    assert page.run(2)[0].text == "no watch is running\n"
    assert kinds(page.run(3)) == ["html", "html"]
