"""Keeps track, in the local log's own file, of what the shared logs still lack."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..analysis.budgets import BudgetChange
from ..models import to_microseconds
from ..text import clean_text
from .budgets import mark_budgets_sent, read_unsent_budgets
from .entries import KnownOrganizations
from .file import open_for_reading, open_for_writing
from .organizations import read_known_organizations
from .rows import check_types, has_table, selectable
from .validity import (
    FIRST_TIME,
    KEY_PREFIX,
    MAX_NAME_LENGTH,
    VALID_COST_SQL,
    VALID_READING_SQL,
    cost_fault,
    organization_fault,
    reading_fault,
    text_fault,
    time_fault,
)

__all__ = ["Batch", "Outbox", "UnsentCounts"]

# A shared log that was not reached for so long is forgotten; if it is used again, everything is
# sent to it.
_FORGET_AFTER = timedelta(days=90)

# Readings of a key are only sent once its organization is known, so that no fingerprint leaves
# this machine.
_SENDABLE = (
    "(u.organization NOT GLOB 'key:*' OR substr(u.organization, 5) IN"
    " (SELECT fingerprint FROM keys WHERE organization NOT GLOB 'key:*'))"
)
# Rows that are not valid are never sent.
_VALID_ORGANIZATION = (
    f"(trim({{0}}.organization) <> '' AND length({{0}}.organization) <= {MAX_NAME_LENGTH})"
)
_VALID_READING = f"{VALID_READING_SQL} AND {_VALID_ORGANIZATION.format('readings')}"
_VALID_COST = f"{VALID_COST_SQL} AND {_VALID_ORGANIZATION.format('costs')}"

_READINGS_SQL = """
    SELECT r.organization, r.read_at, r.id, r.credits, apis.url, r.source, r.label,
        (SELECT name FROM hosts WHERE hosts.id = r.host)
    FROM {source} JOIN apis ON apis.id = r.api
    WHERE {condition} ORDER BY r.organization, r.read_at, r.id LIMIT {limit}
"""
_UNSENT_READINGS_JOIN = """
    unsent_readings AS u CROSS JOIN readings AS r
    ON r.organization = u.organization AND r.read_at = u.read_at AND r.id = u.id
"""
# In the order of the shared log's costs.
_COST_COLUMNS = (
    *("organization", "started_at", "id", "ended_at", "seconds", "spent", "exact", "label", "cell"),
    *("host", "member"),
)
_UNSENT_COSTS_SQL = """
    SELECT {columns} FROM unsent_costs AS u CROSS JOIN costs AS c
    ON c.organization = u.organization AND c.started_at = u.started_at AND c.id = u.id
    WHERE u.shared_log = ? AND {sendable} LIMIT {limit}
"""
# A position before all readings.
_START_POSITION = ("", FIRST_TIME, b"")


class UnsentCounts(NamedTuple):
    """How much is still to be sent to a shared log.

    Attributes:
        readings: How many readings can be sent.
        costs: How many costs of cells can be sent.
        without_organization: How many readings cannot be sent yet, as their organization is
            unknown.
        invalid: How many readings and costs are never sent, as they are not valid; counted on
            request alone.
    """

    readings: int
    costs: int
    without_organization: int
    invalid: int = 0


class Batch(NamedTuple):
    """Rows to send to a shared log, and what to note once they have been sent.

    A shared log is registered when it is first used. The initial readings are those that were
    logged before; later ones are noted one by one.

    Attributes:
        readings: Readings, with the columns of the shared log's readings.
        costs: Costs, with the columns of the shared log's costs.
        names: By organization id, when the organization's name was seen, and that name.
        reading_keys: The primary keys by which the readings were noted as unsent.
        cost_keys: The primary keys by which the costs were noted as unsent.
        unsendable_keys: The primary keys of initial readings that cannot be sent yet.
        position: The primary key of the last initial reading in the batch; None if there is none.
        is_initial_complete: Whether all initial readings have been sent once this batch is.
    """

    readings: Sequence[tuple[Any, ...]]
    costs: Sequence[tuple[Any, ...]]
    names: Mapping[str, tuple[int, str]]
    reading_keys: Sequence[tuple[Any, ...]] = ()
    cost_keys: Sequence[tuple[Any, ...]] = ()
    unsendable_keys: Sequence[tuple[Any, ...]] = ()
    position: tuple[Any, ...] | None = None
    is_initial_complete: bool = False


class Outbox:
    """What the shared logs still lack of a local log.

    Args:
        path: The local log's file.

    Raises:
        LogError: The file could not be read or written. Every method may raise it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def has_log(self) -> bool:
        """Whether the local log exists."""
        with open_for_reading(self._path) as connection:
            return connection is not None

    def count_unsent(self, address: str) -> UnsentCounts:
        """How much the shared log at an address lacks; everything if it was never used."""
        with open_for_reading(self._path) as connection:
            return (
                UnsentCounts(0, 0, 0) if connection is None else _count_unsent(connection, address)
            )

    def count_invalid(self) -> int:
        """How many readings and costs are never sent, as they are not valid."""
        with open_for_reading(self._path) as connection:
            if connection is None:
                return 0
            invalid = _count(connection, f"readings WHERE NOT ({_VALID_READING})")
            if has_table(connection, "costs"):
                invalid += _count(connection, f"costs WHERE NOT ({_VALID_COST})")
            return invalid

    def mark_all_unsent(self, log_number: int) -> None:
        """Notes that everything in the local log is to be sent, whether or not it was before."""
        with open_for_writing(self._path) as connection:
            connection.execute(
                "UPDATE shared_logs SET organization = ?, read_at = ?, id = ? WHERE number = ?",
                [*_START_POSITION, log_number],
            )
            connection.execute(
                "INSERT OR IGNORE INTO unsent_costs (shared_log, organization, started_at, id)"
                " SELECT ?, costs.organization, costs.started_at, costs.id FROM costs",
                [log_number],
            )
            _note_all_budgets(connection, log_number)

    def register(self, log_id: str, address: str) -> int:
        """Registers a shared log, unless it is registered already.

        From then on, new readings and costs are noted as unsent to it.

        Args:
            log_id: The id that the shared log gave itself.
            address: The address of the shared log.

        Returns:
            The number of the shared log in this file.
        """
        with open_for_reading(self._path) as connection:
            if connection is not None and has_table(connection, "shared_logs"):
                sql = "SELECT number FROM shared_logs WHERE log = ? AND address = ?"
                row = connection.execute(sql, [log_id, address]).fetchone()
                if row is not None:
                    return int(row[0])
        with open_for_writing(self._path) as connection:
            return _register(connection, log_id, address)

    def next_batch(self, log_number: int, limit: int) -> Batch | None:
        """The next readings and costs to send, up to a limit of each; None if all are sent."""
        with open_for_reading(self._path) as connection:
            return None if connection is None else _next_batch(connection, log_number, limit)

    def mark_sent(self, log_number: int, batch: Batch) -> None:
        """Notes that a batch is in the shared log."""
        with open_for_writing(self._path) as connection:
            for table, time, keys in (
                ("readings", "read_at", batch.reading_keys),
                ("costs", "started_at", batch.cost_keys),
            ):
                connection.executemany(
                    f"DELETE FROM unsent_{table} WHERE shared_log = ? AND organization = ?"  # noqa: S608
                    f" AND {time} = ? AND id = ?",
                    [(log_number, *each) for each in keys],
                )
            connection.executemany(
                "INSERT OR IGNORE INTO unsent_readings (shared_log, organization, read_at, id)"
                " VALUES (?, ?, ?, ?)",
                [(log_number, *each) for each in batch.unsendable_keys],
            )
            _advance_position(connection, log_number, batch)
            _forget_old_logs(connection, log_number)

    def unsent_budgets(self, log_number: int) -> dict[tuple[Any, ...], BudgetChange | None]:
        """The changes of budgets to send, by the keys to mark them by; None for invalid ones."""
        with open_for_reading(self._path) as connection:
            if connection is None:
                return {}
            known_organizations = read_known_organizations(connection)
            return read_unsent_budgets(connection, log_number, known_organizations)

    def mark_budgets_sent(self, log_number: int, keys: Iterable[tuple[Any, ...]]) -> None:
        """Notes that changes of budgets are in the shared log."""
        with open_for_writing(self._path) as connection:
            mark_budgets_sent(connection, log_number, keys)


def _register(connection: sqlite3.Connection, log_id: str, address: str) -> int:
    now = to_microseconds(datetime.now(UTC))
    has_readings = connection.execute("SELECT 1 FROM readings LIMIT 1").fetchone() is not None
    position = _START_POSITION if has_readings else (None, None, None)
    row = connection.execute("SELECT number FROM shared_logs WHERE log = ?", [log_id]).fetchone()
    if row is not None:
        # The same log at another address.
        connection.execute("UPDATE shared_logs SET address = ? WHERE log = ?", [address, log_id])
        return int(row[0])
    cursor = connection.execute(
        "INSERT INTO shared_logs (log, address, reached_at, organization, read_at, id)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (log_id, address, now, *position),
    )
    log_number = int(cursor.lastrowid or 0)
    connection.execute(
        "INSERT INTO unsent_costs (shared_log, organization, started_at, id)"
        " SELECT ?, costs.organization, costs.started_at, costs.id FROM costs",
        [log_number],
    )
    _note_all_budgets(connection, log_number)
    return log_number


def _note_all_budgets(connection: sqlite3.Connection, log_number: int) -> None:
    """Notes all budgets as unsent to a shared log."""
    connection.execute(
        "INSERT OR IGNORE INTO unsent_budgets (shared_log, organization, set_at, id)"
        " SELECT ?, budgets.organization, budgets.set_at, budgets.id FROM budgets",
        [log_number],
    )


def _next_batch(connection: sqlite3.Connection, log_number: int, limit: int) -> Batch | None:
    # The newer readings go first, since other people may be waiting for them.
    readings_sql = _READINGS_SQL.format(
        source=_UNSENT_READINGS_JOIN,
        condition=f"u.shared_log = ? AND {_SENDABLE}",
        limit=limit,
    )
    readings = list(check_types(connection.execute(readings_sql, [log_number]), "tibfttTT"))
    columns = (
        each if each.startswith("NULL") else f"c.{each}"
        for each in selectable(connection, "costs", _COST_COLUMNS)
    )
    costs_sql = _UNSENT_COSTS_SQL.format(
        columns=", ".join(columns), sendable=_SENDABLE, limit=limit
    )
    costs = list(check_types(connection.execute(costs_sql, [log_number]), "tibifFiTTTT"))
    names = _read_names(connection)
    known_organizations = read_known_organizations(connection)
    if readings or costs:
        # What is not valid is noted as done too, so that it does not come up again and again.
        return Batch(
            _readings_to_send(readings, known_organizations),
            _costs_to_send(costs, known_organizations),
            names,
            reading_keys=[each[:3] for each in readings],
            cost_keys=[each[:3] for each in costs],
        )
    position = _read_position(connection, log_number)
    if position is None:
        return None
    readings_sql = _READINGS_SQL.format(
        source="readings AS r",
        condition="(r.organization, r.read_at, r.id) > (?, ?, ?)",
        limit=limit,
    )
    readings = list(check_types(connection.execute(readings_sql, position), "tibfttTT"))
    unknown_ids = {
        logged_id
        for (logged_id, *_) in readings
        if known_organizations.organization(logged_id).startswith(KEY_PREFIX)
    }
    sendable_readings = [each for each in readings if each[0] not in unknown_ids]
    return Batch(
        _readings_to_send(sendable_readings, known_organizations),
        [],
        names,
        unsendable_keys=[each[:3] for each in readings if each[0] in unknown_ids],
        position=readings[-1][:3] if readings else None,
        is_initial_complete=len(readings) < limit,
    )


def _read_position(connection: sqlite3.Connection, log_number: int) -> tuple[Any, ...] | None:
    """The primary key up to which initial readings have been sent; None if all have been."""
    sql = "SELECT organization, read_at, id FROM shared_logs WHERE number = ?"
    position = next(check_types(connection.execute(sql, [log_number]), "TIB"), (None,))
    return None if position[0] is None else tuple(position)


def _readings_to_send(
    rows: Sequence[Any], known_organizations: KnownOrganizations
) -> list[tuple[Any, ...]]:
    return [
        (
            _clean_or_none(known_organizations.organization(row[0])),
            row[1],
            row[2].hex(),
            row[3],
            *map(_clean_or_none, row[4:]),
        )
        for row in rows
        if not reading_fault(row[0], row[1], row[2], row[3], row[4:])
    ]


def _costs_to_send(
    rows: Sequence[Any], known_organizations: KnownOrganizations
) -> list[tuple[Any, ...]]:
    return [
        (
            _clean_or_none(known_organizations.organization(row[0])),
            row[1],
            row[2].hex(),
            *row[3:6],
            bool(row[6]),
            *map(_clean_or_none, row[7:]),
        )
        for row in rows
        if not cost_fault(*_in_order_of_cost(row))
    ]


def _in_order_of_cost(row: Sequence[Any]) -> tuple[Any, ...]:
    """A cost whose id stands behind the cell, as in ``Cost``."""
    organization, started_at, cost_id, *others, host, member = row
    return (organization, started_at, *others, cost_id, host, member)


def _clean_or_none(text: str | None) -> str | None:
    """Text that every database accepts; text that was merged from another file may not be clean."""
    return None if text is None else clean_text(text)


def _read_names(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    rows = connection.execute("SELECT organization, seen_at, name FROM organizations")
    return {
        clean_text(each): (seen_at, clean_text(name))
        for each, seen_at, name in check_types(rows, "tit")
        if not (organization_fault(each) or time_fault(seen_at) or text_fault(name))
    }


def _advance_position(connection: sqlite3.Connection, log_number: int, batch: Batch) -> None:
    connection.execute(
        "UPDATE shared_logs SET reached_at = ? WHERE number = ?",
        [to_microseconds(datetime.now(UTC)), log_number],
    )
    if batch.is_initial_complete:
        connection.execute(
            "UPDATE shared_logs SET organization = NULL, read_at = NULL, id = NULL"
            " WHERE number = ?",
            [log_number],
        )
    elif batch.position is not None:
        # Another process may have advanced it further.
        connection.execute(
            "UPDATE shared_logs SET organization = ?, read_at = ?, id = ?"
            " WHERE number = ? AND (organization, read_at, id) < (?, ?, ?)",
            [*batch.position, log_number, *batch.position],
        )


def _forget_old_logs(connection: sqlite3.Connection, log_number: int) -> None:
    """Forgets other shared logs that were not reached for long, so that notes do not pile up."""
    oldest = to_microseconds(datetime.now(UTC) - _FORGET_AFTER)
    old_logs = "SELECT number FROM shared_logs WHERE reached_at < ? AND number <> ?"
    for table, column in (
        ("unsent_readings", "shared_log"),
        ("unsent_costs", "shared_log"),
        ("unsent_budgets", "shared_log"),
        ("shared_logs", "number"),
    ):
        connection.execute(
            f"DELETE FROM {table} WHERE {column} IN ({old_logs})",  # noqa: S608 - names of our own
            [oldest, log_number],
        )


def _count(connection: sqlite3.Connection, sql: str, *values: Any) -> int:
    """How many rows there are of what follows FROM."""
    return int(connection.execute(f"SELECT count(*) FROM {sql}", values).fetchone()[0])  # noqa: S608


def _count_unsent(connection: sqlite3.Connection, address: str) -> UnsentCounts:
    def count(sql: str, *values: Any) -> int:
        return _count(connection, sql, *values)

    row = None
    if has_table(connection, "shared_logs"):
        sql = "SELECT number FROM shared_logs WHERE address = ? ORDER BY reached_at DESC"
        row = connection.execute(sql, [address]).fetchone()
    if row is None:
        unknown = count(f"readings AS u WHERE NOT {_SENDABLE}")
        costs = count("costs") if has_table(connection, "costs") else 0
        return UnsentCounts(count("readings") - unknown, costs, unknown)
    (log_number,) = row
    unsent = f"{_UNSENT_READINGS_JOIN} WHERE u.shared_log = ?"
    readings = count(f"{unsent} AND {_SENDABLE}", log_number)
    unknown = count(f"{unsent} AND NOT {_SENDABLE}", log_number)
    costs = count(f"unsent_costs AS u WHERE u.shared_log = ? AND {_SENDABLE}", log_number)
    position = _read_position(connection, log_number)
    if position is not None:
        initial = "readings AS u WHERE (organization, read_at, id) > (?, ?, ?)"
        readings += count(f"{initial} AND {_SENDABLE}", *position)
        unknown += count(f"{initial} AND NOT {_SENDABLE}", *position)
    return UnsentCounts(readings, costs, unknown)
