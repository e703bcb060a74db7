"""What one cell costs: the balance before it and after it."""

from __future__ import annotations

import dataclasses
import math
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..analysis.cost_frames import ELSEWHERE, NO_LABEL
from ..errors import BadArgument, LogError, StabilityMagicError
from ..log.waiting import waiting_budget, waiting_left
from ..models import to_microseconds
from .interrupts import not_interrupted

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.costs import Change, Cost
    from ..log.balance_log import Entry
    from .session import Session

__all__ = ["CellCostMeter", "MeasuredCost"]

_MAX_READINGS_AFTER = 5
_SOURCE = "cost"


@dataclasses.dataclass(frozen=True)
class MeasuredCost:
    """What a cell cost, as far as can be told when it has ended.

    Attributes:
        line: The line to show.
        seconds: How long the cell ran, without the readings.
        spent: Credits; NaN where that is not known.
        exact: Whether the balance moved and settled, and nobody else is seen to have spent.
        fallen: What the balance of the organization fell by meanwhile, whoever spent it; NaN where
            that is not known.
        is_cut_short: Whether Ctrl-C ended the readings after the cell.
    """

    line: str
    seconds: float
    spent: float
    exact: bool
    fallen: float
    is_cut_short: bool


class CellCostMeter:
    """Measures what a cell costs; created just before the cell runs, when it reads the balance.

    Args:
        session: Takes the readings and logs the cost.
        organization: Whose balance; None is the key's default.
        label: The user's name for the cost.
        settle: Seconds between the readings after the cell, until two agree.

    Raises:
        BadArgument: The label is a name for what is no cell of that label.
        StabilityMagicError: The balance could not be read, so the cell must not run.
    """

    def __init__(
        self, session: Session, organization: str | None, *, label: str | None, settle: float
    ) -> None:
        if label is not None and label.strip().casefold() in (ELSEWHERE, NO_LABEL):
            raise BadArgument(
                f"{label.strip()} stands for what has no such label; call the cell something else."
            )
        self._session = session
        self._organization = organization
        self._label = label
        self._settle = settle
        self._entries_meanwhile: list[Entry] = []
        self._has_ended = False
        self._is_cut_short = False
        # As it is at the cell's head: the cell may set another one.
        self._member = session.settings.member_name()
        self._entry_before = self._take_reading()
        # Head and end of the cell are one command to whoever waits for it.
        self._waiting_left = waiting_left()
        self._start_time = time.perf_counter()

    @property
    def label(self) -> str | None:
        """The user's name for the cost."""
        return self._label

    @property
    def entry_before(self) -> Entry:
        """The reading before the cell."""
        return self._entry_before

    def take_reading_meanwhile(self, on_entry: Callable[[Entry], None]) -> None:
        """Reads the balance while the cell runs.

        Args:
            on_entry: Called with a reading of the cell's balance before it is logged; not with one
                of another account, to which the cell may have changed.

        Raises:
            StabilityMagicError: The balance could not be read, or it is that of another account.
        """

        def keep(entries: Sequence[Entry]) -> None:
            for each in entries:
                if self._is_same_account(each) and not self._has_ended:
                    self._entries_meanwhile.append(each)
                    on_entry(each)

        if not self._is_same_account(self._take_reading(keep)):
            raise StabilityMagicError("The key or the service was changed in the cell.")

    @not_interrupted
    def finish(self, cell_id: str | None) -> MeasuredCost:
        """Reads the balance until it has settled, and logs the cost.

        Args:
            cell_id: The cell's id, where the front end gives it.
        """
        seconds = time.perf_counter() - self._start_time
        self._has_ended = True
        with waiting_budget(self._waiting_left):
            return self._finish(seconds, cell_id)

    def _finish(self, seconds: float, cell_id: str | None) -> MeasuredCost:
        entries_after, has_settled = self._read_until_settled()
        account_changed = any(not self._is_same_account(each) for each in entries_after)
        if account_changed:
            self._session.notes.append(
                "The key or the service was changed in the cell: what it cost is not known, and was"
                " not logged."
            )
            entries_after = []
        cost, measured_cost = self._cost(seconds, cell_id, entries_after, has_settled)
        if not account_changed:
            self._session.log_cost(cost)
        return measured_cost

    def _take_reading(self, on_entries: Callable[[Sequence[Entry]], None] | None = None) -> Entry:
        entries, errors = self._session.take_readings(
            [self._organization], label=self._label, source=_SOURCE, on_entries=on_entries
        )
        if errors:
            raise errors[0]
        return entries[0]

    def _is_same_account(self, entry: Entry) -> bool:
        before = self._entry_before
        # While a key's organization is unknown, "key:…" stands for it; learning it is no change.
        is_same_organization = (
            before.organization.startswith("key:") or before.organization == entry.organization
        )
        return is_same_organization and before.api_url == entry.api_url

    def _read_until_settled(self) -> tuple[list[Entry], bool]:
        """The readings after the cell, and whether the last two agree."""
        from ..analysis.changes import SMALLEST_CHANGE

        entries: list[Entry] = []
        try:
            for attempt in range(_MAX_READINGS_AFTER):
                if attempt:
                    time.sleep(self._settle)
                entries.append(self._take_reading())
                if attempt and abs(entries[-1].credits - entries[-2].credits) < SMALLEST_CHANGE:
                    return entries, True
        except KeyboardInterrupt:
            self._is_cut_short = True
            self._session.notes.append("Interrupted before the balance had settled.")
        except StabilityMagicError as error:
            consequence = (
                "the balance may not have settled" if entries else "what the cell cost is unknown"
            )
            self._session.notes.append(f"{error} So {consequence}.")
        return entries, False

    def _cost(
        self, seconds: float, cell_id: str | None, entries_after: list[Entry], has_settled: bool
    ) -> tuple[Cost, MeasuredCost]:
        """The cost to log, and the one to tell."""
        from ..analysis.costs import Cost, has_overlap, spent_shortly_before
        from ..display.lines import cost_line

        before = self._entry_before
        now = to_microseconds(datetime.now(UTC)) + (before.clock_offset or 0)
        ended_at = entries_after[-1].read_at if entries_after else now
        readings, other_costs = self._recent_readings_and_costs()
        change = self._balance_change(readings, entries_after)
        cost = Cost(
            organization=before.organization,
            started_at=before.read_at,
            # A clock that was set back meanwhile must not end a cell before it began.
            ended_at=max(before.read_at, ended_at),
            seconds=seconds,
            spent=change.spent if entries_after else None,
            exact=has_settled and not change.is_lower_bound,
            label=before.label,
            cell=cell_id,
            id=secrets.token_bytes(16),
            host=before.host,
            member=self._member,
        )
        others_may_have_spent = has_overlap([*other_costs, cost])[-1] or (
            readings is not None and spent_shortly_before(readings, other_costs, before.read_at)
        )
        if others_may_have_spent:
            cost = dataclasses.replace(cost, exact=False)
        is_waiting = cost.spent == 0 and not change.is_lower_bound
        told = cost if is_waiting else _without_spending_of_others(cost, readings, other_costs)
        line = cost_line(
            told,
            is_waiting=is_waiting,
            topped_up=change.is_lower_bound,
            usd_per_credit=self._session.settings.usd_per_credit,
        )
        return cost, MeasuredCost(
            line,
            seconds,
            math.nan if told.spent is None else told.spent,
            told.exact and not is_waiting,
            math.nan if cost.spent is None else cost.spent,
            self._is_cut_short,
        )

    def _recent_readings_and_costs(self) -> tuple[pd.DataFrame | None, list[Cost]]:
        """The organization's readings and its other cells' costs, from shortly before the cell.

        Nothing where the log cannot be read: writing it failed too, and gave a warning.
        """
        from ..analysis.costs import SHORTLY_BEFORE

        before = self._entry_before
        since = datetime.fromtimestamp(before.read_at / 1e6, UTC) - SHORTLY_BEFORE
        try:
            readings = self._session.journal.readings([before.organization], since)
            costs = self._session.journal.costs(since)
        except LogError:
            return None, []
        organization = readings["organization"].iloc[-1] if len(readings) else before.organization
        return readings, [each for each in costs if each.organization == organization]

    def _balance_change(self, readings: pd.DataFrame | None, entries_after: list[Entry]) -> Change:
        """How the balance changed; the log's other readings may show more than the cell's own."""
        from ..analysis.costs import change_between, change_of

        meanwhile = self._entries_meanwhile if entries_after else []
        entries = [self._entry_before, *meanwhile, *entries_after]
        times = [each.read_at for each in entries]
        if readings is None or times != sorted(times):
            return change_of(each.credits for each in entries)
        return change_between(readings, times[0], times[-1])


def _without_spending_of_others(
    cost: Cost, readings: pd.DataFrame | None, other_costs: list[Cost]
) -> Cost:
    """The cost to tell: less what other cells spent meanwhile, and exact if none may have."""
    from ..analysis.cell_spending import cell_spending
    from ..analysis.series import histories_from_frame

    if cost.spent is None or readings is None or readings.empty or not other_costs:
        return cost
    (series,) = histories_from_frame(readings).series
    spending = cell_spending(series, [*other_costs, cost])
    return dataclasses.replace(
        cost, spent=float(spending.spent[-1]), exact=not spending.is_estimate[-1]
    )
