"""A cap on what a cell may spend: the balance is read while it runs, and at the cap it is stopped.

A cell, here, is any code that a cost is measured of.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import TYPE_CHECKING

from ..display.wording import credits_text
from ..errors import BadArgument, BudgetError
from .guard import cap_error, cap_text
from .interrupts import Interrupted, can_interrupt
from .watch_schedule import next_due, seconds_until_next

if TYPE_CHECKING:
    from ..log.balance_log import Entry
    from .cell_cost import CellCostMeter, MeasuredCost
    from .interrupts import InterruptibleCode
    from .session import Session

__all__ = ["SpendingCap", "check_can_be_capped"]

# Seconds between two readings. The service admits 150 requests in 10 seconds.
EVERY = 2.0
# Seconds without a reading after which a cell is stopped that must not go on unseen.
LONGEST_UNSEEN = 30.0
# With so many failures in a row, readings are tried every 32 seconds, and not less often.
_MOST_FAILURES = 5
# Seconds between two attempts to interrupt a cell.
_TRY_AGAIN = 0.25
_MOST_NOTES = 3


def check_can_be_capped() -> None:
    """Raises BadArgument where the code of this thread cannot be interrupted."""
    if not can_interrupt():
        raise BadArgument(
            "a cap needs code that can be interrupted, which is that of the main thread alone, and"
            " this runs in another one; leave the cap out, or run it in the main thread."
        )


class SpendingCap:
    """Stops a cell when it has spent so much.

    What counts is what the balance falls by after the reading before the cell, whoever spends it.
    An unreadable balance stops nothing, unless that is asked for.

    Args:
        session: Takes the readings.
        meter: Measures the cell.
        credits: The cap.
        fail_closed: Whether to stop the cell after :data:`LONGEST_UNSEEN` without a reading, too.
    """

    def __init__(
        self, session: Session, meter: CellCostMeter, credits: float, *, fail_closed: bool
    ) -> None:
        self._session = session
        self._meter = meter
        self._credits = credits
        self._fail_closed = fail_closed
        self._code: InterruptibleCode | None = None
        self._ended = threading.Event()
        before = meter.entry_before
        self._readings = [(before.read_at, before.credits)]
        self._spent = 0.0
        self._is_reached = False
        self._is_unseen_too_long = False
        self._seen_at = time.monotonic()
        self._longest_unseen = 0.0
        self._failures = 0
        self._problem = ""
        self._notes: list[str] = []

    @property
    def reason(self) -> str:
        """Why a cell is interrupted, where that is shown."""
        return f"{self._cap_text()}."

    def start(self, code: InterruptibleCode) -> None:
        """Begins to read the balance in the background.

        Args:
            code: The cell.
        """
        self._code = code
        self._seen_at = time.monotonic()
        for each in (self._read_until_ended, self._interrupt_when_due):
            threading.Thread(target=each, name="stability_cap", daemon=True).start()

    def stop(self) -> None:
        """Ends that in the main thread, at once; whatever runs now is not interrupted any more."""
        self._ended.set()
        if self._code is not None:
            self._code.end()

    def error(
        self, cost: MeasuredCost | None, ended_by: BaseException | None
    ) -> BudgetError | None:
        """The error to raise after the cell; None where it kept the cap or ended for other reasons.

        Args:
            cost: What the cell cost; None where that could not be logged.
            ended_by: The cell's own error.
        """
        self._tell_failures()
        fallen = math.nan if cost is None else cost.fallen
        spent = self._spent if math.isnan(fallen) else max(self._spent, fallen)
        is_over = self._is_over(spent)
        if self._is_from_elsewhere(ended_by):
            # Another cap tells enough.
            if is_over and not isinstance(ended_by, BudgetError | Interrupted):
                self._session.notes.append(
                    f"{self._cap_text()}, and {credits_text(spent)} were spent while it ran."
                )
            return None
        if is_over or (self._times and not self._is_unseen_too_long):
            settings = self._session.settings
            return cap_error(
                self._meter.label,
                self._credits,
                spent,
                settings.usd_per_credit,
                self._ending(ended_by),
            )
        if self._times:
            return BudgetError(
                f"{self._cap_text()}, and the balance could not be read for"
                f" {LONGEST_UNSEEN:.0f} s, after which it must not go on;"
                f" {self._ending(ended_by)}. {self._problem}",
                spent=math.nan if math.isnan(fallen) else spent,
                budget=self._credits,
            )
        return None

    @property
    def _times(self) -> int:
        return self._code.times if self._code is not None else 0

    def _cap_text(self) -> str:
        return cap_text(self._meter.label, self._credits, self._session.settings.usd_per_credit)

    def _is_over(self, spent: float) -> bool:
        from ..analysis.changes import SMALLEST_CHANGE

        return spent > self._credits + SMALLEST_CHANGE

    def _is_from_elsewhere(self, error: BaseException | None) -> bool:
        """Whether an error has nothing to do with the cap, and must stay what it is."""
        if error is None or self._code is None or self._code.has_raised(error):
            return False
        return not self._times or isinstance(error, KeyboardInterrupt | asyncio.CancelledError)

    def _ending(self, ended_by: BaseException | None) -> str:
        if not self._times:
            return "it had ended by itself"
        how = "it was interrupted"
        if self._times > 1:
            how += f" {self._times} times"
        if ended_by is None:
            return f"{how}, and ended without an error"
        if isinstance(ended_by, Interrupted | asyncio.CancelledError):
            return how
        # Not what it says, which is the cell's own, and may hold anything.
        return f"{how}, and ended with {type(ended_by).__name__}"

    def _tell_failures(self) -> None:
        self._session.notes.extend(self._notes)
        self._note_seen()
        if self._failures:
            self._session.notes.append(
                "The balance could not be read while the cell ran, and its cap not be kept, for"
                f" {self._longest_unseen:.0f} s. {self._problem}"
            )

    def _note_seen(self) -> None:
        now = time.monotonic()
        self._longest_unseen = max(self._longest_unseen, now - self._seen_at)
        self._seen_at = now

    def _read_until_ended(self) -> None:
        due, failures = time.monotonic() + EVERY, 0
        while not self._ended.wait(max(0.0, due - time.monotonic())) and not self._is_reached:
            retry_after = 0.0
            try:
                self._read()
                failures = 0
            except Exception as error:
                # The next reading may succeed, whatever this is; uncaught, it ends the thread.
                failures += 1
                self._failures += 1
                self._problem = f"{type(error).__name__}: {error}"
                retry_after = float(getattr(error, "retry_after", 0.0))
            wait = seconds_until_next(
                EVERY, failures=min(failures, _MOST_FAILURES), retry_after=retry_after
            )
            due = next_due(due, time.monotonic(), wait)

    def _read(self) -> None:
        with self._session.command(in_background=True):
            self._meter.take_reading_meanwhile(self._see)
        new_notes = [each for each in self._session.take_notes() if each not in self._notes]
        self._notes = [*self._notes, *new_notes][-_MOST_NOTES:]

    def _see(self, entry: Entry) -> None:
        from ..analysis.changes import SMALLEST_CHANGE
        from ..analysis.costs import spent_so_far

        self._note_seen()
        self._readings.append((entry.read_at, entry.credits))
        self._spent = spent_so_far(*zip(*self._readings, strict=True))
        if self._spent > self._credits - SMALLEST_CHANGE:
            self._is_reached = True
            self._interrupt()

    def _interrupt_when_due(self) -> None:
        # In a thread of its own, so that a reading that hangs delays nothing.
        while not self._ended.wait(_TRY_AGAIN):
            if self._fail_closed and time.monotonic() - self._seen_at > LONGEST_UNSEEN:
                self._is_unseen_too_long = True
            if self._is_reached or self._is_unseen_too_long:
                self._interrupt()

    def _interrupt(self) -> None:
        if self._code is not None and not self._ended.is_set():
            self._code.interrupt()
