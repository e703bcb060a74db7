"""Taking in what another log holds: the same set, whatever the order and however often."""

from __future__ import annotations

import dataclasses
import itertools
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ._costs import Cost
from ._errors import LogError
from ._log_costs import COST_KINDS, insert_costs
from ._log_file import CHECK_THE_NAME, is_readable, journal_of, naming, reading, writing
from ._log_rows import checked, knows
from ._readings import EARLIEST, LATEST
from ._text import clean_text

__all__ = ["Merged", "merge"]

_BATCH = 10_000


class Merged(NamedTuple):
    """What came in from another log.

    Attributes:
        readings: Readings that were new.
        known: Readings that were there already.
        costs: Costs of cells that were new.
        organizations: Organizations whose names were new.
    """

    readings: int
    known: int
    costs: int
    organizations: int


def merge(path: Path, other: Path, told: Callable[[int, int], None]) -> Merged:
    """Takes in another log's readings, organizations and costs, in one transaction.

    The other file is not changed; it may be of an older version.

    Args:
        path: The log that takes them in; it is made where it is missing.
        other: The other log's file.
        told: Called now and then with how many of how many readings have been looked at.

    Raises:
        LogError: The other file is no log, damaged or of a newer version, or one of the two
            could not be used. Nothing was taken in then.
    """
    with naming(other, CHECK_THE_NAME):
        if not other.exists():
            raise LogError(f"{other} does not exist; check the name.", path=other)
    with _undisturbed(other) as file, reading(file, called=other) as connection:
        if connection is None:
            raise LogError(f"{other} is no log of stability_magic; check the name.", path=other)
        source = _Source(connection, other)
        source.check()
        ((count,),) = source.rows("SELECT count(*) FROM readings", "i")
        if path.exists() and path.samefile(other):
            return Merged(0, count, 0, 0)
        with writing(path) as target:
            named = _take_names(source, target)
            taken = _take_readings(source, target, lambda done: told(done, count))
            costs = _take_costs(source, target)
    return Merged(taken, count - taken, costs, named)


class _Source(NamedTuple):
    """The other log; what goes wrong with it is said of its file, not of the one written to."""

    connection: sqlite3.Connection
    path: Path

    def rows(self, sql: str, kinds: str) -> Iterator[Any]:
        with naming(self.path, CHECK_THE_NAME):
            yield from checked(self.connection.execute(sql), kinds)

    def knows(self, table: str) -> bool:
        with naming(self.path, CHECK_THE_NAME):
            return knows(self.connection, table)

    def check(self) -> None:
        """Lets SQLite look for damage before anything is believed, at one state of the file.

        Raises:
            LogError: It found some.
        """
        with naming(self.path, CHECK_THE_NAME):
            self.connection.execute("BEGIN")
            (found,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)


@contextmanager
def _undisturbed(other: Path) -> Iterator[Path]:
    """A file that can be read without changing the other one.

    What a writer began that was killed has to be rolled back before anything can be read; that
    is done in a copy.
    """
    journal = journal_of(other)
    if not journal.exists() or is_readable(other):
        yield other
        return
    with tempfile.TemporaryDirectory(prefix="stability-magic-") as folder:
        for each in (other, journal):
            with naming(other, CHECK_THE_NAME):
                shutil.copyfile(each, Path(folder) / each.name)
        yield Path(folder) / other.name


def _take_names(source: _Source, target: sqlite3.Connection) -> int:
    """What is known of organizations and keys: the latest that was seen, on either side."""
    (before,) = target.execute("SELECT count(*) FROM organizations").fetchone()
    for table, key, columns, kinds in (
        ("organizations", "organization", ("seen_at", "name", "role"), "titt"),
        ("keys", "fingerprint", ("seen_at", "organization"), "tit"),
    ):
        # Of two seen at one instant the same one wins in whatever order they come.
        names = ", ".join(columns)
        target.executemany(
            f"INSERT INTO {table} ({key}, {names})"  # noqa: S608 - names of our own
            f" VALUES ({', '.join('?' * (1 + len(columns)))}) ON CONFLICT ({key}) DO UPDATE SET"
            f" {', '.join(f'{each} = excluded.{each}' for each in columns)}"
            f" WHERE ({', '.join(f'excluded.{each}' for each in columns)}) > ({names})",
            source.rows(f"SELECT {key}, {names} FROM {table}", kinds),  # noqa: S608 - likewise
        )
    (after,) = target.execute("SELECT count(*) FROM organizations").fetchone()
    return int(after - before)


def _take_readings(source: _Source, target: sqlite3.Connection, told: Callable[[int], None]) -> int:
    """The readings; how many of them were new."""
    with_host = source.knows("hosts")
    apis = _numbers(source, target, "apis", "url")
    hosts = _numbers(source, target, "hosts", "name") if with_host else {}
    hosts[None] = None
    host = "host" if with_host else "NULL"
    columns = f"organization, read_at, id, credits, api, source, label, {host}"
    rows = source.rows(f"SELECT {columns} FROM readings", "tibfitTI")  # noqa: S608 - likewise
    new = done = 0
    while batch := list(itertools.islice(rows, _BATCH)):
        with naming(source.path, CHECK_THE_NAME):
            known = [_renumbered(row, apis, hosts) for row in batch]
        new += target.executemany(
            "INSERT INTO readings (organization, read_at, id, credits, api, source, label, host)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (organization, read_at, id) DO NOTHING",
            known,
        ).rowcount
        done += len(batch)
        told(done)
    return new


def _renumbered(
    row: Any, apis: Mapping[Any, int], hosts: Mapping[Any, int | None]
) -> tuple[Any, ...]:
    organization, read_at, key, credits, api, source, label, host = row
    known = api in apis and host in hosts
    if not (known and math.isfinite(credits) and EARLIEST <= read_at <= LATEST):
        raise sqlite3.DataError("a reading holds no number, or refers to what is not there")
    # Another file's text need not have been cleaned when it was written.
    label = None if label is None else clean_text(label)
    return organization, read_at, key, credits, apis[api], clean_text(source), label, hosts[host]


def _numbers(
    source: _Source, target: sqlite3.Connection, table: str, column: str
) -> dict[Any, Any]:
    """By the number that a text has there, the one that it has here."""
    there = list(source.rows(f"SELECT id, {column} FROM {table}", "it"))  # noqa: S608
    target.executemany(
        f"INSERT INTO {table} ({column}) SELECT ?1"  # noqa: S608 - names of our own
        f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {column} = ?1)",
        [(text,) for _, text in there],
    )
    here = dict(target.execute(f"SELECT {column}, id FROM {table}").fetchall())  # noqa: S608
    return {number: here[text] for number, text in there}


def _take_costs(source: _Source, target: sqlite3.Connection) -> int:
    """The costs; how many of them were new."""
    if not source.knows("costs"):
        return 0
    names = [each.name for each in dataclasses.fields(Cost)]
    rows = source.rows(f"SELECT {', '.join(names)} FROM costs", COST_KINDS)  # noqa: S608
    return insert_costs(target, (dict(zip(names, row, strict=True)) for row in rows))
