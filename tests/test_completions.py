"""What Tab offers behind a magic, asked as front ends ask."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter


def offered(shell, line: str) -> set[str]:
    """What the shell's completer offers at the end of a line."""
    with provisionalcompleter():
        return {each.text for each in shell.Completer.completions(line, len(line))}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%stability_balance --s", {"--since"}),
        ("%stability_balance --no", {"--no-log"}),
        ("df = %stability_usage --by ", {"hour", "day", "week", "month"}),
        ("%stability_usage --by we", {"week"}),
        ("%stability_history --since y", {"yesterday"}),
        ("x = 1\n%stability_plot --o", {"--organization", "--output"}),
        ("%stability_demo --", {"--spend", "--stop"}),
        ("%%stability_cost --", {"--organization", "--settle"}),
        ("%stability_costs ", {"--since", "--summary", "--local"}),
        ("%stability_watch --every ", {"30s", "10m", "1h"}),
        ("%stability_balance -a -o x --organ", {"--organization"}),
    ],
)
def test_options_and_their_values_are_offered(shell, line, expected):
    """Each option's own words, and nothing besides."""
    assert offered(shell, line) == expected


def test_an_option_that_was_given_is_not_offered_again(shell):
    """Unless it may be given more than once."""
    found = offered(shell, "%stability_usage --by day -o org-1 --")
    assert "--by" not in found
    assert "--organization" in found


@pytest.mark.usefixtures("log_path")
def test_organizations_that_the_log_knows_are_offered(shell, api):
    """Nobody is asked for them."""
    shell.run_cell("%stability_balance -a;").raise_error()
    asked = len(api.requests)
    assert offered(shell, "%stability_history -o ") == {each.id for each in api.organizations}
    assert len(api.requests) == asked


def test_a_log_that_cannot_be_read_offers_nothing(shell, log_path):
    """Completing is no place for errors."""
    log_path.parent.mkdir()
    log_path.write_bytes(b"no database" * 1000)
    assert not {each for each in offered(shell, "%stability_history -o ") if "org" in each}


def test_the_magics_themselves_are_offered(shell):
    """As IPython does for every magic."""
    assert {"%stability_balance"} <= offered(shell, "%stability_bal")


@pytest.mark.parametrize("line", ["stability = --s", "print(--s", "%timeit --s", "x = 1 --s"])
def test_elsewhere_nothing_is_added(shell, line):
    """Other magics and ordinary code are left alone."""
    assert not {"--since", "--show-email"} & offered(shell, line)
