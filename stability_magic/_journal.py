"""What a session writes down and looks up: in its log, and in the shared one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from ._errors import LogError
from ._waiting import Notes, Waiting

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ._balances import Balances, Marks
    from ._costs import Cost
    from ._latest import Latest
    from ._link import Link
    from ._log import BalanceLog, Entry
    from ._readings import Account
    from ._shared import SharedLog

__all__ = ["Journal"]

Result = TypeVar("Result")


class Journal:
    """A log, what could not be written to it yet, and the way to the shared log.

    Args:
        log: Opens the log of the settings in force.
        notes: Where to say what the user has to know.
        link: Leads to the shared log; None for a log that is not shared.
    """

    def __init__(
        self, log: Callable[[], BalanceLog], notes: Notes, link: Link | None = None
    ) -> None:
        self.log = log
        self.waiting = Waiting()
        self._notes = notes
        self._link = link
        self._written: set[Path] = set()

    def write(
        self,
        entries: Iterable[Entry] = (),
        costs: Iterable[Cost] = (),
        *,
        account: Account | None = None,
        key_fingerprint: str = "",
    ) -> bool:
        """Logs readings and costs and what is waiting; what cannot be logged waits on.

        Args:
            entries: The readings.
            costs: What cells cost.
            account: Also remember its organizations.
            key_fingerprint: Whose default organization the account tells.

        Returns:
            Whether it was written; why not is a note.
        """
        waiting = self.waiting
        waiting.entries.extend(entries)
        waiting.costs.extend(costs)
        log = self.log()
        gone = log.path in self._written and not log.path.exists()
        try:
            log.write(
                waiting.entries,
                account=account,
                key_fingerprint=key_fingerprint,
                costs=waiting.costs,
            )
        except LogError as error:
            count = len(waiting.entries)
            told = "1 reading is" if count == 1 else f"{count} readings are"
            if waiting.entries:
                self._notes.told.append(
                    f"{error} {told} not in the log yet but in the frame, and will be written"
                    " with the next one."
                )
            else:
                self._notes.told.append(f"{error} The cost will be written with the next reading.")
            return False
        self.waiting = Waiting()
        self._written.add(log.path)
        if gone:
            self._notes.told.append(
                f"{log.path} is gone, which this session wrote to; a new log was begun."
            )
        return True

    def send(self) -> None:
        """Sends the shared log what it lacks; what cannot be sent waits on, and why is a note.

        Raises:
            SettingsError: The shared log's settings cannot be used.
        """
        if self._link is not None:
            self._link.send()

    def asked(self, *, local: bool = False) -> str:
        """Which log is asked in this command: its file, or the shared one's address.

        Args:
            local: Whether to leave the shared log aside.
        """
        found = self._shared(lambda shared: shared.address, local=local)
        return str(self.log().path) if found is None else found[0]

    def organizations(self, *, local: bool = False) -> dict[str, str]:
        """The names of the organizations that have readings, by id.

        Args:
            local: Whether to leave the shared log aside.

        Raises:
            LogError: The log could not be read.
        """
        found = self._shared(lambda shared: shared.organizations(), local=local)
        return self.log().organizations() if found is None else found[0]

    def costs(
        self, since: datetime | None = None, until: datetime | None = None, *, local: bool = False
    ) -> list[Cost]:
        """The costs of the cells that ran in a window, with what waits to be logged.

        Raises:
            LogError: The log could not be read.
        """
        waiting = list(self.waiting.costs)
        found = self._shared(lambda shared: shared.costs(since, until), local=local)
        logged = self.log().costs(since, until) if found is None else found[0]
        known = {each.id: each for each in (*logged, *waiting)}
        return sorted(known.values(), key=lambda each: each.started_at)

    def readings(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        hosts: bool = False,
        local: bool = False,
    ) -> pd.DataFrame:
        """The readings of a window and those next to it, with what waits to be logged.

        Raises:
            LogError: The log could not be read.
        """
        organizations = None if organizations is None else list(organizations)
        found = self._shared(
            lambda shared: shared.covering(organizations, since, until, hosts=hosts), local=local
        )
        if found is not None:
            return found[0]
        unlogged = tuple(self.waiting.entries)
        return self.log().covering(organizations, since, until, unlogged=unlogged, hosts=hosts)

    def computed(
        self,
        compute: Callable[[Balances], Result],
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        marks: Marks,
        after: bool = True,
        local: bool = False,
    ) -> Result:
        """What is computed of the same readings, as far as it depends on them at the marks.

        Args:
            compute: Computes it, and nothing else: it may be called twice.
            organizations: Ids; None is all of them.
            since: The window's start.
            until: Its end, which is not part of it.
            marks: Where the readings are looked at.
            after: Whether the reading after the window is needed too.
            local: Whether to leave the shared log aside.

        Raises:
            LogError: The log could not be read.
        """
        organizations = None if organizations is None else list(organizations)
        found = self._shared(
            lambda shared: compute(
                shared.balances(organizations, since, until, marks, after=after)
            ),
            local=local,
        )
        if found is not None:
            return found[0]
        unlogged = tuple(self.waiting.entries)
        log = self.log()
        return compute(log.balances(organizations, since, until, unlogged=unlogged, after=after))

    def latest(
        self,
        taken: Sequence[Entry],
        since: datetime | None,
        *,
        logged: bool,
        hosts: bool,
        names: Mapping[str, str],
    ) -> Latest:
        """The readings of the organizations that were just read, also when the log is not.

        Args:
            taken: The new entries.
            since: From when on the frame shall be.
            logged: Whether the new entries were to be logged.
            hosts: Also tell which machine took each.
            names: Names by organization id, for when the log cannot tell them.
        """
        from ._latest import latest_of_frame, latest_of_log, latest_of_shared
        from ._log import unlogged_frame

        unlogged = () if logged else tuple(taken)
        # What belongs to a key alone is not in the shared log.
        known = not any(each.organization.startswith("key:") for each in taken)
        found = self._shared(
            lambda shared: latest_of_shared(shared, taken, since, unlogged, hosts=hosts),
            local=not known,
        )
        if found is not None:
            return found[0]
        log, unlogged = self.log(), (*self.waiting.entries, *unlogged)
        try:
            return latest_of_log(log, taken, since, unlogged, hosts=hosts)
        except LogError as error:
            # Where it could not be written either, that has been said.
            if not self.waiting.entries:
                self._notes.told.append(f"{error} Only the new reading is shown.")
            waiting = {each.id: each for each in (*unlogged, *taken)}
            frame = unlogged_frame(list(waiting.values()), names, log.zone, hosts=hosts)
            return latest_of_frame(frame, taken)

    def _shared(
        self, question: Callable[[SharedLog], Result], *, local: bool
    ) -> tuple[Result] | None:
        """The shared log's answer; None where the local log is to be asked."""
        return None if local or self._link is None else self._link.ask(question)
