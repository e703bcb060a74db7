"""The sampler: readings at regular times, in a thread of its own."""

from __future__ import annotations

import atexit
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING

from ._errors import StabilityMagicError
from ._watch_rules import Alarm, next_due, pause

if TYPE_CHECKING:
    import pandas as pd

    from ._log import Entry
    from ._session import Session

__all__ = ["Watch", "Watched", "status_frame"]

_SOURCE = "watch"

# A reading that hangs is not waited for when the watch is to end; it is logged all the same.
_GRACE = 1.0


@dataclasses.dataclass
class Watched:
    """One organization as a watch sees it.

    Attributes:
        asked: The id that was asked for; None is the key's default.
        since: When the watch began.
        due: When its next reading is due, on the monotonic clock.
        organization: Its id, as far as that is known.
        name: What to call it.
        credits: The latest balance.
        last: When that was read.
        spent: Credits spent from the watch's first reading on.
        at_least: Whether a top-up hides more.
        failures: How many readings have failed.
        in_a_row: How many have failed since the last one that did not.
        trouble: Why the latest could not be read, or not be logged; empty when nothing is.
        warnings: What it has warned of.
    """

    asked: str | None
    since: datetime
    due: float
    organization: str | None = None
    name: str = ""
    credits: float = math.nan
    last: datetime | None = None
    spent: float = 0.0
    at_least: bool = False
    failures: int = 0
    in_a_row: int = 0
    trouble: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    low: Alarm = dataclasses.field(default_factory=Alarm)
    soon: Alarm = dataclasses.field(default_factory=Alarm)

    def next_reading(self) -> datetime:
        """When the next one will be taken, by the clock on the wall."""
        return datetime.now(UTC) + timedelta(seconds=max(0.0, self.due - time.monotonic()))


class Watch:
    """Reads balances at regular times until it is stopped.

    No error ends it. It reads less often while readings fail, waits as long as the service
    asks it to, and after a pause of the machine it goes on without catching up.

    Args:
        session: Takes and logs the readings.
        organizations: Whose balances; None is the key's default.
        every: The time between two readings.
        plot: Whether whoever shows it shall draw a picture too.
    """

    def __init__(
        self,
        session: Session,
        organizations: Sequence[str | None],
        every: timedelta,
        *,
        plot: bool = False,
    ) -> None:
        self.every = every
        self.plot = plot
        now = time.monotonic()
        self.watched = [Watched(each, datetime.now(UTC), now) for each in organizations]
        self._session = session
        self._show: Callable[[Watched], None] = lambda _: None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, show: Callable[[Watched], None]) -> None:
        """Takes the first readings, and the others in a thread that keeps no process alive.

        Args:
            show: Called after each reading, in the thread that took it.
        """
        self._show = show
        self._read_what_is_due()
        self._thread = threading.Thread(target=self._run, name="stability_watch", daemon=True)
        atexit.register(self._stopping.set)
        self._thread.start()

    def stop(self) -> None:
        """Ends it at once; harmless when it has ended."""
        self._stopping.set()
        if self._thread not in (None, threading.current_thread()):
            self._thread.join(_GRACE)
        atexit.unregister(self._stopping.set)

    @property
    def running(self) -> bool:
        """Whether it goes on taking readings."""
        return self._thread is not None and not self._stopping.is_set()

    @property
    def failing(self) -> bool:
        """Whether the latest reading of an organization could not be taken or logged."""
        return any(each.trouble for each in self.watched)

    def lines(self) -> list[str]:
        """A line for each organization, and the latest warnings."""
        lines = [self.line(each) for each in self.watched]
        return lines + [warning for each in self.watched for warning in each.warnings[-3:]]

    def line(self, watched: Watched) -> str:
        """How one organization stands."""
        from ._lines import watch_line

        settings = self._session.settings
        return watch_line(
            watched,
            now=settings.now(),
            every=self.every,
            next_reading=None if self._stopping.is_set() else watched.next_reading(),
            usd_per_credit=settings.usd_per_credit,
            low_balance=settings.low_balance,
        )

    def _run(self) -> None:
        while not self._stopping.wait(self._idle()):
            self._read_what_is_due()

    def _idle(self) -> float:
        wait = min(each.due for each in self.watched) - time.monotonic()
        return min(max(0.0, wait), threading.TIMEOUT_MAX)

    def _read_what_is_due(self) -> None:
        for each in self.watched:
            if each.due <= time.monotonic() and not self._stopping.is_set():
                self._step(each)

    def _step(self, watched: Watched) -> None:
        with self._session.command(patient=True):
            self._read_and_show(watched)

    def _read_and_show(self, watched: Watched) -> None:
        retry_after = 0.0
        try:
            retry_after = self._read(watched)
        except Exception as error:
            # Whatever it is, the next reading may succeed; there is nobody to catch it here.
            watched.failures += 1
            watched.in_a_row += 1
            watched.trouble = f"{type(error).__name__}: {error}"
        wait = pause(self.every.total_seconds(), failures=watched.in_a_row, retry_after=retry_after)
        watched.due = next_due(watched.due, time.monotonic(), wait)
        if self._stopping.is_set():
            return
        try:
            self._show(watched)
        except Exception as error:
            # Showing it must not end the readings.
            watched.trouble = f"{type(error).__name__}: {error}"

    def _read(self, watched: Watched) -> float:
        """Takes a reading, and returns how long the service asked to wait."""
        try:
            taken, errors = self._session.take([watched.asked], source=_SOURCE)
        except StabilityMagicError as error:
            taken, errors = [], [error]
        notes = self._session.take_notes()
        if errors:
            watched.failures += 1
            watched.in_a_row += 1
            watched.trouble = f"{type(errors[0]).__name__}: {errors[0]}"
            return float(getattr(errors[0], "retry_after", 0.0))
        watched.in_a_row = 0
        watched.trouble = " ".join(notes)
        self._count(watched, taken[0])
        self._warn(watched)
        return 0.0

    def _count(self, watched: Watched, entry: Entry) -> None:
        from ._costs import change_of

        # A key that was found out to be an organization's is no other one; another key may be.
        known = watched.organization or ""
        if known == entry.organization or known.startswith("key:"):
            change = change_of([watched.credits, entry.credits])
            watched.spent += change.spent
            watched.at_least |= change.risen
        if watched.organization != entry.organization:
            watched.organization = entry.organization
            watched.name = self._session.whose.name_of(entry.organization)
        watched.credits = entry.credits
        watched.last = datetime.fromtimestamp(entry.read_at / 1e6, UTC)

    def _warn(self, watched: Watched) -> None:
        """Adds what there is to warn of since the reading before."""
        from ._lines import low_warning, soon_warning

        settings = self._session.settings
        now, low, days = settings.now(), settings.low_balance, settings.warn_days
        if watched.low.rings(low is not None and watched.credits < low):
            watched.warnings.append(low_warning(watched, low or 0.0, now))
        if days is None:
            return
        try:
            early = self._early(watched, now)
        except StabilityMagicError:
            # A log that cannot be read is told of when it is written; it warns of nothing.
            return
        if watched.soon.rings(early is not None and early <= now + timedelta(days=days)):
            watched.warnings.append(soon_warning(watched, early or now, now))

    def _early(self, watched: Watched, now: datetime) -> datetime | None:
        """When the credits may run out, as early as in 9 of 10 cases."""
        import pandas as pd

        from ._forecast import forecast_marks, forecast_of
        from ._windows import lookback

        outlook = self._session.journal.computed(
            partial(forecast_of, now=now),
            [watched.organization or ""],
            lookback(now),
            now + timedelta(microseconds=1),
            marks=forecast_marks,
            after=False,
        )
        if outlook.empty or pd.isna(outlook["empty_early"].iloc[0]):
            return None
        at: datetime = outlook["empty_early"].iloc[0].to_pydatetime()
        return at


def status_frame(watch: Watch | None, zone: tzinfo) -> pd.DataFrame:
    """The status frame: one row for each organization that is watched.

    Args:
        watch: The watch; None, or one that has ended, has no rows.
        zone: The time zone of its times.
    """
    from ._frames import frame_of_rows
    from ._readings import microseconds

    watched = watch.watched if watch is not None and watch.running else []

    def shown(at: datetime) -> int:
        return microseconds(at.replace(microsecond=0))

    rows = [
        (
            each.organization or each.asked,
            each.name or None,
            shown(each.since),
            watch and watch.every,
            each.credits,
            each.spent,
            None if each.last is None else shown(each.last),
            shown(each.next_reading()),
            each.failures,
        )
        for each in watched
    ]
    return frame_of_rows("watch", rows, zone)
