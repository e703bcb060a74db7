"""Usage against a slow, plain account of the same readings, and what always holds of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog, usage
from stability_magic._frames import changes
from stability_magic._log import entry
from stability_magic._spend import usage_between

BERLIN = ZoneInfo("Europe/Berlin")
PERIODS = ("hour", "day", "week", "month")
# The clock changes four days later.
START = datetime(2026, 3, 25, 22, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATENESS = Fraction("1.01")
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def frames(draw, days=12, size=18):
    """Readings of up to two organizations: irregular, some at one instant, on edges, in heaps."""
    instants = st.one_of(
        st.integers(0, days * 24).map(lambda n: timedelta(hours=n)),
        st.integers(0, days * 24 * 60).map(lambda n: timedelta(minutes=n)),
        st.integers(0, days * 86_400_000_000).map(lambda n: n * MICROSECOND),
    )
    credits = st.one_of(
        st.integers(-300, 3000), st.integers(-30_000, 300_000).map(lambda n: n / 97)
    )
    readings = draw(
        st.lists(
            st.tuples(instants, credits, st.sampled_from(["org-a", "org-b"])),
            min_size=1,
            max_size=size,
        )
    )
    index = pd.DatetimeIndex([START + after for after, _, _ in readings]).as_unit("us")
    return pd.DataFrame(
        {
            "organization": [each for _, _, each in readings],
            "credits": [float(each) for _, each, _ in readings],
        },
        index=index.tz_convert(BERLIN),
    )


def begin_of(at, by):
    """The beginning of the period that an instant of Berlin is in."""
    wall = at.astimezone(BERLIN)
    if by == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = datetime(wall.year, wall.month, wall.day, tzinfo=BERLIN)
    back = {"day": 0, "week": wall.weekday(), "month": wall.day - 1}[by]
    return (day - timedelta(days=back)).astimezone(UTC)


def end_of(at, by):
    """The end of the period that an instant of Berlin is in."""
    longest = {"hour": 1, "day": 26, "week": 8 * 24, "month": 32 * 24}[by]
    return begin_of(begin_of(at, by) + timedelta(hours=longest), by)


def length_of(at, by):
    """How long the period is that an instant of Berlin is in."""
    return end_of(at, by) - begin_of(at, by)


def expected_rows(frame, by):
    """Usage as its contract has it, one number after the other, in exact fractions."""
    # In UTC: Python subtracts two times of one zone by the clock on its wall.
    frame = frame.tz_convert(UTC)
    latest = frame.index.max().to_pydatetime()
    for organization in sorted(set(frame["organization"])):
        chosen = frame[frame["organization"] == organization]
        readings = sorted(
            ((at.to_pydatetime(), credits) for at, credits in chosen["credits"].items()),
            key=lambda each: (each[0], -each[1]),
        )
        period = begin_of(readings[0][0], by)
        while period <= readings[-1][0]:
            end = end_of(period, by)
            row = one_period(readings, period, end, by)
            elapsed = min(end, latest) - period
            row["observed"] = row["observed"] / elapsed if elapsed else 0
            yield {"period": period, "organization": organization} | row
            period = end


def one_period(readings, begin, end, by):
    """What one organization's readings say of one period; ``observed`` as a time."""
    row = {"spent": Fraction(0), "topped_up": Fraction(0), "at_least": False}
    row["observed"] = timedelta(0)
    for (since, before), (until, after) in pairwise(readings):
        change = Fraction(after) - Fraction(before)
        change = change if abs(change) >= Fraction(1, 10**6) else Fraction(0)
        inside = max(min(until, end) - max(since, begin), timedelta(0))
        is_first = until == readings[0][0] and begin <= until < end
        ends_here = begin < until <= end or is_first
        if since == until:
            row["spent"] += max(-change, 0) * ends_here
            continue
        row["spent"] += (
            max(-change, 0)
            * Fraction(inside / MICROSECOND)
            / Fraction((until - since) / MICROSECOND)
        )
        row["topped_up"] += max(change, 0) * ends_here
        row["at_least"] |= change > 0 and inside > timedelta(0)
        # An interval that ends on an edge ends in the period before it.
        allowed = max(length_of(since, by), length_of(until - MICROSECOND, by))
        if Fraction((until - since) / MICROSECOND) <= LATENESS * Fraction(allowed / MICROSECOND):
            row["observed"] += inside
    row["credits"] = [credits for at, credits in readings if at <= end][-1]
    row["readings"] = sum(begin <= at < end for at, _ in readings)
    return row


@settings(PATIENT, max_examples=60)
@given(frame=frames(), by=st.sampled_from(PERIODS))
def test_usage_is_what_a_plain_account_says(frame, by):
    """Row by row, whatever the readings are."""
    found = usage(frame, by)
    expected = sorted(expected_rows(frame, by), key=lambda r: (r["period"], r["organization"]))
    assert [each.to_pydatetime() for each in found.index] == [r["period"] for r in expected]
    for name in ("organization", "at_least", "credits", "readings"):
        assert found[name].tolist() == [row[name] for row in expected], name
    for name in ("spent", "topped_up", "observed"):
        wanted = [float(row[name]) for row in expected]
        assert found[name].tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-9), name
    assert found["usd"].tolist() == (found["spent"] * 0.01).tolist()


@settings(PATIENT, max_examples=30)
@given(frame=frames(), by=st.sampled_from(PERIODS), chance=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_the_frame_is_not_changed(frame, by, chance):
    """The same readings give the same usage, to the last bit."""
    before = frame.copy(deep=True)
    found = usage(frame, by)
    pd.testing.assert_frame_equal(frame, before, check_exact=True)
    order = list(range(len(frame)))
    chance.shuffle(order)
    pd.testing.assert_frame_equal(usage(frame.iloc[order], by), found, check_exact=True)


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS))
def test_the_periods_add_up_to_the_whole(frame, by):
    """Every credit of every change is in one of them, and nothing else."""
    ordered = frame.iloc[np.lexsort((-frame["credits"], frame.index))]
    codes = (ordered["organization"] == "org-b").to_numpy(dtype=np.int64)
    spent, topped_up = changes(codes, ordered["credits"].to_numpy())
    found = usage(frame, by)
    assert found["spent"].sum() == pytest.approx(np.nansum(spent), rel=1e-9, abs=1e-9)
    assert found["topped_up"].sum() == pytest.approx(np.nansum(topped_up), rel=1e-9, abs=1e-9)
    assert found["readings"].sum() == len(frame)
    assert found["observed"].between(0, 1 + 1e-12).all()
    assert (found["spent"] >= 0).all()


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS), data=st.data())
def test_a_window_may_be_split_anywhere(frame, by, data):
    """The parts add up to the whole, in every period, with cuts on readings and edges too."""
    somewhere = st.integers(-30, 13 * 24 * 60).map(lambda n: START + timedelta(minutes=n))
    on_readings = st.sampled_from([each.to_pydatetime() for each in frame.index])
    cuts = sorted(data.draw(st.lists(somewhere | on_readings, min_size=1, max_size=3)))
    edges = [None, *cuts, None]
    parts = pd.concat(
        [usage_between(frame, by, since=a, until=b).reset_index() for a, b in pairwise(edges)]
    )
    rows = ["period", "organization"]
    sums = ["spent", "topped_up", "likely_spent", "likely_topped_up"]
    added = parts.groupby(rows)[[*sums, "readings", "usd", "observed"]].sum()
    whole = usage(frame, by).reset_index().set_index(rows).sort_index()
    assert added.index.equals(whole.index)
    pd.testing.assert_frame_equal(added, whole[added.columns], rtol=1e-9, atol=1e-9)
    at_least = parts.groupby(rows)["at_least"].any()
    pd.testing.assert_series_equal(at_least, whole["at_least"])


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS), data=st.data())
def test_readings_that_two_logs_hold_count_once(frame, by, data):
    """Both saw some of them; together they say what one log of all of them says."""
    seen = st.lists(st.booleans(), min_size=len(frame), max_size=len(frame))
    mine, theirs = (np.array(data.draw(seen), dtype=bool) for _ in range(2))
    both = pd.concat([frame[mine], frame[theirs], frame[~mine & ~theirs], frame[mine]])
    pd.testing.assert_frame_equal(
        usage(both, by).drop(columns="readings"), usage(frame, by).drop(columns="readings")
    )


def test_logs_that_are_merged_twice_give_the_usage_of_one(tmp_path):
    """Entries are known by their ids, so that not even the readings count double."""
    entries = [
        entry(Balance("org-a", 1000.0 - n**2 % 83, START + timedelta(hours=7 * n)))
        for n in range(40)
    ]
    one, merged = (BalanceLog(tmp_path / f"{n}.db", timezone=BERLIN) for n in range(2))
    one.write(entries)
    for part in (entries[20:], entries[:25], entries[10:30], entries[20:]):
        merged.write(part)
    pd.testing.assert_frame_equal(merged.readings(), one.readings())
    pd.testing.assert_frame_equal(usage(merged.readings()), usage(one.readings()))


@settings(PATIENT, max_examples=15)
@given(frame=frames(), by=st.sampled_from(PERIODS), hours=st.tuples(*[st.integers(-5, 300)] * 2))
def test_what_the_log_hands_over_for_a_window_is_enough_for_it(tmp_path_factory, frame, by, hours):
    """With the readings next to the window, its usage is the one that all of them give."""
    since, until = (START + timedelta(hours=each) for each in sorted(hours))
    log = BalanceLog(tmp_path_factory.mktemp("log") / "log.db", timezone=BERLIN)
    readings = zip(frame.index, frame["organization"], frame["credits"], strict=True)
    log.write([entry(Balance(who, credits, at.to_pydatetime())) for at, who, credits in readings])
    some = usage_between(log.covering(since=since, until=until), by, since=since, until=until)
    every = usage_between(log.readings(), by, since=since, until=until)
    # These two are judged by all readings that the frame holds.
    judged = ("observed", "likely_spent", "likely_topped_up")
    columns = [name for name in every.columns if name not in judged]
    pd.testing.assert_frame_equal(some[columns], every[columns])
