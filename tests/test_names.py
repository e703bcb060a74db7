"""Organization names as hostile as they come, everywhere that names are shown."""

from __future__ import annotations

import csv
import html
import io
import json
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from stability_magic.__main__ import main
from stability_magic._simulation import SimulatedOrganization
from stability_magic._simulator import SimulatedClock, Simulator

NAMES = [
    "Cash $x_1$ & $$Money$$",
    "<b>bold</b><script>alert(1)</script>",
    "🚀 Rockets 👩‍🚀 e\u0301",
    "אבג דהו مرحبا",
    "L" + "o" * 198 + "ng",
    "\x1b[31mred\x1b[0m\x07\r\nnext\tcell",
    "\u202egnp.exe\u2066",
    "_leading, \"quoted\"; 'single'",
    "\ud800 lone",
    "-42",
    " ",
]


@pytest.fixture(params=NAMES, ids=ascii)
def name(request, monkeypatch, log_path):
    """A name that the service gives its default organization, and how it may be shown."""
    organization = SimulatedOrganization(
        id="org-1", name=request.param, is_default=True, opening=1e4, steady_per_hour=3.0
    )
    clock = SimulatedClock(speed=0)
    with Simulator(organizations=[organization], clock=clock, rate_limit=10**6) as simulator:
        monkeypatch.setenv("STABILITY_API_HOST", simulator.url)
        monkeypatch.setenv("STABILITY_API_KEY", simulator.api_key)
        yield request.param


def is_harmless(text: str) -> bool:
    """Whether a text moves no cursor, changes no colour and turns no writing direction."""
    reordering = {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"}
    return all(
        each == "\n"
        or (
            unicodedata.category(each) not in ("Cc", "Cs")
            and unicodedata.bidirectional(each) not in reordering
        )
        for each in text
    )


def test_in_a_terminal_nothing_is_raw(name, capsys):
    """Not in the line, nor in any of the formats; each is still well-formed."""
    assert main(["balance", "--format", "table"]) == 0
    shown = capsys.readouterr()
    assert is_harmless(shown.out + shown.err)
    assert shown.err.count("\n") == 1
    assert main(["account", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert is_harmless(row["name"])
    assert main(["history", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["name"] == row["name"]


def test_in_a_notebook_it_is_text_and_no_markup(name, shell, capsys):
    """The frame's HTML holds the name escaped, and nothing of it as an element."""
    result = shell.run_cell("%stability_balance")
    result.raise_error()
    assert is_harmless(capsys.readouterr().out)
    bundle, _ = shell.display_formatter.format(result.result)
    assert is_harmless(bundle["text/plain"])
    assert "<script>" not in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    assert result.result["name"].iloc[0][:20] in html.unescape(bundle["text/html"])


def test_in_a_picture_it_is_drawn_without_a_warning(name, tmp_path):
    """As an SVG it is well-formed; warnings would be errors here."""
    assert main(["balance", "-q"]) == 0
    for kind in ("svg", "png", "pdf"):
        assert main(["plot", "--output", str(tmp_path / f"names.{kind}")]) == 0
    ET.parse(tmp_path / "names.svg")


def test_an_id_that_cannot_be_sent_does_not_cost_the_other_organizations(
    monkeypatch, log_path, capsys
):
    """The others are read; the error names the id."""
    organizations = [
        SimulatedOrganization(id="no id", name="One", opening=1e4),
        SimulatedOrganization(id="org-2", name="Two", is_default=True, opening=1e4),
    ]
    clock = SimulatedClock(speed=0)
    with Simulator(organizations=organizations, clock=clock) as simulator:
        monkeypatch.setenv("STABILITY_API_HOST", simulator.url)
        monkeypatch.setenv("STABILITY_API_KEY", simulator.api_key)
        assert main(["balance", "-a", "--format", "csv"]) == 1
    shown = capsys.readouterr()
    assert "org-2" in shown.out
    assert "'no id' is no organization id" in shown.err
