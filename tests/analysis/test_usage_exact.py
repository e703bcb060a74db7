"""Usage compared with a slow, plain calculation in exact fractions, and its properties."""

from __future__ import annotations

import math
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
from stability_magic.analysis.changes import spent_and_topped_up
from stability_magic.analysis.doubtful import is_doubtful
from stability_magic.analysis.spend import usage_between
from stability_magic.log.balance_log import entry_from_balance

BERLIN = ZoneInfo("Europe/Berlin")
PERIODS = ("hour", "day", "week", "month")
# Four days before a clock change.
START = datetime(2026, 3, 25, 22, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def frames(draw, days=12, size=18):
    """Irregular readings of up to two organizations, some at one instant, some at edges."""
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


def those_that_count(frame):
    """The readings of each organization that are not doubtful, oldest first."""
    frame = frame.iloc[np.lexsort((-frame["credits"], frame.index))]
    parts = []
    for _, own in frame.groupby("organization"):
        times = own.index.as_unit("us").asi8
        parts.append(own[~is_doubtful(times, own["credits"].to_numpy())])
    return pd.concat(parts)


def start_of(at, by):
    """The start of the period that an instant is in, in Berlin."""
    wall = at.astimezone(BERLIN)
    if by == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = datetime(wall.year, wall.month, wall.day, tzinfo=BERLIN)
    back = {"day": 0, "week": wall.weekday(), "month": wall.day - 1}[by]
    return (day - timedelta(days=back)).astimezone(UTC)


def end_of(at, by):
    """The end of the period that an instant is in, in Berlin."""
    longest = {"hour": 1, "day": 26, "week": 8 * 24, "month": 32 * 24}[by]
    return start_of(start_of(at, by) + timedelta(hours=longest), by)


def expected_rows(frame, by):
    """The rows that the documentation of usage describes, computed one by one in fractions."""
    # In UTC, as Python subtracts two times of one zone by their local clock.
    frame = frame.tz_convert(UTC)
    latest = frame.index.max().to_pydatetime()
    for organization in sorted(set(frame["organization"])):
        own = frame[frame["organization"] == organization]
        readings = [
            (at.to_pydatetime(), credits)
            for at, credits in those_that_count(own)["credits"].items()
        ]
        period = start_of(readings[0][0], by)
        while period <= readings[-1][0]:
            end = end_of(period, by)
            row = one_period(readings, period, end)
            elapsed = min(end, latest) - period
            row["observed"] = row["observed"] / elapsed if elapsed else 0
            yield {"period": period, "organization": organization} | row
            period = end


def longest_step(readings):
    """The longest step between readings that is no gap, in microseconds."""
    steps = sorted((until - since) // MICROSECOND for (since, _), (until, _) in pairwise(readings))
    if not steps:
        return 0
    quantiles = []
    for share in (Fraction(1, 2), Fraction(95, 100)):
        at = share * (len(steps) - 1)
        low, high = steps[math.floor(at)], steps[math.ceil(at)]
        quantiles.append(low + at % 1 * (high - low))
    return max(4 * quantiles[0], 3 * quantiles[1])


def one_period(readings, begin, end):
    """One organization's row for one period; ``observed`` is a length of time."""
    row = {"spent": Fraction(0), "topped_up": Fraction(0), "at_least": False}
    row["estimated"] = Fraction(0)
    longest = longest_step(readings)
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
        spent = (
            max(-change, 0)
            * Fraction(inside / MICROSECOND)
            / Fraction((until - since) / MICROSECOND)
        )
        row["spent"] += spent
        row["estimated"] += spent * (inside < until - since)
        row["topped_up"] += max(change, 0) * ends_here
        row["at_least"] |= change > 0 and inside > timedelta(0)
        if (until - since) // MICROSECOND <= longest:
            row["observed"] += inside
    row["credits"] = [credits for at, credits in readings if at <= end][-1]
    row["readings"] = sum(begin <= at < end for at, _ in readings)
    return row


@settings(PATIENT, max_examples=60)
@given(frame=frames(), by=st.sampled_from(PERIODS))
def test_usage_equals_a_plain_calculation(frame, by):
    """Row by row, whatever the readings are."""
    result = usage(frame, by)
    expected = sorted(expected_rows(frame, by), key=lambda r: (r["period"], r["organization"]))
    assert [each.to_pydatetime() for each in result.index] == [r["period"] for r in expected]
    for name in ("organization", "at_least", "credits", "readings"):
        assert result[name].tolist() == [row[name] for row in expected], name
    for name in ("spent", "topped_up", "observed", "estimated"):
        values = [float(row[name]) for row in expected]
        assert result[name].tolist() == pytest.approx(values, rel=1e-9, abs=1e-9), name
    assert result["usd"].tolist() == (result["spent"] * 0.01).tolist()


@settings(PATIENT, max_examples=30)
@given(frame=frames(), by=st.sampled_from(PERIODS), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_the_frame_is_not_changed(frame, by, random):
    """The same readings give exactly the same usage."""
    before = frame.copy(deep=True)
    result = usage(frame, by)
    pd.testing.assert_frame_equal(frame, before, check_exact=True)
    order = list(range(len(frame)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(usage(frame.iloc[order], by), result, check_exact=True)


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS))
def test_the_periods_add_up_to_the_total(frame, by):
    """Each credit of each change is in one period, and nothing else is."""
    ordered = those_that_count(frame)
    codes = (ordered["organization"] == "org-b").to_numpy(dtype=np.int64)
    spent, topped_up = spent_and_topped_up(codes, ordered["credits"].to_numpy())
    result = usage(frame, by)
    assert result["spent"].sum() == pytest.approx(np.nansum(spent), rel=1e-9, abs=1e-9)
    assert result["topped_up"].sum() == pytest.approx(np.nansum(topped_up), rel=1e-9, abs=1e-9)
    assert result["readings"].sum() == len(ordered)
    assert result["observed"].between(0, 1 + 1e-12).all()
    assert (result["spent"] >= 0).all()


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS), data=st.data())
def test_a_window_may_be_split_anywhere(frame, by, data):
    """The parts add up to the full usage in every period, even when split at readings and edges."""
    somewhere = st.integers(-30, 13 * 24 * 60).map(lambda n: START + timedelta(minutes=n))
    on_readings = st.sampled_from([each.to_pydatetime() for each in frame.index])
    cuts = sorted(data.draw(st.lists(somewhere | on_readings, min_size=1, max_size=3)))
    edges = [None, *cuts, None]
    parts = pd.concat(
        [usage_between(frame, by, since=a, until=b).reset_index() for a, b in pairwise(edges)]
    )
    rows = ["period", "organization"]
    amounts = ["spent", "topped_up", "likely_spent", "likely_topped_up"]
    sums = parts.groupby(rows)[[*amounts, "readings", "usd", "observed"]].sum()
    full = usage(frame, by).reset_index().set_index(rows).sort_index()
    assert sums.index.equals(full.index)
    pd.testing.assert_frame_equal(sums, full[sums.columns], rtol=1e-9, atol=1e-9)
    at_least = parts.groupby(rows)["at_least"].any()
    pd.testing.assert_series_equal(at_least, full["at_least"])


@settings(PATIENT, max_examples=50)
@given(frame=frames(), by=st.sampled_from(PERIODS), data=st.data())
def test_readings_that_two_logs_hold_count_once(frame, by, data):
    """Two logs with some readings in common give the usage of one log with all of them."""
    masks = st.lists(st.booleans(), min_size=len(frame), max_size=len(frame))
    mine, theirs = (np.array(data.draw(masks), dtype=bool) for _ in range(2))
    both = pd.concat([frame[mine], frame[theirs], frame[~mine & ~theirs], frame[mine]])
    pd.testing.assert_frame_equal(
        usage(both, by).drop(columns="readings"), usage(frame, by).drop(columns="readings")
    )


def test_logs_merged_twice_give_the_usage_of_one(tmp_path):
    """Entries are recognized by their ids, so even the number of readings is right."""
    entries = [
        entry_from_balance(Balance("org-a", 1000.0 - n**2 % 83, START + timedelta(hours=7 * n)))
        for n in range(40)
    ]
    log, merged = (BalanceLog(tmp_path / f"{n}.db", timezone=BERLIN) for n in range(2))
    log.write(entries)
    for part in (entries[20:], entries[:25], entries[10:30], entries[20:]):
        merged.write(part)
    pd.testing.assert_frame_equal(merged.readings(), log.readings())
    pd.testing.assert_frame_equal(usage(merged.readings()), usage(log.readings()))


@settings(PATIENT, max_examples=15)
@given(frame=frames(), by=st.sampled_from(PERIODS), hours=st.tuples(*[st.integers(-5, 300)] * 2))
def test_the_log_returns_enough_readings_for_a_window(tmp_path_factory, frame, by, hours):
    """The readings in and next to the window give the same usage in it as all readings."""
    since, until = (START + timedelta(hours=each) for each in sorted(hours))
    log = BalanceLog(tmp_path_factory.mktemp("log") / "log.db", timezone=BERLIN)
    readings = zip(frame.index, frame["organization"], frame["credits"], strict=True)
    log.write(
        [
            entry_from_balance(Balance(organization, credits, at.to_pydatetime()))
            for at, organization, credits in readings
        ]
    )
    actual = usage_between(
        log.readings_with_neighbours(since=since, until=until), by, since=since, until=until
    )
    expected = usage_between(log.readings(), by, since=since, until=until)
    # These columns are judged by all readings in the frame.
    by_frame = ("observed", "likely_spent", "likely_topped_up")
    columns = [name for name in expected.columns if name not in by_frame]
    pd.testing.assert_frame_equal(actual[columns], expected[columns])
