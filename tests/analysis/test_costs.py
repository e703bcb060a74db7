"""What is computed from costs, compared with plain loops and figures that are easy to check."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic.analysis.costs import (
    Cost,
    change_of,
    has_overlap,
    spent_shortly_before,
)

MINUTE = 60_000_000


def cost(start: int, end: int, spent: float | None = 1.0, organization: str = "org-a") -> Cost:
    """The cost of a cell that ran from one minute to another."""
    times = (start * MINUTE, end * MINUTE)
    return Cost(organization, *times, 1.0, spent, True, "label", None, b"%16d" % start)


def readings(credits: list[float], minutes: list[int] | None = None) -> pd.DataFrame:
    """Readings of one organization, a minute apart."""
    at = np.array(minutes or range(len(credits)), dtype="int64") * MINUTE
    index = pd.DatetimeIndex(at.view("datetime64[us]"), tz="UTC")
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([None, 0.0, 2.0]))))
def test_overlaps_are_those_a_plain_loop_finds(spans):
    """Among cells of one organization that spent or may have spent."""
    cells = [cost(min(a, b), max(a, b) + 1, spent) for a, b, spent in spans]
    expected = [
        any(
            other is not each
            and other.spent != 0
            and other.started_at < each.ended_at
            and other.ended_at > each.started_at
            for other in cells
        )
        for each in cells
    ]
    assert has_overlap(cells).tolist() == expected


def test_organizations_do_not_disturb_each_other():
    """Each has credits of its own."""
    cells = [cost(0, 5), cost(1, 3, organization="org-b")]
    assert has_overlap(cells).tolist() == [False, False]


def test_a_rise_makes_a_lower_bound():
    """A rise hides what was spent meanwhile."""
    assert change_of([10.0, 8.0, 108.0, 105.0]) == (5.0, True)
    assert change_of([10.0]) == (0.0, False)


@pytest.mark.parametrize(
    ("minutes", "credits", "cells", "is_evidence"),
    [
        ([0, 5], [10.0, 9.0], [], True),
        ([0, 5], [10.0, 10.0], [], False),
        ([0, 30], [10.0, 9.0], [], False),
        ([0, 5], [10.0, 9.0], [cost(0, 5)], False),
        ([0, 5], [10.0, 11.0], [], False),
    ],
)
def test_spending_shortly_before_and_outside_cells_is_evidence_of_others(
    minutes, credits, cells, is_evidence
):
    """Spending long ago is no evidence, nor is the spending of a cell."""
    frame = readings(credits, minutes)
    assert spent_shortly_before(frame, cells, minutes[-1] * MINUTE) is is_evidence
