"""The demo: the built-in simulator, and sixty days of readings taken from it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..api.client import StabilityClient
from ..log.balance_log import BalanceLog, Entry, entry_from_balance
from ..simulator.simulator import SimulatedClock, Simulator

__all__ = ["Demo"]

DAYS = 60
_SEED = 2022

# So that the user's first reading shows some spending since the one before it.
_GAP_BEFORE_NOW = timedelta(minutes=50)

# The other organizations are read once a day, in this hour.
_DAILY_HOUR = 17

# Friday to Sunday of every fourth week: the day's number modulo 28, where Monday 0001-01-01 is 1.
_LONG_WEEKEND = (5, 6, 7)


class Demo:
    """A running simulator, and a log that holds sixty days of readings of it.

    The readings are taken through the real client, over HTTP, with the simulator's clock set
    back. The simulation is the same at every start, so a log that is kept continues where it
    ended.

    Args:
        folder: Where the log is kept; None means a temporary folder, removed at the end.

    Raises:
        LogError: The log could not be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._process = os.getpid()
        self._remove_folder: Callable[[], object] = lambda: None
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="stability-magic-demo-"))
            # Also at the end of a process that does not close the demo.
            self._remove_folder = weakref.finalize(self, _remove_tree, folder, self._process)
        self.log_path = folder / "demo.db"
        self._simulator = Simulator(seed=_SEED, clock=SimulatedClock())
        self._simulator.start()
        try:
            self._collect_readings(datetime.now(UTC))
        except BaseException:
            self.close()
            raise

    @property
    def api_url(self) -> str:
        """The simulator's address, on loopback."""
        return self._simulator.url

    @property
    def api_key(self) -> str:
        """The key that the simulator accepts; it opens nothing else."""
        return self._simulator.api_key

    def spend(self, credits: float) -> None:
        """Spends simulated credits of the default organization.

        Raises:
            ValueError: The number is not above zero, or more than the credits left.
        """
        self._simulator.spend(credits)

    def close(self) -> None:
        """Stops the simulator and removes a temporary log; not in a process that was forked."""
        if os.getpid() == self._process:
            self._simulator.stop()
        self._remove_folder()

    def _collect_readings(self, now: datetime) -> None:
        """Takes the readings that the log lacks, at the times when a user would have."""
        log = BalanceLog(self.log_path, timezone=UTC)
        start = now - timedelta(days=DAYS)
        readings = log.readings(since=start)
        since = readings.index[-1].to_pydatetime() if len(readings) else start
        with StabilityClient(self.api_key, api_url=self.api_url) as client:
            account = client.account()
            entries: list[Entry] = []
            for at in _reading_times(since, now - _GAP_BEFORE_NOW):
                self._simulator.clock.set(at)
                for each in account.organizations:
                    if each.is_default or at.hour == _DAILY_HOUR:
                        balance = dataclasses.replace(client.balance(each.id), read_at=at)
                        entries.append(entry_from_balance(balance, source="demo"))
        self._simulator.clock.set(datetime.now(UTC))
        log.write(entries, account=account, key_fingerprint=client.key_fingerprint)


def _remove_tree(folder: Path, process: int) -> None:
    """Removes a folder; in a process that was forked it is the parent's to remove."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _reading_times(since: datetime, until: datetime) -> list[datetime]:
    """When a user with an open notebook takes readings: often at work, sometimes in the evening.

    Every fourth weekend is long, without any readings.
    """
    times = []
    day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        hours = (9.5, 17.2) if day.weekday() >= 5 else (8.1, 9.5, 11, 12.4, 14, 15.5, 17.2, 21)
        is_away = day.toordinal() % 28 in _LONG_WEEKEND
        for hour in () if is_away else hours:
            # People do not take readings exactly on the hour.
            minutes = (day.toordinal() * 7 + int(hour * 13)) % 23
            at = day + timedelta(hours=hour, minutes=minutes)
            if since < at < until:
                times.append(at)
        day += timedelta(days=1)
    return times
