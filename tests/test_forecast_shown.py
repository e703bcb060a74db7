"""The forecast where people meet it: in the balance line, as a command, in the picture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from stability_magic import Balance, BalanceLog, plot_balance, plot_usage
from stability_magic.__main__ import main
from stability_magic._frames import COLUMNS
from stability_magic._lines import lasts_phrase, soon_warning
from stability_magic._watch import Watched

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def steady(days: int = 20, left: float = 500.0, per_day: float = 48.0) -> pd.DataFrame:
    """Hourly readings of a balance that falls evenly and has so much left."""
    hours = np.arange(24 * days + 1)
    index = pd.DatetimeIndex(NOW - pd.to_timedelta(hours[::-1], unit="h"), name="read_at")
    credits = left + hours[::-1] * per_day / 24
    return pd.DataFrame({"organization": "org-1", "name": "One", "credits": credits}, index=index)


def told(**changes: object) -> pd.Series:
    """A row of the forecast frame."""
    usual = {
        "name": "One",
        "credits": 500.0,
        "spent_per_day": 48.0,
        "empty_at": "2026-12-03 08:00",
        "empty_early": "2026-12-01 08:00",
        "empty_late": "2026-12-09 08:00",
        "evidence": "20.0 days, 480 readings",
    }
    row = usual | changes
    for each in ("empty_at", "empty_early", "empty_late"):
        row[each] = pd.Timestamp(row[each], tz="UTC")
    return pd.Series(row)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "lasts until 3 Dec (1-9 Dec)"),
        ({"empty_early": "2026-11-29 08:00"}, "lasts until 3 Dec (29 Nov-9 Dec)"),
        ({"empty_late": "2027-01-09 08:00"}, "lasts until 3 Dec (1 Dec-9 Jan 2027)"),
        ({"empty_late": None}, "lasts until 3 Dec (from 1 Dec on)"),
        (
            {
                "empty_at": "2026-11-22 18:00",
                "empty_early": "2026-11-22 15:00",
                "empty_late": "2026-11-23 02:30",
            },
            "lasts until 18:00 (15:00-23 Nov 02:30)",
        ),
        (
            {
                "empty_at": "2026-11-23 13:00",
                "empty_early": "2026-11-22 23:30",
                "empty_late": "2026-11-24 09:00",
            },
            "lasts until 23 Nov 13:00 (today 23:30-24 Nov 09:00)",
        ),
        (
            {"empty_early": "2026-12-03 01:00", "empty_late": "2026-12-03 23:00"},
            "lasts until 3 Dec",
        ),
    ],
)
def test_the_phrase_is_as_exact_as_it_is_sure(changes, said):
    """Days far off, hours when it is near, the month once where it is the same."""
    assert lasts_phrase(told(**changes), NOW) == [said]


def test_a_warning_ahead_can_be_read_out():
    """Of an hour of this day as of a later day."""
    watched = Watched("org-1", NOW, 0.0, name="One")
    for hours, early in ((6, "18:00"), (30, "23 Nov 18:00")):
        warning = soon_warning(watched, NOW + timedelta(hours=hours), NOW)
        said = f"the credits may run out as early as {early}"
        assert warning == f"WARNING, 12:00, One: {said}"


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("too little to tell: 0.4 of 3 days", []),
        ("nothing is being spent: 20.0 days, 480 readings", []),
        ("more than a year: 20.0 days, 480 readings", ["lasts more than a year"]),
    ],
)
def test_without_a_date_no_date_is_made_up(evidence, said):
    """The line then says nothing, or that it is a long time."""
    nowhere = {"empty_at": None, "empty_early": None, "empty_late": None}
    assert lasts_phrase(told(**nowhere, evidence=evidence), NOW) == said


def test_used_up_credits_last_no_longer():
    """The balance itself says it."""
    assert lasts_phrase(told(credits=0.0), NOW) == []


@pytest.fixture
def log(log_path, api) -> BalanceLog:
    """Twenty days of the default organization's readings before the simulator's now."""
    log = BalanceLog(log_path)
    (default,) = (each for each in api.organizations if each.is_default)
    now = datetime.now(UTC)
    balance = api.ledgers[default.id].balance(api.clock.now())
    for hours in range(20 * 12, 0, -1):
        at = now - timedelta(hours=2 * hours)
        log.append(Balance(default.id, balance + 20.0 * hours, at))
    return log


def test_the_balance_line_ends_with_how_long_it_lasts(log, capsys):
    """Also when the frame below shows less than the forecast looks at."""
    assert main(["balance", "--since", "2h", "--format", "csv"]) == 0
    shown = capsys.readouterr()
    assert " · lasts until " in shown.err
    assert shown.out.count("\n") <= 3


def test_the_balance_line_of_a_new_log_makes_no_promise(log_path, api, capsys):
    """One reading tells nothing about the future."""
    assert main(["balance", "--format", "csv"]) == 0
    assert "lasts" not in capsys.readouterr().err


def test_the_command_tells_for_each_organization(log, shell, capsys):
    """A line and a row each; nobody is asked."""
    shell.run_cell("frame = %stability_forecast").raise_error()
    frame = shell.user_ns["frame"]
    assert list(frame.columns) == list(COLUMNS["forecast"])
    assert frame["spent_per_day"].iloc[0] == pytest.approx(240.0, rel=0.01)
    assert frame["empty_early"].iloc[0] <= frame["empty_at"].iloc[0] <= frame["empty_late"].iloc[0]
    assert "240.00 credits a day" in capsys.readouterr().out


def test_the_command_on_an_empty_log(log_path, capsys):
    """An empty frame of the same columns."""
    assert main(["forecast", "--format", "csv"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip().split(",") == list(COLUMNS["forecast"])
    assert "takes one" in shown.err


def test_the_picture_goes_on_dashed_within_a_band():
    """From the last reading to nothing, and the time axis has room for it."""
    readings = steady()
    ax = plot_usage(readings, forecast=True).axes[0]
    past, ahead = ax.lines[:2]
    assert ahead.get_linestyle() == "--"
    assert ahead.get_xdata()[0] == pytest.approx(past.get_xdata()[-1])
    assert ahead.get_ydata()[0] == pytest.approx(500.0)
    assert ahead.get_ydata()[-1] == pytest.approx(0.0, abs=5.0)
    assert any(isinstance(each, PolyCollection) for each in ax.collections)
    assert ax.get_xlim()[1] > ahead.get_xdata()[-1]
    labels = [each.get_text() for each in ax.get_legend().get_texts()]
    assert "forecast, 80 % within the band" in labels


def test_the_picture_without_evidence_is_the_picture_without_forecast():
    """Nothing is drawn, and no room is left for it."""
    readings = steady(days=1)
    with_it, without = (plot_usage(readings, forecast=each).axes[0] for each in (True, False))
    assert len(with_it.lines) == len(without.lines)
    assert with_it.get_xlim() == without.get_xlim()


def test_the_balance_alone_has_its_forecast_too():
    """On any axes."""
    ax = plot_usage(steady()).axes[0]
    before = len(ax.lines)
    plot_balance(steady(), ax=ax, forecast=True)
    assert len(ax.lines) == before + 2


def test_an_empty_frame_has_no_forecast_to_draw():
    """The axes say that there is nothing, as without one."""
    figure = plot_usage(steady().iloc[:0], forecast=True)
    assert figure.axes[0].get_title() == "no readings yet"
