"""Hostile organization names, everywhere that names are shown."""

from __future__ import annotations

import csv
import html
import io
import json
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from stability_magic.simulator.ledger import SimulatedOrganization
from stability_magic.simulator.simulator import SimulatedClock, Simulator
from stability_magic.terminal.command_line import main

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
    """The name of the service's default organization."""
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


def test_a_terminal_gets_no_raw_control_characters(name, capsys):
    """Neither in the line nor in any format; each format is still well-formed."""
    assert main(["balance", "--format", "table"]) == 0
    captured = capsys.readouterr()
    assert is_harmless(captured.out + captured.err)
    assert captured.err.count("\n") == 1
    assert main(["account", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert is_harmless(row["name"])
    assert main(["history", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    # In CSV an apostrophe precedes what a spreadsheet would compute.
    assert row["name"] == ("'" if name.startswith("-") else "") + record["name"]


def test_a_notebook_shows_it_as_text_and_not_as_markup(name, shell, capsys):
    """The frame's HTML contains the name escaped, and no element from it."""
    result = shell.run_cell("%stability_balance")
    result.raise_error()
    assert is_harmless(capsys.readouterr().out)
    bundle, _ = shell.display_formatter.format(result.result)
    assert is_harmless(bundle["text/plain"])
    assert "<script>" not in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    assert result.result["name"].iloc[0][:20] in html.unescape(bundle["text/html"])


def test_a_picture_draws_it_without_a_warning(name, tmp_path):
    """The SVG is well-formed; a warning would fail the test."""
    assert main(["balance", "-q"]) == 0
    for suffix in ("svg", "png", "pdf"):
        assert main(["plot", "--output", str(tmp_path / f"names.{suffix}")]) == 0
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
    captured = capsys.readouterr()
    assert "org-2" in captured.out
    assert "'no id' is no organization id" in captured.err
