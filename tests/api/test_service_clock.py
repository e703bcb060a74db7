"""A machine's clock that is wrong: readings have the service's time, as far as it is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from stability_magic import Balance, BalanceLog, StabilityClient
from stability_magic.api.service_clock import MOST_OFFSET, ServiceClock
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.schema import MIGRATIONS
from stability_magic.simulator.faults import Fault
from stability_magic.terminal.command_line import main

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TRUE_OFFSETS = st.timedeltas(-MOST_OFFSET + 5 * SECOND, MOST_OFFSET - 5 * SECOND)


def headers_at(service_time):
    """The headers of an answer that was made at a time."""
    return {"date": format_datetime(service_time, usegmt=True)}


@given(true=TRUE_OFFSETS, travel=st.floats(0, 2), back=st.floats(0, 2), fraction=st.floats(0, 1))
def test_the_offset_is_as_exact_as_the_header_allows(true, travel, back, fraction):
    """And there is none where the clock may be right."""
    sent_at = NOON + fraction * SECOND
    answered_at = sent_at + travel * SECOND
    offset = ServiceClock().offset(
        headers_at(answered_at + true), sent_at, answered_at + back * SECOND
    )
    assert offset is not None
    assert abs(offset - true) <= (travel + back + 3) * SECOND
    if abs(true) <= SECOND:
        assert offset == timedelta(0)


@given(true=TRUE_OFFSETS, delays=st.lists(st.floats(0, 0.4), min_size=2, max_size=20))
def test_the_offset_stays_the_same_while_it_may_be_right(true, delays):
    """So that readings which follow each other closely keep their order."""
    clock, at, offsets = ServiceClock(), NOON, set()
    for delay in delays:
        at += timedelta(seconds=0.7)
        offsets.add(clock.offset(headers_at(at + true), at, at + delay * SECOND))
    assert len(offsets) <= 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "yesterday"},
        {"date": "Mon, 02 Mar 99999 12:00:00 GMT"},
        headers_at(NOON + timedelta(days=2)),
        headers_at(NOON - timedelta(days=4000)),
        {**headers_at(NOON - timedelta(hours=3)), "age": "10800"},
    ],
)
def test_the_time_stays_the_machines_own_where_no_date_is_to_be_believed(headers):
    """Missing, no date, absurd, or of an answer that lay in a cache."""
    assert ServiceClock().offset(headers, NOON, NOON + SECOND) is None


def test_a_clock_that_is_set_right_has_no_offset_any_more():
    """From the next answer on."""
    clock = ServiceClock()
    assert clock.offset(headers_at(NOON + timedelta(hours=1)), NOON, NOON) >= timedelta(minutes=59)
    assert clock.offset(headers_at(NOON), NOON, NOON) == timedelta(0)


@pytest.mark.parametrize("offset", [3600.0, -90.0])
def test_a_reading_has_the_services_time(api, offset):
    """Whatever this machine's clock says."""
    api.clock_offset = offset
    before = datetime.now(UTC)
    with StabilityClient(api.api_key, api_url=api.url) as client:
        balance = client.balance()
    assert balance.clock_offset is not None
    assert abs(balance.clock_offset - timedelta(seconds=offset)) < 3 * SECOND
    assert abs(balance.read_at - before - timedelta(seconds=offset)) < 4 * SECOND


def test_answers_from_the_log_see_readings_of_a_clock_that_is_behind(api, log_path, capsys):
    """Their time lies after this machine's present."""
    main(["balance"])
    api.clock_offset = 3600.0
    api.spend(24.0)
    main(["balance"])
    left = f"{BalanceLog(log_path).readings()['credits'].iloc[-1]:,.2f}"
    for command in ("status", "forecast", "history", "usage"):
        capsys.readouterr()
        main([command, "--format", "table"] if command != "status" else [command])
        assert (left if command != "usage" else "24.00") in capsys.readouterr().out, command


def test_an_answer_without_a_date_keeps_the_machines_time(api, log_path):
    """And the log says that the offset is not known."""
    api.clock_offset = 3600.0
    cached = Fault(status=200, body=b'{"credits": 7.5}', headers=(("Age", "9"),))
    api.fail(cached, path="/user/balance")
    main(["balance"])
    frame = BalanceLog(log_path).readings()
    assert abs(frame.index[-1] - datetime.now(UTC)) < timedelta(minutes=1)
    assert BalanceLog(log_path).clock_offsets() == {}


def log_with_offsets(path, host, *seconds):
    """A log of one machine whose clock was so wrong."""
    log = BalanceLog(path)
    log.write(
        entry_from_balance(
            Balance(
                "org-a",
                50.0 - minute,
                NOON + timedelta(minutes=minute),
                clock_offset=None if each is None else timedelta(seconds=each),
            ),
            host=host,
        )
        for minute, each in enumerate(seconds)
    )
    return log


def test_merging_tells_whose_clock_is_off(log_path, tmp_path, capsys):
    """By its last reading; a clock that was set right is not told, nor one that is not known."""
    log_with_offsets(log_path, "desk", 900.0, 0.0)
    log_with_offsets(tmp_path / "hub.db", "hub", 0.0, -3725.0)
    log_with_offsets(tmp_path / "old.db", "old", None)
    assert main(["merge", str(tmp_path / "hub.db"), str(tmp_path / "old.db")]) == 0
    output = capsys.readouterr().err
    assert "The clock of hub is 1 h 2 min ahead of the service's." in output
    assert "desk" not in output
    assert BalanceLog(log_path).clock_offsets() == {
        "desk": timedelta(0),
        "hub": timedelta(seconds=-3725),
    }


def test_a_log_of_an_older_version_is_merged_without_offsets(log_path, tmp_path):
    """It has no such column."""
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m006_clock_offsets")
        with connection:
            connection.execute("INSERT INTO apis (url) VALUES ('https://api.stability.ai')")
            connection.execute(
                "INSERT INTO readings (organization, read_at, id, credits, api, source)"
                " VALUES ('org-a', 1700000000000000, randomblob(16), 5.0, 1, 'cli')"
            )
    assert main(["merge", str(old)]) == 0
    assert BalanceLog(log_path).readings()["credits"].tolist() == [5.0]
    assert BalanceLog(old).clock_offsets() == {}
