"""What one notebook or one command needs to use the service and the log."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LogError, SettingsError, StabilityMagicError
from ..keys import KEY_VARIABLES, FoundKey, KeySources
from ..log.waiting import waiting_budget
from ..settings import StabilityMagic
from .journal import Journal
from .key_account import KeyAccount
from .pending import Backlog, Notes
from .progress import Progress
from .shared_link import SharedLogLink, shared_target

if TYPE_CHECKING:
    from ..analysis.costs import Cost
    from ..api.client import StabilityClient
    from ..display.watch_state import WatchState
    from ..log.balance_log import BalanceLog, Entry
    from ..log.merging import MergeCounts
    from ..log.outbox import UnsentCounts
    from ..models import Account
    from ..shared_log.sync import SentCounts
    from .demo import Demo
    from .messenger import Messenger
    from .notices import Notices
    from .watch import Watch

__all__ = ["Session"]

# Seconds. At the end, neither a reading that hangs nor a log that is held is waited for longer.
_CLOSE_TIMEOUT = 0.5
# The same for messages that are on their way: a command that has just begun to send one ends with
# it, and what ran for long should end at once.
_LAST_MESSAGE_OF_COMMAND, _LAST_MESSAGE = 12.0, 1.0


class Session:
    """Settings, key, client and journal.

    A watch uses it from another thread, so a lock lets one reading be taken and logged at a time.

    Args:
        settings: The settings; they are read at each use.
        source: Logged with each reading: what took it.
        namespace: Returns the variables of the notebook; none for other front ends.
    """

    def __init__(
        self,
        settings: StabilityMagic,
        *,
        source: str,
        namespace: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self.settings = settings
        self.keys = KeySources()
        self.demo: Demo | None = None
        self.source = source
        self.namespace = namespace
        self._notes = Notes()
        self._lock = threading.RLock()
        self._watch: Watch | None = None
        self._key_account: KeyAccount | None = None
        self._client_settings = ("", "", "")
        self.has_lost_readings = False
        self._zone_note = ""
        self._link = SharedLogLink(
            lambda: shared_target(settings),
            self.log,
            lambda: self._journal.backlog,
            self.progress_bar,
            self._notes,
        )
        self._journal = Journal(self.log, self._notes, self._link)
        self._demo_journal = Journal(self.log, self._notes)
        self._messenger: Messenger | None = None
        self._notices: Notices | None = None
        _SESSIONS.add(self)

    @property
    def journal(self) -> Journal:
        """Where readings and costs are written and looked up."""
        # The demo's readings never get into the user's log, nor the user's into the demo's.
        return self._journal if self.demo is None else self._demo_journal

    @property
    def notes(self) -> list[str]:
        """The warnings of this thread that have not been shown yet."""
        return self._notes.messages

    def close(self) -> None:
        """Stops watch and demo, tries once more to log the backlog, and closes connections."""
        watch, self.watch = self.watch, None
        # A hanging reading of the watch must not hold this up; stopping it has waited long enough.
        is_hanging = watch is not None and watch.is_hanging
        has_lock = self._lock.acquire(timeout=0.0 if is_hanging else _CLOSE_TIMEOUT)
        try:
            self._log_backlog_at_end()
            if self._key_account is not None:
                self._key_account.client.close()
            self._drop_demo()
        finally:
            if has_lock:
                self._lock.release()
        is_command = self.source == "cli" and watch is None
        if self._messenger is not None:
            self._messenger.finish(_LAST_MESSAGE_OF_COMMAND if is_command else _LAST_MESSAGE)

    def _log_backlog_at_end(self) -> None:
        """Tries once more to log what could not be; says what is lost with this session."""
        journal = self.journal
        if not journal.backlog:
            return
        message_count = len(self._notes.messages)
        # Not worth a wait for the shared log: the next session sends it from the local one.
        with suppress(SettingsError), waiting_budget(_CLOSE_TIMEOUT):
            if journal.write(self.log()):
                return
        backlog = journal.backlog
        # Why it cannot be logged has been said when it could not be the first time.
        del self._notes.messages[message_count:]
        if backlog.is_spilled:
            return
        self.has_lost_readings = True
        self._notes.messages.append(_loss_phrase(backlog))

    def forget_parent(self) -> None:
        """Leaves to the parent, in a process that was forked, what only one of the two may have.

        The parent's watch goes on there, and what could not be logged is logged there.
        """
        # A thread of the parent may hold the lock, and will not release this copy of it.
        self._lock = threading.RLock()
        self._watch = None
        if self._messenger is not None:
            self._messenger.forget()
        for each in (self._journal, self._demo_journal):
            each.forget_backlog()

    @property
    def messenger(self) -> Messenger:
        """What sends the messages of this session."""
        with self._lock:
            if self._messenger is None:
                from .messenger import Messenger

                self._messenger = Messenger(self._known_key)
            return self._messenger

    def end_demo(self) -> None:
        """Points the session back at the real service."""
        with self._lock:
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
        """Returns the warnings and news that have not been shown yet, and removes them."""
        notes, self._notes.messages = self._notes.messages, []
        return [*self.take_news(), *notes]

    def take_news(self) -> list[str]:
        """Returns what is new although everything works, and removes it."""
        news, self._notes.news = self._notes.news, []
        return news if self._messenger is None else [*news, *self._messenger.take_problems()]

    @property
    def organization(self) -> str | None:
        """The organization of the settings; None is the key's default."""
        return None if self.demo else self.settings.organization or None

    def client(self) -> StabilityClient:
        """The client for the current settings; the same one until they change.

        Raises:
            SettingsError: There is no key, or a setting cannot be used.
        """
        return self._current_key_account().client

    def locate_key(self) -> FoundKey:
        """The key, and where it was found.

        Raises:
            SettingsError: No source has one; where the notebook seems to keep it in a variable, the
                error says how to use that.
        """
        try:
            return self.keys.locate()
        except SettingsError as error:
            # No variable here holds the notebook's, which a traceback might show.
            name = next((each for each in KEY_VARIABLES if self.namespace().get(each)), "")
            if not name:
                raise
            message = (
                f"{error} For that in the variable {name}, run %stability_login --from {name}."
            )
        raise SettingsError(message)

    def _current_key_account(self) -> KeyAccount:
        from ..api.client import StabilityClient

        settings = self.settings
        key, url, version = (
            (self.demo.api_key, self.demo.api_url, "auto")
            if self.demo
            else (self.locate_key().key, settings.api_url, settings.api_version)
        )
        client_settings = (key, url, version)
        key_account = self._key_account
        # Reused, because it knows the API version and how long to wait after HTTP 429.
        if key_account is None or client_settings != self._client_settings:
            client = StabilityClient(key, api_url=url, api_version=version)
            if key_account is not None:
                key_account.client.close()
            key_account = KeyAccount(client, self._notes)
            self._key_account, self._client_settings = key_account, client_settings
        key_account.client.timeout = settings.timeout
        return key_account

    def logged_default_organization(self) -> str | None:
        """The key's default organization, as the log knows it; None without a key or a log.

        The service is not asked.
        """
        with suppress(SettingsError, LogError):
            return self.log().default_organization(self.client().key_fingerprint)
        return None

    def log(self) -> BalanceLog:
        """The log of the current settings."""
        from ..log.balance_log import BalanceLog

        path = self.demo.log_path if self.demo else self.settings.log_path()
        note = self.settings.zone_note()
        if note != self._zone_note:
            self._zone_note = note
            self._notes.news += [note] if note else []
        return BalanceLog(Path(path), timezone=self.settings.zone())

    def account(self) -> Account:
        """Fetches the account from the service, and remembers it for the session.

        Raises:
            ApiError: The service did not return it.
        """
        with self._lock:
            return self._current_key_account().fetch(self.log())

    @property
    def organization_names(self) -> dict[str, str]:
        """The names of the account's organizations by id; empty before it was fetched."""
        return self._key_account.names if self._key_account else {}

    def organization_name(self, organization: str) -> str:
        """An organization's name; its id where the name is unknown."""
        names = self.organization_names
        if organization not in names:
            with suppress(StabilityMagicError):
                names = self.log().organizations()
        return names.get(organization, organization)

    def known_organization_ids(self) -> list[str]:
        """The organizations that the session or the log knows, without a request."""
        ids = set(self.organization_names)
        with suppress(StabilityMagicError):
            ids |= self.log().organizations().keys()
        return sorted(ids)

    def take_readings(
        self,
        organizations: Sequence[str | None],
        *,
        label: str | None = None,
        should_log: bool = True,
        source: str = "",
        on_entries: Callable[[Sequence[Entry]], None] | None = None,
    ) -> tuple[list[Entry], list[StabilityMagicError]]:
        """Reads balances and logs them; other threads of this session wait meanwhile.

        A balance that cannot be read does not stop the others.

        Args:
            organizations: Their ids; None is the key's default.
            label: A note to keep with the readings.
            should_log: Whether to log them.
            source: What takes the readings; empty for the session's own source.
            on_entries: Called with the entries before they are logged, for which it may be
                necessary to wait.

        Returns:
            The entries of the readings, and the errors of the balances that could not be read.
        """
        with self._lock:
            entries, errors = self._take_readings(
                organizations, label, should_log, source or self.source, on_entries
            )
        if should_log:
            self._tell(lambda notices: notices.consider(entries))
        return entries, errors

    def tell_of_watch(self, state: WatchState) -> None:
        """Tells whether a watch of this session fails or is well again, and of a leak.

        Raises:
            SettingsError: The settings cannot be used.
        """
        fingerprint = ""
        with suppress(SettingsError):
            # Without a key it fails, too.
            fingerprint = self.client().key_fingerprint
        self._tell(lambda notices: notices.consider_watch(state, fingerprint))

    def _tell(self, consider: Callable[[Notices], None]) -> None:
        """Lets people be told, where any are; of the demo's figures nobody is."""
        if self.demo is not None or not self.settings.channels():
            return
        if self._notices is None:
            from .notices import Notices

            self._notices = Notices(
                self.settings,
                lambda: self._journal,
                self.log,
                self.messenger,
                self.organization_name,
            )
        consider(self._notices)

    def _known_key(self) -> str:
        """The key in use; empty before the first request of a session that has none."""
        key, _, _ = self._client_settings
        if not key:
            with suppress(SettingsError):
                key = self.keys.find()
        return key

    def _take_readings(
        self,
        organizations: Sequence[str | None],
        label: str | None,
        should_log: bool,
        source: str,
        on_entries: Callable[[Sequence[Entry]], None] | None,
    ) -> tuple[list[Entry], list[StabilityMagicError]]:
        from ..log.balance_log import entry_from_balance

        # Before anything is sent, so that an unusable setting costs no request; and for the whole
        # reading, so that a setting that is changed meanwhile is no part of it.
        log, journal, host = self.log(), self.journal, self.settings.host_name()
        if self.demo is None:
            shared_target(self.settings)
            self.settings.channels()
        key_account = self._current_key_account()
        balances, errors = key_account.read_balances(organizations, log)
        entries = [
            entry_from_balance(each, source=source, label=label, host=host) for each in balances
        ]
        if on_entries is not None:
            on_entries(entries)
        if should_log and entries:
            self._log_readings(log, journal, key_account, entries)
            journal.send()
        return entries, errors

    def log_readings(self, entries: Sequence[Entry]) -> bool:
        """Logs readings that were taken without it; a note tells where that fails.

        They are sent to the shared log with what is sent next.
        """
        with self._lock:
            return self._log_readings(
                self.log(), self.journal, self._current_key_account(), entries
            )

    def _log_readings(
        self, log: BalanceLog, journal: Journal, key_account: KeyAccount, entries: Sequence[Entry]
    ) -> bool:
        was_written = journal.write(
            log,
            entries,
            account=key_account.account_to_log(log.path),
            key_fingerprint=key_account.client.key_fingerprint,
        )
        if was_written:
            key_account.mark_logged(log.path)
        return was_written

    def reach_shared_log(self) -> int:
        """Sends the shared log what it lacks; returns how many readings still wait for it.

        Raises:
            LogError: One of the logs could not be used.
            SettingsError: The settings cannot be used.
        """
        with self._lock:
            return self._link.reach()

    def log_cost(self, cost: Cost) -> None:
        """Logs what a cell cost; if that fails, it stays in the backlog."""
        with self._lock:
            self.journal.write(self.log(), costs=[cost])
            self.journal.send()

    def merge(self, other: Path) -> MergeCounts:
        """Copies what another log holds into this one, with a progress bar.

        A note tells what was left out. Other threads of this session take readings meanwhile.

        Raises:
            LogError: One of the two could not be used.
        """
        from ..log.merging import merge
        from ..log.validity import left_out_text

        with self.progress_bar(f"merging {other.name}") as bar:

            def show_progress(done: int, total: int) -> None:
                bar.total = total
                bar.advance_to(done)

            def note_faults(faults: Mapping[tuple[str, str], int]) -> None:
                self.notes.append(left_out_text(faults, other.name))

            return merge(self.log().path, other, show_progress, note_faults)

    def sync(self, *, resend_all: bool) -> tuple[str, SentCounts, UnsentCounts]:
        """Sends the shared log what it lacks; its address, what was sent, and what still waits.

        Args:
            resend_all: Whether to send also what was sent before.

        Raises:
            LogError: One of the logs could not be used; what was sent stays sent.
            SettingsError: No shared log is set, or the settings cannot be used.
        """
        if self.demo is not None:
            raise SettingsError(
                "The demo's readings are shared with nobody; run %stability_demo --stop first."
            )
        with self._lock:
            return self._link.sync(resend_all=resend_all)

    def progress_bar(self, description: str) -> Progress:
        """A bar for long work, in a notebook or on a terminal."""
        return Progress(description, in_notebook=self.source == "magic")

    @contextmanager
    def command(self, *, in_background: bool = False) -> Iterator[None]:
        """A context in which this thread tries at most once to reach the shared log.

        It also waits for other processes that use the log no longer than a command may.

        Args:
            in_background: Whether the command runs in the background, and so can wait.
        """
        with waiting_budget(), self._link.command(in_background=in_background):
            yield


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for each in list(_SESSIONS):
        each.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _loss_phrase(backlog: Backlog) -> str:
    """What is lost, in figures that can be written down."""
    from ..display.wording import count_text, credits_text, name_text

    balances = ", ".join(
        f"{name_text(each.organization)} {credits_text(each.credits)}" for each in backlog.entries
    )
    return (
        f"{count_text(len(backlog.entries), 'reading')} could not be kept anywhere, and ends with"
        f" this session: {balances} credits. Make room, or choose another file"
        " (StabilityMagic.log)."
    )
