"""In a real JupyterLab, in a real browser: what a person sees, types, interrupts and restarts.

``STABILITY_MAGIC_ARTEFACTS=folder python -m pytest tests/test_jupyterlab.py`` keeps pictures of
the cells there, in the light and in the dark theme.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from ._lab import Lab, missing
from ._page import Output, Page

QUICKSTART = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"
ERROR = "application/vnd.jupyter.stderr"

Open = Callable[..., Page]


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """Where pictures of the cells go."""
    folder = Path(os.environ.get("STABILITY_MAGIC_ARTEFACTS") or tmp_path / "artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens a notebook of cells in a server and a browser of its own."""
    if lacking := missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    lab = Lab(tmp_path / "lab")
    pages: list[Page] = []

    def opened(*cells: str | nbformat.NotebookNode) -> Page:
        made = [
            nbformat.v4.new_code_cell(each) if isinstance(each, str) else each for each in cells
        ]
        count = lab.write("notebook.ipynb", made)
        pages.append(Page(lab.address("notebook.ipynb"), count, tmp_path / "browser"))
        return pages[0]

    try:
        yield opened
    finally:
        for page in pages:
            page.close()
        lab.close()


def assert_can_be_read(page: Page, cells: dict[str, int], artefacts: Path) -> None:
    """In both themes no text is faint and no picture is cut; pictures of the cells are kept."""
    for theme in ("Light", "Dark"):
        page.change_theme(f"JupyterLab {theme}")
        for name, at in cells.items():
            for output in page.outputs(at):
                assert output.fits
                assert output.contrast >= 4.5, (name, theme, output.text)
            page.keep(at, artefacts / f"{name}-{theme.lower()}.png")


def shape(outputs: list[Output]) -> list[str]:
    """The kinds of what a cell shows."""
    return [each.kind.rpartition("/")[2].removeprefix("vnd.jupyter.") for each in outputs]


def test_run_all_shows_each_line_above_its_frame_and_the_picture(opened, artefacts):
    """The quickstart, from top to bottom, in both themes."""
    cells = nbformat.read(QUICKSTART, as_version=4).cells
    page = opened(*cells)
    page.menu("Run", "Run All Cells")
    code = {each.id: at for at, each in enumerate(cells) if each.cell_type == "code"}
    shown = {name: page.finish(at) for name, at in code.items()}
    assert ERROR not in [each.kind for outputs in shown.values() for each in outputs]
    for name in ("account", "balance", "usage", "history", "costs"):
        assert shape(shown[name]) == ["stdout", "html"]
        assert shown[name][1].rows > 1
    assert shown["balance"][0].text.startswith("Fernhill Studio (simulated): ")
    assert "read_at" in shown["balance"][1].text
    (picture,) = shown["plot"]
    assert picture.picture.startswith("data:image/png;base64,")
    assert min(picture.size) > 300
    assert_can_be_read(page, code, artefacts)


def test_tab_completes_magics_options_and_values(opened):
    """What is offered first is taken with Enter."""
    page = opened("%load_ext stability_magic", "", "")
    page.run(0)

    def complete(cell: int, typed: str, whole: str) -> None:
        offered = f".jp-Completer-item.jp-mod-active[data-value='{whole.rsplit(maxsplit=1)[-1]}']"
        page.press(typed, "TAB")
        page.until(lambda: page.find(offered))
        page.press("ENTER")
        page.until(lambda: page.code(cell) == whole)

    page.edit(1)
    complete(1, "%stability_bal", "%stability_balance")
    complete(1, " --sin", "%stability_balance --since")
    complete(1, " yes", "%stability_balance --since yesterday")
    page.edit(2)
    complete(2, "%stability_usage --b", "%stability_usage --by")


def test_a_watch_changes_in_place_and_outlives_an_interrupt(opened, artefacts):
    """Its line and picture are replaced; the interrupted cell ends, and the kernel goes on."""
    page = opened(
        "%load_ext stability_magic\n%stability_demo",
        "%stability_watch --every 10s --plot",
        "%stability_demo --spend 24",
        "%%stability_cost slow\nimport time\nprint('begun', flush=True)\ntime.sleep(3600)",
        "print(6 * 7)",
    )
    page.run(0)
    first = page.run(1)
    assert shape(first) == ["plain", "png", "html"]
    page.run(2)

    def other(before: list[Output]) -> list[Output] | None:
        now = page.finish(1)
        changed = [now[at].text != before[at].text for at in (0, 2)]
        assert not changed[1]
        return now if changed[0] and now[1].picture != before[1].picture else None

    second = page.until(lambda: other(first))
    assert shape(second) == shape(first)
    assert "nothing spent since" in first[0].text
    assert "· 24.00 spent since" in second[0].text
    page.begin(3)
    page.until(lambda: "begun" in page.outputs(3)[0].text)
    page.menu("Kernel", "Interrupt Kernel")
    stopped = "".join(each.text for each in page.finish(3))
    assert "KeyboardInterrupt" in stopped
    assert "slow: about 0.00 credits" in stopped
    assert page.run(4)[0].text == "42\n"
    third = page.until(lambda: other(second))
    assert shape(third) == shape(first)
    assert_can_be_read(page, {"watch-with-picture": 1}, artefacts)


def test_a_restart_ends_the_watch_and_forgets_the_magics(opened):
    """Until the extension is loaded again."""
    threads = "import threading\nprint([each.name for each in threading.enumerate()])"
    page = opened(
        "%load_ext stability_magic\n%stability_demo",
        "%stability_watch --every 10s",
        "%stability_watch --status",
        "%stability_balance",
        threads,
    )
    for at in range(4):
        assert "stderr" not in shape(page.run(at))
    assert "stability_watch" in page.run(4)[0].text
    page.menu("Kernel", "Restart Kernel…")
    page.click(".jp-Dialog button", "Restart")
    page.until(lambda: not page.find(".jp-Dialog"))
    page.until(page.idle)
    assert "stability_watch" not in page.run(4)[0].text
    assert page.prompt(4) == "[1]:"
    (unknown,) = page.run(3)
    assert unknown.kind == ERROR
    assert "%stability_balance` not found" in unknown.text
    page.run(0)
    assert page.run(2)[0].text == "no watch is running\n"
    assert shape(page.run(3)) == ["stdout", "html"]
