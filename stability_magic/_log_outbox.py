"""What of a local log the shared ones still lack; it is in the log's own file."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ._log_entries import Known
from ._log_file import reading, writing
from ._log_names import known_of
from ._log_rows import FIRST, checked, knows
from ._readings import EARLIEST, LATEST, microseconds
from ._text import clean_text

__all__ = ["Batch", "Lacking", "Outbox"]

# A shared log that was not met for so long is forgotten; met again, it is sent everything.
_FORGOTTEN_AFTER = timedelta(days=90)

# Of a key whose organization is not known nothing is sent: its fingerprint stays here.
_SENDABLE = (
    "(u.organization NOT LIKE 'key:%' OR substr(u.organization, 5) IN"
    " (SELECT fingerprint FROM keys))"
)

_READINGS = """
    SELECT r.organization, r.read_at, r.id, r.credits, apis.url, r.source, r.label,
        (SELECT name FROM hosts WHERE hosts.id = r.host)
    FROM {source} JOIN apis ON apis.id = r.api
    WHERE {which} ORDER BY r.organization, r.read_at, r.id LIMIT {most}
"""
_NOTED = """
    unsent_readings AS u CROSS JOIN readings AS r
    ON r.organization = u.organization AND r.read_at = u.read_at AND r.id = u.id
"""
_COSTS = """
    SELECT c.organization, c.started_at, c.id, ended_at, seconds, spent, exact, label, cell
    FROM unsent_costs AS u CROSS JOIN costs AS c
    ON c.organization = u.organization AND c.started_at = u.started_at AND c.id = u.id
    WHERE u.shared_log = ? AND {sendable} LIMIT {most}
"""
# A position behind which everything is.
_BEGIN = ("", FIRST, b"")
_KEY = "key:"


class Lacking(NamedTuple):
    """How much waits to be sent, and how many readings of which it is not known whose they are."""

    readings: int
    costs: int
    unknown: int


class Batch(NamedTuple):
    """Rows to be sent, and what to note when they are.

    Attributes:
        readings: By the columns of the shared log's readings.
        costs: By the columns of its costs.
        names: Names by organization id, with when they were seen.
        reading_keys: The primary keys under which the readings are noted.
        cost_keys: The same of the costs.
        kept: Keys of readings that cannot be sent yet.
        position: How far what was here at first is sent with it; None where it is all, or where
            these readings came later.
        whole: Whether all is sent with it that was here at first.
    """

    readings: Sequence[tuple[Any, ...]]
    costs: Sequence[tuple[Any, ...]]
    names: Mapping[str, tuple[int, str]]
    reading_keys: Sequence[tuple[Any, ...]] = ()
    cost_keys: Sequence[tuple[Any, ...]] = ()
    kept: Sequence[tuple[Any, ...]] = ()
    position: tuple[Any, ...] | None = None
    whole: bool = False


class Outbox:
    """What of a log's file the shared logs still lack.

    Args:
        path: The file.

    Raises:
        LogError: The file could not be read or written. So does each method.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def exists(self) -> bool:
        """Whether there is a log from which something could be sent."""
        with reading(self._path) as connection:
            return connection is not None

    def lacking(self, address: str) -> Lacking:
        """How much waits for the shared log at an address; all where it was never met."""
        with reading(self._path) as connection:
            return Lacking(0, 0, 0) if connection is None else _lacking(connection, address)

    def again(self, number: int) -> None:
        """Has everything sent again that is here."""
        with writing(self._path) as connection:
            connection.execute(
                "UPDATE shared_logs SET organization = ?, read_at = ?, id = ? WHERE number = ?",
                [*_BEGIN, number],
            )
            connection.execute(
                "INSERT OR IGNORE INTO unsent_costs"
                " SELECT ?, organization, started_at, id FROM costs",
                [number],
            )

    def meet(self, log: str, address: str) -> int:
        """The number of a shared log here; from the first time on, what it lacks is noted.

        Args:
            log: The id that it gave itself.
            address: Where it is.
        """
        with reading(self._path) as connection:
            if connection is not None and knows(connection, "shared_logs"):
                sql = "SELECT number FROM shared_logs WHERE log = ? AND address = ?"
                met = connection.execute(sql, [log, address]).fetchone()
                if met is not None:
                    return int(met[0])
        with writing(self._path) as connection:
            return _met(connection, log, address)

    def batch(self, number: int, most: int) -> Batch | None:
        """The next readings and costs to be sent, at most so many of each; None for no more."""
        with reading(self._path) as connection:
            return None if connection is None else _batch(connection, number, most)

    def sent(self, number: int, batch: Batch) -> None:
        """Notes that a batch is in the shared log."""
        with writing(self._path) as connection:
            for table, time, keys in (
                ("readings", "read_at", batch.reading_keys),
                ("costs", "started_at", batch.cost_keys),
            ):
                connection.executemany(
                    f"DELETE FROM unsent_{table} WHERE shared_log = ? AND organization = ?"  # noqa: S608
                    f" AND {time} = ? AND id = ?",
                    [(number, *each) for each in keys],
                )
            connection.executemany(
                "INSERT OR IGNORE INTO unsent_readings VALUES (?, ?, ?, ?)",
                [(number, *each) for each in batch.kept],
            )
            _advance(connection, number, batch)
            _forget(connection, number)


def _met(connection: sqlite3.Connection, log: str, address: str) -> int:
    now = microseconds(datetime.now(UTC))
    any_here = connection.execute("SELECT 1 FROM readings LIMIT 1").fetchone()
    begin = _BEGIN if any_here else (None, None, None)
    known = connection.execute("SELECT number FROM shared_logs WHERE log = ?", [log]).fetchone()
    if known is not None:
        # The same log, under another name.
        connection.execute("UPDATE shared_logs SET address = ? WHERE log = ?", [address, log])
        return int(known[0])
    made = connection.execute(
        "INSERT INTO shared_logs (log, address, reached_at, organization, read_at, id)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (log, address, now, *begin),
    )
    number = int(made.lastrowid or 0)
    connection.execute(
        "INSERT INTO unsent_costs SELECT ?, organization, started_at, id FROM costs", [number]
    )
    return number


def _batch(connection: sqlite3.Connection, number: int, most: int) -> Batch | None:
    # What came since goes first: others wait for it.
    noted = _READINGS.format(source=_NOTED, which=f"u.shared_log = ? AND {_SENDABLE}", most=most)
    readings = list(checked(connection.execute(noted, [number]), "tibfttTT"))
    costs_noted = _COSTS.format(sendable=_SENDABLE, most=most)
    costs = list(checked(connection.execute(costs_noted, [number]), "tibifFiTT"))
    names = _names(connection)
    known = known_of(connection)
    if readings or costs:
        return Batch(
            _told_of_readings(readings, known),
            _told_of_costs(costs, known),
            names,
            reading_keys=[each[:3] for each in readings],
            cost_keys=[each[:3] for each in costs],
        )
    position = _position(connection, number)
    if position is None:
        return None
    rest = _READINGS.format(
        source="readings AS r", which="(r.organization, r.read_at, r.id) > (?, ?, ?)", most=most
    )
    readings = list(checked(connection.execute(rest, position), "tibfttTT"))
    unknown = {each for (each, *_) in readings if known.organization(each).startswith(_KEY)}
    return Batch(
        _told_of_readings([each for each in readings if each[0] not in unknown], known),
        [],
        names,
        kept=[each[:3] for each in readings if each[0] in unknown],
        position=readings[-1][:3] if readings else None,
        whole=len(readings) < most,
    )


def _position(connection: sqlite3.Connection, number: int) -> tuple[Any, ...] | None:
    """Up to where what was here at first is sent; None where it all is."""
    sql = "SELECT organization, read_at, id FROM shared_logs WHERE number = ?"
    found = next(checked(connection.execute(sql, [number]), "TIB"), (None,))
    return None if found[0] is None else tuple(found)


def _told_of_readings(rows: Sequence[Any], known: Known) -> list[tuple[Any, ...]]:
    """Readings as the shared log has them."""
    if not all(math.isfinite(row[3]) and EARLIEST <= row[1] <= LATEST for row in rows):
        raise sqlite3.DataError("an amount is no number, or a time none that a calendar has")
    return [
        (_told(known.organization(row[0])), row[1], row[2].hex(), row[3], *map(_told, row[4:]))
        for row in rows
    ]


def _told_of_costs(rows: Sequence[Any], known: Known) -> list[tuple[Any, ...]]:
    return [
        (
            _told(known.organization(row[0])),
            row[1],
            row[2].hex(),
            *row[3:6],
            bool(row[6]),
            *map(_told, row[7:]),
        )
        for row in rows
    ]


def _told(text: str | None) -> str | None:
    """Text that every database takes, also where another file brought it here."""
    return None if text is None else clean_text(text)


def _names(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    rows = connection.execute("SELECT organization, seen_at, name FROM organizations")
    return {
        clean_text(each): (seen_at, clean_text(name))
        for each, seen_at, name in checked(rows, "tit")
    }


def _advance(connection: sqlite3.Connection, number: int, batch: Batch) -> None:
    connection.execute(
        "UPDATE shared_logs SET reached_at = ? WHERE number = ?",
        [microseconds(datetime.now(UTC)), number],
    )
    if batch.whole:
        connection.execute(
            "UPDATE shared_logs SET organization = NULL, read_at = NULL, id = NULL"
            " WHERE number = ?",
            [number],
        )
    elif batch.position is not None:
        # Another process may have come further.
        connection.execute(
            "UPDATE shared_logs SET organization = ?1, read_at = ?2, id = ?3"
            " WHERE number = ?4 AND (organization, read_at, id) < (?1, ?2, ?3)",
            [*batch.position, number],
        )


def _forget(connection: sqlite3.Connection, number: int) -> None:
    """Gives up on shared logs that were not met for long: their lists would grow for ever."""
    before = microseconds(datetime.now(UTC) - _FORGOTTEN_AFTER)
    old = "SELECT number FROM shared_logs WHERE reached_at < ? AND number <> ?"
    for table, column in (
        ("unsent_readings", "shared_log"),
        ("unsent_costs", "shared_log"),
        ("shared_logs", "number"),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {column} IN ({old})", [before, number])  # noqa: S608


def _lacking(connection: sqlite3.Connection, address: str) -> Lacking:
    def count(sql: str, *values: Any) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {sql}", values).fetchone()[0])  # noqa: S608

    met = None
    if knows(connection, "shared_logs"):
        sql = "SELECT number FROM shared_logs WHERE address = ? ORDER BY reached_at DESC"
        met = connection.execute(sql, [address]).fetchone()
    if met is None:
        unknown = count(f"readings AS u WHERE NOT {_SENDABLE}")
        costs = count("costs") if knows(connection, "costs") else 0
        return Lacking(count("readings") - unknown, costs, unknown)
    (number,) = met
    noted = count(f"{_NOTED} WHERE u.shared_log = ? AND {_SENDABLE}", number)
    unknown = count(f"{_NOTED} WHERE u.shared_log = ? AND NOT {_SENDABLE}", number)
    costs = count(f"unsent_costs AS u WHERE u.shared_log = ? AND {_SENDABLE}", number)
    position = _position(connection, number)
    rest = "readings AS u WHERE (organization, read_at, id) > (?, ?, ?) AND "
    if position is not None:
        noted += count(rest + _SENDABLE, *position)
        unknown += count(f"{rest} NOT {_SENDABLE}", *position)
    return Lacking(noted, costs, unknown)
