"""The shared log gives the same likely columns as pandas where readings share a microsecond."""

from __future__ import annotations

import itertools
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("psycopg")

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.spend import usage_between, usage_cut_points, usage_of
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log import reader
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.sync import send
from stability_magic.text import DatabaseAddress

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = 60_000_000
PURCHASE_AFTER_TWO_READINGS_AT_ONCE = [
    (34 * MINUTE, 19658570.472),
    ((20 * 60 + 42) * MINUTE + 6_271_371, 19658567.467),
    ((20 * 60 + 42) * MINUTE + 6_271_371, 19658567.472),
    ((21 * 60 + 9) * MINUTE + 59_065_753, 19658567.472),
    ((21 * 60 + 45) * MINUTE, 19648452.215),
]


@pytest.fixture(scope="module")
def logs(postgres, tmp_path_factory):
    """A local log and a shared one; each example's readings are of an organization of its own."""
    log = BalanceLog(tmp_path_factory.mktemp("equal") / "log.db", timezone=UTC)
    target = target_from_address(DatabaseAddress(postgres.address()), "equal_times")
    with closing(SharedLog(target, UTC)) as shared:
        names = (f"org-{number:05}" for number in itertools.count())
        yield log, shared, names


@pytest.fixture
def few_rows(monkeypatch):
    """Lets the database add up even a handful of readings."""
    monkeypatch.setattr(reader, "_MAX_READINGS_AS_THEY_ARE", 0)


@st.composite
def readings_that_share_times(draw):
    """Pairs of a time in microseconds and a balance; many times are those of the reading before."""
    count = draw(st.integers(2, 40))
    steps = st.sampled_from([0, 0, 1, 10 * MINUTE, 60 * MINUTE, 1440 * MINUTE]) | st.integers(
        0, 2000 * MINUTE
    )
    changes = st.sampled_from([0.0, -0.005, -3.0, -8.25, -130.5, 0.005, 996.5, 2500.0, 3700.0])
    times = np.cumsum(draw(st.lists(steps, min_size=count, max_size=count)))
    credits = 20_000 + np.cumsum(draw(st.lists(changes, min_size=count, max_size=count)))
    return [(int(at), float(each)) for at, each in zip(times, credits, strict=True)]


@given(
    readings=readings_that_share_times(),
    by=st.sampled_from(["hour", "day"]),
    window=st.sampled_from([(None, None), (START + timedelta(days=1), START + timedelta(days=3))]),
)
@example(readings=PURCHASE_AFTER_TWO_READINGS_AT_ONCE, by="day", window=(None, None))
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_usage_is_the_same_where_readings_share_a_microsecond(logs, few_rows, readings, by, window):
    """Certain and likely, whatever the database adds up."""
    log, shared, names = logs
    organization = next(names)
    log.write(
        entry_from_balance(Balance(organization, credits, START + timedelta(microseconds=at)))
        for at, credits in readings
    )
    send(Outbox(log.path), shared, lambda total: None)
    since, until = window
    expected = usage_between(
        log.readings_with_neighbours([organization], since, until), by, since=since, until=until
    )
    histories = shared.histories(
        [organization], since, until, usage_cut_points(by, UTC, since, until)
    )
    actual = usage_of(histories, by, since=since, until=until)
    pd.testing.assert_frame_equal(actual, expected, rtol=1e-12, atol=1e-7)
