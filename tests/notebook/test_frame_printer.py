"""How frames look in notebooks: ours as tables, all others as pandas shows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pandas as pd
import pytest
from IPython.core.formatters import BaseFormatter
from IPython.core.interactiveshell import InteractiveShell

from stability_magic import BalanceLog, forecast, usage
from stability_magic.models import Balance

from ..helpers.page_text import Html
from .magic_calls import run_magic

TABLE = '<div style="font:13px'


@pytest.fixture
def html(shell: InteractiveShell) -> BaseFormatter:
    """The formatter that notebooks show frames with."""
    assert shell.display_formatter is not None
    formatter: BaseFormatter = shell.display_formatter.formatters["text/html"]
    return formatter


@pytest.fixture
def own_printer(html: BaseFormatter) -> Iterator[None]:
    """Removes what a test has registered for frames."""
    yield
    html.type_printers.pop(pd.DataFrame, None)
    html.deferred_printers.clear()


def restart(shell: InteractiveShell) -> None:
    """Loads the extension anew."""
    shell.extension_manager.unload_extension("stability_magic")
    shell.extension_manager.load_extension("stability_magic")


def ours() -> pd.DataFrame:
    """A frame of ours, from Python."""
    at = pd.date_range("2026-11-01", periods=9, freq="D", tz="UTC")
    return usage(pd.DataFrame({"organization": "org-1", "credits": range(90, 0, -10)}, index=at))


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("%stability_account", "organization"),
        ("%stability_balance -a", "read"),
        ("%stability_history", "read"),
        ("%stability_history --host", "read"),
        ("%stability_usage --by hour", "hour from"),
        ("%stability_forecast", "organization"),
        ("%stability_watch --status", ""),
        ("%stability_costs", ""),
    ],
)
def test_each_magic_returns_a_plain_frame_that_shows_as_a_table(shell, html, line, heading):
    """In the terminal it is as always."""
    shell.run_cell("%stability_balance -a").raise_error()
    frame = run_magic(shell, line)
    assert type(frame) is pd.DataFrame
    text = html(frame)
    assert text.startswith(TABLE)
    assert ([""] if heading == "" else Html(text).rows[0])[0] == heading
    assert shell.display_formatter.formatters["text/plain"](frame) == repr(frame)
    assert "scoped" in frame._repr_html_()


@pytest.mark.usefixtures("api")
def test_frames_from_python_show_as_tables_too(html, tmp_path):
    """Those of a log, and what is computed from them."""
    log = BalanceLog(tmp_path / "log.db")
    for credits in (5.0, 4.0):
        log.append(Balance("org-1", credits, pd.Timestamp("2026-11-01", tz="UTC").to_pydatetime()))
    readings = log.readings()
    for frame in (readings, usage(readings), forecast(readings), log.readings(until=None)):
        assert html(frame).startswith(TABLE)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2]}),
        pd.DataFrame(),
        pd.DataFrame({"organization": ["org-1"], "credits": [5.0]}),
        pd.DataFrame({"a": range(100)}),
        ours().groupby("organization").sum(numeric_only=True),
        ours().assign(more=1),
        ours().reset_index(),
        ours().merge(ours(), on="organization"),
        ours().drop(columns="usd"),
    ],
)
def test_other_frames_look_as_pandas_makes_them(html, frame):
    """Byte for byte."""
    assert html(frame) == frame._repr_html_()


def test_a_subclass_keeps_its_own_look(html):
    """As that of another library does."""

    class Own(pd.DataFrame):
        def _repr_html_(self):
            return "<p>own</p>"

    assert html(Own(ours())) == "<p>own</p>"


def test_the_settings_of_pandas_and_ours_are_respected(shell, html):
    """No HTML where pandas shall make none, and that of pandas where tables are off."""
    frame = ours()
    with pd.option_context("display.notebook_repr_html", False):
        assert html(frame) is None
    assert html(frame).startswith(TABLE)
    shell.run_cell("%config StabilityMagic.tables = False").raise_error()
    assert html(frame) == frame._repr_html_()
    shell.run_cell("%config StabilityMagic.tables = True").raise_error()
    assert html(frame).startswith(TABLE)


def test_unloading_leaves_nothing_behind(shell, html):
    """A frame looks as pandas makes it, and nothing is registered."""
    html(ours())
    shell.extension_manager.unload_extension("stability_magic")
    assert pd.DataFrame not in html.type_printers
    assert not html.deferred_printers
    assert html(ours()) == ours()._repr_html_()


@pytest.mark.usefixtures("own_printer")
def test_a_printer_that_was_there_is_asked_about_all_other_frames(shell, html):
    """It is there again after unloading."""
    shell.extension_manager.unload_extension("stability_magic")

    def printer(_: pd.DataFrame) -> str:
        return "theirs"

    html.for_type(pd.DataFrame, printer)
    shell.extension_manager.load_extension("stability_magic")
    shell.extension_manager.load_extension("stability_magic")
    assert html(ours()).startswith(TABLE)
    assert html(pd.DataFrame({"a": [1]})) == "theirs"
    shell.extension_manager.unload_extension("stability_magic")
    assert html.type_printers[pd.DataFrame] is printer
    assert html(ours()) == "theirs"


@pytest.mark.usefixtures("own_printer")
@pytest.mark.parametrize("registered", ["by name", "for a base"])
def test_a_printer_that_is_found_in_another_way_is_found_again(shell, html, registered):
    """By the type's name, as Colab does it, or for a type that frames are made from."""
    shell.extension_manager.unload_extension("stability_magic")
    base = pd.DataFrame.__mro__[1]
    if registered == "by name":
        html.for_type_by_name(pd.DataFrame.__module__, "DataFrame", lambda _: "theirs")
    else:
        html.for_type(base, lambda _: "theirs")
    shell.extension_manager.load_extension("stability_magic")
    assert html(ours()).startswith(TABLE)
    assert html(pd.DataFrame({"a": [1]})) == "theirs"
    shell.extension_manager.unload_extension("stability_magic")
    assert html(ours()) == "theirs"
    html.type_printers.pop(base, None)


@pytest.mark.usefixtures("own_printer")
def test_a_printer_that_came_later_stays_and_reaches_the_one_before(shell, html):
    """It passes on to ours, which after unloading only passes on."""
    before = html.for_type(pd.DataFrame)

    def later(frame: pd.DataFrame) -> str:
        return f"later {before(frame)}"

    html.for_type(pd.DataFrame, later)
    assert html(ours()).startswith(f"later {TABLE}")
    shell.extension_manager.unload_extension("stability_magic")
    assert html.type_printers[pd.DataFrame] is later
    assert html(ours()) == f"later {ours()._repr_html_()}"
    restart(shell)
    assert html(ours()).startswith(TABLE)
    assert html(pd.DataFrame()) == f"later {pd.DataFrame()._repr_html_()}"


BEFORE_PANDAS = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
html = shell.display_formatter.formatters["text/html"]
if THEIRS:
    for module in ("pandas", "pandas.core.frame"):
        html.for_type_by_name(module, "DataFrame", lambda frame: "theirs")
shell.run_line_magic("load_ext", "stability_magic")
assert "pandas" not in sys.modules
import pandas as pd
from stability_magic import usage
at = pd.date_range("2026-11-01", periods=9, freq="D", tz="UTC")
frame = usage(pd.DataFrame({"organization": "org-1", "credits": range(90, 0, -10)}, index=at))
other = pd.DataFrame({"a": [1]})
print(html(frame)[:4], html(other) == ("theirs" if THEIRS else other._repr_html_()))
shell.run_line_magic("reload_ext", "stability_magic")
print(html(frame)[:4], html(other) == ("theirs" if THEIRS else other._repr_html_()))
shell.run_line_magic("unload_ext", "stability_magic")
print(html(frame) == ("theirs" if THEIRS else frame._repr_html_()))
print(len(html.type_printers), len(html.deferred_printers))
"""


@pytest.mark.parametrize("theirs", [False, True])
def test_it_works_when_pandas_is_imported_after_loading(theirs):
    """Under whatever name pandas has put its type; loading does not import it."""
    code = f"THEIRS = {theirs}\n{BEFORE_PANDAS}"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    *looks, registered = process.stdout.splitlines()
    assert looks == ["<div True", "<div True", "True"]
    assert registered == ("1 1" if theirs else "0 0")
