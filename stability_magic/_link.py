"""The shared log as a session uses it: reached once a command, done without where it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from ._errors import LogError, SettingsError
from ._watch_rules import pause

if TYPE_CHECKING:
    from ._log import BalanceLog
    from ._log_outbox import Lacking, Outbox
    from ._progress import Progress
    from ._settings import StabilityMagic
    from ._shared import SharedLog
    from ._shared_connection import Target
    from ._sync import Sent
    from ._waiting import Notes, Waiting

__all__ = ["Link", "shared_target"]

Result = TypeVar("Result")

# Seconds from one try to the next of who cannot be asked whether to wait; more with each failure.
_PAUSE = 15.0


def shared_target(settings: StabilityMagic) -> Target | None:
    """The shared log of the settings; None where there is none.

    Raises:
        SettingsError: The settings cannot be used.
    """
    if not settings.shared_log:
        return None
    try:
        from ._shared_connection import target_of
    except ImportError:
        raise SettingsError(
            "A shared log needs psycopg; install stability_magic[postgres], or unset"
            " StabilityMagic.shared_log."
        ) from None
    return target_of(settings.shared_log, settings.shared_schema)


class _Here(threading.local):
    """How it stands in this thread's command."""

    def __init__(self) -> None:
        self.busy = False
        self.patient = False
        self.tried = False
        self.open: SharedLog | None = None


class Link:
    """A session's way to the shared log.

    Each command tries once to reach it, and sends what it lacks first.

    Args:
        target: Tells where it is; None for nowhere.
        log: Opens the local log.
        waiting: Tells what could not be logged there.
        progress: Makes a bar for work that takes long.
        notes: Where to say what the user has to know.
    """

    def __init__(
        self,
        target: Callable[[], Target | None],
        log: Callable[[], BalanceLog],
        waiting: Callable[[], Waiting],
        progress: Callable[[str], Progress],
        notes: Notes,
    ) -> None:
        self._target = target
        self._log = log
        self._waiting = waiting
        self._progress = progress
        self._notes = notes
        self._here = _Here()
        self._failures = 0
        self._next_try = 0.0
        self._trouble = ""

    @contextmanager
    def command(self, *, patient: bool) -> Iterator[None]:
        """Within it, this thread tries once to reach the shared log, and keeps the connection.

        Args:
            patient: Whether it comes by itself, and so tries less often while it fails.
        """
        here = self._here
        if here.busy:
            yield
            return
        here.busy, here.patient = True, patient
        try:
            yield
        finally:
            if here.open is not None:
                here.open.close()
            here.open, here.tried, here.busy = None, False, False

    def ask(self, question: Callable[[SharedLog], Result]) -> tuple[Result] | None:
        """What the shared log answers; None where there is none, or it is away.

        Raises:
            SettingsError: The settings cannot be used.
        """
        shared = self._reached()
        if shared is None:
            return None
        try:
            return (question(shared),)
        except LogError as error:
            self._failed(error)
            return None

    def send(self) -> None:
        """Sends what is in the local log, or would be, and not in the shared one.

        Raises:
            SettingsError: The settings cannot be used.
        """
        # Who reaches it sends first, so only what came since is left.
        was_open = self._here.open is not None
        shared = self._reached()
        if shared is not None and was_open:
            self._send(shared)

    def sync(self, *, again: bool) -> tuple[str, Sent, Lacking]:
        """Sends on request, and tells what was sent where, and what still waits.

        Args:
            again: Whether to send also what was sent before.

        Raises:
            LogError: One of the logs could not be used; what was sent stays sent.
            SettingsError: No shared log is set, or the settings cannot be used.
        """
        from ._log_outbox import Outbox

        target = self._target()
        if target is None:
            raise SettingsError(
                "No shared log is set; set StabilityMagic.shared_log or"
                " STABILITY_MAGIC_SHARED_LOG to postgresql://user@host/database."
            )
        # Not before there is one: without the extra there may be no psycopg to import.
        from ._shared import SharedLog

        log = self._log()
        shared = SharedLog(target, log.zone)
        outbox = Outbox(log.path)
        try:
            sent = self._sent(shared, outbox, again=again)
        finally:
            shared.close()
        return shared.address, sent, outbox.lacking(shared.address)

    def _reached(self) -> SharedLog | None:
        here = self._here
        if here.tried:
            return here.open
        target = self._target()
        if target is None:
            return None
        if not here.busy:
            raise RuntimeError("outside of a command nobody closes the connection")
        here.tried = True
        if here.patient and time.monotonic() < self._next_try:
            self._tell(target.address)
            return None
        from ._shared import SharedLog

        try:
            here.open = SharedLog(target, self._log().zone)
        except LogError as error:
            self._failed(error)
            return None
        self._send(here.open)
        return here.open

    def _send(self, shared: SharedLog) -> None:
        from ._log_outbox import Outbox
        from ._sync import add_entries

        try:
            add_entries(shared, self._waiting().entries)
            self._sent(shared, Outbox(self._log().path))
        except LogError as error:
            if error.path != shared.address:
                # Of a local log that cannot be written is told where it is written.
                return
            # What it does not take it may still tell.
            self._failed(error, local=shared.lost)
        else:
            self._failures = 0

    def _sent(self, shared: SharedLog, outbox: Outbox, *, again: bool = False) -> Sent:
        from ._sync import send

        with self._progress(f"sending to {shared.address}") as bar:

            def told(done: int) -> None:
                if bar.total is None:
                    bar.total = done + outbox.lacking(shared.address).readings
                bar.reach(done)

            return send(outbox, shared, told, again=again)

    def _failed(self, error: LogError, *, local: bool = True) -> None:
        here = self._here
        self._failures += 1
        self._next_try = time.monotonic() + pause(_PAUSE, failures=self._failures)
        self._trouble = str(error)
        self._tell(str(error.path), local=local)
        if here.open is not None and here.open.lost:
            here.open.close()
            here.open = None

    def _tell(self, address: str, *, local: bool = True) -> None:
        """One line: what is wrong, how much waits, and whether the local log is used meanwhile."""
        from ._lines import count
        from ._log_outbox import Outbox

        waiting = len(self._waiting().entries)
        with suppress(LogError):
            waiting += Outbox(self._log().path).lacking(address).readings
        wait = "waits" if waiting == 1 else "wait"
        meanwhile = "; the local log is used meanwhile" if local else ""
        note = f"{self._trouble} {count(waiting, 'reading')} {wait} for it{meanwhile}."
        if note not in self._notes.told:
            self._notes.told.append(note)
