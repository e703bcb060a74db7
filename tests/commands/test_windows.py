"""The windows of commands: whole periods, one period, and what lines and titles call them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError
from matplotlib.figure import Figure

from stability_magic import Balance, BalanceLog, plot_balance, plot_spend, plot_usage
from stability_magic.analysis.periods import period_start
from stability_magic.analysis.spend import usage_between
from stability_magic.charts.words import amount
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.when import PERIODS, parse_period, parse_when

from ..notebook.magic_calls import magic_error, run_magic

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe"), UTC]


def random_readings(seed: int, end: datetime, days: float = 60.0) -> list[Balance]:
    """Readings of two organizations up to an end, with top-ups; some whole days before it."""
    rng = np.random.default_rng(seed)
    readings = []
    for organization in ("org-a", "org-b"):
        count = int(rng.integers(2, 60))
        offsets = rng.random(count) * days
        offsets[rng.random(count) < 0.2] //= 1
        offsets[0] = 0.0
        changes = rng.choice([0.0, -1.5, -30.25, -7.125, 1000.0], count)
        credits = 5000.0 + changes.cumsum()
        readings += [
            Balance(organization, float(each), end - timedelta(days=float(back)))
            for back, each in zip(np.sort(offsets)[::-1], credits, strict=True)
        ]
    return readings


def frame_of(readings: list[Balance], zone) -> pd.DataFrame:
    index = pd.DatetimeIndex([each.read_at for each in readings]).tz_convert(zone)
    return pd.DataFrame(
        {
            "organization": [each.organization for each in readings],
            "credits": [each.credits for each in readings],
        },
        index=index,
    )


def spent_on(readings: pd.DataFrame, period: str, by: str) -> float:
    zone = readings.index.tz
    since, until = parse_period(period, now=datetime(2026, 11, 1, tzinfo=zone))
    return float(usage_between(readings, by, since=since, until=until)["spent"].sum())


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    zone=st.sampled_from(ZONES),
    by=st.sampled_from(PERIODS),
    year_and_month=st.sampled_from([(2026, 3), (2026, 4), (2026, 10), (2025, 12), (2026, 2)]),
)
def test_periods_add_up_to_their_union(seed, zone, by, year_and_month):
    """The days of a month and of a week, and the months of a year, also where clocks change."""
    year, month = year_and_month
    end = datetime(year, month, 28, tzinfo=zone) + timedelta(days=20)
    readings = frame_of(random_readings(seed, end), zone)
    first, after = parse_period(f"{year}-{month:02}", now=end)
    days = [f"{first + timedelta(days=n):%Y-%m-%d}" for n in range((after - first).days)]
    total = spent_on(readings, f"{year}-{month:02}", by)
    assert sum(spent_on(readings, each, by) for each in days) == pytest.approx(total)
    week = f"{first + timedelta(days=10):%G-W%V}"
    monday, _ = parse_period(week, now=end)
    days = [f"{monday + timedelta(days=n):%Y-%m-%d}" for n in range(7)]
    assert sum(spent_on(readings, each, by) for each in days) == pytest.approx(
        spent_on(readings, week, by)
    )
    months = [f"{year}-{number:02}" for number in range(1, 13)]
    assert sum(spent_on(readings, each, by) for each in months) == pytest.approx(
        spent_on(readings, str(year), by)
    )


def write_log(log_path, readings: list[Balance]) -> None:
    BalanceLog(log_path).write([entry_from_balance(each, source="test") for each in readings])


@pytest.fixture
def now(shell):
    """The present in Berlin, which the session shows too."""
    shell.run_cell("%config StabilityMagic.timezone = 'Europe/Berlin'").raise_error()
    return datetime.now(BERLIN)


def total_and_line(shell, capsys, arguments: str) -> tuple[float, str]:
    """The sum of the frame and what is printed above it."""
    capsys.readouterr()
    frame = run_magic(shell, f"%stability_usage {arguments}")
    return frame["spent"].sum(), capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("seed", range(3))
def test_days_add_up_to_the_week_and_months_to_the_year(shell, log_path, now, capsys, seed):
    """As the commands tell them."""
    write_log(log_path, random_readings(seed, now, days=70.0))
    monday = now.date() - timedelta(days=now.weekday() + 7)
    days = [f"{monday + timedelta(days=n)}" for n in range(7)]
    week, line = total_and_line(shell, capsys, "--on 'last week'")
    parts = [total_and_line(shell, capsys, f"--on {each}")[0] for each in days]
    assert sum(parts) == pytest.approx(week)
    assert f"{week:,.2f} credits" in line
    years = sorted({now.year, (now - timedelta(days=70)).year})
    months = [
        total_and_line(shell, capsys, f"--on {year}-{month:02}")[0]
        for year in years
        for month in range(1, 13)
    ]
    everything, _ = total_and_line(shell, capsys, "--since all")
    assert sum(months) == pytest.approx(everything)
    assert sum(total_and_line(shell, capsys, f"--on {each}")[0] for each in years) == (
        pytest.approx(everything)
    )


@pytest.mark.parametrize("by", PERIODS)
@pytest.mark.parametrize("span", ["90m", "30h", "10d", "4w"])
def test_usage_since_never_splits_a_period(shell, log_path, now, by, span):
    """Its rows are those of the whole log, of which the first few are left out."""
    write_log(log_path, random_readings(7, now, days=80.0))
    whole = run_magic(shell, f"%stability_usage --by {by} --since all")
    frame = run_magic(shell, f"%stability_usage --by {by} --since {span}")
    since = parse_when(span, now=now)
    assert frame.index[0] <= since
    assert frame.index[0] == period_start(since, by, BERLIN)
    pd.testing.assert_frame_equal(frame, whole[whole.index >= frame.index[0]])


def test_a_span_and_a_date_in_one_week_give_the_same_answer(shell, log_path, now, capsys):
    """In the frame, and in words that name the week's first day."""
    write_log(log_path, random_readings(11, now, days=80.0))
    monday = (now - timedelta(days=now.weekday(), weeks=4)).date()
    answers = [
        total_and_line(shell, capsys, f"--by week --since {each}")
        for each in ("4w", monday, monday + timedelta(days=1))
    ]
    assert len(set(answers)) == 1
    year = "" if monday.year == now.year else f" {monday.year}"
    assert f"spent since {monday.day} {monday:%b}{year}" in answers[0][1]


@pytest.mark.parametrize(
    ("arguments", "days", "expected"),
    [
        ("--on yesterday", 40, "spent yesterday"),
        ("--on today", 40, "spent today"),
        ("--since today", 40, "spent today"),
        ("--since yesterday", 40, "spent since yesterday"),
        ("--since all", 40, "spent since {first}"),
        ("", 40, "spent since {month_ago}"),
        ("--by hour --since 0m", 40, "spent since {hour}"),
        # A log that is a minute old.
        ("", 0, "spent since {first}"),
        ("--on today", 0, "spent today, known from {first} on"),
        ("--since today", 0, "spent today, known from {first} on"),
        ("--on 'this year'", 0, "known from {first} on"),
        ("--on yesterday", 0, "no readings yesterday"),
    ],
)
def test_the_line_names_the_window(shell, log_path, now, capsys, arguments, days, expected):
    """And from when on the log knows, where that is later."""
    first = now - (timedelta(days=days) if days else timedelta(minutes=1))
    if first.date() != now.date() and not days:
        pytest.skip("a minute ago was another day")
    credits = [500.0, 400.0, 300.0, 250.0]
    times = [first, first + 0.3 * (now - first), first + 0.9 * (now - first), now]
    write_log(log_path, [Balance("org-a", *each) for each in zip(credits, times, strict=True)])
    _, line = total_and_line(shell, capsys, arguments)
    month_ago = now - timedelta(days=30)
    words = {
        "first": f"{first:%H:%M}" if not days else f"{first.day} {first:%b %H:%M}",
        "month_ago": f"{month_ago.day} {month_ago:%b}",
        "hour": f"{now:%H}:00",
    }
    words = {
        name: re.sub(r"([A-Z][a-z]{2})", rf"\1 {at.year}", words[name])
        if at.year != now.year
        else words[name]
        for name, at in {"first": first, "month_ago": month_ago, "hour": now}.items()
    }
    if arguments == "--by hour --since 0m" and now.hour == 0:
        words["hour"] = "today"
        expected = "spent today"
    assert re.search(rf"{re.escape(expected.format(**words))}( ·|$)", line), line


def test_history_and_costs_begin_where_they_are_told(shell, log_path, now, capsys):
    """With the reading after that instant, and not with its day; --on is one day."""
    times = [now - timedelta(hours=each) for each in (50, 24.5, 23.5, 1)]
    write_log(log_path, [Balance("org-a", 100.0, each) for each in times])
    assert len(run_magic(shell, "%stability_history --since 24h")) == 2
    yesterday = now.date() - timedelta(days=1)
    count = sum(each.date() == yesterday for each in times)
    assert len(run_magic(shell, "%stability_history --on yesterday")) == count
    capsys.readouterr()
    run_magic(shell, "%stability_history --on 2020-02-03")
    run_magic(shell, "%stability_costs --on 2020-02")
    lines = capsys.readouterr().out.splitlines()
    assert "no readings on 3 Feb 2020" in lines
    assert "no cells in February 2020" in lines


@pytest.mark.parametrize(
    "arguments",
    ["--on soon", "--on 7d", "--on all", "--on today --since 1d", "--on 2026-13"],
)
@pytest.mark.parametrize("command", ["usage", "plot", "history", "costs"])
@pytest.mark.usefixtures("log_path")
def test_a_wrong_period_is_a_usage_error(shell, capsys, command, arguments):
    """In one line."""
    assert isinstance(magic_error(shell, f"%stability_{command} {arguments}"), UsageError)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", ["", "--on yesterday", "--since 4w --by week"])
def test_a_picture_tells_the_total_of_the_frame(shell, log_path, now, arguments):
    """What was likely spent in the same window."""
    write_log(log_path, random_readings(13, now, days=70.0))
    usage = run_magic(shell, f"%stability_usage {arguments}")
    figure = run_magic(shell, f"%stability_plot {arguments}")
    total = sum(usage["likely_spent"])
    assert (
        f"{amount(total)} (" in figure.description
        or f"{amount(total)} credits (" in figure.description
    )


def test_a_picture_of_a_window_without_readings_says_so(shell, log_path, now):
    """Instead of two empty panels."""
    write_log(log_path, random_readings(13, now, days=70.0))
    figure = run_magic(shell, "%stability_plot --on 2020")
    assert "no readings in this time" in figure.description


@pytest.mark.parametrize("by", PERIODS)
def test_pictures_of_a_frame_begin_with_a_whole_period(by):
    """The balance, the spending and both together."""
    end = datetime(2026, 10, 27, 15, 20, tzinfo=BERLIN)
    readings = frame_of(random_readings(3, end), BERLIN)
    since = datetime(2026, 10, 25, 2, 40, fold=1, tzinfo=BERLIN)
    start = pd.Timestamp(period_start(since, by, BERLIN)).tz_convert(UTC)
    axes = [
        plot_balance(readings, ax=Figure().subplots(), by=by, since=since),
        plot_spend(readings, by, ax=Figure().subplots(), since=since),
        *plot_usage(readings, by, since=since).axes,
    ]
    for each in axes:
        left = pd.Timestamp(each.get_xlim()[0], unit="D", tz=UTC)
        assert abs(left - start) < pd.Timedelta(seconds=1)


def test_a_picture_still_checks_its_window_as_it_was_told():
    """Both ends in one day do not become a window in the right order."""
    end = datetime(2026, 10, 27, 15, 20, tzinfo=BERLIN)
    readings = frame_of(random_readings(3, end), BERLIN)
    with pytest.raises(ValueError, match="not before"):
        plot_usage(readings, since=end, until=end - timedelta(hours=1))
