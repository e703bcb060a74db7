"""The card in a real kernel, and the line where there is no kernel."""

from __future__ import annotations

import pytest

from .test_kernel import printed_text, run_cells


def cards(outputs):
    """The cards of a cell, each with its plain twin."""
    return [
        each["data"]
        for each in outputs
        if each["output_type"] == "display_data" and "text/html" in each["data"]
    ]


@pytest.mark.usefixtures("api", "log_path")
def test_a_balance_shows_its_card_however_it_is_called():
    """Also where the frame is assigned or silenced; quiet leaves it out."""
    load, *outputs, quiet, status, many = run_cells(
        "%load_ext stability_magic",
        "%stability_balance",
        "frame = %stability_balance",
        "%stability_balance;",
        "%stability_balance --no-log",
        "%stability_balance -q",
        "%stability",
        "%stability_balance -a;",
    )
    assert load == []
    for each in (*outputs, status):
        (card,) = cards(each)
        assert "credits" in card["text/html"]
        assert card["text/plain"].startswith("Fernhill Studio (simulated)")
        assert printed_text(each) == ""
    assert cards(quiet) == []
    (card,) = cards(many)
    assert card["text/html"].count("<tr") == 5
    assert card["text/plain"].count("\n") == 2


def test_a_terminal_gets_the_line_and_the_summary(shell, api, log_path, capsys):
    """IPython without a kernel cannot show HTML."""
    shell.run_cell("frame = %stability_balance").raise_error()
    assert capsys.readouterr().out.startswith("Fernhill Studio (simulated): ")
    shell.run_cell("%stability").raise_error()
    out = capsys.readouterr().out
    assert out.startswith("Fernhill Studio (simulated) · ")
    assert "spent                      credits      dollars\n" in out
    assert "<" not in out


def test_a_log_that_cannot_be_read_costs_the_card_alone(api, log_path):
    """The balance is told in words."""
    log_path.parent.mkdir()
    log_path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    _, outputs = run_cells("%load_ext stability_magic", "frame = %stability_balance")
    assert cards(outputs) == []
    assert printed_text(outputs).startswith("Fernhill Studio (simulated): ")
