"""Who runs a cell, as the settings say, in a real shell."""

from __future__ import annotations

import pytest

from stability_magic import SettingsError
from stability_magic.analysis.cost_frames import ELSEWHERE
from stability_magic.analysis.team import NO_MEMBER
from stability_magic.settings import StabilityMagic

CELL = "%%stability_cost render --settle 0\n"


def members(shell) -> list[str]:
    """Who ran each cell, and a dash where that is not known."""
    return shell.run_cell("%stability_costs").result["member"].fillna("-").tolist()


def test_nobody_is_named_unless_the_setting_says_so(shell, api, log_path):
    """The machine is, as for readings."""
    shell.run_cell("%config StabilityMagic.host = 'desk'").raise_error()
    shell.run_cell(f"{CELL}1").raise_error()
    frame = shell.run_cell("%stability_costs").result
    assert frame["host"].tolist() == ["desk"]
    assert frame["member"].isna().tolist() == [True]
    assert b"member\0" not in log_path.read_bytes()
    team = shell.run_cell("%stability_team").result
    assert team["member"].tolist() == [NO_MEMBER, ELSEWHERE]
    assert team["host"].fillna("-").tolist() == ["desk", "-"]


def test_the_name_is_the_one_at_the_cells_head(shell, api, log_path, monkeypatch):
    """One that is changed later, or in the cell, renames nothing that was."""
    monkeypatch.setenv("STABILITY_MAGIC_MEMBER", "  Ann Ö. \n")
    shell.run_cell(f"{CELL}%config StabilityMagic.member = 'bob'").raise_error()
    shell.run_cell(f"{CELL}1").raise_error()
    for nobody in ("off", "", "  "):
        shell.run_cell(f"%config StabilityMagic.member = {nobody!r}").raise_error()
        shell.run_cell(f"{CELL}1").raise_error()
    assert members(shell) == ["Ann Ö.", "bob", "-", "-", "-"]
    shell.run_cell("%config StabilityMagic.host = 'off'").raise_error()
    shell.run_cell(f"{CELL}1").raise_error()
    assert shell.run_cell("%stability_costs").result["host"].isna().tolist()[-1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 64, "has 64 characters, more than 63"),
        ("x" * 5000, "has 5,000 characters, more than 63"),
        ("ann\nbob", "is no name"),
        ("ann\x1b[31m", "is no name"),
        ("ann\u202e", "is no name"),
        ("(elsewhere)", "is no name"),
        (NO_MEMBER, "is no name"),
    ],
)
def test_what_is_no_name_stops_the_cell_in_one_line(
    shell, api, log_path, capsys, monkeypatch, name, reason
):
    """Before anything is asked or run, since a name that was cut could be another member's."""
    monkeypatch.setenv("STABILITY_MAGIC_MEMBER", name)
    requests = len(api.requests)
    error = shell.run_cell(f"{CELL}ran = True").error_in_exec
    assert isinstance(error, SettingsError)
    assert reason in str(error)
    assert "STABILITY_MAGIC_MEMBER" in str(error)
    written = capsys.readouterr()
    (line,) = (written.out + written.err).splitlines()
    assert line.startswith("SettingsError: ")
    assert len(line) < 300
    assert len(api.requests) == requests
    assert "ran" not in shell.user_ns
    # Nothing else needs it.
    shell.run_cell("%stability_balance").raise_error()


def test_the_longest_name_is_kept(monkeypatch):
    """Whole."""
    monkeypatch.setenv("STABILITY_MAGIC_MEMBER", "ö" * 63)
    assert StabilityMagic().member_name() == "ö" * 63
