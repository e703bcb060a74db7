"""Rows into the shared log: what is there already stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import errors

from ._shared_connection import patience
from ._shared_schema import in_schema

__all__ = ["COSTS", "ORGANIZATIONS", "READINGS", "Table", "insert"]

# Up to here rows are sent one by one, in one go; beyond, by COPY into a table of their own.
_FEW = 500
_PAUSES = (0.05, 0.1, 0.2, 0.4)

Result = TypeVar("Result")


class Table(NamedTuple):
    """A table of the shared log, its columns with their types, and how many make its key."""

    name: str
    columns: dict[str, str]
    key: int


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
    },
    3,
)
ORGANIZATIONS = Table(
    "organizations", {"organization": "TEXT", "seen_at": "BIGINT", "name": "TEXT"}, 3
)


def insert(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Iterable[Sequence[Any]]
) -> int:
    """Inserts rows in one transaction, those that are there already once only.

    Returns:
        How many of them were new.

    Raises:
        psycopg.Error: Nothing was inserted, as far as is known.
    """
    # All clients insert in one order, so that none waits for another in a circle.
    ordered = sorted(rows, key=lambda row: tuple(row[: table.key]))
    if not ordered:
        return 0
    if len(ordered) > _FEW:
        try:
            return _again(lambda: _copied(connection, schema, table, ordered))
        except (errors.InsufficientPrivilege, errors.FeatureNotSupported):
            # Not everybody may have tables of his own, and not every database knows them. If
            # inserting is what is not allowed, that is told now.
            pass
    return _again(lambda: _one_by_one(connection, schema, table, ordered))


def _again(work: Callable[[], Result]) -> Result:
    """Tries again what failed because of others who were at the same rows."""
    for pause in _PAUSES:
        try:
            return work()
        except (errors.SerializationFailure, errors.DeadlockDetected):
            time.sleep(pause)
    return work()


def _one_by_one(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Sequence[Sequence[Any]]
) -> int:
    statement = in_schema(
        f"INSERT INTO {{s}}.{table.name} ({', '.join(table.columns)})"  # noqa: S608 - our own names
        f" VALUES ({', '.join(['%s'] * len(table.columns))}) ON CONFLICT DO NOTHING",
        schema,
    )
    with patience(connection) as waiting, connection.transaction():
        new = 0
        with connection.cursor() as cursor:
            for begin in range(0, len(rows), _FEW):
                cursor.executemany(statement, rows[begin : begin + _FEW])
                new += cursor.rowcount
                waiting.restart()
        return new


def _copied(
    connection: psycopg.Connection[Any], schema: str, table: Table, rows: Sequence[Sequence[Any]]
) -> int:
    names = ", ".join(table.columns)
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    add_what_is_new = in_schema(
        f"INSERT INTO {{s}}.{table.name} ({names}) SELECT {names} FROM incoming"  # noqa: S608
        " ON CONFLICT DO NOTHING",
        schema,
    )
    with (
        patience(connection) as waiting,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TEMP TABLE incoming ({columns}) ON COMMIT DROP")
        with cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
            for number, row in enumerate(rows):
                copy.write_row(row)
                if number % 4096 == 0:
                    waiting.restart()
        waiting.restart()
        return cursor.execute(add_what_is_new).rowcount
