"""Reads SQLite into arrays: through Arrow if it is installed, otherwise through sqlite3."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pandas.api.types import infer_dtype

from ..analysis.doubtful import MARGIN
from ..analysis.windows import Window
from .validity import FIRST_TIME, ID_LENGTH, LAST_TIME, VALID_READING_SQL
from .waiting import ATTEMPT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ReadingColumns",
    "Span",
    "check_types",
    "fetch_columns",
    "has_column",
    "has_table",
    "selectable",
    "span_with_neighbours",
]

_TYPES: Mapping[str, Any] = {"t": str, "i": int, "f": float, "b": bytes}
_TYPES = {**_TYPES, **{code.upper(): (kind, type(None)) for code, kind in _TYPES.items()}}

# For files smaller than this, in bytes, a second connection and the import of pyarrow take longer
# than they save.
_ARROW_MIN_BYTES = 8 * 1024 * 1024

# Of what makes a reading valid, the span sees to the time, and numpy to the balance: it is faster.
_READINGS_SQL = (
    "SELECT {columns} FROM readings"  # noqa: S608 - names of our own
    " WHERE readings.organization = ? AND readings.read_at BETWEEN ? AND ?"
    f" AND length(readings.id) = {ID_LENGTH} ORDER BY readings.read_at, readings.id"
)
# What pandas infers of a column that holds nothing but text and None.
_INFERRED_TEXT = ("string", "empty")
# The SQL that selects each column of text.
_TEXT_SQL = {
    "source": "readings.source",
    "label": "readings.label",
    "host": "(SELECT name FROM hosts WHERE hosts.id = readings.host)",
}


class Span(NamedTuple):
    """The readings logged under one id, from ``first`` to ``last``.

    Both ends are included, and are microseconds since 1970 UTC.
    """

    organization: str
    first: int
    last: int


class ReadingColumns(NamedTuple):
    """The readings of one span, oldest first.

    Attributes:
        times: In microseconds since 1970 UTC.
        credits: Balances.
        texts: The columns of text that were requested, by name.
    """

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    texts: Mapping[str, Any]


def check_types(rows: Iterable[Sequence[Any]], type_codes: str) -> Iterator[Any]:
    """Passes on the rows of a table, checking that each value has the type of its column.

    SQLite checks this when it writes, but not when it reads a file that was damaged since.

    Args:
        rows: Rows of a table in the log.
        type_codes: A letter for each column: ``t`` for text, ``i`` for integers, ``f`` for
            floats, ``b`` for bytes; a capital letter if the value may be NULL.

    Raises:
        sqlite3.DataError: A value has another type.
    """
    types = [_TYPES[each] for each in type_codes]
    for row in rows:
        if not all(map(isinstance, row, types)):
            raise sqlite3.DataError("a value is of another kind than its column")
        yield row


def has_table(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the log has a table; a log of an older version may lack it."""
    rows = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table])
    return rows.fetchone() is not None


def has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Whether a table of the log has a column; in a log of an older version it may lack it."""
    rows = connection.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", [table, column])
    return rows.fetchone() is not None


def selectable(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[str]:
    """What to select for columns of a table: NULL for one that a log of an older version lacks."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", [table])
    existing = {str(name).lower() for (name,) in rows}
    return [each if each in existing else f"NULL AS {each}" for each in columns]


def fetch_columns(
    connection: sqlite3.Connection,
    path: Path,
    spans: Sequence[Span],
    texts: Sequence[str] = (),
    *,
    same_transaction: bool = False,
) -> list[ReadingColumns]:
    """The readings of each span; a row that is not valid is no reading.

    Args:
        connection: A connection to the log's file.
        path: The log's file.
        spans: The readings to fetch.
        texts: Which of the columns ``source``, ``label`` and ``host`` to fetch as well.
        same_transaction: Whether to see the file as the connection does, not as it is by now.

    Raises:
        sqlite3.Error: The file could not be read.
    """
    is_worth_arrow = not same_transaction and path.stat().st_size >= _ARROW_MIN_BYTES
    columns = _fetch_through_arrow(path, spans, texts) if is_worth_arrow else None
    if columns is None:
        columns = [_fetch_through_sqlite(connection, each, texts) for each in spans]
    return [_without_infinite(each) for each in columns]


def _without_infinite(columns: ReadingColumns) -> ReadingColumns:
    """The readings whose balance is a number; the columns themselves where all are.

    Raises:
        sqlite3.DataError: A balance is not even an infinite number.
    """
    is_valid = np.isfinite(columns.credits)
    if is_valid.all():
        return columns
    if np.isnan(columns.credits).any():
        raise sqlite3.DataError("an amount is no number")
    texts = {
        name: [text for text, valid in zip(values, is_valid, strict=True) if valid]
        for name, values in columns.texts.items()
    }
    return ReadingColumns(columns.times[is_valid], columns.credits[is_valid], texts)


def _fetch_through_sqlite(
    connection: sqlite3.Connection, span: Span, texts: Sequence[str]
) -> ReadingColumns:
    columns = ["readings.read_at", "readings.credits", *(_TEXT_SQL[each] for each in texts)]
    dtype = np.dtype([("time", "i8"), ("credits", "f8"), *((each, "O") for each in texts)])
    cursor = connection.execute(_READINGS_SQL.format(columns=", ".join(columns)), span)
    try:
        rows = np.fromiter(cursor, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DataError("a time or an amount is no number") from error
    if any(infer_dtype(rows[each]) not in _INFERRED_TEXT for each in texts):
        raise sqlite3.DataError("a text is none")
    return ReadingColumns(
        np.ascontiguousarray(rows["time"]),
        np.ascontiguousarray(rows["credits"]),
        {each: rows[each] for each in texts},
    )


def _fetch_through_arrow(
    path: Path, spans: Sequence[Span], texts: Sequence[str]
) -> list[ReadingColumns] | None:
    """Fetches the same faster; None if only sqlite3 can read the file or explain the error."""
    try:
        import pyarrow
        from adbc_driver_sqlite import dbapi
    except ImportError:
        # Not installed, or built for another version of numpy than the installed one.
        return None
    try:
        with closing(dbapi.connect(path.absolute().as_uri() + "?mode=ro")) as connection:
            tables = [_fetch_arrow_table(connection, each, texts) for each in spans]
        for each in tables:
            # A damaged file may contain text that is not UTF-8.
            each.validate(full=True)
    except (dbapi.Error, pyarrow.ArrowException):
        return None
    expected = [pyarrow.int64(), pyarrow.float64(), *[pyarrow.string()] * len(texts)]
    if any(each.schema.types != expected for each in tables):
        return None
    return [_columns_from_arrow(each, texts) for each in tables]


def _fetch_arrow_table(connection: Any, span: Span, texts: Sequence[str]) -> Any:
    from adbc_driver_sqlite import StatementOptions, dbapi

    # The driver infers the type of a column from its first rows, and would take a column of NULLs
    # for numbers.
    texts_without_null = [f"coalesce({_TEXT_SQL[each]}, '') AS {each}" for each in texts]
    columns = ["read_at", "credits", *texts_without_null]
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{StatementOptions.BATCH_ROWS.value: "65536"})
        # Where another process holds the file for longer, sqlite3 waits for it, which can be
        # interrupted.
        cursor.execute(f"PRAGMA busy_timeout = {ATTEMPT_SECONDS * 1000:.0f}")
        try:
            cursor.execute(_READINGS_SQL.format(columns=", ".join(columns)), tuple(span))
            return cursor.fetch_arrow_table()
        except dbapi.Error:
            # Drivers before 1.13 cannot close a cursor whose last statement failed, and report
            # that on standard error when the process ends.
            cursor.execute("SELECT 1")
            raise


def _columns_from_arrow(table: Any, texts: Sequence[str]) -> ReadingColumns:
    import pyarrow.compute

    def empty_to_null(column: Any) -> Any:
        return pyarrow.compute.if_else(pyarrow.compute.equal(column, ""), None, column)

    return ReadingColumns(
        table["read_at"].to_numpy(),
        table["credits"].to_numpy(),
        {each: empty_to_null(table[each]) for each in texts},
    )


def span_with_neighbours(
    connection: sqlite3.Connection,
    logged_id: str,
    window: Window,
) -> Span:
    """The span of the readings in a window, with the reading before it and the one after it.

    It is wider than that, by the time that may show which of them are doubtful.

    Args:
        connection: A connection to the log.
        logged_id: The id that the readings are logged under.
        window: The window; its ends may lie before and after all valid times.
    """
    first, last = FIRST_TIME, LAST_TIME
    if window.since > FIRST_TIME:
        first = max(window.since - MARGIN, FIRST_TIME)
        previous_time = _nearest_time(connection, logged_id, "< ?", first, "DESC")
        first = first if previous_time is None else previous_time
    if window.until <= LAST_TIME:
        last = max(window.until + MARGIN, FIRST_TIME)
        next_time = (
            _nearest_time(connection, logged_id, ">= ?", last, "ASC") if window.after else None
        )
        last = last - 1 if next_time is None else next_time
    return Span(logged_id, first, last)


def _nearest_time(
    connection: sqlite3.Connection, logged_id: str, condition: str, time: int, order: str
) -> int | None:
    """The time of the last valid reading before a time, or of the first one from it on."""
    row = connection.execute(
        f"SELECT readings.read_at FROM readings"  # noqa: S608 - words of our own
        f" WHERE readings.organization = ? AND readings.read_at {condition}"
        f" AND {VALID_READING_SQL} ORDER BY readings.read_at {order} LIMIT 1",
        (logged_id, time),
    ).fetchone()
    return None if row is None else row[0]
