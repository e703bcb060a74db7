"""The tables of a shared log, as migrations that many clients may apply at once.

PostgreSQL, Citus, CockroachDB and YugabyteDB document every statement alike, and each statement can
be repeated. A published migration is never edited.
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

from ..errors import LogError

if TYPE_CHECKING:
    from psycopg.sql import Composed

__all__ = ["MIGRATIONS", "in_schema", "migrate"]

# The primary keys begin with the organization, so that a table can be distributed by it. Clients
# make the ids. Times are microseconds since 1970 UTC, as in the local log: integers, whose sums are
# the same everywhere.
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
    # Each name is a row of its own, so that a client that may only insert can report a new name.
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

_BUDGETS = (
    # Without credits there is no such budget from then on.
    """
    CREATE TABLE IF NOT EXISTS {s}.budgets (
        organization TEXT NOT NULL,
        set_at BIGINT NOT NULL,
        id UUID NOT NULL,
        every TEXT NOT NULL,
        credits DOUBLE PRECISION,
        PRIMARY KEY (organization, set_at, id)
    )
    """,
)

# Which machine ran a cell, and who, if the settings say so; unknown for older costs.
_COST_MEMBERS = (
    "ALTER TABLE {s}.costs ADD COLUMN IF NOT EXISTS host TEXT",
    "ALTER TABLE {s}.costs ADD COLUMN IF NOT EXISTS member TEXT",
)

MIGRATIONS: Mapping[str, tuple[str, ...]] = {
    "m001_readings": _READINGS,
    "m002_budgets": _BUDGETS,
    "m003_cost_members": _COST_MEMBERS,
}

_MIGRATIONS_TABLE = """
    CREATE TABLE IF NOT EXISTS {s}.migrations (
        name TEXT NOT NULL PRIMARY KEY,
        log UUID NOT NULL,
        applied_at BIGINT NOT NULL
    )
"""

# The errors that clients get when they create the same thing at the same time.
_CONFLICTS = (
    errors.UniqueViolation,
    errors.DuplicateTable,
    errors.DuplicateSchema,
    errors.DuplicateObject,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.InternalError_,
)
_MAX_NAME_BYTES = 63
_PAUSE_SECONDS = tuple(0.05 * (each + 1) for each in range(20))


def in_schema(text: str, schema: str) -> Composed:
    """SQL from this package with ``{s}`` replaced by the quoted name of the schema.

    SQL that holds placeholders is to be run with parameters, any other without.
    """
    name = _database_name(schema)
    # psycopg looks for placeholders in names too, where there are parameters.
    return SQL(text).format(s=Identifier(name.replace("%", "%%") if "%" in text else name))


def _database_name(schema: str) -> str:
    """The name that the database gives a schema: PostgreSQL cuts off names that are too long."""
    return schema.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")


def migrate(connection: psycopg.Connection[Any], schema: str, address: str) -> str:
    """Creates the tables that are missing.

    Returns:
        The id of the log, chosen by the client that created it.

    Raises:
        LogError: The log is of a newer version, or of an older one that this user may not bring up
            to date; nothing was changed.
        psycopg.Error: The tables could not be created.
    """
    for pause in _PAUSE_SECONDS:
        try:
            return _try_to_migrate(connection, schema, address)
        except _CONFLICTS:
            # At random, so that the clients do not collide again.
            time.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - no secret
    return _try_to_migrate(connection, schema, address)


def _try_to_migrate(connection: psycopg.Connection[Any], schema: str, address: str) -> str:
    while True:
        applied = _applied_migrations(connection, schema)
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
        try:
            _apply(connection, schema, pending)
        except errors.InsufficientPrivilege as error:
            if not applied:
                raise
            raise LogError(
                f"The shared log {address} lacks what is new ({', '.join(pending)}), which this"
                " user may not add. Have the owner of its tables run stability-magic sync once.",
                path=address,
            ) from error


def _applied_migrations(connection: psycopg.Connection[Any], schema: str) -> dict[str, str]:
    """The ids that each migration applied to the database gave the log, by migration name."""
    try:
        rows = connection.execute(in_schema("SELECT name, log FROM {s}.migrations", schema))
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return {}
    return {name: str(log) for name, log in rows}


def _apply(connection: psycopg.Connection[Any], schema: str, pending: list[str]) -> None:
    # Each statement is a transaction: not every database can change tables within a larger one.
    schema_rows = connection.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
        [_database_name(schema)],
    )
    if schema_rows.fetchone() is None:
        # Only if it is missing: the owner of the schema may not be allowed to create others.
        connection.execute(in_schema("CREATE SCHEMA IF NOT EXISTS {s}", schema))
    connection.execute(in_schema(_MIGRATIONS_TABLE, schema))
    for name in pending:
        for statement in MIGRATIONS[name]:
            connection.execute(in_schema(statement, schema))
        record = in_schema(
            "INSERT INTO {s}.migrations (name, log, applied_at) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            schema,
        )
        connection.execute(record, [name, uuid.uuid4(), time.time_ns() // 1000])
