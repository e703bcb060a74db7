"""Merges other logs into a log; the result does not depend on their order or on repetition.

The other file is copied aside and checked completely before anything of it is taken in. Then its
rows go into the log in portions, each a transaction of its own, so that other processes can log
their readings in between.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import LogError
from ..text import clean_text
from .budgets import BUDGET_COLUMNS, BUDGET_TYPE_CODES, insert_budgets
from .costs import COST_COLUMNS, COST_TYPE_CODES, insert_costs
from .file import (
    CHECK_THE_NAME,
    check_tables,
    distrust,
    is_readable,
    open_for_reading,
    open_for_writing,
    rollback_journal_path,
    translate_errors,
)
from .rows import check_types, has_column, has_table, selectable
from .validity import (
    budget_fault,
    cost_fault,
    key_fault,
    organization_fault,
    reading_fault,
    text_fault,
    time_fault,
)

__all__ = ["MergeCounts", "merge"]

# How many rows are inserted between two reports of the progress.
_BATCH_SIZE = 10_000
# How many rows are inserted in one transaction, while others wait for the log.
_TRANSACTION_SIZE = 100_000
# How many pages are copied between two moments at which the copying can be interrupted.
_PAGES_PER_STEP = 4096

# What a row should be, and why it is none.
Fault = tuple[str, str]


class MergeCounts(NamedTuple):
    """What was merged from another log.

    Attributes:
        readings: How many readings were new.
        known: How many readings were already in the log.
        costs: How many costs of cells were new.
        organizations: How many organizations were new.
    """

    readings: int
    known: int
    costs: int
    organizations: int


def merge(
    path: Path,
    other: Path,
    report_progress: Callable[[int, int], None],
    report_faults: Callable[[Mapping[Fault, int]], None] = lambda _: None,
) -> MergeCounts:
    """Merges another log's readings, organizations, costs and budgets into a log.

    The other file is not changed; it may be of an older version. Rows that are not valid are left
    out. Up to 100,000 rows are taken in by one transaction. If more are cut off, merging again
    goes on where it stopped.

    Args:
        path: The log to merge into; it is created if it is missing.
        other: The other log's file.
        report_progress: Called after each batch, with the number of readings processed so far
            and their total.
        report_faults: Called at the end with how many rows were left out, by what they should be
            and why they are not, if there are any.

    Raises:
        LogError: The other file is not a log, is damaged or is of a newer version; then nothing
            was merged. Or one of the two files could not be used.
    """
    with translate_errors(other, CHECK_THE_NAME):
        if not other.exists():
            raise LogError(f"{other} does not exist; check the name.", path=other)
    with _copy_aside(other) as source:
        source.check_integrity()
        faults = source.check_rows()
        total = source.count_rows("readings") - _count_faults(faults, "reading")
        if path.exists() and path.samefile(other):
            counts = MergeCounts(0, total, 0, 0)
        else:
            counts = _take_in(source, path, lambda done: report_progress(done, total), total)
    if faults:
        report_faults(faults)
    return counts


def _count_faults(faults: Mapping[Fault, int], noun: str) -> int:
    return sum(number for (each, _), number in faults.items() if each == noun)


def _take_in(
    source: _Source, path: Path, report_progress: Callable[[int], None], total: int
) -> MergeCounts:
    """Writes the rows of a source into a log, in portions, and counts what was new."""
    new, done = Counter[str](), 0
    # A portion is prepared before the log is locked for it: meanwhile others get their turn.
    rows = source.valid_rows()
    portion = list(itertools.islice(rows, _TRANSACTION_SIZE))
    while True:
        with open_for_writing(path) as target:
            for kind, of_kind in itertools.groupby(portion, key=lambda each: each[0]):
                while batch := [row for _, row in itertools.islice(of_kind, _BATCH_SIZE)]:
                    new[kind] += _INSERTS[kind](target, batch)
                    if kind == "readings":
                        done += len(batch)
                        report_progress(done)
        if len(portion) < _TRANSACTION_SIZE:
            break
        portion = list(itertools.islice(rows, _TRANSACTION_SIZE))
    return MergeCounts(new["readings"], total - new["readings"], new["costs"], new["organizations"])


class _Table(NamedTuple):
    """A table of the other log whose rows are merged.

    Attributes:
        name: The table's name.
        noun: What a row of it is, for people.
        columns: The columns that are merged.
        type_codes: Their types; see ``check_types``.
        fault: Takes the columns, and tells why they are no such row.
        clean: Takes the columns, and returns the row to write.
    """

    name: str
    noun: str
    columns: Sequence[str]
    type_codes: str
    fault: Callable[..., str | None]
    clean: Callable[[Any], Any]


class _Source(NamedTuple):
    """A copy of the other log; errors in reading it name its file, not the one that is written."""

    connection: sqlite3.Connection
    path: Path

    def rows(self, sql: str, type_codes: str) -> Iterator[Any]:
        with translate_errors(self.path, CHECK_THE_NAME):
            yield from check_types(self.connection.execute(sql), type_codes)

    def has_table(self, table: str) -> bool:
        with translate_errors(self.path, CHECK_THE_NAME):
            return has_table(self.connection, table)

    def has_column(self, table: str, column: str) -> bool:
        with translate_errors(self.path, CHECK_THE_NAME):
            return has_column(self.connection, table, column)

    def count_rows(self, table: str) -> int:
        ((count,),) = self.rows(f"SELECT count(*) FROM {table}", "i")  # noqa: S608
        return int(count)

    def check_integrity(self) -> None:
        """Lets SQLite look for damage.

        Raises:
            LogError: The file is damaged.
        """
        with translate_errors(self.path, CHECK_THE_NAME):
            (result,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
            if result != "ok":
                raise sqlite3.DatabaseError(result)

    def check_rows(self) -> Counter[Fault]:
        """Reads everything once; counts the rows that are not valid.

        Raises:
            LogError: The file is damaged.
        """
        faults = Counter[Fault]()
        for table in _TABLES:
            for row in self.table_rows(table):
                if fault := table.fault(*row):
                    faults[table.noun, fault] += 1
        return faults

    def valid_rows(self) -> Iterator[tuple[str, Any]]:
        """The rows to merge, each with the name of its table; those of a table in succession."""
        for table in _TABLES:
            for row in self.table_rows(table):
                if not table.fault(*row):
                    yield table.name, table.clean(row)

    def table_rows(self, table: _Table) -> Iterator[Any]:
        """The rows of a table; none where a log of an older version lacks it."""
        if table.name == "readings":
            return self._readings()
        if not self.has_table(table.name):
            return iter(())
        with translate_errors(self.path, CHECK_THE_NAME):
            columns = selectable(self.connection, table.name, table.columns)
        sql = f"SELECT {', '.join(columns)} FROM {table.name}"  # noqa: S608 - our own names
        return self.rows(sql, table.type_codes)

    def _readings(self) -> Iterator[Any]:
        """The readings, with the service's address and the host in place of their numbers."""
        apis = dict(self.rows("SELECT id, url FROM apis", "it"))
        hosts: dict[Any, Any] = {None: None}
        has_hosts = self.has_table("hosts")
        if has_hosts:
            hosts |= dict(self.rows("SELECT id, name FROM hosts", "it"))
        has_offsets = self.has_column("readings", "clock_offset")
        sql = (
            "SELECT organization, read_at, id, credits, api, source, label,"  # noqa: S608
            f" {'host' if has_hosts else 'NULL'},"
            f" {'clock_offset' if has_offsets else 'NULL'} FROM readings"
        )
        for *columns, api, source, label, host, offset in self.rows(sql, "tibfitTII"):
            if api not in apis or host not in hosts:
                with translate_errors(self.path, CHECK_THE_NAME):
                    raise sqlite3.DataError("a reading refers to what is not there")
            yield (*columns, apis[api], source, label, hosts[host], offset)


@contextmanager
def _copy_aside(other: Path) -> Iterator[_Source]:
    """A copy of the other log as it is now, so that it is not locked while its rows are merged.

    SQLite keeps a small one in memory and a large one in the folder for temporary files, where
    nothing of it is left behind.
    """
    with _readable_copy(other) as file, closing(sqlite3.connect("", isolation_level=None)) as copy:
        with open_for_reading(file, error_path=other) as connection:
            if connection is None:
                raise LogError(f"{other} is no log of stability_magic; check the name.", path=other)
            # All pages are of one moment.
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.backup(copy, pages=_PAGES_PER_STEP, progress=lambda *_: None)
        with translate_errors(other, CHECK_THE_NAME):
            distrust(copy)
            check_tables(copy, other)
        yield _Source(copy, other)


@contextmanager
def _readable_copy(other: Path) -> Iterator[Path]:
    """The other file, or a copy if reading it would change it.

    The transaction of a writer that was killed has to be rolled back before the file can be read.
    """
    journal = rollback_journal_path(other)
    if not journal.exists() or is_readable(other):
        yield other
        return
    with tempfile.TemporaryDirectory(prefix="stability-magic-") as folder:
        copy = Path(folder) / "log.db"
        for source, target in ((other, copy), (journal, rollback_journal_path(copy))):
            with translate_errors(other, CHECK_THE_NAME):
                shutil.copyfile(source, target)
        yield copy


def _clean_texts(row: Iterable[Any]) -> tuple[Any, ...]:
    """A row whose texts are safe to show, whoever wrote them."""
    return tuple(clean_text(each) if isinstance(each, str) else each for each in row)


def _name_fault(seen_at: int, organization: str, name: str, role: str) -> str | None:
    return (
        organization_fault(organization)
        or time_fault(seen_at)
        or text_fault(name)
        or text_fault(role)
    )


def _key_row_fault(seen_at: int, fingerprint: str, organization: str) -> str | None:
    return key_fault(fingerprint, organization, seen_at)


def _reading_row_fault(
    organization: str, read_at: int, reading_id: bytes, credits: float, *others: Any
) -> str | None:
    *texts, _clock_offset = others
    return reading_fault(organization, read_at, reading_id, credits, texts)


# Those that the readings refer to come first.
_TABLES = (
    _Table(
        "organizations",
        "organization",
        ("seen_at", "organization", "name", "role"),
        "ittt",
        _name_fault,
        _clean_texts,
    ),
    _Table(
        "keys",
        "key",
        ("seen_at", "fingerprint", "organization"),
        "itt",
        _key_row_fault,
        _clean_texts,
    ),
    _Table("readings", "reading", (), "", _reading_row_fault, _clean_texts),
    _Table("costs", "cost", COST_COLUMNS, COST_TYPE_CODES, cost_fault, _clean_texts),
    _Table("budgets", "budget", BUDGET_COLUMNS, BUDGET_TYPE_CODES, budget_fault, _clean_texts),
)


def _insert_names(
    target: sqlite3.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Merges what is known about organizations or keys; returns how many were new.

    The latest information wins, whichever log it is from. If two rows were seen at the same time,
    the order of merging does not decide which wins.
    """
    seen_at, key, *names = columns
    compared = (seen_at, *names)
    count_sql = f"SELECT count(*) FROM {table}"  # noqa: S608 - names of our own
    (count_before,) = target.execute(count_sql).fetchone()
    target.executemany(
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names of our own
        f" VALUES ({', '.join('?' * len(columns))}) ON CONFLICT ({key}) DO UPDATE SET"
        f" {', '.join(f'{each} = excluded.{each}' for each in compared)}"
        f" WHERE ({', '.join(f'excluded.{each}' for each in compared)})"
        f" > ({', '.join(f'{table}.{each}' for each in compared)})",
        rows,
    )
    (count_after,) = target.execute(count_sql).fetchone()
    return int(count_after - count_before)


def _insert_readings(target: sqlite3.Connection, rows: Sequence[Any]) -> int:
    """Merges readings, and returns how many were new."""
    apis = _text_ids(target, "apis", "url", {row[4] for row in rows})
    hosts = _text_ids(target, "hosts", "name", {row[7] for row in rows} - {None})
    hosts[None] = None
    return target.executemany(
        "INSERT INTO readings"
        " (organization, read_at, id, credits, api, source, label, host, clock_offset)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (organization, read_at, id) DO NOTHING",
        [(*row[:4], apis[row[4]], *row[5:7], hosts[row[7]], row[8]) for row in rows],
    ).rowcount


def _text_ids(
    target: sqlite3.Connection, table: str, column: str, texts: Iterable[str]
) -> dict[Any, Any]:
    """The ids of texts in a table of texts, to which those that it lacks are added."""
    ids = {}
    for each in texts:
        target.execute(
            f"INSERT INTO {table} ({column}) VALUES (?)"  # noqa: S608 - names of our own
            f" ON CONFLICT ({column}) DO NOTHING",
            [each],
        )
        sql = f"SELECT id FROM {table} WHERE {column} = ?"  # noqa: S608 - names of our own
        (ids[each],) = target.execute(sql, [each]).fetchone()
    return ids


def _insert_cost_rows(target: sqlite3.Connection, rows: Iterable[Any]) -> int:
    return insert_costs(target, (dict(zip(COST_COLUMNS, row, strict=True)) for row in rows))


def _insert_budget_rows(target: sqlite3.Connection, rows: Iterable[Any]) -> int:
    return insert_budgets(target, (dict(zip(BUDGET_COLUMNS, row, strict=True)) for row in rows))


_INSERTS: Mapping[str, Callable[[sqlite3.Connection, Sequence[Any]], int]] = {
    "organizations": lambda target, rows: _insert_names(
        target, "organizations", _TABLES[0].columns, rows
    ),
    "keys": lambda target, rows: _insert_names(target, "keys", _TABLES[1].columns, rows),
    "readings": _insert_readings,
    "costs": _insert_cost_rows,
    "budgets": _insert_budget_rows,
}
