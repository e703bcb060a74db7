"""The shared log: readings of many machines and people in one PostgreSQL database."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from ..analysis.budgets import BudgetChange
from ..analysis.costs import Cost
from ..analysis.gaps import Gaps
from ..analysis.series import Histories, Series, histories_from_series
from ..analysis.windows import Window
from ..errors import LogError
from ..log.entries import Entry, KnownOrganizations, frame_from_columns, histories_from_columns
from ..log.validity import FIRST_TIME, LAST_TIME, budget_fault, organization_fault
from ..models import to_microseconds
from ..text import clean_text, distinct_names
from .connection import Target, connect, translate_errors, watchdog
from .reader import Reader, ReadingRange
from .schema import in_schema, migrate
from .statements import (
    BUDGET_ROWS,
    COST_COLUMNS,
    COST_FAULTS,
    COST_ROWS,
    INVALID_COSTS,
    INVALID_READINGS,
    NAMES,
    READING_FAULTS,
)
from .writing import BUDGETS, COSTS, ORGANIZATIONS, READINGS, insert

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ..analysis.cut_points import CutPoints

__all__ = ["SharedLog"]

# Counting what is left out may take so long; longer, and it goes untold.
_COUNT_MILLISECONDS = 1000


class SharedLog:
    """An open shared log, for use by one thread, which has to close it.

    A process that is forked meanwhile must open one of its own.

    Args:
        target: Where the shared log is.
        zone: The time zone of the frames.

    Raises:
        LogError: The shared log could not be reached, or is of a newer version. Every method
            that reads or writes may raise it too.
    """

    def __init__(self, target: Target, zone: tzinfo) -> None:
        self.address = target.address
        self._process = os.getpid()
        self._zone = zone
        self._schema = target.schema
        self._opened_connection = connect(target)
        try:
            with translate_errors(self.address), watchdog(self._connection):
                self.id = migrate(self._connection, self._schema, self.address)
        except BaseException:
            self.close()
            raise
        self._reader = Reader(lambda: self._connection, target)
        self._names: dict[str, tuple[int, str]] | None = None

    def close(self) -> None:
        """Closes the connection, unless it is that of the process that this one was forked from."""
        if self.is_own:
            self._opened_connection.close()

    @property
    def is_own(self) -> bool:
        """Whether this process opened the connection, so that no other one uses it as well."""
        return self._process == os.getpid()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed or broken, or that of another process."""
        return not self.is_own or bool(self._opened_connection.closed)

    @property
    def _connection(self) -> psycopg.Connection[Any]:
        if not self.is_own:
            raise LogError(
                f"The shared log {self.address} was opened by another process; open it again in"
                " this one, which may not use the other's connection.",
                path=self.address,
            )
        return self._opened_connection

    # -- writing --

    def add_readings(self, rows: Iterable[Sequence[Any]]) -> int:
        """Adds readings, with the columns of ``READINGS``; returns how many were new."""
        with translate_errors(self.address):
            return insert(self._connection, self._schema, READINGS, rows)

    def add_costs(self, rows: Iterable[Sequence[Any]]) -> int:
        """Adds costs, with the columns of ``COSTS``; returns how many were new."""
        with translate_errors(self.address):
            return insert(self._connection, self._schema, COSTS, rows)

    def add_budgets(self, changes: Iterable[BudgetChange]) -> bool:
        """Adds changes of budgets; returns whether this user was granted that."""
        rows = [
            (each.organization, each.set_at, each.id.hex(), each.every, each.credits)
            for each in changes
        ]
        with translate_errors(self.address):
            try:
                insert(self._connection, self._schema, BUDGETS, rows)
            except psycopg.errors.InsufficientPrivilege:
                return False
        return True

    def add_names(self, names: Mapping[str, tuple[int, str]]) -> int:
        """Adds organizations, or newer names of organizations.

        Args:
            names: By organization id, when the organization's name was seen, and that name.

        Returns:
            How many organizations were new.
        """
        names = {
            each: name for each, name in names.items() if ORGANIZATIONS.fault(each, *name) is None
        }
        latest = self._latest_names()
        new_ids = names.keys() - latest.keys()
        rows = [
            (each, *names[each])
            for each in names
            if each in new_ids or (names[each] > latest[each] and names[each][1] != latest[each][1])
        ]
        if rows:
            with translate_errors(self.address):
                insert(self._connection, self._schema, ORGANIZATIONS, rows)
            self._names = None
        return len(new_ids)

    # -- reading --

    def organizations(self) -> dict[str, str]:
        """The latest names of organizations, by id."""
        return distinct_names({each: name for each, (_, name) in self._latest_names().items()})

    def organization_order(self) -> list[str]:
        """The organizations that have readings, in the order of the first reading of each."""
        return self._reader.organization_order(sorted(self._latest_names()))

    def readings_with_neighbours(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        *,
        unlogged: Sequence[Entry] = (),
        hosts: bool = False,
    ) -> pd.DataFrame:
        """The readings frame of a window, with each organization's reading before and after it.

        Args:
            organizations: Ids of organizations; None for all of them.
            since: The start of the window; None for no limit.
            until: The end of the window, which is not part of it; None for no limit.
            unlogged: Entries to include that the shared log does not hold.
            hosts: Whether to add which machine took each reading.
        """
        texts = ("source", "label", "host") if hosts else ("source", "label")
        ranges, entries, known_organizations = self._select(organizations, since, until, unlogged)
        parts = list(self._reader.columns(ranges, texts))
        window = Window.between(since, until)
        return frame_from_columns(
            parts, entries, known_organizations, self._zone, window, hosts=hosts
        )

    def histories(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        cut_points: CutPoints,
        *,
        unlogged: Sequence[Entry] = (),
        after: bool = True,
    ) -> Histories:
        """The readings that count as series, in which the database has added up what it can.

        ``Series.amounts`` and ``Series.gaps`` ask the database, so use the series before closing
        the log.

        Args:
            organizations: Ids of organizations; None for all of them.
            since: The start of the window; None for no limit.
            until: The end of the window, which is not part of it; None for no limit.
            cut_points: Where the computation will look at the readings.
            unlogged: Entries to include that the shared log does not hold; if there are any,
                nothing is added up.
            after: Whether to include the reading after the window.
        """
        ranges, entries, known_organizations = self._select(
            organizations, since, until, unlogged, after=after
        )
        if entries:
            parts = list(self._reader.columns(ranges, ()))
            window = Window.between(since, until, after=after)
            return histories_from_columns(parts, entries, known_organizations, self._zone, window)
        series = (
            (clean_text(organization), series)
            for organization, series in self._reader.series(ranges, cut_points)
        )
        return histories_from_series(series, known_organizations.names, self._zone)

    def series(self, organization: str, *, unlogged: Sequence[Entry] = ()) -> Series:
        """All readings of an organization, in which the database has added up what it can.

        Args:
            organization: Its id.
            unlogged: Entries to include that the shared log does not hold.
        """
        return self.histories([organization], None, None, _no_cut_points, unlogged=unlogged).only

    def gaps(self, organization: str) -> Gaps:
        """The gaps between all readings of an organization."""
        return self._reader.gaps(organization)

    def costs(self, since: datetime | None, until: datetime | None) -> list[Cost]:
        """The costs of the cells that ran in a window, earliest first."""
        parameters = {
            "first": FIRST_TIME if since is None else to_microseconds(since),
            "last": LAST_TIME if until is None else to_microseconds(until),
        }
        with translate_errors(self.address), watchdog(self._connection):
            rows = self._connection.execute(in_schema(COST_ROWS, self._schema), parameters)
            named_rows = [dict(zip(COST_COLUMNS, row, strict=True)) for row in rows]
        return [
            _cost_from_row(each) for each in named_rows if _is_organization(each["organization"])
        ]

    def budgets(self) -> list[BudgetChange]:
        """What was set, changed and removed of budgets, in no order.

        There are none where this user was not granted to read them yet.
        """
        with translate_errors(self.address), watchdog(self._connection):
            try:
                rows = self._connection.execute(in_schema(BUDGET_ROWS, self._schema)).fetchall()
            except psycopg.errors.InsufficientPrivilege:
                return []
        changes = [
            BudgetChange(organization, every, set_at, credits, change_id.bytes)
            for organization, every, set_at, credits, change_id in rows
        ]
        return [
            each
            for each in changes
            if _is_organization(each.organization)
            and budget_fault(*dataclasses.astuple(each)) is None
        ]

    def count_left_out(
        self,
        organizations: Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        costs: bool = False,
    ) -> dict[tuple[str, str], int]:
        """How many rows are not valid, by kind and fault; nothing if counting takes long.

        Args:
            organizations: Ids of organizations; None for all readings.
            since: The start of the window; None for no limit.
            until: The end of the window; None for no limit.
            costs: Whether to count costs of cells as well.
        """
        parameters = {
            "organizations": None if organizations is None else list(organizations),
            "since": FIRST_TIME if since is None else to_microseconds(since),
            "until": LAST_TIME if until is None else to_microseconds(until),
        }
        counts: dict[tuple[str, str], int] = {}
        # What can be read although it cannot be counted is no reason for an error.
        with suppress(psycopg.Error), watchdog(self._connection), self._connection.transaction():
            self._connection.execute(f"SET LOCAL statement_timeout = {_COUNT_MILLISECONDS}")
            readings_sql = in_schema(INVALID_READINGS, self._schema)
            (numbers,) = self._connection.execute(readings_sql, parameters)
            counts |= {
                ("reading", fault): n for fault, n in zip(READING_FAULTS, numbers, strict=True)
            }
            if costs:
                (numbers,) = self._connection.execute(in_schema(INVALID_COSTS, self._schema))
                counts |= {
                    ("cost", fault): n for fault, n in zip(COST_FAULTS, numbers, strict=True)
                }
        return {each: number for each, number in counts.items() if number}

    def _latest_names(self) -> dict[str, tuple[int, str]]:
        """By organization id, when the latest name was seen, and that name."""
        if self._names is None:
            with translate_errors(self.address), watchdog(self._connection):
                rows = self._connection.execute(in_schema(NAMES, self._schema)).fetchall()
            # Other programs can write there too, so names may not be clean.
            self._names = {
                each: (seen_at, clean_text(name))
                for each, seen_at, name in rows
                if _is_organization(each)
            }
        return self._names

    def _select(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None,
        unlogged: Sequence[Entry],
        *,
        after: bool = True,
    ) -> tuple[list[ReadingRange], list[Entry], KnownOrganizations]:
        """The ranges to read, the matching unlogged entries, and the organizations' names."""
        names = self.organizations()
        ids = set(names) if organizations is None else set(organizations)
        begin = FIRST_TIME if since is None else to_microseconds(since)
        end = LAST_TIME if until is None else to_microseconds(until)
        ranges = [ReadingRange(each, begin, end, after) for each in sorted(ids)]
        entries = [each for each in unlogged if organizations is None or each.organization in ids]
        return ranges, entries, KnownOrganizations(names, {})


def _no_cut_points(_first: int, _last: int) -> NDArray[np.int64]:
    return np.empty(0, np.int64)


def _is_organization(organization: str) -> bool:
    """Whether this is an organization's id; one that is not clean would be shown as another."""
    return organization_fault(organization) is None and clean_text(organization) == organization


def _cost_from_row(row: Mapping[str, Any]) -> Cost:
    """The cost in a row that anybody may have written."""
    texts = {
        name: None if row[name] is None else clean_text(row[name])
        for name in ("label", "cell", "host", "member")
    }
    return Cost(**{**row, **texts, "id": row["id"].bytes})
