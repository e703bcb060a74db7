"""A session's connection to the shared log: tried once a command, and done without if it fails."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from ..errors import LogError, SettingsError
from .watch_schedule import seconds_until_next

if TYPE_CHECKING:
    from datetime import datetime

    from ..log.balance_log import BalanceLog
    from ..log.outbox import Outbox, UnsentCounts
    from ..settings import StabilityMagic
    from ..shared_log.connection import Target
    from ..shared_log.shared_log import SharedLog
    from ..shared_log.sync import SentCounts
    from .pending import Backlog, Notes
    from .progress import Progress

__all__ = ["SharedLogLink", "shared_target"]

Result = TypeVar("Result")

# Seconds between the tries of commands that run in the background; longer with each failure.
_RETRY_PAUSE = 15.0


def shared_target(settings: StabilityMagic) -> Target | None:
    """The shared log of the settings; None where there is none.

    Raises:
        SettingsError: The settings cannot be used.
    """
    if not settings.shared_log:
        return None
    try:
        from ..shared_log.connection import target_from_address
    except ImportError:
        raise SettingsError(
            "A shared log needs psycopg; install stability_magic[postgres], or unset"
            " StabilityMagic.shared_log."
        ) from None
    return target_from_address(settings.shared_log, settings.shared_schema)


class _Command:
    """What a command has done about the shared log.

    Args:
        in_background: Whether it runs in the background.
    """

    def __init__(self, *, in_background: bool) -> None:
        self.in_background = in_background
        self.has_tried = False
        self.shared_log: SharedLog | None = None
        self._process = os.getpid()

    def close(self) -> None:
        """Closes the connection."""
        if self.shared_log is not None:
            self.shared_log.close()

    def forget_parent(self) -> None:
        """Leaves the connection to the process that opened it, if this one was forked since."""
        if self._process != os.getpid():
            self._process, self.has_tried, self.shared_log = os.getpid(), False, None


class _Current(threading.local):
    """The command that this thread runs; the innermost one if there are several."""

    def __init__(self) -> None:
        self.command: _Command | None = None


class SharedLogLink:
    """A session's connection to the shared log.

    Each command tries once to reach it, and first sends what the shared log lacks.

    Args:
        target: Returns where the shared log is; None if there is none.
        log: Opens the local log.
        backlog: Returns what could not be written to the local log.
        progress_bar: Makes a bar for long work, from a description.
        notes: Takes warnings for the user.
    """

    def __init__(
        self,
        target: Callable[[], Target | None],
        log: Callable[[], BalanceLog],
        backlog: Callable[[], Backlog],
        progress_bar: Callable[[str], Progress],
        notes: Notes,
    ) -> None:
        self._target = target
        self._log = log
        self._backlog = backlog
        self._progress_bar = progress_bar
        self._notes = notes
        self._current = _Current()
        self._failures = 0
        self._next_try = 0.0
        self._last_error = ""

    @contextmanager
    def command(self, *, in_background: bool) -> Iterator[None]:
        """A context in which this thread connects at most once, and keeps the connection.

        Args:
            in_background: Whether it runs in the background and so tries less often after failures.
        """
        # Each is a new one. So what an interrupt leaves behind, wherever it comes, is in no later
        # command's way.
        command, outer = _Command(in_background=in_background), self._current.command
        try:
            self._current.command = command
            yield
        finally:
            # Where an interrupt keeps this from being reached, it runs with some later command.
            if self._current.command is command:
                self._current.command = outer
            command.close()

    def run_query(self, query: Callable[[SharedLog], Result]) -> tuple[Result] | None:
        """The shared log's answer; None if there is no shared log, or it cannot be reached.

        Raises:
            SettingsError: The settings cannot be used.
        """
        shared = self._connect()
        if shared is None:
            return None
        try:
            return (query(shared),)
        except LogError as error:
            self._note_failure(error)
            return None

    def note_left_out(
        self, organizations: Iterable[str] | None, since: datetime | None, until: datetime | None
    ) -> None:
        """Tells how many readings of a window in the shared log were left out, and why.

        Args:
            organizations: Ids of organizations; None for all that are known.
            since: The start of the window; None for no limit.
            until: The end of the window; None for no limit.
        """
        ids = None if organizations is None else list(organizations)

        def count(shared: SharedLog) -> None:
            known_ids = list(shared.organizations()) if ids is None else ids
            self._note_left_out(shared, shared.count_left_out(known_ids, since, until))

        self.run_query(count)

    def _note_left_out(self, shared: SharedLog, faults: Mapping[tuple[str, str], int]) -> None:
        from ..log.validity import left_out_text

        if faults:
            self._notes.messages.append(left_out_text(faults, f"the shared log {shared.address}"))

    def send(self) -> None:
        """Sends what the shared log lacks, from the local log and from the backlog.

        Raises:
            SettingsError: The settings cannot be used.
        """
        # Connecting sends everything; an open connection leaves only what came since.
        command = self._current.command
        was_open = command is not None and command.shared_log is not None
        shared = self._connect()
        if shared is not None and was_open:
            self._send_to(shared)

    def reach(self) -> int:
        """Reaches the shared log as every command does, sending what it lacks.

        Returns:
            How many readings still wait for it.

        Raises:
            LogError: One of the logs could not be used.
            SettingsError: The settings cannot be used.
        """
        from ..log.outbox import Outbox

        target = self._target()
        if target is None:
            return 0
        self._last_error = ""
        self._connect()
        if self._last_error:
            raise LogError(self._last_error, path=target.address)
        return Outbox(self._log().path).count_unsent(target.address).readings

    def sync(self, *, resend_all: bool) -> tuple[str, SentCounts, UnsentCounts]:
        """Sends on request; returns the address, what was sent, and what still waits.

        Args:
            resend_all: Whether to send also what was sent before.

        Raises:
            LogError: One of the logs could not be used; what was sent stays sent.
            SettingsError: No shared log is set, or the settings cannot be used.
        """
        from ..log.outbox import Outbox

        target = self._target()
        if target is None:
            raise SettingsError(
                "No shared log is set; set StabilityMagic.shared_log or"
                " STABILITY_MAGIC_SHARED_LOG to postgresql://user@host/database."
            )
        # Imported only now: without the extra, psycopg may not be installed.
        from ..shared_log.shared_log import SharedLog

        log = self._log()
        shared = SharedLog(target, log.zone)
        outbox = Outbox(log.path)
        try:
            sent = self._send_outbox(outbox, shared, resend_all=resend_all)
            self._note_left_out(shared, shared.count_left_out(costs=True))
        finally:
            shared.close()
        unsent = outbox.count_unsent(shared.address)._replace(invalid=outbox.count_invalid())
        return shared.address, sent, unsent

    def _connect(self) -> SharedLog | None:
        """The open shared log; None if there is none, or this command could not reach it."""
        command = self._current.command
        if command is not None:
            command.forget_parent()
            if command.has_tried:
                return command.shared_log
        target = self._target()
        if target is None:
            return None
        if command is None:
            raise RuntimeError("outside of a command nobody closes the connection")
        command.has_tried = True
        if command.in_background and time.monotonic() < self._next_try:
            self._add_note(target.address)
            return None
        from ..shared_log.shared_log import SharedLog

        try:
            command.shared_log = SharedLog(target, self._log().zone)
        except LogError as error:
            self._note_failure(error)
            return None
        self._send_to(command.shared_log)
        return command.shared_log

    def _send_to(self, shared: SharedLog) -> None:
        from ..log.outbox import Outbox
        from ..shared_log.sync import send_entries

        try:
            send_entries(shared, self._backlog().entries)
            self._send_outbox(Outbox(self._log().path), shared)
        except LogError as error:
            if error.path != shared.address:
                # The local log cannot be written; writing to it gives the warning.
                return
            # A shared log that refuses readings may still answer queries.
            self._note_failure(error, uses_local_log=shared.is_closed)
        else:
            self._failures = 0

    def _send_outbox(
        self, outbox: Outbox, shared: SharedLog, *, resend_all: bool = False
    ) -> SentCounts:
        from ..shared_log.sync import send

        with self._progress_bar(f"sending to {shared.address}") as bar:

            def show_progress(done: int) -> None:
                if bar.total is None:
                    bar.total = done + outbox.count_unsent(shared.address).readings
                bar.advance_to(done)

            return send(outbox, shared, show_progress, again=resend_all)

    def _note_failure(self, error: LogError, *, uses_local_log: bool = True) -> None:
        self._failures += 1
        self._next_try = time.monotonic() + seconds_until_next(
            _RETRY_PAUSE, failures=self._failures
        )
        self._last_error = str(error)
        self._add_note(str(error.path), uses_local_log=uses_local_log)
        command = self._current.command
        if command is not None and command.shared_log is not None and command.shared_log.is_closed:
            command.shared_log.close()
            command.shared_log = None

    def _add_note(self, address: str, *, uses_local_log: bool = True) -> None:
        """Warns in one line: the error, how much waits, and whether the local log stands in."""
        from ..display.wording import count_text
        from ..log.outbox import Outbox

        unsent = len(self._backlog().entries)
        with suppress(LogError):
            unsent += Outbox(self._log().path).count_unsent(address).readings
        verb = "waits" if unsent == 1 else "wait"
        meanwhile = "; the local log is used meanwhile" if uses_local_log else ""
        note = f"{self._last_error} {count_text(unsent, 'reading')} {verb} for it{meanwhile}."
        if note not in self._notes.messages:
            self._notes.messages.append(note)
