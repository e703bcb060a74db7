"""What is done next: how often the balance pays for it, and the level that is low and empty."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from matplotlib.dates import num2date

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.session.session import Session
from stability_magic.session.watch import Watch
from stability_magic.settings import StabilityMagic
from stability_magic.terminal.command_line import main

from ..helpers.errors import assert_is_clear_error
from .service import answer_with_balances

LEFT = 800.0
PER_HOUR = 5.0


@pytest.fixture(autouse=True)
def log(log_path, monkeypatch) -> BalanceLog:
    """Ten days in which five credits were spent each hour, up to this minute: 800 are left."""
    log, now = BalanceLog(log_path), datetime.now(UTC) - timedelta(seconds=30)
    monkeypatch.setenv("STABILITY_ORGANIZATION", "org-sim-studio")
    balances = (
        Balance("org-sim-studio", LEFT + PER_HOUR * hour, now - timedelta(hours=hour))
        for hour in range(240, -1, -1)
    )
    log.write([entry_from_balance(each, source="library") for each in balances])
    return log


def run(shell, line: str):
    """The result of a line; its errors are raised."""
    result = shell.run_cell(line)
    result.raise_error()
    return result.result


def set_next(shell, job: str) -> None:
    """Sets what is done next."""
    run(shell, f"%config StabilityMagic.next_operation = {job!r}")


def empty_at(shell) -> pd.Timestamp:
    """When the forecast frame says that it is empty."""
    return run(shell, "%stability_forecast")["empty_at"].iloc[0]


def test_the_lines_say_how_often_the_balance_pays_for_it(shell, api, capsys):
    """In the balance line, the summary and, for programs, its JSON."""
    set_next(shell, "ultra")
    answer_with_balances(api, LEFT)
    run(shell, "%stability_balance;")
    assert " · buys 100 ultra · " in capsys.readouterr().out
    run(shell, "%stability")
    assert "buys 100 ultra · " in capsys.readouterr().out.splitlines()[1]
    set_next(shell, "6 ultra + 1 erase")
    run(shell, "%stability")
    assert "buys 6 ultra + 1 erase 15 times" in capsys.readouterr().out


def test_the_card_says_it(shell, api):
    """As the line does."""
    from stability_magic.commands.log_commands import status
    from stability_magic.session.current import current_session

    set_next(shell, "ultra")
    arguments = type("Arguments", (), {"all": True, "organization": None, "local": True})()
    assert "buys 100 ultra" in status(current_session(), arguments).card()


def test_the_variable_sets_it_for_the_command_line(monkeypatch, capsys):
    """A job in a terminal has no profile."""
    monkeypatch.setenv("STABILITY_NEXT_OPERATION", "sdxl")
    assert main(["status", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["organizations"]
    assert answer["buys"] == {"job": "1 sdxl", "credits": 0.9, "times": 888}
    monkeypatch.setenv("STABILITY_NEXT_OPERATION", "ultra ultra")
    assert main(["status"]) == 1
    assert "SettingsError: STABILITY_NEXT_OPERATION: 'ultra ultra'" in capsys.readouterr().err


def test_it_is_empty_where_it_no_longer_pays_for_it(shell, api, capsys):
    """The same moment in the frame, in the line, in the summary and in the picture."""
    without = empty_at(shell)
    set_next(shell, "50 ultra")
    with_level = empty_at(shell)
    # The 400 credits of fifty are those of eighty hours.
    assert without - with_level > timedelta(hours=60)
    row = run(shell, "%stability_forecast").iloc[0]
    assert row["credits"] == LEFT
    figure = run(shell, "%stability_plot --forecast --since 10d")
    (line,) = (each for each in figure.axes[0].lines if each.get_label() == "_forecast")
    assert line.get_ydata()[-1] == 400.0
    assert abs(num2date(line.get_xdata()[-1]) - with_level) < timedelta(minutes=1)
    capsys.readouterr()
    run(shell, "%stability_forecast;")
    told = capsys.readouterr().out.split(" · ")[1]
    assert told.startswith("empty ")
    run(shell, "%stability")
    assert told in capsys.readouterr().out
    answer_with_balances(api, LEFT)
    run(shell, "%stability_balance;")
    assert told in capsys.readouterr().out


def test_a_watch_warns_of_that_moment(api):
    """And not of the later one when nothing is left."""
    warnings = []
    for job in ("", "50 ultra"):
        settings = StabilityMagic(warn_days=4.5, next_operation=job)
        session = Session(settings, source="magic")
        answer_with_balances(api, LEFT)
        session.watch = watch = Watch(session, ["org-sim-studio"], timedelta(hours=1))
        watch.start(lambda _: None)
        warnings.append(watch.states[0].warnings)
        session.close()
    before, after = warnings
    assert not before
    assert "the balance may be empty as early as" in after[0]


def test_under_its_price_the_balance_is_low_and_empty(shell, api, capsys):
    """Everywhere, with the level that is the higher one."""
    set_next(shell, "101 ultra")
    answer_with_balances(api, LEFT)
    run(shell, "%stability_balance;")
    line = capsys.readouterr().out
    assert "too little for 101 ultra" in line
    assert line.rstrip().endswith("LOW: under 808.00")
    row = run(shell, "%stability_forecast").iloc[0]
    assert row["evidence"] == "less is left than the next operation costs"
    assert row["empty_at"] == row["empty_late"]
    assert "empty " not in capsys.readouterr().out.splitlines()[0]
    run(shell, "%stability")
    assert "LOW, under 808 · too little for 101 ultra" in capsys.readouterr().out
    title = run(shell, "%stability_plot --forecast --since 2d").texts[0].get_text()
    assert "LOW, 800 credits ($8.00) left" in title
    run(shell, "%config StabilityMagic.low_balance = 900.0")
    run(shell, "%stability")
    assert "LOW, under 900" in capsys.readouterr().out


def test_exactly_its_price_still_pays_for_it(shell, capsys):
    """The balance is neither low nor empty, until the next credit is spent."""
    set_next(shell, "100 ultra")
    run(shell, "%stability")
    out = capsys.readouterr().out
    assert "buys 100 ultra once" in out
    assert "LOW" not in out
    row = run(shell, "%stability_forecast").iloc[0]
    assert row["evidence"].startswith("10.0 days")


def test_a_price_that_is_not_known_is_said_and_makes_no_level(shell, capsys):
    """Never 0, and never a level."""
    without = empty_at(shell)
    prices = {"later": {"credits": 5, "since": "2090-01-01"}}
    run(shell, f"%config StabilityMagic.prices = {prices!r}")
    set_next(shell, "later")
    capsys.readouterr()
    run(shell, "%stability")
    assert "no price is known for later" in capsys.readouterr().out
    assert empty_at(shell) == without


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("next_operation", "0 ultra"),
        ("next_operation", "40 utlra"),
        ("next_operation", "5 usd"),
        ("prices", {"ultra": -1}),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_sent(shell, api, name, value):
    """In one line; and no reading is lost for it."""
    set_next(shell, "ultra")
    run(shell, f"%config StabilityMagic.{name} = {value!r}")
    for line in ("%stability_balance", "%stability", "%stability_watch"):
        error = shell.run_cell(line).error_in_exec
        assert isinstance(error, SettingsError)
        assert f"StabilityMagic.{name}" in str(error)
    assert not api.requests


def test_prices_that_nobody_needs_stop_no_reading(shell, api):
    """Only what needs them is refused."""
    run(shell, "%config StabilityMagic.prices = {'ultra': -1}")
    run(shell, "%stability_balance --require 1;")
    error = shell.run_cell("%stability_balance --require '1 ultra'").error_in_exec
    assert isinstance(error, SettingsError)
    assert_is_clear_error(error)
    assert api.requests


def test_a_watch_goes_on_when_the_setting_becomes_unusable(api):
    """It was usable when the watch began."""
    session = Session(StabilityMagic(next_operation="ultra", warn_days=1.0), source="magic")
    session.watch = watch = Watch(session, ["org-sim-studio"], timedelta(hours=1))
    session.settings.next_operation = "ultra ultra"
    watch.start(watch.line)
    assert not watch.states[0].problem
    session.close()
