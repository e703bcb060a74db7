"""The shared log: readings of many machines and people in one PostgreSQL database."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from ._balances import Balances, assembled
from ._costs import Cost
from ._log_entries import Entry, Known, balances_of, frame_of
from ._log_rows import FIRST, LAST
from ._readings import microseconds
from ._shared_connection import Target, connect, naming, patience
from ._shared_rows import Reader, Wanted
from ._shared_schema import in_schema, migrated
from ._shared_writing import COSTS, ORGANIZATIONS, READINGS, insert
from ._text import clean_text

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

    from ._balances import Marks

__all__ = ["SharedLog"]

_COST_COLUMNS = [each.name for each in dataclasses.fields(Cost)]


class SharedLog:
    """An open shared log; it belongs to one thread, and is to be closed.

    Args:
        target: Where it is.
        zone: The time zone of the frames.

    Raises:
        LogError: It could not be reached, or is of a newer version. So does each method.
    """

    def __init__(self, target: Target, zone: tzinfo) -> None:
        self.address = target.address
        self._zone = zone
        self._schema = target.schema
        self._connection: psycopg.Connection[Any] = connect(target)
        try:
            with naming(self.address), patience(self._connection):
                self.id = migrated(self._connection, self._schema, self.address)
        except BaseException:
            self.close()
            raise
        self._reader = Reader(self._connection, target)
        self._names: dict[str, tuple[int, str]] | None = None

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    @property
    def lost(self) -> bool:
        """Whether the connection is of no more use."""
        return bool(self._connection.closed)

    # -- writing --

    def add_readings(self, rows: Iterable[Sequence[Any]]) -> int:
        """Adds readings, by the columns of ``READINGS``; returns how many were new."""
        with naming(self.address):
            return insert(self._connection, self._schema, READINGS, rows)

    def add_costs(self, rows: Iterable[Sequence[Any]]) -> int:
        """Adds costs, by the columns of ``COSTS``; returns how many were new."""
        with naming(self.address):
            return insert(self._connection, self._schema, COSTS, rows)

    def add_names(self, names: Mapping[str, tuple[int, str]]) -> int:
        """Adds organizations, with their names and when these were seen.

        Returns:
            How many of them were not known before.
        """
        known = self._known_names()
        unknown = names.keys() - known.keys()
        rows = [
            (each, *names[each])
            for each in names
            if each in unknown or (names[each] > known[each] and names[each][1] != known[each][1])
        ]
        if rows:
            with naming(self.address):
                insert(self._connection, self._schema, ORGANIZATIONS, rows)
            self._names = None
        return len(unknown)

    # -- reading --

    def organizations(self) -> dict[str, str]:
        """The latest names of organizations, by id."""
        return {each: name for each, (_, name) in self._known_names().items()}

    def covering(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        *,
        unlogged: Sequence[Entry] = (),
        hosts: bool = False,
    ) -> pd.DataFrame:
        """The readings frame of a window, with the readings before and after it."""
        texts = ("source", "label", "host") if hosts else ("source", "label")
        wanted, unlogged, known = self._wanted(organizations, since, until, unlogged)
        parts = list(self._reader.columns(wanted, texts))
        return frame_of(parts, unlogged, known, self._zone, hosts=hosts)

    def balances(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        marks: Marks,
        *,
        unlogged: Sequence[Entry] = (),
        after: bool = True,
    ) -> Balances:
        """The same readings as series, of which the database has added up what it can.

        What they tell of what is likely is asked of the database, so they are to be used
        before it is closed.

        Args:
            organizations: Ids; None is all of them.
            since: The window's start.
            until: Its end, which is not part of it.
            marks: Where the readings will be looked at.
            unlogged: Entries to show as well; then nothing is added up.
            after: Whether to fetch the reading after the window too.
        """
        wanted, unlogged, known = self._wanted(organizations, since, until, unlogged, after=after)
        if unlogged:
            parts = list(self._reader.columns(wanted, ()))
            return balances_of(parts, unlogged, known, self._zone)
        found = self._reader.series(wanted, marks)
        series = ((clean_text(each), series) for each, series in found)
        return assembled(series, known.names, self._zone)

    def costs(self, since: datetime | None, until: datetime | None) -> list[Cost]:
        """What the cells cost that ran in a window, the earliest first."""
        first = FIRST if since is None else microseconds(since)
        last = LAST if until is None else microseconds(until)
        statement = (
            f"SELECT {', '.join(_COST_COLUMNS)} FROM {{s}}.costs"  # noqa: S608 - names of our own
            " WHERE ended_at >= %s AND started_at <= %s ORDER BY started_at, id"
        )
        with naming(self.address), patience(self._connection):
            rows = self._connection.execute(in_schema(statement, self._schema), [first, last])
            return [
                Cost(**{**dict(zip(_COST_COLUMNS, row, strict=True)), "id": row[-1].bytes})
                for row in rows
            ]

    def _known_names(self) -> dict[str, tuple[int, str]]:
        """When each organization's latest name was seen, and that name."""
        if self._names is None:
            statement = in_schema(
                "SELECT organization, seen_at, name FROM {s}.organizations ORDER BY seen_at, name",
                self._schema,
            )
            with naming(self.address), patience(self._connection):
                rows = self._connection.execute(statement).fetchall()
            # Not only this package can have written there.
            self._names = {each: (seen_at, clean_text(name)) for each, seen_at, name in rows}
        return self._names

    def _wanted(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        unlogged: Sequence[Entry],
        *,
        after: bool = True,
    ) -> tuple[list[Wanted], list[Entry], Known]:
        names = self.organizations()
        chosen = set(names) if organizations is None else set(organizations)
        first = FIRST if since is None else microseconds(since)
        last = LAST if until is None else microseconds(until)
        wanted = [Wanted(each, first, last, after) for each in sorted(chosen)]
        if organizations is not None:
            unlogged = [each for each in unlogged if each.organization in chosen]
        return wanted, list(unlogged), Known(names, {})
