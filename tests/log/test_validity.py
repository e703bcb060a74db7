"""What a valid row is: the same in Python and in SQL, for writing, merging, sending."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.outbox import Outbox
from stability_magic.log.schema import MIGRATIONS
from stability_magic.log.validity import (
    FIRST_TIME,
    LAST_TIME,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    VALID_COST_SQL,
    VALID_READING_SQL,
    cost_fault,
    key_fault,
    organization_fault,
    reading_fault,
    text_fault,
    time_fault,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

TIMES = st.one_of(
    st.sampled_from([FIRST_TIME, LAST_TIME, FIRST_TIME - 1, LAST_TIME + 1, 0, 2**62, -(2**63)]),
    st.integers(-(2**63), 2**63 - 1),
)
AMOUNTS = st.floats(allow_nan=False)
IDS = st.one_of(st.binary(min_size=16, max_size=16), st.binary(max_size=40))


@pytest.fixture(scope="module")
def tables():
    """The tables of a log, in memory."""
    from sqlite_utils import Database

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        MIGRATIONS.apply(Database(connection))
        yield connection


@given(time=TIMES, credits=AMOUNTS, reading_id=IDS)
def test_sql_and_python_agree_about_readings(tables, time, credits, reading_id):
    """Whatever values the types allow."""
    tables.execute("DELETE FROM readings")
    tables.execute(
        "INSERT INTO readings (organization, read_at, id, credits, api, source)"
        " VALUES ('org-a', ?, ?, ?, 1, 's')",
        [time, reading_id, credits],
    )
    (in_sql,) = tables.execute(f"SELECT {VALID_READING_SQL} FROM readings").fetchone()
    assert bool(in_sql) == (reading_fault("org-a", time, reading_id, credits) is None)


@given(
    start=TIMES,
    end=TIMES,
    seconds=AMOUNTS,
    spent=st.none() | AMOUNTS,
    exact=st.integers(-1, 2),
    cost_id=IDS,
)
def test_sql_and_python_agree_about_costs(tables, start, end, seconds, spent, exact, cost_id):
    """Whatever values the types allow."""
    tables.execute("DELETE FROM costs")
    tables.execute(
        "INSERT INTO costs (organization, started_at, id, ended_at, seconds, spent, exact)"
        " VALUES ('org-a', ?, ?, ?, ?, ?, ?)",
        [start, cost_id, end, seconds, spent, exact],
    )
    (in_sql,) = tables.execute(f"SELECT {VALID_COST_SQL} FROM costs").fetchone()
    fault = cost_fault("org-a", start, end, seconds, spent, exact, None, None, cost_id)
    assert bool(in_sql) == (fault is None)


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        (organization_fault, [None, "", " ", b"org", 5, "x" * (MAX_NAME_LENGTH + 1)]),
        (time_fault, [None, True, 1.0, "1", math.nan, FIRST_TIME - 1, LAST_TIME + 1]),
        (text_fault, [None, b"x", 1, "x" * (MAX_TEXT_LENGTH + 1)]),
    ],
)
def test_what_is_not_valid(fault, values):
    """Of another type, empty, too long or out of the calendar."""
    for each in values:
        assert fault(each)
    assert not fault({organization_fault: "org-a", time_fault: 0, text_fault: ""}[fault])


@pytest.mark.parametrize("credits", [True, None, "1", math.nan, math.inf, -math.inf, 10**400])
def test_an_amount_is_a_finite_number(credits):
    """And nothing that looks like one."""
    assert reading_fault("org-a", 0, b"1" * 16, credits) == "no finite balance"


def test_a_key_leads_to_an_organization():
    """Not to another key; its fingerprint is a word."""
    assert key_fault("0123456789abcdef", "org-a", 0) is None
    assert key_fault("0123456789abcdef", "key:0123", 0)
    assert key_fault("key:0123", "org-a", 0)
    assert key_fault("", "org-a", 0)


@pytest.mark.parametrize(
    "at",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=12))),
    ],
    ids=str,
)
def test_a_reading_at_an_end_of_the_calendar_is_refused(tmp_path, at):
    """In another zone it would have no local time."""
    log = BalanceLog(tmp_path / "log.db")
    with pytest.raises(ValueError, match="nothing was logged"):
        log.append(Balance("org-a", 1.0, at))
    assert not log.path.exists()


@pytest.mark.parametrize("organization", ["  ", "x" * 1000])
def test_an_organization_that_is_none_is_refused(tmp_path, organization):
    """Before anything is written."""
    with pytest.raises(ValueError, match="nothing was logged"):
        BalanceLog(tmp_path / "log.db").append(Balance(organization, 1.0, NOON))


def test_an_immense_label_is_cut_and_costs_no_reading(tmp_path):
    """The reading is what counts."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    log.append(Balance("org-a", 1.0, NOON), label="x" * 1_000_000)
    (label,) = log.readings()["label"]
    assert len(label) == MAX_TEXT_LENGTH
    assert label.endswith("x…")


def test_a_cost_that_cannot_be_told_is_unknown(tmp_path):
    """The difference of two immense balances is no number; the cell is logged all the same."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    at = 1_700_000_000_000_000
    log.write([], costs=[Cost("org-a", at, at, 1.0, math.inf, True, "a\x1bb", "c\x1b", b"1" * 16)])
    (cost,) = log.costs()
    assert cost.spent is None
    assert (cost.label, cost.cell) == ("a\N{REPLACEMENT CHARACTER}b", "c\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("is_initial", [True, False])
def test_rows_that_are_not_valid_hold_up_no_sending(tmp_path, is_initial):
    """They are noted as done, once, and counted."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    log.append(Balance("org-z", 99.0, NOON))
    outbox = Outbox(log.path)
    log_id = "00000000-0000-0000-0000-000000000000"

    def register():
        return outbox.register(log_id, "postgresql://h/d")

    if not is_initial:
        register()
    log.write(
        [entry_from_balance(Balance("org-a", float(n), NOON)) for n in range(6)],
        costs=[Cost("org-a", 5, 6, 1.0, 1.0, True, None, None, bytes([n]) * 16) for n in range(3)],
    )
    changes = [
        "UPDATE readings SET credits = 9e999 WHERE credits = 0",
        f"UPDATE readings SET read_at = {2**62} WHERE credits = 1",
        "UPDATE readings SET id = x'01' WHERE credits = 2",
        "UPDATE costs SET spent = -9e999 WHERE id = zeroblob(16)",
    ]
    with closing(sqlite3.connect(log.path, isolation_level=None)) as connection:
        # As whoever wrote them would have: the notes of what is unsent follow.
        for table in ("readings", "costs"):
            connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table}")
            for each in changes:
                if f"UPDATE {table}" in each:
                    connection.execute(each.replace(table, "kept"))
            if not is_initial:
                connection.execute(f"DELETE FROM unsent_{table}")
            connection.execute(f"DELETE FROM {table}")
            connection.execute(f"INSERT INTO {table} SELECT * FROM kept")
            connection.execute("DROP TABLE kept")
    number, sent_readings, sent_costs, rounds = register(), [], [], 0
    while batch := outbox.next_batch(number, 2):
        sent_readings += batch.readings
        sent_costs += batch.costs
        outbox.mark_sent(number, batch)
        rounds += 1
        assert rounds < 30
    assert {row[3] for row in sent_readings} == {3.0, 4.0, 5.0, 99.0}
    assert len(sent_costs) == 2
    assert outbox.count_unsent("postgresql://h/d")[:3] == (0, 0, 0)
    assert outbox.count_invalid() == 4
