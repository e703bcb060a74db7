"""What a session writes down and looks up: its log, and what waits to be written to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ._errors import LogError
from ._waiting import Notes, Waiting

if TYPE_CHECKING:
    import pandas as pd

    from ._costs import Cost
    from ._log import BalanceLog, Entry
    from ._readings import Account

__all__ = ["Journal"]


class Journal:
    """A log, and what could not be written to it yet.

    Args:
        log: Opens the log of the settings in force.
        notes: Where to say what the user has to know.
    """

    def __init__(self, log: Callable[[], BalanceLog], notes: Notes) -> None:
        self.log = log
        self.waiting = Waiting()
        self._notes = notes

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
        try:
            self.log().write(
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
        return True

    def costs(self, since: datetime | None = None, until: datetime | None = None) -> list[Cost]:
        """The log's costs of the cells that ran in a window, with what waits to be logged.

        Raises:
            LogError: The log could not be read.
        """
        waiting = list(self.waiting.costs)
        known = {each.id: each for each in (*self.log().costs(since, until), *waiting)}
        return sorted(known.values(), key=lambda each: each.started_at)

    def readings(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        hosts: bool = False,
    ) -> pd.DataFrame:
        """The log's readings of a window and those next to it, with what waits to be logged.

        Raises:
            LogError: The log could not be read.
        """
        return self.log().covering(
            organizations, since, until, unlogged=tuple(self.waiting.entries), hosts=hosts
        )

    def readings_with(
        self,
        taken: Sequence[Entry],
        since: datetime | None,
        *,
        logged: bool,
        hosts: bool,
        names: Mapping[str, str],
    ) -> pd.DataFrame:
        """The readings of the organizations that were just read, also when the log is not.

        Args:
            taken: The new entries.
            since: From when on.
            logged: Whether the new entries were to be logged.
            hosts: Also tell which machine took each.
            names: Names by organization id, for when the log cannot tell them.
        """
        from ._log import unlogged_frame

        unlogged = [*self.waiting.entries, *(() if logged else taken)]
        log = self.log()
        try:
            organizations = [each.organization for each in taken]
            return log.covering(organizations, since, unlogged=unlogged, hosts=hosts)
        except LogError as error:
            # Where it could not be written either, that has been said.
            if not self.waiting.entries:
                self._notes.told.append(f"{error} Only the new reading is shown.")
            waiting = {each.id: each for each in (*unlogged, *taken)}
            return unlogged_frame(list(waiting.values()), names, log.zone, hosts=hosts)
