"""The forecast where users see it: in the balance line, as a command, in the picture."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from stability_magic import Balance, BalanceLog, forecast, plot_balance, plot_usage
from stability_magic.analysis.frames import COLUMNS
from stability_magic.display.lines import empty_phrase, running_out_warning
from stability_magic.display.watch_state import WatchState
from stability_magic.terminal.command_line import main

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def steady_readings(days: int = 20, left: float = 500.0, per_day: float = 48.0) -> pd.DataFrame:
    """Hourly readings of a balance that falls evenly until so many credits are left."""
    hours = np.arange(24 * days + 1)
    index = pd.DatetimeIndex(NOW - pd.to_timedelta(hours[::-1], unit="h"), name="read_at")
    credits = left + hours[::-1] * per_day / 24
    return pd.DataFrame({"organization": "org-1", "name": "One", "credits": credits}, index=index)


def forecast_row(**changes: object) -> pd.Series:
    """A row of the forecast frame."""
    defaults = {
        "name": "One",
        "credits": 500.0,
        "spent_per_day": 48.0,
        "recent_per_day": 50.0,
        "empty_at": "2026-12-03 08:00",
        "empty_early": "2026-12-01 08:00",
        "empty_late": "2026-12-09 08:00",
        "evidence": "20.0 days, 480 readings",
    }
    row = defaults | changes
    for each in ("empty_at", "empty_early", "empty_late"):
        row[each] = pd.Timestamp(row[each], tz="UTC")
    return pd.Series(row)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({}, "empty about Thu 3 Dec (1-9 Dec)"),
        ({"empty_early": "2026-11-30 08:00"}, "empty about Thu 3 Dec (30 Nov-9 Dec)"),
        ({"empty_late": "2027-01-09 08:00"}, "empty 1 Dec to 9 Jan 2027"),
        ({"empty_late": "2027-04-09 08:00"}, "empty 1 Dec or later"),
        ({"empty_late": None}, "empty 1 Dec or later"),
        ({"empty_early": "2026-11-24 08:00"}, "empty in 1 to 17 days"),
        ({"empty_early": "2026-11-23 02:00", "empty_late": None}, "irregular: cannot tell"),
        # An upper end of ten times the middle would only say that there is none.
        (
            {
                "empty_at": "2026-11-25 12:00",
                "empty_early": "2026-11-24 18:00",
                "empty_late": "2026-12-24 12:00",
            },
            "empty 24 Nov or later",
        ),
        (
            {
                "empty_at": "2027-05-20 08:00",
                "empty_early": "2027-05-16 08:00",
                "empty_late": "2027-05-24 08:00",
            },
            "empty about Thu 20 May 2027 (16-24 May 2027)",
        ),
        (
            {
                "empty_at": "2026-11-22 18:00",
                "empty_early": "2026-11-22 15:00",
                "empty_late": "2026-11-23 02:30",
            },
            "empty in 3 to 15 hours",
        ),
        (
            {
                "empty_at": "2026-11-23 13:00",
                "empty_early": "2026-11-22 23:30",
                "empty_late": "2026-11-24 09:00",
            },
            "empty in 11 to 45 hours",
        ),
        (
            {"empty_early": "2026-12-03 01:00", "empty_late": "2026-12-03 23:00"},
            "empty about Thu 3 Dec",
        ),
    ],
)
def test_the_phrase_is_only_as_exact_as_the_forecast(changes, phrase):
    """Hours within two days, a day or a range beyond; the month only once if it is the same."""
    assert empty_phrase(forecast_row(**changes), NOW) == [phrase]


def test_a_warning_says_when_the_credits_may_run_out():
    """With the hour alone today, and with the date on a later day."""
    state = WatchState("org-1", NOW, 0.0, name="One")
    for hours, early in ((6, "18:00"), (30, "23 Nov 18:00")):
        warning = running_out_warning(state, NOW + timedelta(hours=hours), NOW)
        assert warning == f"WARNING, 12:00, One: the balance may be empty as early as {early}"


@pytest.mark.parametrize(
    ("evidence", "phrases"),
    [
        ("too little to tell: 0.4 of 3 days", []),
        ("nothing is being spent: 20.0 days, 480 readings", []),
        ("more than a year: 20.0 days, 480 readings", ["lasts more than a year"]),
        ("too old to tell: 20.0 days, 480 readings, the last 600.0 days ago", []),
        (
            "irregular: cannot tell, but one more day like 2 Nov would empty it; 20.0 days",
            ["irregular: cannot tell, but one more day like 2 Nov would empty it"],
        ),
    ],
)
def test_without_a_date_no_date_is_invented(evidence, phrases):
    """The line then says nothing, or that it is a long time."""
    no_dates = {"empty_at": None, "empty_early": None, "empty_late": None}
    assert empty_phrase(forecast_row(**no_dates, evidence=evidence), NOW) == phrases


def test_used_up_credits_last_no_longer():
    """The balance itself shows it."""
    assert empty_phrase(forecast_row(credits=0.0), NOW) == []


@pytest.fixture
def log(log_path, api) -> BalanceLog:
    """Twenty days of readings of the default organization, up to now."""
    log = BalanceLog(log_path)
    (default,) = (each for each in api.organizations if each.is_default)
    now = datetime.now(UTC)
    balance = api.ledgers[default.id].balance(api.clock.now())
    for hours in range(20 * 12, 0, -1):
        at = now - timedelta(hours=2 * hours)
        log.append(Balance(default.id, balance + 20.0 * hours, at))
    return log


def test_the_balance_line_ends_with_how_long_it_lasts(log, capsys):
    """Even if the frame below it is shorter than the forecast's window."""
    assert main(["balance", "--since", "2h", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert re.search(r" · empty (about|in) ", captured.err)
    assert captured.out.count("\n") <= 3


def test_the_balance_line_of_a_new_log_makes_no_promise(log_path, api, capsys):
    """One reading says nothing about the future."""
    assert main(["balance", "--format", "csv"]) == 0
    assert "empty" not in capsys.readouterr().err


def test_the_command_has_a_line_and_a_row_for_each_organization(log, shell, capsys):
    """Computed from the log, without a request."""
    shell.run_cell("frame = %stability_forecast").raise_error()
    frame = shell.user_ns["frame"]
    assert list(frame.columns) == list(COLUMNS["forecast"])
    assert frame["spent_per_day"].iloc[0] == pytest.approx(240.0, rel=0.01)
    assert frame["empty_early"].iloc[0] <= frame["empty_at"].iloc[0] <= frame["empty_late"].iloc[0]
    assert re.search(
        r"\d credits a day expected, 240.00 a day in the last 7 days", capsys.readouterr().out
    )


def outlooks(figure):
    """The forecast's lines of a figure: for each its times and balances."""
    return [each.get_xydata() for each in figure.axes[0].lines if each.get_linestyle() == "--"]


@pytest.mark.parametrize("days_old", [0, 90])
def test_the_forecast_is_the_same_whatever_is_shown(log_path, shell, capsys, days_old):
    """In the frame, the balance line and pictures of a day, a week and everything."""
    log = BalanceLog(log_path)
    random = np.random.default_rng(1)
    spent = random.gamma(0.3, 60.0, 24 * 40)
    last = datetime.now(UTC) - timedelta(days=days_old)
    for position, credits in enumerate(3000.0 + np.cumsum(spent[::-1])[::-1]):
        at = last - timedelta(hours=len(spent) - 1 - position)
        log.append(Balance("org-1", credits, at))
    shell.run_cell("frame = %stability_forecast").raise_error()
    (row,) = shell.user_ns["frame"].to_dict("records")
    expected = forecast(log.readings(), now=last + timedelta(seconds=1)).iloc[0]
    assert row["spent_per_day"] == expected["spent_per_day"]
    assert row["recent_per_day"] == expected["recent_per_day"]
    if days_old == 0:
        for column in ("empty_early", "empty_at", "empty_late"):
            assert row[column] == expected[column]
    since = ("1d", "7d", "all") if days_old == 0 else ("91d", "100d", "all")
    shown = []
    for each in since:
        shell.run_cell(f"figure = %stability_plot --since {each} --forecast").raise_error()
        lines = outlooks(shell.user_ns["figure"])
        shown.append(lines[0] if lines else None)
    (first, *others) = [each for each in shown if each is not None]
    assert others
    for each in others:
        np.testing.assert_allclose(np.interp(first[:, 0], *each.T), first[:, 1], atol=30.0)


def test_the_balance_line_tells_what_the_forecast_tells(log, capsys):
    """The same words, whatever the frame below the line shows."""
    assert main(["balance", "--since", "2h", "--format", "csv"]) == 0
    line = capsys.readouterr().err
    assert main(["forecast", "--format", "csv"]) == 0
    (words,) = re.findall(r" · (empty [^·\n]+)", line)
    assert f" · {words} · " in capsys.readouterr().err


def test_an_old_log_says_how_old_it_is(log_path, capsys):
    """Its four weeks are those before its last reading, and no date is told."""
    log = BalanceLog(log_path)
    last = datetime.now(UTC) - timedelta(days=600)
    for hours in range(30 * 24):
        log.append(Balance("org-1", 1000.0 + hours, last - timedelta(hours=hours)))
    assert main(["forecast", "--format", "csv"]) == 0
    line = capsys.readouterr().err
    assert line == ("org-1 · too old to tell: 28.0 days, 673 readings, the last 600.0 days ago\n")


def test_the_command_on_an_empty_log(log_path, capsys):
    """It gives an empty frame with the same columns."""
    assert main(["forecast", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip().split(",") == list(COLUMNS["forecast"])
    assert "takes one" in captured.err


def test_the_picture_continues_with_a_dashed_line_within_a_band():
    """From the last reading down to zero, and the time axis has room for it."""
    readings = steady_readings(days=30)
    ax = plot_usage(readings, forecast=True).axes[0]
    balance_line, forecast_line = ax.lines[:2]
    assert forecast_line.get_linestyle() == "--"
    assert forecast_line.get_xdata()[0] == pytest.approx(balance_line.get_xdata()[-1])
    assert forecast_line.get_ydata()[0] == pytest.approx(500.0)
    assert forecast_line.get_ydata()[-1] == pytest.approx(0.0, abs=5.0)
    assert any(isinstance(each, PolyCollection) for each in ax.collections)
    assert ax.get_xlim()[1] > forecast_line.get_xdata()[-1]


def test_the_picture_without_evidence_is_the_picture_without_forecast():
    """Nothing is drawn, and no room is left for it."""
    readings = steady_readings(days=1)
    with_forecast, without = (plot_usage(readings, forecast=each).axes[0] for each in (True, False))
    assert len(with_forecast.lines) == len(without.lines)
    assert with_forecast.get_xlim() == without.get_xlim()


def test_the_balance_panel_alone_can_show_the_forecast():
    """On any axes."""
    ax = plot_usage(steady_readings()).axes[0]
    before = len(ax.lines)
    plot_balance(steady_readings(), ax=ax, forecast=True)
    assert len(ax.lines) == before + 2


def test_an_empty_frame_has_no_forecast_to_draw():
    """The picture says that there are no readings, as without a forecast."""
    figure = plot_usage(steady_readings().iloc[:0], forecast=True)
    assert figure.texts[0].get_text() == "No readings yet"
