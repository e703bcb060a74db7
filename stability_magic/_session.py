"""One notebook's or command's dealings with the service and the log."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import ApiError, SettingsError, StabilityMagicError
from ._journal import Journal
from ._link import Link, shared_target
from ._progress import Progress
from ._settings import Keys, StabilityMagic
from ._waiting import Notes
from ._whose import Whose

if TYPE_CHECKING:
    from ._client import StabilityClient
    from ._costs import Cost
    from ._demo import Demo
    from ._log import BalanceLog, Entry
    from ._log_merge import Merged
    from ._log_outbox import Lacking
    from ._readings import Account, Balance
    from ._sync import Sent
    from ._watch import Watch

__all__ = ["Session"]


class Session:
    """Settings, key, client and journal.

    A watch uses it from a thread of its own, so one reading is taken and logged at a time.

    Args:
        settings: The settings; they are read at each use.
        source: What the log says took the readings.
    """

    def __init__(self, settings: StabilityMagic, *, source: str) -> None:
        self.settings = settings
        self.keys = Keys()
        self.demo: Demo | None = None
        self.source = source
        self._notes = Notes()
        self._busy = threading.RLock()
        self._watch: Watch | None = None
        self._client: StabilityClient | None = None
        self._client_asks = ("", "", "")
        self.whose = Whose(self.client, self.log, self._notes)
        self._link = Link(
            lambda: shared_target(settings),
            self.log,
            lambda: self._journal.waiting,
            self.progress,
            self._notes,
        )
        self._journal = Journal(self.log, self._notes, self._link)
        self._demo_journal = Journal(self.log, self._notes)

    @property
    def journal(self) -> Journal:
        """What is written down, and looked up."""
        # The demo's readings never get into the user's log, nor the other way round.
        return self._journal if self.demo is None else self._demo_journal

    @property
    def notes(self) -> list[str]:
        """The warnings of this thread that nobody has shown yet."""
        return self._notes.told

    def close(self) -> None:
        """Ends watch and demo, tries once more to log what is waiting, closes connections."""
        self.watch = None
        # A reading of the watch that hangs must not hold up the end.
        held = self._busy.acquire(timeout=1.0)
        try:
            if self.journal.waiting:
                # Nobody waits for a shared log at the end: the local one has it for the next time.
                self._write(send=False)
            if self._client is not None:
                self._client.close()
            self._drop_demo()
        finally:
            if held:
                self._busy.release()

    def end_demo(self) -> None:
        """Points the session back at the real service."""
        with self._busy:
            self._drop_demo()

    def _drop_demo(self) -> None:
        if self.demo is not None:
            self._demo_journal = Journal(self.log, self._notes)
            self.demo.close()
            self.demo = None

    @property
    def watch(self) -> Watch | None:
        """The watch of this session; setting another one, or None, stops it."""
        return self._watch

    @watch.setter
    def watch(self, watch: Watch | None) -> None:
        if self._watch is not None and self._watch is not watch:
            self._watch.stop()
        self._watch = watch

    def take_notes(self) -> list[str]:
        """The warnings since this was last asked."""
        notes, self._notes.told = self._notes.told, []
        return notes

    @property
    def organization(self) -> str | None:
        """The organization of the settings; None asks for the key's default."""
        return None if self.demo else self.settings.organization or None

    def client(self) -> StabilityClient:
        """The client of the settings in force; the same one while they stay the same.

        Raises:
            SettingsError: There is no key, or a setting cannot be used.
        """
        from ._client import StabilityClient

        settings = self.settings
        key, url, version = (
            (self.demo.api_key, self.demo.api_url, "auto")
            if self.demo
            else (self.keys.find(), settings.api_url, settings.api_version)
        )
        asked = (key, url, version)
        # The client in use knows which version is served and how long to wait after HTTP 429.
        if self._client is None or asked != self._client_asks:
            client = StabilityClient(key, api_url=url, api_version=version)
            if self._client is not None:
                self._client.close()
            self._client, self._client_asks = client, asked
            self.whose.forget()
        self._client.timeout = settings.timeout
        return self._client

    def log(self) -> BalanceLog:
        """The log of the settings in force."""
        from ._log import BalanceLog

        path = self.demo.log_path if self.demo else self.settings.log_path()
        return BalanceLog(Path(path), timezone=self.settings.zone())

    def account(self) -> Account:
        """Asks for the account, and remembers it for the session.

        Raises:
            ApiError: The service did not tell.
        """
        with self._busy:
            return self.whose.ask()

    def take(
        self,
        organizations: Sequence[str | None],
        *,
        label: str | None = None,
        logged: bool = True,
        source: str = "",
    ) -> tuple[list[Entry], list[StabilityMagicError]]:
        """Reads balances and logs them, when nobody else is doing so in this session.

        One that cannot be read does not keep the others from being read and logged.

        Args:
            organizations: Their ids; None is the key's default.
            label: A note to keep with the readings.
            logged: Whether to log them.
            source: What takes them, where it is not the session's own.

        Returns:
            The readings' entries, and the errors of those that could not be read.
        """
        with self._busy:
            return self._take(organizations, label, logged, source or self.source)

    def _take(
        self, organizations: Sequence[str | None], label: str | None, logged: bool, source: str
    ) -> tuple[list[Entry], list[StabilityMagicError]]:
        from ._log import entry

        # First, so that a setting that cannot be used is told before anything is sent.
        self.log()
        if self.demo is None:
            shared_target(self.settings)
        client = self.client()
        balances: list[Balance] = []
        errors: list[StabilityMagicError] = []
        for each in organizations:
            try:
                balances.append(client.balance(each))
            except (ApiError, SettingsError) as error:
                # Settings: an id that cannot be sent, though the service lists it.
                errors.append(error)
        host = self.settings.host_name()
        entries = [
            entry(each, source=source, label=label, host=host)
            for each in self.whose.identified(balances)
        ]
        if logged and entries:
            self._write(entries)
        return entries, errors

    def log_cost(self, cost: Cost) -> None:
        """Logs what a cell cost; what cannot be logged waits for the next time."""
        with self._busy:
            self._write(costs=[cost])

    def merge(self, other: Path) -> Merged:
        """Takes in what another log holds; a bar shows it where it takes long.

        Raises:
            LogError: One of the two could not be used; nothing was taken in.
        """
        from ._log_merge import merge

        with self._busy, self.progress(f"merging {other.name}") as bar:

            def told(done: int, total: int) -> None:
                bar.total = total
                bar.reach(done)

            return merge(self.log().path, other, told)

    def sync(self, *, again: bool) -> tuple[str, Sent, Lacking]:
        """Sends the shared log what it lacks; where to, what was sent, and what still waits.

        Args:
            again: Whether to send also what was sent before.

        Raises:
            LogError: One of the logs could not be used; what was sent stays sent.
            SettingsError: No shared log is set, or the settings cannot be used.
        """
        if self.demo is not None:
            raise SettingsError(
                "The demo's readings are shared with nobody; run %stability_demo --stop first."
            )
        with self._busy:
            return self._link.sync(again=again)

    def progress(self, what: str) -> Progress:
        """A bar for work that takes long, where somebody can see it."""
        return Progress(what, notebook=self.source == "magic")

    def command(self, *, patient: bool = False) -> AbstractContextManager[None]:
        """Within it, this thread tries once at most to reach the shared log.

        Args:
            patient: Whether it is a command that comes by itself, and can wait.
        """
        return self._link.command(patient=patient)

    def _write(
        self, entries: Iterable[Entry] = (), costs: Iterable[Cost] = (), *, send: bool = True
    ) -> None:
        path = self.log().path
        written = self.journal.write(
            entries,
            costs,
            account=self.whose.to_log(path),
            key_fingerprint=self._client.key_fingerprint if self._client else "",
        )
        if written:
            self.whose.logged(path)
        if send:
            self.journal.send()
