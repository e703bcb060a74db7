"""Tab completion after a magic, requested as front ends request it."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter

from stability_magic.prices import PriceList


def completions_at_end(shell, line: str) -> set[str]:
    """What the shell's completer offers for the end of a line."""
    with provisionalcompleter():
        return {each.text for each in shell.Completer.completions(line, len(line))}


WITH_S = {each for each in PriceList().operations if each.startswith("s")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%stability_balance --s", {"--since"}),
        ("%stability_balance --no", {"--no-log"}),
        ("df = %stability_usage --by ", {"hour", "day", "week", "month"}),
        ("%stability_usage --by we", {"week"}),
        ("%stability_history --since y", {"yesterday"}),
        ("%stability_usage --on y", {"yesterday"}),
        ("%stability_plot --on last", {"'last week'", "'last month'", "'last year'"}),
        ("%stability_costs --on 'th", {"this week", "this month", "this year"}),
        ("x = 1\n%stability_plot --o", {"--on", "--organization", "--output"}),
        ("%stability_demo --", {"--spend", "--stop"}),
        ("%%stability_cost --", {"--max", "--fail-closed", "--organization", "--settle"}),
        ("%stability_costs ", {"--since", "--on", "--summary", "--local"}),
        ("%stability_watch --every ", {"30s", "10m", "1h"}),
        ("%stability_estimate 40 ultra + 12 crea", {"creative-upscale"}),
        ("%stability_estimate 40 ultra + 12 s", WITH_S),
        ("%stability_prices ultr", {"ultra"}),
        ("%stability_balance -a -o x --organ", {"--organization"}),
    ],
)
def test_options_and_their_values_are_offered(shell, line, expected):
    """Exactly those that fit the option."""
    assert completions_at_end(shell, line) == expected


@pytest.mark.parametrize("line", ["%stability_usage # --b", "%stability_usage --by day  # it's --"])
def test_nothing_is_offered_in_a_comment(shell, line):
    """A hash within quotes begins none."""
    assert not {"--by", "--since"} & completions_at_end(shell, line)
    assert completions_at_end(shell, "%stability_balance --label '#5' --sin") == {"--since"}


def test_an_option_in_the_line_is_not_offered_again(shell):
    """Unless it may be given more than once."""
    texts = completions_at_end(shell, "%stability_usage --by day -o org-1 --")
    assert "--by" not in texts
    assert "--organization" in texts


@pytest.mark.usefixtures("log_path")
def test_organizations_that_the_log_knows_are_offered(shell, api):
    """Without a request."""
    shell.run_cell("%stability_balance -a;").raise_error()
    request_count = len(api.requests)
    assert completions_at_end(shell, "%stability_history -o ") == {
        each.id for each in api.organizations
    }
    assert len(api.requests) == request_count


def test_a_log_that_cannot_be_read_offers_nothing(shell, log_path):
    """And raises no error."""
    log_path.parent.mkdir()
    log_path.write_bytes(b"no database" * 1000)
    assert not {
        each for each in completions_at_end(shell, "%stability_history -o ") if "org" in each
    }


def test_the_magics_themselves_are_offered(shell):
    """As IPython does for every magic."""
    assert {"%stability_balance"} <= completions_at_end(shell, "%stability_bal")


@pytest.mark.parametrize("line", ["stability = --s", "print(--s", "%timeit --s", "x = 1 --s"])
def test_nothing_is_offered_elsewhere(shell, line):
    """Other magics and ordinary code are left alone."""
    assert not {"--since", "--show-email"} & completions_at_end(shell, line)
