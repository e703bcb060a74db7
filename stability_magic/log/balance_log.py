"""The log of readings: an SQLite file to which many processes can append at once."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pandas as pd

from ..analysis.budgets import BudgetChange
from ..analysis.costs import Cost
from ..analysis.series import Histories, Series
from ..analysis.windows import Window
from ..models import Account, Balance, to_microseconds
from ..settings import StabilityMagic, log_file
from ..text import clean_text
from .budgets import insert_budgets, read_budgets
from .costs import read_costs, write_costs
from .entries import (
    Entry,
    KnownOrganizations,
    entry_from_balance,
    frame_from_columns,
    frame_from_entries,
    histories_from_columns,
)
from .file import open_for_reading, open_for_writing
from .organizations import (
    read_first_times,
    read_known_organizations,
    read_logged_ids,
    write_account,
)
from .rows import (
    ReadingColumns,
    fetch_columns,
    has_column,
    has_table,
    span_with_neighbours,
)
from .spill import read_spills, remove_files
from .validity import FIRST_TIME, LAST_TIME

__all__ = ["BalanceLog", "Entry", "entry_from_balance", "frame_from_entries"]


class BalanceLog:
    """A log of balance readings in an SQLite file.

    Each call opens, uses and closes the file, so any number of processes can share it. The
    first append creates it, readable by its owner only; reading never creates anything.

    Args:
        path: The file; a relative path begins at the folder that is the current one now.
        timezone: The time zone of the times in frames; None for the one in the settings.

    Raises:
        SettingsError: The path is no path of a file: it is empty, a URL or ``:memory:``.

    Example::

        log = BalanceLog("credits.db")
        log.append(client.balance())
        log.readings(since=datetime(2026, 11, 1, tzinfo=timezone.utc))
    """

    def __init__(self, path: str | Path, *, timezone: tzinfo | None = None) -> None:
        self.path = log_file(path)
        self._timezone = timezone

    def __repr__(self) -> str:
        # A traceback may show one whose path was refused.
        return f"BalanceLog({str(getattr(self, 'path', ''))!r})"

    # -- writing --

    def append(
        self, balance: Balance, *, source: str = "library", label: str | None = None
    ) -> None:
        """Appends a reading, which is on the disk when this returns.

        Args:
            balance: The reading.
            source: What took the reading.
            label: A word to find the reading by.

        Raises:
            ValueError: The credits are not a finite number, the organization is blank, or the time
                is not between 1970 and 2200.
            LogError: The file could not be written; it is left as it was.
        """
        host = StabilityMagic().host_name()
        self.write([entry_from_balance(balance, source=source, label=label, host=host)])

    def write(
        self,
        entries: Iterable[Entry],
        *,
        account: Account | None = None,
        key_fingerprint: str = "",
        costs: Iterable[Cost] = (),
        budgets: Iterable[BudgetChange] = (),
    ) -> None:
        """Writes entries in one transaction, skipping those that the log already holds.

        What others could not write, and left in spill files, is written along with them.

        Args:
            entries: The entries to write.
            account: An account whose organizations' names are to be remembered, along with
                the default organization of the key.
            key_fingerprint: The fingerprint of the key that the account belongs to.
            costs: Costs of cells to write as well.
            budgets: Changes of budgets to write as well.

        Raises:
            LogError: The file could not be written; none of this was written.
        """
        spills = read_spills(self.path)
        entries = [*entries, *(entry for each in spills for entry in each.entries)]
        costs = [*costs, *(cost for each in spills for cost in each.costs)]
        with open_for_writing(self.path) as connection:
            if account is not None:
                write_account(connection, account, key_fingerprint)
            connection.executemany(
                "INSERT INTO apis (url) VALUES (?) ON CONFLICT (url) DO NOTHING",
                {(each.api_url,) for each in entries},
            )
            connection.executemany(
                "INSERT INTO hosts (name) VALUES (?) ON CONFLICT (name) DO NOTHING",
                {(each.host,) for each in entries if each.host},
            )
            connection.executemany(
                "INSERT INTO readings"
                " (organization, read_at, id, credits, api, source, label, host, clock_offset)"
                " SELECT :organization, :read_at, :id, :credits, apis.id, :source, :label,"
                " (SELECT id FROM hosts WHERE name = :host), :clock_offset"
                " FROM apis WHERE url = :api_url"
                " ON CONFLICT (organization, read_at, id) DO NOTHING",
                [dataclasses.asdict(each) for each in entries],
            )
            write_costs(connection, costs)
            insert_budgets(connection, map(dataclasses.asdict, budgets))
        remove_files(each.file for each in spills)

    # -- reading --

    def readings(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        hosts: bool = False,
    ) -> pd.DataFrame:
        """The readings in a time window, oldest first.

        Args:
            organizations: Ids of organizations; None for all of them.
            since: The start of the window, with a time zone.
            until: The end of the window, which is not part of it.
            hosts: Whether to add which machine took each reading.

        Returns:
            The readings frame, indexed by ``read_at``: ``organization``, ``name``,
            ``credits``, ``spent`` and ``topped_up`` (in credits: the change since the same
            organization's last reading that counts, even if that lies before the window; NaN for
            its very first reading and for a doubtful one), ``source``, ``label``, on request
            ``host``, and ``doubtful`` (why a reading counts in no sum; missing for nearly all).
            Empty if there is no file.

        Raises:
            LogError: The file could not be read.
        """
        frame = self.readings_with_neighbours(organizations, since, until, hosts=hosts)
        begin = 0 if since is None else frame.index.searchsorted(pd.Timestamp(since))
        end = len(frame) if until is None else frame.index.searchsorted(pd.Timestamp(until))
        return frame.iloc[begin:end]

    def readings_with_neighbours(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unlogged: Sequence[Entry] = (),
        hosts: bool = False,
    ) -> pd.DataFrame:
        """Like :meth:`readings`, plus each organization's reading before and after the window.

        Those show what was spent across the edges of the window, and are not doubtful.

        Args:
            organizations: Ids of organizations; None for all of them.
            since: The start of the window, with a time zone.
            until: The end of the window, which is not part of it.
            unlogged: Entries to include that the file does not hold.
            hosts: Whether to add which machine took each reading.
        """
        texts = ("source", "label", "host") if hosts else ("source", "label")
        window = Window.between(since, until)
        parts, entries, known_organizations = self._fetch_with_neighbours(
            organizations, window, unlogged, texts
        )
        return frame_from_columns(
            parts, entries, known_organizations, self.zone, window, hosts=hosts
        )

    def histories(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unlogged: Sequence[Entry] = (),
        after: bool = True,
    ) -> Histories:
        """The readings of a window as series, with the ones next to it, without doubtful ones.

        Args:
            organizations: Ids of organizations; None for all of them.
            since: The start of the window, with a time zone.
            until: The end of the window, which is not part of it.
            unlogged: Entries to include that the file does not hold.
            after: Whether to include the reading after the window.
        """
        window = Window.between(since, until, after=after)
        parts, entries, known_organizations = self._fetch_with_neighbours(
            organizations, window, unlogged, ()
        )
        return histories_from_columns(parts, entries, known_organizations, self.zone, window)

    def clock_offsets(self) -> dict[str | None, timedelta]:
        """How wrong the clock of each machine was, by its name, when it last took a reading.

        That is what was added to the machine's time to get the service's. Machines that do not
        know it are left out; None stands for those whose name is not known.

        Raises:
            LogError: The file could not be read.
        """
        with open_for_reading(self.path) as connection:
            if connection is None or not has_column(connection, "readings", "clock_offset"):
                return {}
            # SQLite takes the other columns from the row with the maximum.
            rows = connection.execute(
                "SELECT hosts.name, readings.clock_offset, max(readings.read_at)"
                " FROM readings LEFT JOIN hosts ON hosts.id = readings.host"
                " WHERE readings.clock_offset IS NOT NULL GROUP BY hosts.name ORDER BY hosts.name"
            )
            return {
                host and clean_text(host): timedelta(microseconds=offset)
                for host, offset, _ in rows
            }

    def series(self, organization: str, *, unlogged: Sequence[Entry] = ()) -> Series:
        """All readings of an organization.

        Args:
            organization: Its id.
            unlogged: Entries to include that the file does not hold.

        Raises:
            LogError: The file could not be read.
        """
        return self.histories(organization, unlogged=unlogged).only

    def _fetch_with_neighbours(
        self,
        organizations: Iterable[str] | str | None,
        window: Window,
        unlogged: Sequence[Entry],
        texts: Sequence[str],
    ) -> tuple[list[tuple[str, ReadingColumns]], list[Entry], KnownOrganizations]:
        """The logged readings by organization, the matching unlogged entries, and what the log
        knows about organizations."""
        if isinstance(organizations, str):
            organizations = (organizations,)
        ids = None if organizations is None else frozenset(organizations)
        known_organizations, parts = _NO_KNOWN_ORGANIZATIONS, []
        organization_of = known_organizations.organization
        with open_for_reading(self.path) as connection:
            if connection is not None:
                is_in_transaction = bool(unlogged)
                if is_in_transaction:
                    connection.execute("BEGIN")
                known_organizations = read_known_organizations(connection)
                organization_of = known_organizations.organization
                if ids is not None:
                    ids = frozenset(organization_of(each) for each in ids)
                spans = [
                    span_with_neighbours(connection, logged_id, window)
                    for logged_id in read_logged_ids(connection)
                    if ids is None or organization_of(logged_id) in ids
                ]
                # Those that another process, or a thread of this one, has logged meanwhile are in
                # the file. The lookup and the readings must be of the same moment.
                unlogged = _entries_missing_in(connection, unlogged)
                # A log of an older version has no hosts.
                texts = [each for each in texts if each != "host" or has_table(connection, "hosts")]
                fetched = fetch_columns(
                    connection, self.path, spans, texts, same_transaction=is_in_transaction
                )
                parts = [
                    (organization_of(span.organization), columns)
                    for span, columns in zip(spans, fetched, strict=True)
                ]
        entries = [
            each for each in unlogged if ids is None or organization_of(each.organization) in ids
        ]
        return parts, entries, known_organizations

    def costs(self, since: datetime | None = None, until: datetime | None = None) -> list[Cost]:
        """The costs of the cells that ran in a window, earliest first.

        Raises:
            LogError: The file could not be read.
        """
        first = FIRST_TIME if since is None else to_microseconds(since)
        last = LAST_TIME if until is None else to_microseconds(until)
        with open_for_reading(self.path) as connection:
            if connection is None:
                return []
            return read_costs(connection, read_known_organizations(connection), first, last)

    def budgets(self) -> list[BudgetChange]:
        """What was set, changed and removed of budgets, in no order.

        Raises:
            LogError: The file could not be read.
        """
        with open_for_reading(self.path) as connection:
            if connection is None:
                return []
            return read_budgets(connection, read_known_organizations(connection))

    def organizations(self) -> dict[str, str]:
        """The names of the organizations that have readings, by id.

        Raises:
            LogError: The file could not be read.
        """
        with open_for_reading(self.path) as connection:
            if connection is None:
                return {}
            known_organizations = read_known_organizations(connection)
            logged_ids = read_logged_ids(connection)
        ids = [known_organizations.organization(each) for each in logged_ids]
        return {each: known_organizations.names.get(each, each) for each in ids}

    def organization_order(self) -> list[str]:
        """The organizations that have readings, in the order of the first reading of each.

        Raises:
            LogError: The file could not be read.
        """
        with open_for_reading(self.path) as connection:
            if connection is None:
                return []
            known_organizations = read_known_organizations(connection)
            first_times = read_first_times(connection)
        ids = sorted(first_times, key=lambda each: (first_times[each], each))
        return list(dict.fromkeys(known_organizations.organization(each) for each in ids))

    def default_organization(self, key_fingerprint: str) -> str | None:
        """The default organization of a key when it was last looked up; None if it never was.

        Raises:
            LogError: The file could not be read.
        """
        with open_for_reading(self.path) as connection:
            return (
                read_known_organizations(connection).defaults.get(key_fingerprint)
                if connection
                else None
            )

    @property
    def zone(self) -> tzinfo:
        """The time zone of the frames."""
        return self._timezone or StabilityMagic().zone()


_NO_KNOWN_ORGANIZATIONS = KnownOrganizations({}, {})


def _entries_missing_in(
    connection: sqlite3.Connection, entries: Sequence[Entry]
) -> Sequence[Entry]:
    """The entries that the file does not hold."""
    sql = "SELECT 1 FROM readings WHERE organization = ? AND read_at = ? AND id = ?"
    return [
        each
        for each in entries
        if not connection.execute(sql, (each.organization, each.read_at, each.id)).fetchone()
    ]
