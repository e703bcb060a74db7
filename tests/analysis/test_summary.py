"""What there is to know at a glance: the same figures as in the usage frame."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic import usage
from stability_magic.analysis.cut_points import condense
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.summary import (
    summaries,
    summary_cut_points,
    summary_window_start,
)

from .summary_readings import BERLIN, NOW, make_readings, make_summaries

STARTS = {
    "today": ("day", datetime(2026, 11, 25, tzinfo=BERLIN)),
    "yesterday": ("day", datetime(2026, 11, 24, tzinfo=BERLIN)),
    "this week": ("week", datetime(2026, 11, 23, tzinfo=BERLIN)),
    "last week": ("week", datetime(2026, 11, 16, tzinfo=BERLIN)),
    "this month": ("month", datetime(2026, 11, 1, tzinfo=BERLIN)),
    "last month": ("month", datetime(2026, 10, 1, tzinfo=BERLIN)),
}


@pytest.mark.parametrize("seed", range(4))
def test_each_window_is_a_row_of_the_usage_frame(seed):
    """Today is the day's row, last week the week's, and so on."""
    readings = make_readings(2, seed=seed)
    for summary in make_summaries(2, seed=seed):
        for name, (by, start) in STARTS.items():
            frame = usage(readings, by)
            row = frame[(frame.index == start) & (frame["organization"] == summary.organization)]
            window = summary.windows[name]
            assert window.spent == pytest.approx(row["spent"].item())
            assert window.is_at_least == row["at_least"].item()
            assert window.likely_spent == pytest.approx(row["likely_spent"].item())


def test_what_was_never_read_is_unknown():
    """A log of yesterday knows nothing of last month."""
    (summary,) = make_summaries(days=2)
    assert summary.windows["last month"] is None
    assert summary.windows["last week"] is None
    assert np.isnan(summary.days[:-3]).all()
    assert np.isfinite(summary.days[-1])


def test_an_old_log_says_nothing_of_today():
    """Its balance and its time are told, and no spending is made up."""
    (summary,) = make_summaries(now=NOW + timedelta(days=100))
    assert summary.read_at == NOW - timedelta(hours=1)
    assert not any(summary.windows.values())
    assert np.isnan(summary.days).all()


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), hours=st.integers(0, 50))
def test_condensed_readings_give_the_same(seed, hours):
    """So a shared log need not send every reading."""
    now = NOW + timedelta(hours=hours)
    histories = histories_from_frame(make_readings(2, seed=seed))
    cut_points = summary_cut_points(BERLIN)
    condensed = histories._replace(
        series=[
            condense(each, cut_points(int(each.times[0]), int(each.times[-1])))
            for each in histories.series
        ]
    )
    full, thin = (
        summaries(each, each, now, usd_per_credit=0.01) for each in (histories, condensed)
    )
    for expected, actual in zip(full, thin, strict=True):
        assert actual.credits == expected.credits
        for name, window in expected.windows.items():
            if window is None:
                assert actual.windows[name] is None
            else:
                assert tuple(actual.windows[name]) == pytest.approx(tuple(window))
        np.testing.assert_allclose(actual.day_credits, expected.day_credits, rtol=1e-9)


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (datetime(2026, 3, 31, 23, tzinfo=BERLIN), datetime(2026, 2, 1, tzinfo=BERLIN)),
        (datetime(2026, 1, 1, tzinfo=BERLIN), datetime(2025, 12, 1, tzinfo=BERLIN)),
    ],
)
def test_a_summary_begins_with_the_last_month(now, start):
    """Also in January, and on a day that the last month does not have."""
    assert summary_window_start(now) == start
