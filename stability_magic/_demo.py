"""The demo: the built-in simulator, and sixty days of readings taken from it."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ._client import StabilityClient
from ._log import BalanceLog, Entry, entry
from ._simulator import SimulatedClock, Simulator

__all__ = ["Demo"]

DAYS = 60
_SEED = 2022

# So that the first reading of whoever tries the demo has something to tell.
_UNSEEN = timedelta(minutes=50)


class Demo:
    """A running simulator, and a log that holds sixty days of readings of it.

    The readings are taken through the real client, over HTTP, with the simulator's clock set
    back. The simulation is the same at every start, so a log that is kept goes on where it
    ended.

    Args:
        folder: Where the log is kept; None keeps it in a temporary folder until the end.

    Raises:
        LogError: The log could not be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="stability-magic-demo-")
            folder = Path(self._temporary.name)
        self.log_path = folder / "demo.db"
        self._simulator = Simulator(seed=_SEED, clock=SimulatedClock())
        self._simulator.start()
        try:
            self._collect(datetime.now(UTC))
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
            ValueError: They are no number above zero, or more than are left.
        """
        self._simulator.spend(credits)

    def close(self) -> None:
        """Stops the simulator and removes a temporary log."""
        self._simulator.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _collect(self, now: datetime) -> None:
        """Takes the readings that the log lacks, as somebody who works with it would have."""
        log = BalanceLog(self.log_path, timezone=UTC)
        begin = now - timedelta(days=DAYS)
        logged = log.readings(since=begin)
        since = logged.index[-1].to_pydatetime() if len(logged) else begin
        with StabilityClient(self.api_key, api_url=self.api_url) as client:
            account = client.account()
            entries: list[Entry] = []
            for at in _moments(since, now - _UNSEEN):
                self._simulator.clock.set(at)
                for each in account.organizations:
                    # The others are looked at once a day.
                    if each.is_default or at.hour == _DAILY:
                        balance = dataclasses.replace(client.balance(each.id), read_at=at)
                        entries.append(entry(balance, source="demo"))
        self._simulator.clock.set(datetime.now(UTC))
        log.write(entries, account=account, key_fingerprint=client.key_fingerprint)


_DAILY = 17


def _moments(since: datetime, until: datetime) -> list[datetime]:
    """When a person with an open notebook looks: often at work, at times in the evening.

    Each fourth Friday begins a long weekend on which nobody looks.
    """
    moments = []
    day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        hours = (9.5, 17.2) if day.weekday() >= 5 else (8.1, 9.5, 11, 12.4, 14, 15.5, 17.2, 21)
        away = day.toordinal() % 28 in _LONG_WEEKEND
        for hour in () if away else hours:
            # Nobody looks on the dot.
            minutes = (day.toordinal() * 7 + int(hour * 13)) % 23
            at = day + timedelta(hours=hour, minutes=minutes)
            if since < at < until:
                moments.append(at)
        day += timedelta(days=1)
    return moments


# A Friday is 5 more than a multiple of 7 when days are counted from 0001-01-01.
_LONG_WEEKEND = (5, 6, 7)
