"""Inserts rows into the shared log; rows that are already there stay as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import errors

from ..log.validity import (
    budget_fault,
    cost_fault,
    organization_fault,
    reading_fault,
    text_fault,
    time_fault,
)
from .connection import watchdog
from .schema import in_schema

__all__ = ["BUDGETS", "COSTS", "ORGANIZATIONS", "READINGS", "Table", "insert"]

# Up to so many rows are inserted one by one; more are copied into a temporary table first.
_MAX_ROWS_WITHOUT_COPY = 500
_PAUSE_SECONDS = (0.05, 0.1, 0.2, 0.4)

Result = TypeVar("Result")


class Table(NamedTuple):
    """A table of the shared log.

    Attributes:
        name: The table's name.
        columns: The types of its columns, by name.
        key_length: How many of the columns, from the first, are the primary key.
        fault: Why the values of a row are not valid; None if they are.
    """

    name: str
    columns: dict[str, str]
    key_length: int
    fault: Callable[..., str | None]


def _reading_fault(
    organization: Any, read_at: Any, reading_id: Any, credits: Any, *texts: Any
) -> str | None:
    return reading_fault(organization, read_at, _id_bytes(reading_id), credits, texts)


def _cost_fault(
    organization: Any, started_at: Any, cost_id: Any, ended_at: Any, seconds: Any, *others: Any
) -> str | None:
    spent, exact, label, cell, *origin = others
    return cost_fault(
        organization,
        started_at,
        ended_at,
        seconds,
        spent,
        exact,
        label,
        cell,
        _id_bytes(cost_id),
        *origin,
    )


def _budget_fault(
    organization: Any, set_at: Any, change_id: Any, every: Any, credits: Any
) -> str | None:
    return budget_fault(organization, every, set_at, credits, _id_bytes(change_id))


def _name_fault(organization: Any, seen_at: Any, name: Any) -> str | None:
    return organization_fault(organization) or time_fault(seen_at) or text_fault(name)


def _id_bytes(text: Any) -> bytes | None:
    """The id that hexadecimal digits stand for; None if it is none."""
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError):
        return None


READINGS = Table(
    "readings",
    {
        "organization": "TEXT",
        "read_at": "BIGINT",
        "id": "UUID",
        "credits": "DOUBLE PRECISION",
        "api_url": "TEXT",
        "source": "TEXT",
        "label": "TEXT",
        "host": "TEXT",
    },
    3,
    _reading_fault,
)
COSTS = Table(
    "costs",
    {
        "organization": "TEXT",
        "started_at": "BIGINT",
        "id": "UUID",
        "ended_at": "BIGINT",
        "seconds": "DOUBLE PRECISION",
        "spent": "DOUBLE PRECISION",
        "exact": "BOOLEAN",
        "label": "TEXT",
        "cell": "TEXT",
        "host": "TEXT",
        "member": "TEXT",
    },
    3,
    _cost_fault,
)
BUDGETS = Table(
    "budgets",
    {
        "organization": "TEXT",
        "set_at": "BIGINT",
        "id": "UUID",
        "every": "TEXT",
        "credits": "DOUBLE PRECISION",
    },
    3,
    _budget_fault,
)
ORGANIZATIONS = Table(
    "organizations",
    {"organization": "TEXT", "seen_at": "BIGINT", "name": "TEXT"},
    3,
    _name_fault,
)


def insert(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Iterable[Sequence[Any]]
) -> int:
    """Inserts rows in one transaction, skipping those that the table already holds.

    A row that is not valid is left out, so that it keeps no other from being sent.

    Returns:
        How many rows were new.

    Raises:
        psycopg.Error: No row was inserted, unless the connection broke during the commit.
    """
    # All clients insert in the same order, so that they cannot deadlock.
    valid_rows = (each for each in rows if table.fault(*each) is None)
    sorted_rows = sorted(valid_rows, key=lambda row: tuple(row[: table.key_length]))
    if not sorted_rows:
        return 0
    if len(sorted_rows) > _MAX_ROWS_WITHOUT_COPY:
        try:
            return _retry(lambda: _insert_by_copy(connection, schema, table, sorted_rows))
        except (errors.InsufficientPrivilege, errors.FeatureNotSupported):
            # Not every user may create temporary tables, and not every database has them. If it
            # is inserting that is not allowed, the next line raises that error.
            pass
    return _retry(lambda: _insert_row_by_row(connection, schema, table, sorted_rows))


def _retry(insert_rows: Callable[[], Result]) -> Result:
    """Tries again when a client that changed the same rows at the same time is the cause."""
    for pause in _PAUSE_SECONDS:
        try:
            return insert_rows()
        except (errors.SerializationFailure, errors.DeadlockDetected):
            time.sleep(pause)
    return insert_rows()


def _insert_row_by_row(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Sequence[Sequence[Any]]
) -> int:
    statement = in_schema(
        f"INSERT INTO {{s}}.{table.name} ({', '.join(table.columns)})"  # noqa: S608 - our own names
        f" VALUES ({', '.join(['%s'] * len(table.columns))}) ON CONFLICT DO NOTHING",
        schema,
    )
    with watchdog(connection) as timer, connection.transaction():
        new = 0
        with connection.cursor() as cursor:
            for begin in range(0, len(rows), _MAX_ROWS_WITHOUT_COPY):
                cursor.executemany(statement, rows[begin : begin + _MAX_ROWS_WITHOUT_COPY])
                new += cursor.rowcount
                timer.restart()
        return new


def _insert_by_copy(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Sequence[Sequence[Any]]
) -> int:
    names = ", ".join(table.columns)
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    insert_new_rows = in_schema(
        f"INSERT INTO {{s}}.{table.name} ({names}) SELECT {names} FROM incoming"  # noqa: S608
        " ON CONFLICT DO NOTHING",
        schema,
    )
    with (
        watchdog(connection) as timer,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TEMP TABLE incoming ({columns}) ON COMMIT DROP")
        with cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
            for number, row in enumerate(rows):
                copy.write_row(row)
                if number % 4096 == 0:
                    timer.restart()
        timer.restart()
        return cursor.execute(insert_new_rows).rowcount
