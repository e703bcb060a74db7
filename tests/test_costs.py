"""What is computed of costs: pure, and held to plain references."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic._balances import balances
from stability_magic._costs import (
    ELSEWHERE,
    Cost,
    change_of,
    costs_frame,
    others_before,
    overlapped,
    summary_frame,
)

MINUTE = 60_000_000
ALWAYS = (-(2**62), 2**62)


def cost(start: int, end: int, spent: float | None = 1.0, organization: str = "org-a") -> Cost:
    """A cost from one minute to another."""
    times = (start * MINUTE, end * MINUTE)
    return Cost(organization, *times, 1.0, spent, True, "label", None, b"%16d" % start)


def readings(credits: list[float], minutes: list[int] | None = None) -> pd.DataFrame:
    """Readings of one organization, a minute apart."""
    at = np.array(minutes or range(len(credits)), dtype="int64") * MINUTE
    index = pd.DatetimeIndex(at.view("datetime64[us]"), tz="UTC")
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)


def elsewhere(frame: pd.DataFrame, every: list[Cost], window: tuple[int, int] = ALWAYS):
    """The row of what was spent outside all cells."""
    none = costs_frame([], np.zeros(0, bool), frame.index.tz, 0.01)
    rows = summary_frame(none, balances(frame), every, window, 0.01)
    (row,) = rows.to_dict("records")
    assert row["label"] == ELSEWHERE
    return row


@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=20),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=6),
)
def test_cells_and_elsewhere_add_up_to_all_that_was_spent(falls, spans):
    """Whatever cells there are, also those that overlap."""
    credits = list(1000.0 - np.cumsum(falls))
    last = len(credits) - 1
    cells = [cost(min(a, b, last), min(max(a, b), last)) for a, b in spans]
    inside = {m for each in cells for m in range(each.started_at, each.ended_at, MINUTE)}
    covered = sum(falls[m // MINUTE + 1] for m in inside)
    row = elsewhere(readings(credits), cells)
    assert row["total"] + covered == pytest.approx(sum(falls[1:]))
    assert row["exact"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([None, 0.0, 2.0]))))
def test_overlaps_are_those_a_plain_loop_finds(spans):
    """Of cells of one organization that spent, or may have."""
    cells = [cost(min(a, b), max(a, b) + 1, spent) for a, b, spent in spans]
    plain = [
        any(
            other is not each
            and other.spent != 0
            and other.started_at < each.ended_at
            and other.ended_at > each.started_at
            for other in cells
        )
        for each in cells
    ]
    assert overlapped(cells).tolist() == plain


def test_organizations_do_not_disturb_each_other():
    """Each has credits of its own."""
    cells = [cost(0, 5), cost(1, 3, organization="org-b")]
    assert overlapped(cells).tolist() == [False, False]


def test_a_rise_makes_a_lower_bound():
    """What was spent meanwhile cannot be seen."""
    assert change_of([10.0, 8.0, 108.0, 105.0]) == (5.0, True)
    assert change_of([10.0]) == (0.0, False)
    row = elsewhere(readings([10.0, 8.0, 108.0, 105.0]), [])
    assert (row["total"], row["exact"]) == (5.0, False)


def test_a_cell_of_unknown_cost_counts_to_neither():
    """Between the reading before it and the next one nobody can tell."""
    row = elsewhere(readings([10.0, 8.0, 1.0], [0, 1, 20]), [cost(1, 3, None)])
    assert (row["total"], row["exact"]) == (2.0, False)


def test_an_interval_is_cut_where_the_window_begins():
    """Spending is spread evenly over it, as in the usage frame."""
    row = elsewhere(readings([10.0, 0.0], [0, 10]), [], (4 * MINUTE, 100 * MINUTE))
    assert row["total"] == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("minutes", "credits", "cells", "found"),
    [
        ([0, 5], [10.0, 9.0], [], True),
        ([0, 5], [10.0, 10.0], [], False),
        ([0, 30], [10.0, 9.0], [], False),
        ([0, 5], [10.0, 9.0], [cost(0, 5)], False),
        ([0, 5], [10.0, 11.0], [], False),
    ],
)
def test_others_are_those_who_spent_shortly_before_and_outside(minutes, credits, cells, found):
    """Long ago is no evidence, and a cell's spending is its own."""
    frame = readings(credits, minutes)
    assert others_before(frame, cells, minutes[-1] * MINUTE) is found
