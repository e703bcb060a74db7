"""Readings out of SQLite into arrays: through Arrow where it is installed, else through sqlite3."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pandas.api.types import infer_dtype

from ._readings import EARLIEST, LATEST, microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BUSY_SECONDS",
    "FIRST",
    "LAST",
    "Columns",
    "Span",
    "checked",
    "fetch",
    "knows",
    "span_of",
]

# The times of all readings lie between them, in microseconds since 1970 UTC.
FIRST, LAST = -(2**63), 2**63 - 1

# How long to wait for others who write; before anything else is done with a connection.
BUSY_SECONDS = 30.0

_KINDS: Mapping[str, Any] = {"t": str, "i": int, "f": float, "b": bytes}
_KINDS = {**_KINDS, **{name.upper(): (kind, type(None)) for name, kind in _KINDS.items()}}

# Below this a second connection and the import of pyarrow take longer than they save.
_WORTH_ARROW = 8 * 1024 * 1024

_SQL = (
    "SELECT {columns} FROM readings"
    " WHERE organization = ? AND read_at BETWEEN ? AND ? ORDER BY read_at, id"
)
_TEXTUAL = ("string", "empty")
_TEXTS = {
    "source": "source",
    "label": "label",
    "host": "(SELECT name FROM hosts WHERE hosts.id = readings.host)",
}


class Span(NamedTuple):
    """One organization's readings from ``first`` to ``last``, both included, in microseconds."""

    organization: str
    first: int
    last: int


class Columns(NamedTuple):
    """The readings of one span, oldest first.

    Attributes:
        times: In microseconds since 1970 UTC.
        credits: Balances.
        texts: Columns of text by their names: those that were asked for.
    """

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    texts: Mapping[str, Any]


def checked(rows: Iterable[Sequence[Any]], kinds: str) -> Iterator[Any]:
    """Rows whose values are what their columns hold.

    SQLite looks at that when it writes, and not when it reads what was damaged since.

    Args:
        rows: Of a table of the log.
        kinds: A letter for each column: ``t`` for text, ``i`` for whole numbers, ``f`` for
            others, ``b`` for bytes; in capitals where it may be missing.

    Raises:
        sqlite3.DataError: One is not.
    """
    types = [_KINDS[each] for each in kinds]
    for row in rows:
        if not all(map(isinstance, row, types)):
            raise sqlite3.DataError("a value is of another kind than its column")
        yield row


def knows(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the log has a table; one of an older version may not."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table])
    return found.fetchone() is not None


def fetch(
    connection: sqlite3.Connection, path: Path, spans: Sequence[Span], texts: Sequence[str] = ()
) -> list[Columns]:
    """The readings of each span.

    Args:
        connection: To the log's file.
        path: That file.
        spans: Which readings.
        texts: Which of ``source``, ``label`` and ``host`` to fetch as well.

    Raises:
        sqlite3.Error: The file could not be read.
    """
    large = path.stat().st_size >= _WORTH_ARROW
    found = _through_arrow(path, spans, texts) if large else None
    if found is None:
        found = [_through_sqlite(connection, each, texts) for each in spans]
    if not all(np.isfinite(each.credits).all() for each in found):
        raise sqlite3.DataError("an amount is no number")
    if any((each.times < EARLIEST).any() or (each.times > LATEST).any() for each in found):
        raise sqlite3.DataError("a time is none that a calendar has")
    return found


def _through_sqlite(connection: sqlite3.Connection, span: Span, texts: Sequence[str]) -> Columns:
    columns = ["read_at", "credits", *(_TEXTS[each] for each in texts)]
    kinds = np.dtype([("time", "i8"), ("credits", "f8"), *((each, "O") for each in texts)])
    cursor = connection.execute(_SQL.format(columns=", ".join(columns)), span)
    try:
        rows = np.fromiter(cursor, dtype=kinds)
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DataError("a time or an amount is no number") from error
    if any(infer_dtype(rows[each]) not in _TEXTUAL for each in texts):
        raise sqlite3.DataError("a text is none")
    return Columns(
        np.ascontiguousarray(rows["time"]),
        np.ascontiguousarray(rows["credits"]),
        {each: rows[each] for each in texts},
    )


def _through_arrow(path: Path, spans: Sequence[Span], texts: Sequence[str]) -> list[Columns] | None:
    """The same, faster; None where sqlite3 has to do it, or to say what is wrong."""
    try:
        import pyarrow
        from adbc_driver_sqlite import dbapi
    except ImportError:
        # Not installed; or installed, and made for another numpy than the one beside it.
        return None
    try:
        with closing(dbapi.connect(path.absolute().as_uri() + "?mode=ro")) as connection:
            tables = [_table(connection, each, texts) for each in spans]
        for each in tables:
            # Text that is no UTF-8 shows in a damaged file.
            each.validate(full=True)
    except (dbapi.Error, pyarrow.ArrowException):
        return None
    expected = [pyarrow.int64(), pyarrow.float64(), *[pyarrow.string()] * len(texts)]
    if any(each.schema.types != expected for each in tables):
        return None
    return [_columns(each, texts) for each in tables]


def _table(connection: Any, span: Span, texts: Sequence[str]) -> Any:
    from adbc_driver_sqlite import StatementOptions, dbapi

    # The driver settles a column's type by its first rows; one of nothing but NULL would be a
    # column of numbers.
    columns = ["read_at", "credits", *(f"coalesce({_TEXTS[each]}, '') AS {each}" for each in texts)]
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{StatementOptions.BATCH_ROWS.value: "65536"})
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        try:
            cursor.execute(_SQL.format(columns=", ".join(columns)), tuple(span))
            return cursor.fetch_arrow_table()
        except dbapi.Error:
            # Drivers before 1.13 cannot close a cursor whose last statement failed, and complain
            # of it on standard error at the end of the process.
            cursor.execute("SELECT 1")
            raise


def _columns(table: Any, texts: Sequence[str]) -> Columns:
    import pyarrow.compute

    def or_none(column: Any) -> Any:
        return pyarrow.compute.if_else(pyarrow.compute.equal(column, ""), None, column)

    return Columns(
        table["read_at"].to_numpy(),
        table["credits"].to_numpy(),
        {each: or_none(table[each]) for each in texts},
    )


def span_of(
    connection: sqlite3.Connection,
    logged: str,
    since: datetime | None,
    until: datetime | None,
    *,
    after: bool,
) -> Span:
    """An organization's readings in the window, and the ones next to it.

    Args:
        connection: To the log.
        logged: What the readings are logged under.
        since: The window's start.
        until: Its end, which is not part of it.
        after: Whether the reading after it belongs to them too.
    """
    first, last = FIRST, LAST
    if since is not None:
        first = microseconds(since)
        (before,) = connection.execute(
            "SELECT max(read_at) FROM readings WHERE organization = ? AND read_at < ?",
            (logged, first),
        ).fetchone()
        first = first if before is None else before
    if until is not None:
        last = microseconds(until)
        (next_one,) = connection.execute(
            "SELECT min(read_at) FROM readings WHERE organization = ? AND read_at >= ?",
            (logged, last),
        ).fetchone()
        last = next_one if after and next_one is not None else last - 1
    return Span(logged, first, last)
