"""Where a session writes and looks up readings and costs: its local log and the shared log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import LogError
from .pending import Backlog, Notes

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ..analysis.budgets import BudgetChange
    from ..analysis.costs import Cost
    from ..analysis.cut_points import CutPoints
    from ..analysis.gaps import Gaps
    from ..analysis.series import Histories, Series
    from ..log.balance_log import BalanceLog, Entry
    from ..models import Account
    from ..shared_log.shared_log import SharedLog
    from .latest import LatestReadings
    from .shared_link import SharedLogLink

__all__ = ["Journal"]

Result = TypeVar("Result")

# Seconds for which a command that only reads waits to log what others could not.
_SPILL_WAIT = 0.1


class Journal:
    """The local log, the backlog of what could not be written to it, and the shared log.

    Args:
        log: Opens the local log of the current settings.
        notes: Takes warnings for the user.
        link: Leads to the shared log; None for a log that is not shared.
    """

    def __init__(
        self, log: Callable[[], BalanceLog], notes: Notes, link: SharedLogLink | None = None
    ) -> None:
        self.log = log
        self.backlog = Backlog()
        self._notes = notes
        self._link = link
        self._written_paths: set[Path] = set()

    def forget_backlog(self) -> None:
        """Forgets what could not be written yet, because somebody else will write it."""
        self.backlog = Backlog()

    def write(
        self,
        log: BalanceLog,
        entries: Iterable[Entry] = (),
        costs: Iterable[Cost] = (),
        *,
        account: Account | None = None,
        key_fingerprint: str = "",
    ) -> bool:
        """Logs readings and costs together with the backlog, which keeps them if that fails.

        What cannot be logged is also kept in a spill file, if one can be written, so that it
        outlives this process.

        Args:
            log: The log that they belong to.
            entries: The readings.
            costs: What cells cost.
            account: An account whose organizations the log shall store too.
            key_fingerprint: The key that the account belongs to.

        Returns:
            Whether they were written; if not, a note says why.
        """
        from ..log.spill import remove_files

        backlog = self.backlog
        backlog.entries.extend(entries)
        backlog.costs.extend(costs)
        has_vanished = log.path in self._written_paths and not log.path.exists()
        try:
            log.write(
                backlog.entries,
                account=account,
                key_fingerprint=key_fingerprint,
                costs=backlog.costs,
            )
        except LogError as error:
            self._notes.messages.append(f"{error} {self._keep(log, backlog)}")
            return False
        self.backlog = Backlog()
        # Where another log was chosen meanwhile, its readings are in that one now.
        remove_files(backlog.spill_files)
        self._written_paths.add(log.path)
        if has_vanished:
            self._notes.messages.append(
                f"{log.path} is gone, which this session wrote to; a new log was begun."
            )
        return True

    def _keep(self, log: BalanceLog, backlog: Backlog) -> str:
        """Puts what is kept in memory alone into a spill file; a sentence that tells so."""
        from ..log.spill import write_spill

        entries = [each for each in backlog.entries if each.id not in backlog.spilled_ids]
        costs = [each for each in backlog.costs if each.id not in backlog.spilled_ids]
        subject = _unlogged_subject(backlog)
        file = write_spill(log.path, entries, costs) if entries or costs else None
        if file is not None:
            backlog.spilled_ids |= {each.id for each in entries} | {each.id for each in costs}
            backlog.spill_files.append(file)
        if backlog.is_spilled:
            place = f"kept in {backlog.spill_files[-1].parent}"
            place = f"in the frame, and {place}" if backlog.entries else place
            return f"{subject} not in the log yet but {place}; the next command logs what is there."
        if backlog.entries:
            return (
                f"{subject} not in the log yet but in the frame, and will be written with the next"
                " one of this session."
            )
        return "The cost will be written with the next reading of this session."

    def _take_in_spills(self) -> None:
        """Logs what other processes could not, where that is possible at once."""
        from ..log.spill import read_spills

        log = self.log()
        if read_spills(log.path):
            from ..log.waiting import waiting_budget

            # Where it cannot be logged now, it stays for the next command.
            with suppress(LogError), waiting_budget(_SPILL_WAIT):
                log.write([])

    def send(self) -> None:
        """Sends the shared log what it lacks; if that fails, a note says why.

        Raises:
            SettingsError: The shared log's settings cannot be used.
        """
        if self._link is not None:
            self._link.send()

    def source_name(self, *, local_only: bool = False) -> str:
        """The log that this command reads: the local file, or the shared log's address.

        Args:
            local_only: Whether to ignore the shared log.
        """
        answer = self._query_shared_log(lambda shared: shared.address, local_only=local_only)
        return str(self.log().path) if answer is None else answer[0]

    def organizations(self, *, local_only: bool = False) -> dict[str, str]:
        """The names of the organizations that have readings, by id.

        Args:
            local_only: Whether to ignore the shared log.

        Raises:
            LogError: The log could not be read.
        """
        return self._query_either_log(lambda log: log.organizations(), local_only=local_only)

    def organization_order(self, *, local_only: bool = False) -> list[str]:
        """The organizations that have readings, in the order of the first reading of each.

        Args:
            local_only: Whether to ignore the shared log.

        Raises:
            LogError: The log could not be read.
        """
        return self._query_either_log(lambda log: log.organization_order(), local_only=local_only)

    def costs(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        local_only: bool = False,
    ) -> list[Cost]:
        """The costs of the cells that ran in a window, including the backlog.

        Raises:
            LogError: The log could not be read.
        """
        unlogged = list(self.backlog.costs)
        logged = self._query_either_log(lambda log: log.costs(since, until), local_only=local_only)
        costs_by_id = {each.id: each for each in (*logged, *unlogged)}
        return sorted(costs_by_id.values(), key=lambda each: each.started_at)

    def budgets(self, *, local_only: bool = False) -> list[BudgetChange]:
        """What was set, changed and removed of budgets, in no order.

        Args:
            local_only: Whether to ignore the shared log.

        Raises:
            LogError: The log could not be read.
        """
        return self._query_either_log(lambda log: log.budgets(), local_only=local_only)

    def change_budget(self, change: BudgetChange) -> None:
        """Logs a change of a budget, and sends it to the shared log.

        Raises:
            LogError: The log could not be written; the budget stays as it was.
        """
        self.log().write([], budgets=[change])
        self.send()

    def readings(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        hosts: bool = False,
        local_only: bool = False,
    ) -> pd.DataFrame:
        """The readings of a window and those next to it, including the backlog.

        Raises:
            LogError: The log could not be read.
        """
        organizations = None if organizations is None else list(organizations)
        answer = self._query_shared_log(
            lambda shared: shared.readings_with_neighbours(
                organizations, since, until, hosts=hosts
            ),
            local_only=local_only,
        )
        if answer is not None:
            return answer[0]
        unlogged = tuple(self.backlog.entries)
        return self.log().readings_with_neighbours(
            organizations, since, until, unlogged=unlogged, hosts=hosts
        )

    def note_left_out(
        self,
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        local_only: bool = False,
    ) -> None:
        """Tells which readings of a window are not valid and so were left out, if any are."""
        if not local_only and self._link is not None:
            self._link.note_left_out(organizations, since, until)

    def compute(
        self,
        computation: Callable[[Histories], Result],
        organizations: Iterable[str] | None,
        since: datetime | None,
        until: datetime | None = None,
        *,
        cut_points: CutPoints,
        after: bool = True,
        local_only: bool = False,
        extra: Sequence[Entry] = (),
    ) -> Result:
        """The result of a computation on readings that may be condensed between cut points.

        Args:
            computation: Takes the histories; without side effects, as it may be called twice.
            organizations: Ids; None is all of them.
            since: The window's start.
            until: The window's end, exclusive.
            cut_points: The cut points of the computation.
            after: Whether the reading after the window is needed too.
            local_only: Whether to ignore the shared log.
            extra: Entries that no log holds.

        Raises:
            LogError: The log could not be read.
        """
        from ..analysis.topups import likely_rises

        organizations = None if organizations is None else list(organizations)

        def as_part(
            histories: Histories,
            whole: Callable[[str], Series],
            gaps: Callable[[str], Gaps],
        ) -> Histories:
            if since is None and until is None:
                return histories
            return histories.as_part_of(
                gaps, cache(lambda each, step: likely_rises(whole(each), step))
            )

        def compute_from(shared: SharedLog) -> Result:
            histories = shared.histories(
                organizations, since, until, cut_points, unlogged=extra, after=after
            )
            return computation(
                as_part(histories, partial(shared.series, unlogged=extra), shared.gaps)
            )

        answer = self._query_shared_log(compute_from, local_only=local_only)
        if answer is not None:
            return answer[0]
        unlogged = (*self.backlog.entries, *extra)
        log = self.log()
        histories = log.histories(organizations, since, until, unlogged=unlogged, after=after)
        # A log is read as a whole once at most.
        whole = cache(partial(log.series, unlogged=unlogged))
        return computation(as_part(histories, whole, lambda each: whole(each).gaps()))

    def latest(
        self,
        new_entries: Sequence[Entry],
        since: datetime | None,
        *,
        should_log: bool,
        hosts: bool,
        names: Mapping[str, str],
    ) -> LatestReadings:
        """What to show of the organizations that were just read, even if no log can be read.

        Args:
            new_entries: The entries of the new readings.
            since: Where the frame starts; None is with the first reading.
            should_log: Whether the new entries were meant to be logged.
            hosts: Whether the frame tells which machine took each reading.
            names: Names by organization id, used where no log can be read.
        """
        from ..log.balance_log import frame_from_entries
        from .latest import latest_from_frame, latest_from_log, latest_from_shared_log

        unlogged = () if should_log else tuple(new_entries)
        # The shared log holds no readings whose organization is unknown.
        has_unknown = any(each.organization.startswith("key:") for each in new_entries)
        answer = self._query_shared_log(
            lambda shared: latest_from_shared_log(
                shared, new_entries, since, unlogged, hosts=hosts
            ),
            local_only=has_unknown,
        )
        if answer is not None:
            return answer[0]
        log, unlogged = self.log(), (*self.backlog.entries, *unlogged)
        try:
            return latest_from_log(log, new_entries, since, unlogged, hosts=hosts)
        except LogError as error:
            # If it could not be written either, there is a warning already.
            if not self.backlog.entries:
                self._notes.messages.append(f"{error} Only the new reading is shown.")
            entries_by_id = {each.id: each for each in (*unlogged, *new_entries)}
            frame = frame_from_entries(list(entries_by_id.values()), names, log.zone, hosts=hosts)
            return latest_from_frame(frame, new_entries)

    def _query_either_log(
        self, query: Callable[[BalanceLog | SharedLog], Result], *, local_only: bool
    ) -> Result:
        """The shared log's answer, or else the local log's."""
        answer = self._query_shared_log(query, local_only=local_only)
        return query(self.log()) if answer is None else answer[0]

    def _query_shared_log(
        self, query: Callable[[SharedLog], Result], *, local_only: bool
    ) -> tuple[Result] | None:
        """The shared log's answer; None where the local log must answer instead."""
        self._take_in_spills()
        return None if local_only or self._link is None else self._link.run_query(query)


def _unlogged_subject(backlog: Backlog) -> str:
    if not backlog.entries:
        return "The cost is"
    count = len(backlog.entries)
    return "1 reading is" if count == 1 else f"{count} readings are"
