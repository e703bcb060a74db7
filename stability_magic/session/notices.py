"""What is told after a reading: looked up in the log, claimed there, and sent in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ..analysis.notices import (
    LEAK_DAYS,
    LEAK_WINDOW,
    Finding,
    Key,
    State,
    budget_findings,
    changes,
    doubt_finding,
    leak_finding,
    leak_hours,
    low_findings,
    soon_finding,
    topup_findings,
    watch_finding,
)
from ..errors import AuthenticationError, LogError, PermissionDeniedError
from ..models import to_microseconds

if TYPE_CHECKING:
    from ..analysis.costs import Cost
    from ..analysis.series import Histories, Series
    from ..display.watch_state import WatchState
    from ..log.balance_log import BalanceLog, Entry
    from ..settings import StabilityMagic
    from .journal import Journal
    from .messenger import Messenger

__all__ = ["Notices"]

# Trying again does not help: somebody has to do something.
_FINAL = (AuthenticationError.__name__, PermissionDeniedError.__name__)
# What takes the reading before a cell, and those after it.
_CELL_SOURCE = "cost"
# A cell that has not ended by then is taken for one that never will.
_LONGEST_CELL = timedelta(hours=12)


class Notices:
    """Tells each event once, whichever session sees it first.

    Args:
        settings: Say who is told, and of which levels.
        journal: Returns where the readings are.
        log: Opens the local log, which remembers what was told.
        messenger: Sends the messages.
        name_of: The name of an organization, by its id.
    """

    def __init__(
        self,
        settings: StabilityMagic,
        journal: Callable[[], Journal],
        log: Callable[[], BalanceLog],
        messenger: Messenger,
        name_of: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._log = log
        self._messenger = messenger
        self._name_of = name_of
        self._looked_until: dict[str, int] = {}
        # What was told while the log could not remember it.
        self._unlogged: dict[Key, State] = {}

    def consider(self, entries: Iterable[Entry]) -> None:
        """Tells what new readings show.

        Raises:
            SettingsError: The settings cannot be used.
        """
        self._messenger.check(self._settings.channels())
        for each in entries:
            self._consider_reading(each)

    def consider_watch(self, state: WatchState, key_fingerprint: str) -> None:
        """Tells whether a watch fails or is well again, and whether credits leak while it runs.

        Raises:
            SettingsError: The settings cannot be used.
        """
        requested = state.requested or ""
        finding = watch_finding(
            requested,
            key_fingerprint,
            to_microseconds(self._settings.now()),
            failures=state.problems_in_a_row,
            is_final=state.problem.startswith(_FINAL),
            problem=state.problem,
        )
        name = state.name or state.requested or "the default organization"
        self._tell(name, lambda _: [finding])
        if state.problem or state.organization is None or state.first_read_at is None:
            return
        try:
            leak = self._find_leak(state.organization, to_microseconds(state.first_read_at))
        except LogError:
            # Whatever reads or writes the log next warns of it.
            return
        if leak is not None:
            self._tell(state.name, lambda _: [leak])

    def _consider_reading(self, entry: Entry) -> None:
        from ..analysis.doubtful import doubt_of_newest
        from .outlook import earliest_end, present, usable_levels

        settings = self._settings
        now, levels = settings.now(), usable_levels(settings)
        since = self._looked_until.get(entry.organization, entry.read_at - 1) + 1
        since = min(since, entry.read_at)
        self._looked_until[entry.organization] = max(since, entry.read_at)
        try:
            histories = self._recent_histories(entry.organization, now)
        except LogError:
            histories = None
        if histories is None or not histories.series:
            # The reading itself is all that is known.
            series, organization = _series_of(entry), entry.organization
        else:
            (series,), (organization,) = histories.series, histories.organizations
            now = present(now, histories)
        last, credits = int(series.times[-1]), float(series.credits[-1])
        doubt = doubt_of_newest(series.times, series.credits)
        others = [doubt_finding(organization, last, doubt, credits)]
        if doubt is None:
            others += topup_findings(organization, series, since)
        days = settings.warn_days
        if days is not None and histories is not None:
            early = earliest_end(histories, now, empty_below=levels.empty)
            others.append(
                soon_finding(
                    organization, last, now=now, days=days, empty_early=early, credits=credits
                )
            )
        others += self._budget_findings(organization, last, now)

        def find(states: Iterable[Key]) -> list[Finding]:
            low = low_findings(organization, series, since, levels.low, states)
            return [*low, *others]

        self._tell(self._name_of(organization), find, doubt=doubt)

    def _budget_findings(self, organization: str, last: int, now: datetime) -> list[Finding]:
        """How the organization's budgets stand, where it has any."""
        from .budgets import standings_of_budgets

        try:
            standings = standings_of_budgets(
                self._journal(), [organization], now, self._settings.zone()
            )
        except LogError:
            return []
        return [
            finding
            for spend, projected in ((each.spend, each.projected) for each in standings)
            if spend.is_known
            for finding in budget_findings(
                organization,
                last,
                every=spend.every,
                spent=spend.spent,
                budget=spend.budget,
                projected=projected,
                period_start=to_microseconds(spend.start),
            )
        ]

    def _recent_histories(self, organization: str, now: datetime) -> Histories:
        """What a forecast is made from, or without one the little that doubts depend on."""
        from ..analysis.doubtful import MARGIN
        from ..analysis.forecast import forecast_cut_points
        from .outlook import forecast_histories, latest_instant

        if self._settings.warn_days is not None:
            return forecast_histories(self._journal(), [organization], now)
        return self._journal().compute(
            lambda histories: histories,
            [organization],
            now - timedelta(microseconds=MARGIN),
            latest_instant(now) + timedelta(microseconds=1),
            cut_points=forecast_cut_points,
            after=False,
        )

    def _find_leak(self, organization: str, watched_since: int) -> Finding | None:
        from ..analysis.cell_spending import cell_cut_points, spending_by_organization

        journal, now = self._journal(), self._settings.now()
        start = now - LEAK_DAYS - LEAK_WINDOW
        costs = [each for each in journal.costs(start) if each.organization == organization]
        begin = max(watched_since, to_microseconds(now - LEAK_WINDOW))
        last = to_microseconds(now)
        spending = journal.compute(
            partial(spending_by_organization, costs=costs),
            [organization],
            start,
            cut_points=cell_cut_points(costs, [begin, *leak_hours(last)]),
        ).get(organization)
        if spending is None:
            return None
        leak = leak_finding(organization, spending, begin)
        if leak and leak.is_happening and _is_cell_running(journal, organization, costs, now):
            # It will tell what it cost when it ends.
            return None
        return leak

    def _tell(
        self,
        name: str,
        find: Callable[[Mapping[Key, State]], Sequence[Finding]],
        *,
        doubt: str | None = None,
    ) -> None:
        """Tells what has changed by some findings, which may depend on what is known."""
        from ..display.notice_text import notice_message

        settings = self._settings
        for each in self._claim(lambda states: changes(find(states), states)):
            message = notice_message(
                each,
                name,
                now=settings.now(),
                usd_per_credit=settings.usd_per_credit,
                doubt=doubt,
            )
            if message is not None:
                self._messenger.send(settings.channels(), message)

    def _claim(self, find_changes: Callable[[Mapping[Key, State]], list[Finding]]) -> list[Finding]:
        from ..log.notices import claim_changes

        try:
            claimed = claim_changes(self._log().path, find_changes)
        except LogError:
            # A log that cannot be written is a reason to be told, not one to be left alone.
            claimed = find_changes(self._unlogged)
            for each in claimed:
                self._unlogged[each.key] = State(bool(each.is_happening), each.at)
            return claimed
        told, self._unlogged = self._unlogged, {}
        return [
            each
            for each in claimed
            if each.key not in told or told[each.key].is_ongoing != each.is_happening
        ]


def _series_of(entry: Entry) -> Series:
    import numpy as np

    from ..analysis.series import Series

    return Series.of(np.array([entry.read_at]), np.array([entry.credits]))


def _is_cell_running(
    journal: Journal, organization: str, costs: Sequence[Cost], now: datetime
) -> bool:
    """Whether the reading before a cell is there, and its cost is not."""
    readings = journal.readings([organization], now - _LONGEST_CELL)
    times = readings.index[readings["source"] == _CELL_SOURCE]
    if times.empty:
        return False
    last = to_microseconds(times[-1].to_pydatetime())
    earliest = to_microseconds(now - _LONGEST_CELL)
    return last >= earliest and not any(each.started_at <= last <= each.ended_at for each in costs)
