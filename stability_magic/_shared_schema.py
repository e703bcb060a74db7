"""The tables of a shared log, as migrations that many clients may apply at once.

Every statement is one that PostgreSQL, Citus, CockroachDB and YugabyteDB document alike, and can
run again where it has run before. A migration that was published is never edited.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Identifier

from ._errors import LogError

if TYPE_CHECKING:
    from psycopg.sql import Composed

__all__ = ["MIGRATIONS", "in_schema", "migrated"]

# The primary keys begin with the organization, so that a table can be spread by it. Ids are made
# by the clients. Times are microseconds since 1970 UTC, as in the local log: whole numbers, with
# which sums are the same everywhere.
_READINGS = (
    """
    CREATE TABLE IF NOT EXISTS {s}.readings (
        organization TEXT NOT NULL,
        read_at BIGINT NOT NULL,
        id UUID NOT NULL,
        credits DOUBLE PRECISION NOT NULL,
        api_url TEXT NOT NULL,
        source TEXT NOT NULL,
        label TEXT,
        host TEXT,
        PRIMARY KEY (organization, read_at, id)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS {s}.costs (
        organization TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        id UUID NOT NULL,
        ended_at BIGINT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        spent DOUBLE PRECISION,
        exact BOOLEAN NOT NULL,
        label TEXT,
        cell TEXT,
        PRIMARY KEY (organization, started_at, id)
    )
    """,
    # Another name is another row: whoever may only insert can tell of it too.
    """
    CREATE TABLE IF NOT EXISTS {s}.organizations (
        organization TEXT NOT NULL,
        seen_at BIGINT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (organization, seen_at, name)
    )
    """,
    """
    CREATE OR REPLACE VIEW {s}.balance_history AS
    SELECT
        TIMESTAMPTZ '1970-01-01 00:00:00+00' + read_at * INTERVAL '1 microsecond' AS read_at,
        organization, credits, source, label, host, api_url
    FROM {s}.readings
    """,
)

MIGRATIONS: Mapping[str, tuple[str, ...]] = {"m001_readings": _READINGS}

_APPLIED = """
    CREATE TABLE IF NOT EXISTS {s}.migrations (
        name TEXT NOT NULL PRIMARY KEY,
        log UUID NOT NULL,
        applied_at BIGINT NOT NULL
    )
"""

# What clients get that make the same thing at the same moment.
_MADE_BY_ANOTHER = (
    errors.UniqueViolation,
    errors.DuplicateTable,
    errors.DuplicateSchema,
    errors.DuplicateObject,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.InternalError_,
)
_PAUSES = tuple(0.05 * (each + 1) for each in range(20))


def in_schema(text: str, schema: str) -> Composed:
    """SQL of our own in which ``{s}`` stands for the schema."""
    return SQL(text).format(s=Identifier(schema))


def migrated(connection: psycopg.Connection[Any], schema: str, address: str) -> str:
    """Makes the tables that are missing.

    Returns:
        The id of the log, which it was given by whoever made it.

    Raises:
        LogError: It is of a newer version; nothing was done to it.
        psycopg.Error: The tables could not be made.
    """
    for pause in _PAUSES:
        try:
            return _migrated(connection, schema, address)
        except _MADE_BY_ANOTHER:
            # No two of them come back together.
            time.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - no secret
    return _migrated(connection, schema, address)


def _migrated(connection: psycopg.Connection[Any], schema: str, address: str) -> str:
    while True:
        applied = _applied(connection, schema)
        unknown = applied.keys() - MIGRATIONS.keys()
        if unknown:
            raise LogError(
                f"The shared log {address} is of a newer version of stability_magic (it has"
                f" {', '.join(sorted(unknown))}); it was left as it is. Upgrade stability_magic.",
                path=address,
            )
        pending = [each for each in MIGRATIONS if each not in applied]
        if not pending:
            return applied[next(iter(MIGRATIONS))]
        _make(connection, schema, pending)


def _applied(connection: psycopg.Connection[Any], schema: str) -> dict[str, str]:
    """The migrations that the database has seen, with the ids that they gave."""
    try:
        rows = connection.execute(in_schema("SELECT name, log FROM {s}.migrations", schema))
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return {}
    return {name: str(log) for name, log in rows}


def _make(connection: psycopg.Connection[Any], schema: str, pending: list[str]) -> None:
    # One statement is one transaction: not every database changes its tables within a larger one.
    there = connection.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [schema]
    )
    if there.fetchone() is None:
        # Only asked where it is missing: who owns the schema may not be let to make others.
        connection.execute(in_schema("CREATE SCHEMA IF NOT EXISTS {s}", schema))
    connection.execute(in_schema(_APPLIED, schema))
    for name in pending:
        for statement in MIGRATIONS[name]:
            connection.execute(in_schema(statement, schema))
        record = in_schema(
            "INSERT INTO {s}.migrations VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", schema
        )
        connection.execute(record, [name, uuid.uuid4(), time.time_ns() // 1000])
