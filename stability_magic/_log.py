"""The log of readings: an SQLite file that many processes append to at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import pandas as pd

from ._balances import Balances
from ._costs import Cost
from ._log_costs import read_costs, write_costs
from ._log_entries import Entry, Known, balances_of, entry, frame_of, unlogged_frame
from ._log_file import reading, writing
from ._log_names import known_of, logged_organizations, remember
from ._log_rows import FIRST, LAST, Columns, fetch, knows, span_of
from ._readings import Account, Balance, microseconds
from ._settings import StabilityMagic, placed

__all__ = ["BalanceLog", "Entry", "entry", "unlogged_frame"]


class BalanceLog:
    """A log of balance readings in an SQLite file.

    The file is opened, used and closed by each call, so any number of processes can share it.
    It is made, readable for its owner alone, by the first append; reading makes nothing.

    Args:
        path: The file.
        timezone: The zone of the times in frames; None is that of the settings.

    Example::

        log = BalanceLog("credits.db")
        log.append(client.balance())
        log.readings(since=datetime(2026, 11, 1, tzinfo=timezone.utc))
    """

    def __init__(self, path: str | Path, *, timezone: tzinfo | None = None) -> None:
        self.path = placed(path)
        self._timezone = timezone

    def __repr__(self) -> str:
        return f"BalanceLog({str(self.path)!r})"

    # -- writing --

    def append(
        self, balance: Balance, *, source: str = "library", label: str | None = None
    ) -> None:
        """Appends a reading; when this returns, it is on the disk.

        Args:
            balance: The reading.
            source: What took it.
            label: A word to find it by.

        Raises:
            ValueError: The credits are no finite number.
            LogError: The file could not be written; it is left as it was.
        """
        host = StabilityMagic().host_name()
        self.write([entry(balance, source=source, label=label, host=host)])

    def write(
        self,
        entries: Iterable[Entry],
        *,
        account: Account | None = None,
        key_fingerprint: str = "",
        costs: Iterable[Cost] = (),
    ) -> None:
        """Writes entries, those that are there already once only, in one transaction.

        Args:
            entries: What to write.
            account: Also remember the names of its organizations, and under
                ``key_fingerprint`` which one is the key's default.
            costs: Write these as well.

        Raises:
            LogError: The file could not be written; nothing of this was.
        """
        entries = list(entries)
        with writing(self.path) as connection:
            if account is not None:
                remember(connection, account, key_fingerprint)
            connection.executemany(
                "INSERT INTO apis (url) SELECT ?1"
                " WHERE NOT EXISTS (SELECT 1 FROM apis WHERE url = ?1)",
                {(each.api_url,) for each in entries},
            )
            connection.executemany(
                "INSERT INTO hosts (name) SELECT ?1"
                " WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE name = ?1)",
                {(each.host,) for each in entries if each.host},
            )
            connection.executemany(
                "INSERT INTO readings"
                " (organization, read_at, id, credits, api, source, label, host)"
                " SELECT :organization, :read_at, :id, :credits, apis.id, :source, :label,"
                " (SELECT id FROM hosts WHERE name = :host)"
                " FROM apis WHERE url = :api_url"
                " ON CONFLICT (organization, read_at, id) DO NOTHING",
                [dataclasses.asdict(each) for each in entries],
            )
            write_costs(connection, costs)

    # -- reading --

    def readings(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        hosts: bool = False,
    ) -> pd.DataFrame:
        """The readings of a time window, oldest first.

        Args:
            organizations: Ids; None is all of them.
            since: The window's start, with a time zone.
            until: Its end, which is not part of it.
            hosts: Also tell which machine took each reading.

        Returns:
            The readings frame, by ``read_at``: ``organization``, ``name``, ``credits``,
            ``spent`` and ``topped_up`` (credits, the change since the same organization's
            reading before, also when that lies before the window; NaN for the first ever),
            ``source``, ``label``, and on request ``host``. Empty where there is no file.

        Raises:
            LogError: The file could not be read.
        """
        frame = self.covering(organizations, since, until, hosts=hosts)
        begin = 0 if since is None else frame.index.searchsorted(pd.Timestamp(since))
        end = len(frame) if until is None else frame.index.searchsorted(pd.Timestamp(until))
        return frame.iloc[begin:end]

    def covering(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unlogged: Sequence[Entry] = (),
        hosts: bool = False,
    ) -> pd.DataFrame:
        """As :meth:`readings`, with each organization's reading before and after the window.

        With them, what was spent across the window's edges can be told.

        Args:
            unlogged: Entries to show as well, which the file does not hold.
            hosts: Also tell which machine took each reading.
        """
        texts = ("source", "label", "host") if hosts else ("source", "label")
        found = self._covering(organizations, since, until, unlogged, texts)
        return frame_of(*found, self.zone, hosts=hosts)

    def balances(
        self,
        organizations: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unlogged: Sequence[Entry] = (),
        after: bool = True,
    ) -> Balances:
        """The same readings as series, without the texts that belong to them.

        Args:
            after: Whether to fetch the reading after the window too.
        """
        found = self._covering(organizations, since, until, unlogged, (), after=after)
        return balances_of(*found, self.zone)

    def _covering(
        self,
        organizations: Iterable[str] | str | None,
        since: datetime | None,
        until: datetime | None,
        unlogged: Sequence[Entry],
        texts: Sequence[str],
        *,
        after: bool = True,
    ) -> tuple[list[tuple[str, Columns]], list[Entry], Known]:
        """The readings by organization, those of the unlogged entries that are asked for, and
        what is known."""
        if isinstance(organizations, str):
            organizations = (organizations,)
        chosen = None if organizations is None else frozenset(organizations)
        known, parts = _NOTHING, []
        with reading(self.path) as connection:
            if connection is not None:
                known = known_of(connection)
                if chosen is not None:
                    chosen = frozenset(known.organization(each) for each in chosen)
                spans = [
                    span_of(connection, logged, since, until, after=after)
                    for logged in logged_organizations(connection)
                    if chosen is None or known.organization(logged) in chosen
                ]
                names = [known.organization(each.organization) for each in spans]
                told = [each for each in texts if each != "host" or knows(connection, "hosts")]
                fetched = fetch(connection, self.path, spans, told)
                parts = list(zip(names, fetched, strict=True))
        waiting = [
            each
            for each in unlogged
            if chosen is None or known.organization(each.organization) in chosen
        ]
        return parts, waiting, known

    def costs(self, since: datetime | None = None, until: datetime | None = None) -> list[Cost]:
        """What the cells cost that ran in a window, the earliest first.

        Raises:
            LogError: The file could not be read.
        """
        first = FIRST if since is None else microseconds(since)
        last = LAST if until is None else microseconds(until)
        with reading(self.path) as connection:
            if connection is None:
                return []
            return read_costs(connection, known_of(connection), first, last)

    def organizations(self) -> dict[str, str]:
        """The names of the organizations that have readings, by id.

        Raises:
            LogError: The file could not be read.
        """
        with reading(self.path) as connection:
            if connection is None:
                return {}
            known = known_of(connection)
            ids = [known.organization(each) for each in logged_organizations(connection)]
        return {each: known.names.get(each, each) for each in ids}

    def default_organization(self, key_fingerprint: str) -> str | None:
        """The organization that was a key's default when last looked up; None if never.

        Raises:
            LogError: The file could not be read.
        """
        with reading(self.path) as connection:
            return known_of(connection).defaults.get(key_fingerprint) if connection else None

    @property
    def zone(self) -> tzinfo:
        """The time zone of the frames."""
        return self._timezone or StabilityMagic().zone()


_NOTHING = Known({}, {})
