"""Which cell spent what, by hand, against a plain loop, and against what usage tells."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.analysis.cell_spending import (
    CellSpending,
    cell_cut_points,
    cell_spending,
    spending_by_organization,
)
from stability_magic.analysis.cost_frames import ELSEWHERE, costs_frame, summary_frame
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.cut_points import condense
from stability_magic.analysis.series import Histories, Series
from stability_magic.analysis.spend import usage_of
from stability_magic.models import from_microseconds

MINUTE = 60_000_000
SECOND = 1_000_000


def cost(
    start: float, end: float, spent: float | None, *, exact: bool = True, label: str = "job"
) -> Cost:
    """The cost of a cell that ran from one minute to another."""
    times = (round(start * MINUTE), round(end * MINUTE))
    identity = repr((start, end, label)).encode()[:16].ljust(16)
    return Cost("org-a", *times, 1.0, spent, exact, label, None, identity)


def series(*readings: tuple[float, float]) -> Series:
    """Readings as (minute, credits), oldest first."""
    times = np.array([round(at * MINUTE) for at, _ in readings], dtype=np.int64)
    return Series.of(times, np.array([credits for _, credits in readings], dtype=np.float64))


def told(spending: CellSpending) -> list[tuple[float, bool]]:
    """What each cell spent, and whether that is exact."""
    return list(zip(spending.spent.tolist(), spending.exact.tolist(), strict=True))


# By hand


@pytest.mark.parametrize(
    ("later", "expected", "revised_at"),
    [
        ([], (0.0, False), None),
        ([(3, 100)], (0.0, False), None),
        ([(3, 100), (11, 100)], (0.0, True), None),
        ([(3, 100), (11, 100), (12, 76)], (0.0, True), None),
        ([(3, 76)], (24.0, False), 3),
        ([(3, 76), (8, 76)], (24.0, False), 3),
        ([(3, 76), (11, 76)], (24.0, True), 3),
        ([(3, 76), (11, 70)], (30.0, False), 11),
        ([(3, 90), (5, 76), (11, 76), (12, 50)], (24.0, True), 5),
        ([(3, 76), (5, 1076), (11, 1076)], (24.0, False), 3),
        ([(3, 1100), (5, 1076), (11, 1076)], (24.0, False), 5),
        ([(40, 76)], (24.0, False), 40),
        ([(40, 76), (60, 76)], (24.0, False), 40),
        ([(61.5, 76)], (0.0, False), None),
    ],
)
def test_what_later_readings_tell_of_a_cell_that_did_not_move_the_balance(
    later, expected, revised_at
):
    """It ended at minute 1, with an unchanged balance of 100."""
    spending = cell_spending(series((0, 100), (1, 100), *later), [cost(0, 1, 0.0)])
    assert told(spending) == [expected]
    assert spending.revised_at == [None if revised_at is None else revised_at * MINUTE]
    assert spending.is_waiting.tolist() == [expected == (0.0, False)]
    assert spending.is_estimate.tolist() == [revised_at is not None and not expected[1]]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], False),
        ([(5, 76)], False),
        ([(11, 76)], True),
        ([(600, 76)], True),
        ([(5, 76), (11, 75)], False),
        ([(61.5, 75)], False),
    ],
)
def test_what_moved_the_balance_at_once_is_exact_when_a_later_reading_agrees(later, expected):
    """And is never revised; what others spend soon after it makes it an estimate."""
    spending = cell_spending(series((0, 100), (1, 76), *later), [cost(0, 1, 24.0)])
    assert told(spending) == [(24.0, expected)]
    assert spending.revised_at == [None]
    assert spending.is_estimate.tolist() == [len(later) == 2]
    assert not spending.is_waiting.any()


def test_spending_of_the_next_cells_does_not_make_a_cell_inexact():
    """A session in which cell follows cell is as exact as one with pauses."""
    readings = series((0, 100), (1, 90), (2, 90), (3, 85), (14, 85))
    spending = cell_spending(readings, [cost(0, 1, 10.0), cost(2, 3, 5.0)])
    assert told(spending) == [(10.0, True), (5.0, True)]


def test_a_cell_that_waits_makes_the_next_one_an_estimate():
    """What fell while the next one ran may have been either's."""
    readings = series((0, 100), (1, 100), (2, 100), (3, 70), (14, 70))
    spending = cell_spending(readings, [cost(0, 1, 0.0), cost(2, 3, 30.0)])
    assert told(spending) == [(0.0, False), (30.0, False)]
    assert spending.is_estimate.tolist() == [False, True]


def test_a_cell_whose_own_readings_are_missing_costs_no_more_than_others_show():
    """It keeps what was measured where no reading shows that time at all."""
    cells = [cost(1, 2, 8.0), cost(3, 4, 8.0), cost(30, 31, 8.0)]
    spending = cell_spending(series((0, 100), (10, 90)), cells)
    assert told(spending) == [(8.0, False), (2.0, False), (8.0, False)]
    assert told(cell_spending(series(), cells)) == [(8.0, False)] * 3


def test_a_rise_or_a_missing_reading_makes_elsewhere_inexact():
    """And spending that the window's edge divides, and cells that still wait."""

    def elsewhere(readings: Series, cells: list[Cost], begin: float | None = None):
        window = (None if begin is None else round(begin * MINUTE), None)
        return cell_spending(readings, cells).within(*window)[1:]

    assert elsewhere(series((0, 10), (1, 8), (2, 5)), []) == (5.0, True)
    assert elsewhere(series((0, 10), (1, 8), (2, 108)), []) == (2.0, False)
    assert elsewhere(series((0, 10), (1, 8), (20, 1)), [cost(1, 3, None)]) == (2.0, False)
    assert elsewhere(series((0, 10), (1, 8), (20, 1)), [cost(2, 3, 1.0)]) == (8.0, False)
    assert elsewhere(series((0, 10), (10, 0)), [], 4) == (6.0, False)
    assert elsewhere(series((0, 10), (1, 10), (2, 10)), [cost(1, 2, 0.0)]) == (0.0, False)
    # A rise within a cell hides what the cell spent, and not what others did.
    assert elsewhere(series((0, 10), (1, 108), (12, 108)), [cost(0, 1, 0.0)]) == (0.0, True)


# Random logs


@st.composite
def logs(draw) -> tuple[Series, list[Cost]]:
    """Readings with falls, rises and pauses, and cells that mostly begin and end with one."""
    count = draw(st.integers(2, 30))
    gaps = draw(
        st.lists(
            st.sampled_from([0.2, 0.5, 1, 3, 9, 25, 70]), min_size=count - 1, max_size=count - 1
        )
    )
    changes = draw(
        st.lists(
            st.sampled_from([0.0, 0.0, -1.0, -6.5, -24.0, 100.0]),
            min_size=count - 1,
            max_size=count - 1,
        )
    )
    minutes = np.cumsum([0.3, *gaps])
    credits = 1000 + np.cumsum([0.0, *changes])
    readings = series(*zip(minutes, credits, strict=True))
    position = st.integers(0, count - 1)
    cells = []
    for first, last in draw(st.lists(st.tuples(position, position), max_size=6)):
        begin, end = sorted((first, last))
        spent = float(readings.spent[begin + 1 : end + 1].sum()) if end > begin else 0.0
        kind = draw(st.sampled_from(["seen", "seen", "seen", "unknown", "off"]))
        shift = draw(st.sampled_from([-0.1, 0.15])) if kind == "off" else 0.0
        label = draw(st.sampled_from(["a", "b"]))
        cells.append(
            cost(
                minutes[begin] + shift,
                minutes[end] + shift + (0.05 if kind == "unknown" else 0.0),
                None if kind == "unknown" else spent,
                exact=draw(st.booleans()),
                label=label,
            )
        )
    return readings, sorted(cells, key=lambda each: each.started_at)


WINDOWS = st.tuples(st.none() | st.integers(-5, 300), st.none() | st.integers(1, 300))


@settings(deadline=None, max_examples=300)
@given(logs(), WINDOWS)
def test_the_rows_of_a_summary_add_up_to_what_usage_tells(log, edges):
    """For every window; and the costs are never more than the log saw spent."""
    readings, cells = log
    begin, length = edges
    window = (
        None if begin is None else begin * MINUTE,
        None if length is None else ((begin or 0) + length) * MINUTE,
    )
    histories = Histories([readings], ["org-a"], ["A"], UTC)
    spendings = spending_by_organization(histories, cells)
    since, until = (None if each is None else from_microseconds(each) for each in window)
    expected = usage_of(histories, "hour", since=since, until=until)["spent"].sum()

    def is_shown(each: Cost) -> bool:
        first, last = (-math.inf if window[0] is None else window[0], window[1] or math.inf)
        return first <= each.started_at < last

    summary = summary_frame(spendings, is_shown, window, UTC, 0.01)
    covered = sum(
        part
        for part, unseen in zip(
            spendings["org-a"].within(*window)[0], spendings["org-a"].unseen, strict=True
        )
        if not unseen
    )
    unseen = summary["total"].sum() - expected
    assert unseen >= -1e-9
    assert covered <= expected + 1e-9
    if not spendings["org-a"].unseen.any():
        assert summary["total"].sum() == pytest.approx(expected, abs=1e-9)
        if expected > 1e-9:
            assert summary["share"].sum() == pytest.approx(1.0)
    assert (summary["total"].fillna(0) >= 0).all()
    assert summary["label"].iloc[-1] == ELSEWHERE


@settings(deadline=None, max_examples=300)
@given(logs())
def test_costs_are_never_more_than_the_log_saw_spent(log):
    """However many cells ran at once, waited, or are of unknown cost."""
    readings, cells = log
    spending = cell_spending(readings, cells)
    assert np.nansum(spending.spent) <= readings.spent.sum() + spending.unseen.sum() + 1e-9
    frame = costs_frame([spending], lambda each: True, UTC, 0.01)
    assert frame["spent"].sum() == pytest.approx(np.nansum(spending.spent))
    assert not (frame["exact"] & frame["spent"].isna()).any()


@settings(deadline=None, max_examples=300)
@given(logs())
def test_costs_need_only_the_readings_at_their_cut_points(log):
    """So the shared log, which condenses the readings, tells the same."""
    readings, cells = log
    cut_points = cell_cut_points(cells)(int(readings.times[0]), int(readings.times[-1]))
    condensed = cell_spending(condense(readings, cut_points), cells)
    full = cell_spending(readings, cells)
    np.testing.assert_allclose(condensed.spent, full.spent)
    for name in ("exact", "is_estimate", "is_waiting"):
        assert getattr(condensed, name).tolist() == getattr(full, name).tolist(), name
    assert condensed.revised_at == full.revised_at
    for actual, expected in zip(condensed.within(None, None), full.within(None, None), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-9)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.5, 2.0, 8.0]),
            st.sampled_from([0.1, 1.0, 4.0]),
            st.sampled_from([1.0, 6.5, 24.0]),
            st.sampled_from([0.0, 0.0, 3.0]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_where_the_balance_moves_at_once_every_cost_is_as_it_was_measured(steps):
    """And exact once a later reading agrees, unless somebody else spends within ten minutes."""
    at, credits = 0.0, 1000.0
    readings, cells = [(at, credits)], []
    for pause, seconds, spent, elsewhere in steps:
        at, credits = at + pause, credits - elsewhere
        readings.append((at, credits))
        cells.append(cost(at, at + seconds, spent, exact=not elsewhere))
        at, credits = at + seconds, credits - spent
        readings.append((at, credits))
    readings.append((at + 15, credits))
    spending = cell_spending(series(*readings), cells)
    assert spending.spent.tolist() == pytest.approx([each.spent for each in cells])
    assert spending.revised_at == [None] * len(cells)
    others = [time for (time, _), step in zip(readings[1:-1:2], steps, strict=True) if step[3]]
    for each, exact in zip(cells, spending.exact.tolist(), strict=True):
        later = [at for at, _ in readings if at * MINUTE >= each.ended_at + 10 * MINUTE - 1]
        is_quiet = not any(each.ended_at / MINUTE < other <= later[0] for other in others)
        assert exact == (each.exact and is_quiet)


@settings(deadline=None, max_examples=150)
@given(
    lag=st.integers(0, 600),
    spent=st.sampled_from([0.0, 1.0, 24.0]),
    every=st.sampled_from([10, 60, 150, 420]),
    seconds=st.integers(1, 300),
)
def test_a_lone_cell_is_exact_only_when_it_is_true(lag, spent, every, seconds):
    """With a balance that lags up to ten minutes, and readings afterwards at any distance."""
    charged_at = max(1, seconds // 2)
    shows_at = charged_at + lag

    def balance(at: float) -> float:
        return 100.0 - (spent if at >= shows_at else 0.0)

    times = [0, seconds, *range(seconds + every, seconds + 4000, every)]
    for count in range(2, len(times) + 1):
        readings = series(*((at / 60, balance(at)) for at in times[:count]))
        measured = balance(0) - balance(seconds)
        spending = cell_spending(readings, [cost(0, seconds / 60, measured)])
        ((told_spent, is_exact),) = told(spending)
        assert told_spent <= spent
        assert not is_exact or told_spent == spent
        # The line says so where the figure is not the truth.
        assert told_spent == spent or spending.is_waiting.all()
    assert told_spent == spent


def test_a_revision_is_told_to_the_minute():
    """Of several readings in one minute a condensed series holds the last."""
    readings = series((0, 100), (1, 100), (3.1, 90), (3.5, 90), (4.2, 90), (20, 90))
    assert cell_spending(readings, [cost(0, 1, 0.0)]).revised_at == [round(3.5 * MINUTE)]


def test_the_frame_tells_times_in_the_zone():
    """Missing where nothing was revised."""
    zone = datetime.now(UTC).astimezone().tzinfo
    cells = [cost(0, 1, 0.0), cost(80, 81, 5.0)]
    readings = series((0, 100), (1, 100), (3, 90), (20, 90), (80, 90), (81, 85))
    frame = costs_frame([cell_spending(readings, cells)], lambda each: True, zone, 0.01)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=3)
    assert frame["revised_at"].tolist() == [pd.Timestamp(at), pd.NaT]
    assert frame["spent"].tolist() == [10.0, 5.0]
