"""The watch: readings at regular times, in a background thread."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Protocol

from ..display.watch_state import WatchState
from ..errors import StabilityMagicError
from .watch_schedule import next_due, seconds_until_next

if TYPE_CHECKING:
    import pandas as pd

    from ..log.balance_log import Entry
    from ..settings import StabilityMagic
    from .journal import Journal

__all__ = ["Watch", "status_frame"]

_SOURCE = "watch"

# Seconds. A hanging reading does not delay the end of a watch for longer; it is still logged.
_STOP_TIMEOUT = 1.0


class ReadingTaker(Protocol):
    """What a watch needs of its session."""

    settings: StabilityMagic

    @property
    def journal(self) -> Journal: ...

    def command(self, *, in_background: bool) -> AbstractContextManager[None]: ...

    def take_readings(
        self, organizations: Sequence[str | None], *, source: str
    ) -> tuple[list[Entry], list[StabilityMagicError]]: ...

    def take_notes(self) -> list[str]: ...

    def take_news(self) -> list[str]: ...

    def organization_name(self, organization: str) -> str: ...

    def tell_of_watch(self, state: WatchState) -> None: ...


class Watch:
    """Reads balances at regular times until it is stopped.

    No error ends it. It reads less often while readings fail, waits as long as the service
    asks it to, and does not catch up on readings that it missed while the machine slept.

    Args:
        session: Takes and logs the readings.
        organizations: Whose balances; None is the key's default.
        interval: The time between two readings.
        has_picture: Whether to show a picture below its lines too.

    Attributes:
        states: How each organization stands.
    """

    def __init__(
        self,
        session: ReadingTaker,
        organizations: Sequence[str | None],
        interval: timedelta,
        *,
        has_picture: bool = False,
    ) -> None:
        self.interval = interval
        self.has_picture = has_picture
        now = time.monotonic()
        self.states = [WatchState(each, datetime.now(UTC), now) for each in organizations]
        self._session = session
        self._show: Callable[[WatchState], None] = lambda _: None
        self._stop_event = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, show: Callable[[WatchState], None], *, waits_for_first: bool = True) -> None:
        """Takes readings in a thread that keeps no process alive.

        Args:
            show: Called after each reading, in the thread that took it.
            waits_for_first: Whether to take the first readings here, before returning.
        """
        self._show = show
        if waits_for_first:
            self._take_due_readings()
        self._thread = threading.Thread(target=self._run, name="stability_watch", daemon=True)
        atexit.register(self._stop_event.set)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch at once; does nothing if it has ended."""
        self._stop_event.set()
        if self._thread not in (None, threading.current_thread()):
            self._thread.join(_STOP_TIMEOUT)
        atexit.unregister(self._stop_event.set)

    @property
    def is_running(self) -> bool:
        """Whether it goes on taking readings."""
        return self._thread is not None and not self._stop_event.is_set()

    @property
    def is_hanging(self) -> bool:
        """Whether a reading goes on although the watch was stopped."""
        return self._stop_event.is_set() and self._thread is not None and self._thread.is_alive()

    @property
    def is_failing(self) -> bool:
        """Whether the latest reading of an organization could not be taken or logged."""
        return any(each.problem for each in self.states)

    def lines(self) -> list[str]:
        """A line for each organization, and the latest warnings."""
        lines = [self.line(each) for each in self.states]
        return lines + [warning for each in self.states for warning in each.warnings[-3:]]

    def line(self, state: WatchState) -> str:
        """How one organization stands."""
        from ..display.lines import watch_line
        from .outlook import usable_levels

        settings = self._session.settings
        return watch_line(
            state,
            now=settings.now(),
            every=self.interval,
            next_reading=None if self._stop_event.is_set() else _next_reading_at(state),
            usd_per_credit=settings.usd_per_credit,
            low_balance=usable_levels(settings).low,
        )

    def _run(self) -> None:
        while not self._stop_event.wait(self._seconds_until_due()):
            self._take_due_readings()

    def _seconds_until_due(self) -> float:
        seconds = min(each.due for each in self.states) - time.monotonic()
        return min(max(0.0, seconds), threading.TIMEOUT_MAX)

    def _take_due_readings(self) -> None:
        for each in self.states:
            if each.due <= time.monotonic() and not self._stop_event.is_set():
                with self._session.command(in_background=True):
                    self._read_and_show(each)

    def _read_and_show(self, state: WatchState) -> None:
        retry_after = 0.0
        try:
            retry_after = self._read(state)
        except Exception as error:
            # The next reading may succeed, whatever this error is; uncaught, it ends the thread.
            state.failures += 1
            state.failures_in_a_row += 1
            state.problem = f"{type(error).__name__}: {error}"
        state.problems_in_a_row = state.problems_in_a_row + 1 if state.problem else 0
        try:
            self._session.tell_of_watch(state)
        except Exception as error:
            # Nor may a message that cannot be told.
            state.problem = f"{type(error).__name__}: {error}"
        wait = seconds_until_next(
            self.interval.total_seconds(),
            failures=state.failures_in_a_row,
            retry_after=retry_after,
        )
        state.due = next_due(state.due, time.monotonic(), wait)
        if self._stop_event.is_set():
            return
        try:
            self._show(state)
        except Exception as error:
            # A failure to show a reading must not end the readings.
            state.problem = f"{type(error).__name__}: {error}"

    def _read(self, state: WatchState) -> float:
        """Takes a reading, and returns how long the service asked to wait."""
        try:
            entries, errors = self._session.take_readings([state.requested], source=_SOURCE)
        except StabilityMagicError as error:
            entries, errors = [], [error]
        state.warnings += self._session.take_news()
        notes = self._session.take_notes()
        if errors:
            state.failures += 1
            state.failures_in_a_row += 1
            state.problem = f"{type(errors[0]).__name__}: {errors[0]}"
            return float(getattr(errors[0], "retry_after", 0.0))
        state.failures_in_a_row = 0
        state.problem = " ".join(notes)
        self._update_balance(state, entries[0])
        self._update_budgets(state)
        self._add_warnings(state)
        return 0.0

    def _update_balance(self, state: WatchState, entry: Entry) -> None:
        from ..analysis.costs import change_of

        # While a key's organization is unknown, "key:…" stands for it; learning it is no change.
        organization = state.organization or ""
        if organization == entry.organization or organization.startswith("key:"):
            change = change_of([state.credits, entry.credits])
            state.spent += change.spent
            state.at_least |= change.is_lower_bound
        if state.organization != entry.organization:
            state.organization = entry.organization
            state.name = self._session.organization_name(entry.organization)
        state.credits = entry.credits
        state.last_read_at = datetime.fromtimestamp(entry.read_at / 1e6, UTC)
        state.first_read_at = state.first_read_at or state.last_read_at

    def _update_budgets(self, state: WatchState) -> None:
        from .budgets import spends_of_budgets

        settings = self._session.settings
        try:
            state.budgets = spends_of_budgets(
                self._session.journal,
                [state.organization or ""],
                settings.now(),
                settings.zone(),
            )
        except StabilityMagicError:
            # The log cannot be read; writing the next reading gives the warning.
            state.budgets = ()

    def _add_warnings(self, state: WatchState) -> None:
        """Warns once of a balance that has become low, or that may soon be empty."""
        from ..display.lines import low_balance_warning, running_out_warning
        from .outlook import earliest_end, forecast_histories, present, usable_levels

        settings = self._session.settings
        now, days, levels = settings.now(), settings.warn_days, usable_levels(settings)
        low = levels.low
        if state.has_just_begun("low", low is not None and state.credits < low):
            state.warnings.append(low_balance_warning(state, low or 0.0, now))
        if days is None:
            return
        try:
            organizations = [state.organization or ""]
            histories = forecast_histories(self._session.journal, organizations, now)
            now = present(now, histories)
            empty_early = earliest_end(histories, now, empty_below=levels.empty)
        except StabilityMagicError:
            # The log cannot be read; writing the next reading gives the warning.
            return
        is_soon = empty_early is not None and empty_early <= now + timedelta(days=days)
        if state.has_just_begun("soon", is_soon):
            state.warnings.append(running_out_warning(state, empty_early or now, now))


def _next_reading_at(state: WatchState) -> datetime:
    """When the next reading is due, by the wall clock."""
    return datetime.now(UTC) + timedelta(seconds=max(0.0, state.due - time.monotonic()))


def status_frame(watch: Watch | None, zone: tzinfo) -> pd.DataFrame:
    """The status frame: one row for each organization being watched.

    Args:
        watch: The watch; None, or one that has ended, gives no rows.
        zone: The time zone of the frame's times.
    """
    from ..analysis.frames import frame_from_rows
    from ..models import to_microseconds

    states = watch.states if watch is not None and watch.is_running else []

    def whole_seconds(at: datetime) -> int:
        return to_microseconds(at.replace(microsecond=0))

    rows = [
        (
            each.organization or each.requested,
            each.name or None,
            whole_seconds(each.since),
            watch and watch.interval,
            each.credits,
            each.spent,
            None if each.last_read_at is None else whole_seconds(each.last_read_at),
            whole_seconds(_next_reading_at(each)),
            each.failures,
        )
        for each in states
    ]
    return frame_from_rows("watch", rows, zone)
