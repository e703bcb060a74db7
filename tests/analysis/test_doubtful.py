"""Balances that are wrong for a while: which readings are doubtful, and that they count nowhere."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog, forecast, usage
from stability_magic.analysis.costs import change_between
from stability_magic.analysis.doubtful import (
    MARGIN,
    doubt_of_newest,
    doubtful_stretches,
    is_doubtful,
)
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.models import to_microseconds
from stability_magic.simulator.ledger import Ledger, default_organizations

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = 60_000_000
SEEN_LIVE = [1072.5, *[2026.0] * 46, 866.5]


def times_of(count, minutes=10.0):
    """Times at equal distances, in microseconds since 1970."""
    return to_microseconds(START) + (np.arange(count) * minutes * MINUTE).astype(np.int64)


def doubtful_positions(credits, minutes=10.0):
    """The positions of the doubtful ones among readings at equal distances."""
    values = np.array(credits, dtype=np.float64)
    return np.flatnonzero(is_doubtful(times_of(len(values), minutes), values)).tolist()


def frame_of(times, credits):
    """A frame that somebody made."""
    index = pd.to_datetime(times, unit="us", utc=True)
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)


def honest_readings(seed, minutes=10, days=20, number=1):
    """Readings of a simulated organization: their times, and what it told truly."""
    organization = default_organizations()[number]
    ledger = Ledger(dataclasses.replace(organization, is_default=True), seed)
    offsets = np.arange(0, days * 1440, minutes)
    offsets = offsets + np.random.default_rng(seed).uniform(0, minutes / 5, len(offsets))
    credits = [ledger.balance(START + timedelta(minutes=float(each))) for each in offsets]
    times = to_microseconds(START) + (offsets * MINUTE).astype(np.int64)
    return times, np.array(credits)


@pytest.mark.parametrize("minutes", [0.2, 1, 5, 10, 30])
def test_the_balances_that_were_seen_live_count_206_credits_and_no_top_up(minutes):
    """23 paid operations between two readings each: the dashboard said 206.0."""
    times = times_of(len(SEEN_LIVE), minutes)
    assert doubtful_positions(SEEN_LIVE, minutes) == list(range(1, 47))
    result = usage(frame_of(times, SEEN_LIVE))
    assert result["spent"].sum() == pytest.approx(206.0)
    assert result["topped_up"].sum() == 0.0
    assert not result["at_least"].any()


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ([512.3, 512.3, 0.0, 512.3, 510.1], [2]),
        ([512.3, 0.0, 0.0, 508.8], [1, 2]),
        ([50.3, 0.0, 50.3], [1]),
        ([1000.0, 0.0, 1000.0], [1]),
        ([1000.0, 0.0, 0.0, 1000.0, 990.0], [1, 2]),
        ([2512.3, 41.1, 2512.3], [1]),
        ([1072.5, 2026.0, 1072.5], [1]),
        ([1072.5, 2026.0, 1990.0, 1072.5], [1, 2]),
        # What lies between two wrong stretches is right.
        ([512.3, 0.0, 512.3, 499.0, 0.0, 499.0], [1, 4]),
        ([500.3, 0.0, 500.3, 0.0, 500.3], [1, 3]),
        ([1072.5, 2026.0, 1072.5, 2026.0, 1050.0], [1, 3]),
    ],
)
def test_a_wrong_stretch_is_doubtful(credits, expected):
    """A rise by no purchase that falls back, and a sudden fall that comes back."""
    assert doubtful_positions(credits) == expected


@pytest.mark.parametrize(
    ("credits", "minutes"),
    [
        # Whole dollars, even if they are spent at once.
        ([1072.5, 2072.5, 866.5], 10),
        ([1000.0, 0.0, 1000.0], 60),
        # Refunds that stay, and one that is used.
        ([1000.0, 1037.5, 1037.5, 1030.0], 10),
        ([1000.0, 1953.5, 1953.5], 10),
        ([1000.0, 1037.5, 977.5], 10),
        ([1000.0, 960.0, 1000.0], 10),
        # A purchase, and spending in as much time as may use it up.
        ([1072.5, 2026.0, 866.5], 1440),
        ([1072.5, 2026.0, *np.linspace(2000, 800, 20)], 60),
        # Nothing shows yet that it was wrong.
        ([1072.5, 2026.0], 10),
        ([512.3, 0.0], 10),
        ([512.3, 0.0, 0.0, 0.0], 10),
    ],
)
def test_what_may_be_true_counts(credits, minutes):
    """A purchase, a refund that stays, real spending, and the newest reading."""
    assert doubtful_positions(credits, minutes) == []


def test_a_purchase_that_hid_what_is_usually_spent_counts():
    """Even if a job that nobody had seen the like of follows."""
    steady = 5000.0 - 3.5 * np.arange(300)
    credits = [*steady, steady[-1] + 996.5, *steady[-1] + 996.5 - 3.5 * np.arange(1, 20), 3500.0]
    assert doubtful_positions(credits) == []
    credits[300:320] = [each + 45.0 for each in credits[300:320]]
    assert doubtful_positions(credits) == list(range(300, 320))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), minutes=st.sampled_from([10, 60, 1440]))
def test_honest_logs_have_no_doubtful_readings(seed, minutes):
    """With purchases, nights of jobs and idle weekends; so every sum is what it would be."""
    for number in range(2):
        times, credits = honest_readings(seed, minutes, days=40, number=number)
        assert not is_doubtful(times, credits).any()


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    at=st.floats(0.05, 0.9),
    length=st.integers(1, 40),
    wrong=st.sampled_from([0.0, 953.5, 1410.8, 2750.25]),
)
def test_adding_a_wrong_stretch_to_an_honest_log_changes_no_sum(seed, at, length, wrong):
    """Usage and forecast are those of the honest readings, also as a frame from the log itself."""
    times, credits = honest_readings(seed)
    first = int(at * len(times))
    position = slice(first, min(first + length, len(times) - 1))
    told = credits.copy()
    told[position] = credits[first - 1] + wrong if wrong else 0.0
    is_honest = np.ones(len(times), dtype=bool)
    is_honest[position] = False
    found = is_doubtful(times, told)
    if found.tolist() != (~is_honest).tolist():
        # A purchase while the balance was wrong, or one that this may have been, is no evidence.
        assert not found[is_honest].any()
        return
    honest, wrong_frame = frame_of(times[is_honest], credits[is_honest]), frame_of(times, told)
    pd.testing.assert_frame_equal(usage(wrong_frame), usage(honest))
    pd.testing.assert_frame_equal(forecast(wrong_frame), forecast(honest))


def test_whether_a_reading_is_doubtful_depends_on_those_near_it_alone():
    """So a window of a log, and what is around it, tells the same as the whole."""
    times, credits = honest_readings(3, days=60)
    for first in (1000, 4000, 4100, 7000):
        credits[first : first + 7] = credits[first - 1] + 953.5
    expected = is_doubtful(times, credits)
    assert expected.sum() >= 14
    for begin in times[::500]:
        near = (times >= begin - MARGIN) & (times <= begin + MARGIN)
        at = int(np.searchsorted(times, begin))
        assert is_doubtful(times[near], credits[near])[at - near.argmax()] == expected[at]


def test_the_log_tells_why_and_counts_on_from_the_last_that_counted(tmp_path):
    """In the frame, in every window, and in the series."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    instants = [START + timedelta(minutes=5 * each) for each in range(len(SEEN_LIVE))]
    log.write(
        entry_from_balance(Balance("org-a", credits, at))
        for at, credits in zip(instants, SEEN_LIVE, strict=True)
    )
    frame = log.readings()
    assert frame["doubtful"].notna().sum() == 46
    assert set(frame["doubtful"].dropna()) == {
        "rose by 953.50, which is no purchase, and fell back"
    }
    assert frame["spent"].tolist()[-1] == 206.0
    assert frame[["spent", "topped_up"]][1:-1].isna().all(axis=None)
    window = log.readings(since=instants[20])
    pd.testing.assert_frame_equal(window, frame.iloc[20:])
    # The frame knows what a part of it cannot show.
    assert usage(window)["spent"].sum() == 0.0
    (series,) = log.histories(since=instants[20]).series
    assert series.credits.tolist() == [1072.5, 866.5]
    (series,) = log.histories(since=instants[20], until=instants[30]).series
    assert series.spent.tolist() == [0.0, 206.0]
    assert change_between(frame, *(to_microseconds(each) for each in instants[::47])).spent == 206.0


def test_judgement_changes_when_later_readings_come(tmp_path):
    """Until the balance has fallen back, the rise may be a refund."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    for number, credits in enumerate([1072.5, 2026.0, 2026.0]):
        log.append(Balance("org-a", credits, START + timedelta(minutes=number)))
    assert log.readings()["topped_up"].sum() == 953.5
    log.append(Balance("org-a", 1000.5, START + timedelta(minutes=9)))
    assert log.readings()["topped_up"].sum() == 0.0
    assert log.readings()["spent"].sum() == 72.0


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ([1072.5, 2026.0], "a rise by 953.50, which is no purchase of whole dollars"),
        ([1072.5, 2026.0, 2026.0], "a rise by 953.50, which is no purchase of whole dollars"),
        ([1072.5, 2072.5], None),
        ([1072.5, 1110.0], None),
        ([1072.5, 2026.0, 866.5], None),
        ([1072.5, 0.0], "a sudden 0, which may be wrong"),
        ([72.5, 0.0], None),
        ([72.5], None),
    ],
)
def test_the_newest_reading_may_be_called_doubtful(credits, expected):
    """In words only: it counts until later readings show that it was wrong."""
    assert doubt_of_newest(times_of(len(credits)), np.array(credits)) == expected


def test_extreme_balances_are_no_error():
    """The largest numbers, the smallest, and none."""
    for credits in ([], [1.0], [1.7e308, -1.7e308, 1.7e308], [5e-324, 0.0, 5e-324], [0.0] * 5):
        values = np.array(credits, dtype=np.float64)
        doubtful_stretches(times_of(len(values)), values)
        doubt_of_newest(times_of(len(values)), values)
