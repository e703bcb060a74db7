"""What the shared log answers is what the pandas functions say of the same readings."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("psycopg")

from stability_magic import Balance, BalanceLog, _shared_rows, forecast, plot_usage, usage
from stability_magic._balances import balances
from stability_magic._costs import Cost
from stability_magic._forecast import forecast_marks, forecast_of
from stability_magic._log import entry
from stability_magic._log_outbox import Outbox
from stability_magic._panels import picture_marks
from stability_magic._plot import usage_picture
from stability_magic._readings import microseconds
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._spend import usage_between, usage_marks, usage_of
from stability_magic._sync import send
from stability_magic._text import Address

BERLIN = ZoneInfo("Europe/Berlin")
# Within it the clocks change.
START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=70)
WINDOWS = [
    (None, None),
    (datetime(2026, 3, 20, tzinfo=BERLIN), datetime(2026, 4, 10, 13, 30, tzinfo=BERLIN)),
    (datetime(2026, 4, 1, 12, 0, 0, 7, tzinfo=BERLIN), None),
    (None, datetime(2026, 2, 1, tzinfo=BERLIN)),
    (datetime(2027, 1, 1, tzinfo=BERLIN), None),
]


def made_up(organization, count, seed):
    """Readings now and then, with top-ups, pauses, and changes too small to be any."""
    rng = np.random.default_rng(seed)
    gaps = rng.choice([0, 1, 10, 10, 10, 60, 60, 1440], count)
    seconds = 60 * gaps.cumsum() % (65 * 86_400)
    changes = rng.choice([0.0, -2.5, -0.25, -7.3, 4e-7, -4e-7], count)
    changes[rng.random(count) < 0.004] = rng.choice([1000.0, 960.0, 37.5])
    credits = 9000 + changes.cumsum()
    order = np.argsort(seconds, kind="stable")
    return [
        entry(
            Balance(organization, float(left), START + timedelta(seconds=int(at)), "https://x"),
            source="test",
            label="odd" if number % 2 else None,
        )
        for number, (at, left) in enumerate(zip(seconds[order], credits, strict=True))
    ]


@pytest.fixture(scope="module")
def logs(postgres, tmp_path_factory):
    """A local log and a shared one with the same readings: many, few, and one."""
    log = BalanceLog(tmp_path_factory.mktemp("local") / "log.db", timezone=BERLIN)
    entries = [*made_up("org-many", 6000, 1), *made_up("org-more", 3000, 2)]
    entries += [*made_up("org-few", 300, 3), *made_up("org-one", 1, 4)]
    log.write(entries)
    target = target_of(Address(postgres.address()), "reading")
    with closing(SharedLog(target, BERLIN)) as shared:
        send(Outbox(log.path), shared, lambda done: None)
        yield log, shared


@pytest.fixture
def added_up(monkeypatch):
    """How many rows were fetched for each question that the database adds up."""
    found = []
    assembled = _shared_rows._assembled

    def watched(answer, *more):
        found.append(len(answer))
        return assembled(answer, *more)

    monkeypatch.setattr(_shared_rows, "_assembled", watched)
    return found


@pytest.mark.parametrize("window", WINDOWS, ids=["all", "both", "since", "before", "after"])
@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_usage_is_the_same_to_the_last_digits(logs, added_up, by, window):
    """Certain and likely, from the whole log and from a window of it."""
    log, shared = logs
    since, until = window
    readings = log.covering(None, since, until)
    expected = usage_between(readings, by, since=since, until=until)
    whole = shared.balances(None, since, until, usage_marks(by, BERLIN, since, until))
    found = usage_of(whole, by, since=since, until=until)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, atol=1e-9)
    if window == (None, None) and by != "hour":
        assert sum(added_up) < len(readings) / 5


def test_a_forecast_is_the_same(logs, added_up):
    """Also of an organization that was read too seldom to add anything up."""
    log, shared = logs
    until = NOW + timedelta(microseconds=1)
    expected = forecast(log.readings(), now=NOW)
    whole = shared.balances(None, None, until, forecast_marks, after=False)
    found = forecast_of(whole, now=NOW)
    assert found["evidence"].tolist() == expected["evidence"].tolist()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    assert len(added_up) == 2


def test_the_frame_is_the_same(logs):
    """Values, order, types, names and zone; with labels, and the machine on request."""
    log, shared = logs
    for since, until in WINDOWS:
        for hosts in (False, True):
            expected = log.covering(None, since, until, hosts=hosts)
            found = shared.covering(None, since, until, hosts=hosts)
            pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_picture_is_the_same(logs, added_up):
    """The same bars, top-ups and gaps; the lines have no other extremes."""
    log, shared = logs
    since, until = WINDOWS[1]
    expected = plot_usage(log.covering(None, since, until), since=since, until=until, forecast=True)
    marks = picture_marks("day", BERLIN, since, until, forecast=True)
    whole = shared.balances(None, since, until, marks)
    found = usage_picture(whole, "day", since=since, until=until, forecast=True)
    assert added_up
    for ours, theirs in zip(found.axes, expected.axes, strict=True):
        np.testing.assert_allclose(ours.get_xlim(), theirs.get_xlim())
        np.testing.assert_allclose(ours.get_ylim(), theirs.get_ylim())
        for one, other in zip(ours.lines, theirs.lines, strict=True):
            assert one.get_label() == other.get_label()
            for axis in ("get_xdata", "get_ydata"):
                line, reference = (getattr(each, axis)() for each in (one, other))
                for extreme in (np.min, np.max):
                    assert extreme(line) == pytest.approx(extreme(reference))
        marked = [
            [each for each in ax.collections if hasattr(each, "get_offsets")]
            for ax in (ours, theirs)
        ]
        for one, other in zip(*marked, strict=True):
            np.testing.assert_allclose(one.get_offsets(), other.get_offsets())
        for one, other in zip(ours.patches, theirs.patches, strict=True):
            for mine, its in zip(one.get_data(), other.get_data(), strict=True):
                np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-9)


def test_every_command_says_the_same_of_both_logs(shared, api, log_path, shell, capsys):
    """Through the magics: lines, frames, and the balance line with its forecast."""
    log = BalanceLog(log_path)
    now = datetime.now(UTC)
    entries = made_up("org-sim-studio", 5000, 7)
    late = max(each.read_at for each in entries)
    shift = microseconds(now) - late - 10**9
    moved = [
        entry(
            Balance(
                each.organization,
                each.credits,
                datetime.fromtimestamp((each.read_at + shift) / 1e6, UTC),
                "https://x",
            ),
            label=each.label,
        )
        for each in entries
    ]
    begun = microseconds(now) - 3 * 86_400_000_000
    cost = Cost("org-sim-studio", begun, begun + 10**9, 9.0, 12.5, True, "render", None, b"1" * 16)
    log.write(moved, costs=[cost])
    day = (now - timedelta(days=3)).date()
    for line in (
        f"history --since {day}",
        "usage --since all",
        f"usage --by hour --since {day}",
        "forecast",
        "costs --since all",
        "costs --since all --summary",
    ):
        told = []
        for where in ("", " --local"):
            result = shell.run_cell(f"%stability_{line}{where}").result
            told.append((result, capsys.readouterr().out.splitlines()[0]))
        (found, said), (expected, said_here) = told
        assert said == said_here
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-9)
        assert len(found) > 0
    shell.run_cell("%stability_balance --since 1d").raise_error()
    here = capsys.readouterr().out.splitlines()[0]
    shell.run_cell("import os; del os.environ['STABILITY_MAGIC_SHARED_LOG']")
    shell.run_cell("%stability_balance --since 1d --no-log").raise_error()
    alone = capsys.readouterr().out.splitlines()[0]
    assert "credits" in here
    assert here.split(" · ")[2:] == alone.split(" · ")[2:]
    assert here.split(" · ")[0] == alone.split(" · ")[0]


def test_a_series_from_the_database_counts_every_reading(logs):
    """Whatever the marks are."""
    log, shared = logs
    times = log.readings().index.as_unit("us").asi8
    rng = np.random.default_rng(5)
    for size in (0, 1, 7, 500):
        marks = rng.choice(times, size)
        found = shared.balances(None, None, None, lambda first, last, marks=marks: marks)
        expected = balances(log.readings())
        for one, other in zip(found.series, expected.series, strict=True):
            assert one.counts.sum() == len(other.times)
            assert one.spent.sum() == pytest.approx(other.spent.sum(), rel=1e-12)
            assert one.topped_up.sum() == pytest.approx(other.topped_up.sum(), rel=1e-12)


def test_usage_of_the_public_function_is_the_definition(logs):
    """Of the frame that the shared log gives, as of any."""
    log, shared = logs
    pd.testing.assert_frame_equal(usage(shared.covering(None, None, None)), usage(log.readings()))
