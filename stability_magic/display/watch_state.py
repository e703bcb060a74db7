"""The state of a watched organization: the values that its line shows; pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis.budgets import BudgetSpend

__all__ = ["WatchState"]


@dataclasses.dataclass
class WatchState:
    """What a watch knows about one organization.

    Attributes:
        requested: The id that the user named; None is the key's default organization.
        since: When the watch began.
        due: When its next reading is due, on the monotonic clock.
        organization: Its id; None until it is known.
        name: The organization's name, or what stands in for it.
        credits: The latest balance.
        first_read_at: When the watch's first balance was read; None before.
        last_read_at: When the latest balance was read; None before the first reading.
        budgets: What was spent of its budgets, as of the latest reading.
        spent: Credits spent since the watch's first reading.
        at_least: Whether a top-up hides more.
        failures: How many readings have failed.
        failures_in_a_row: How many have failed since the last success.
        problem: Why the latest reading could not be taken or logged; empty if nothing is wrong.
        problems_in_a_row: After how many readings in a row there was one.
        warnings: The warnings so far, oldest first.
        ongoing: The events that have begun and are not over yet.
    """

    requested: str | None
    since: datetime
    due: float
    organization: str | None = None
    name: str = ""
    credits: float = math.nan
    first_read_at: datetime | None = None
    last_read_at: datetime | None = None
    spent: float = 0.0
    at_least: bool = False
    failures: int = 0
    failures_in_a_row: int = 0
    problem: str = ""
    budgets: Sequence[BudgetSpend] = ()
    problems_in_a_row: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)
    ongoing: set[str] = dataclasses.field(default_factory=set)

    def has_just_begun(self, event: str, is_happening: bool) -> bool:
        """Notes whether an event is happening; returns True only when it has just begun."""
        has_begun = is_happening and event not in self.ongoing
        (self.ongoing.add if is_happening else self.ongoing.discard)(event)
        return has_begun
