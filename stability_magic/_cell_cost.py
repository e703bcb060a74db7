"""What one cell costs: the balance before it and after it."""

from __future__ import annotations

import dataclasses
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ._errors import LogError, StabilityMagicError
from ._readings import microseconds

if TYPE_CHECKING:
    import pandas as pd

    from ._costs import Change, Cost
    from ._log import Entry
    from ._session import Session

__all__ = ["TRIES", "CellCost"]

TRIES = 5
_SOURCE = "cost"


class CellCost:
    """The cost of a cell that is about to run, from the reading that is taken here.

    Args:
        session: Takes the readings and keeps the cost.
        organization: Whose balance; None is the key's default.
        label: What to call it.
        settle: Seconds between the readings after the cell, until two agree.

    Raises:
        StabilityMagicError: The balance could not be read, and the cell shall not run.
    """

    def __init__(
        self, session: Session, organization: str | None, *, label: str | None, settle: float
    ) -> None:
        self._session = session
        self._asked = organization
        self._label = label
        self._settle = settle
        taken, errors = session.take([organization], label=label, source=_SOURCE)
        if errors:
            raise errors[0]
        self._before = taken[0]
        self._begun = time.perf_counter()

    def end(self, cell: str | None) -> str:
        """Reads the balance until it has settled, logs the cost, and tells it in a line.

        Args:
            cell: The cell's id.
        """
        from ._lines import cost_line

        seconds = time.perf_counter() - self._begun
        after, settled = self._read_until_settled()
        changed = any(not self._same_account(each) for each in after)
        if changed:
            self._session.notes.append(
                "The key or the service was changed in the cell: what it cost is not known, and was"
                " not logged."
            )
            after = []
        cost, topped_up = self._cost(seconds, cell, after, settled)
        if not changed:
            self._session.log_cost(cost)
        return cost_line(
            cost, topped_up=topped_up, usd_per_credit=self._session.settings.usd_per_credit
        )

    def _same_account(self, entry: Entry) -> bool:
        before = self._before
        # A key whose organization was not known yet is no other one when it is.
        known = before.organization.startswith("key:") or before.organization == entry.organization
        return known and before.api_url == entry.api_url

    def _read_until_settled(self) -> tuple[list[Entry], bool]:
        """The readings after the cell, and whether the last two agree."""
        from ._frames import SMALLEST_CHANGE

        after: list[Entry] = []
        try:
            for attempt in range(TRIES):
                if attempt:
                    time.sleep(self._settle)
                taken, errors = self._session.take([self._asked], label=self._label, source=_SOURCE)
                if errors:
                    raise errors[0]
                after += taken
                if attempt and abs(after[-1].credits - after[-2].credits) < SMALLEST_CHANGE:
                    return after, True
        except KeyboardInterrupt:
            self._session.notes.append("Interrupted before the balance had settled.")
        except StabilityMagicError as error:
            what = "the balance may not have settled" if after else "what the cell cost is unknown"
            self._session.notes.append(f"{error} So {what}.")
        return after, False

    def _cost(
        self, seconds: float, cell: str | None, after: list[Entry], settled: bool
    ) -> tuple[Cost, bool]:
        """The cost, and whether a top-up hides a part of it."""
        from ._costs import Cost, others_before, overlapped

        before = self._before
        ended = after[-1].read_at if after else microseconds(datetime.now(UTC))
        readings, others = self._around()
        change = self._change(readings, after)
        cost = Cost(
            organization=before.organization,
            started_at=before.read_at,
            # A clock that was set back in between must not end a cell before it began.
            ended_at=max(before.read_at, ended),
            seconds=seconds,
            spent=change.spent if after else None,
            exact=settled and not change.risen,
            label=before.label,
            cell=cell,
            id=secrets.token_bytes(16),
        )
        shared = overlapped([*others, cost])[-1] or (
            readings is not None and others_before(readings, others, before.read_at)
        )
        return (dataclasses.replace(cost, exact=False) if shared else cost), change.risen

    def _around(self) -> tuple[pd.DataFrame | None, list[Cost]]:
        """The organization's readings and other cells' costs from shortly before on.

        Nothing where the log cannot be read; that it cannot be written either has been said.
        """
        from ._costs import SHORTLY_BEFORE

        before = self._before
        since = datetime.fromtimestamp(before.read_at / 1e6, UTC) - SHORTLY_BEFORE
        try:
            readings = self._session.journal.readings([before.organization], since)
            costs = self._session.journal.costs(since)
        except LogError:
            return None, []
        mine = readings["organization"].iloc[-1] if len(readings) else before.organization
        return readings, [each for each in costs if each.organization == mine]

    def _change(self, readings: pd.DataFrame | None, after: list[Entry]) -> Change:
        """What the balance did; others' readings may show more than those of the cell."""
        from ._costs import change_between, change_of

        own = [self._before, *after]
        times = [each.read_at for each in own]
        if readings is None or times != sorted(times):
            return change_of(each.credits for each in own)
        return change_between(readings, times[0], times[-1])
