"""``stability-magic status``: the log at a glance, asking nobody."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog
from stability_magic.terminal.command_line import main


@pytest.fixture
def log(log_path) -> BalanceLog:
    """Forty days of readings of two organizations."""
    log = BalanceLog(log_path)
    now = datetime.now(UTC)
    for hours in range(0, 40 * 24, 6):
        for number, organization in enumerate(("org-1", "org-2")):
            credits = 1000.0 + (number + 1) * hours
            log.append(Balance(organization, credits, now - timedelta(hours=hours)))
    return log


def test_it_tells_what_is_left_and_asks_nobody(log, capsys, monkeypatch):
    """Without a key, and with an address where nobody answers."""
    monkeypatch.delenv("STABILITY_API_KEY", raising=False)
    monkeypatch.setenv("STABILITY_API_HOST", "http://127.0.0.1:9")
    assert main(["status", "-o", "org-1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("org-1 · 1,000.00 credits ($10.00) left")
    assert "yesterday                  ≈ 24.00" in captured.out
    assert "\x1b" not in captured.out
    assert captured.err == ""


def test_several_organizations_are_a_table(log, capsys):
    """All of them where nothing says whose key it is."""
    for arguments in (["status"], ["status", "-a"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("2 organizations · 2,000.00 credits")


def test_the_settings_choose_the_organization(log, capsys, monkeypatch):
    """As for every other command."""
    monkeypatch.setenv("STABILITY_ORGANIZATION", "org-2")
    assert main(["status"]) == 0
    assert capsys.readouterr().out.startswith("org-2 · 1,000.00")


def test_an_organization_that_the_log_lacks_is_told_with_those_that_it_has(
    log, capsys, monkeypatch
):
    """The log is not empty, so nothing says that it is."""
    monkeypatch.setenv("STABILITY_ORGANIZATION", "nonsense")
    assert main(["status"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no readings of 'nonsense'" in captured.err
    assert "it has: org-1, org-2" in captured.err


def test_json_is_for_programs(log, capsys):
    """With a version, and nothing else on standard output."""
    assert main(["status", "-a", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == 1
    assert [each["organization"] for each in answer["organizations"]] == ["org-1", "org-2"]
    assert answer["organizations"][0]["spent"]["yesterday"]["credits"] == pytest.approx(24.0)


def test_an_empty_log_says_how_to_begin(log_path, capsys):
    """Which is no failure."""
    assert main(["status"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "takes one" in captured.err


def test_all_and_one_contradict_each_other(log, capsys):
    """A wrong argument is exit code 2."""
    assert main(["status", "-a", "-o", "org-1"]) == 2
    assert "leave out -o, or -a" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(
    ("variables", "has_colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_take_it(log, variables, has_colour):
    """A balance that is low is red there, and the same words elsewhere."""
    import pexpect

    environment = {**os.environ, "STABILITY_LOW_BALANCE": "2000", **variables}
    environment = {
        name: each for name, each in environment.items() if name in variables or name != "NO_COLOR"
    }
    child = pexpect.spawn(
        sys.executable,
        ["-m", "stability_magic", "status", "-o", "org-1"],
        env=environment,
        timeout=60,
    )
    text = child.read().decode()
    assert ("\x1b[1;31mLOW, under 2,000" in text) == has_colour
    assert "LOW, under 2,000" in text
    assert ("\x1b" in text) == has_colour


def test_organizations_stand_in_the_order_in_which_the_log_saw_them(log_path, capsys):
    """In the summary, in usage and in forecasts, whatever their ids are."""
    log = BalanceLog(log_path)
    now = datetime.now(UTC)
    for days in range(8, -1, -1):
        for organization in ("org-late", "org-early")[days > 4 :]:
            log.append(Balance(organization, 100.0 + days, now - timedelta(days=days, minutes=1)))
    seen = ["org-early", "org-late"]
    assert main(["status", "-a", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["organization"] for each in answer["organizations"]] == seen
    for command in (["usage", "--by", "week", "--since", "all"], ["forecast"]):
        assert main([*command, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [each["organization"] for each in rows][-2:] == seen
