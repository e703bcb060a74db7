"""What a person is told of, and when it sets in and is over; pure.

Everything that may be told is a *finding*: at some instant an event is happening, is not, or cannot
be told from before. An event that goes on is told once, when it sets in; it can set in again only
after it was over. So that noise around a level is not told again and again, an event is over only a
little beyond the level at which it set in. What is going on is remembered by whoever calls these
functions, as a state for each event, organization and subject.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .budgets import is_passed
from .doubtful import LEAST_RISE

if TYPE_CHECKING:
    from .cell_spending import CellSpending
    from .series import Series

__all__ = [
    "LEAK_DAYS",
    "LEAK_WINDOW",
    "LEAST_LEAK",
    "Fact",
    "Finding",
    "Key",
    "State",
    "budget_findings",
    "changes",
    "doubt_finding",
    "leak_finding",
    "leak_hours",
    "low_findings",
    "soon_finding",
    "topup_findings",
    "watch_finding",
]

Fact = float | str | None

# The balance must rise by this share of the level above it before it can be low again.
_CLEARLY_ABOVE = 0.01
# The early end of the forecast must be so many times as far off as it warns.
_CLEARLY_LATER = 1.25
# Of a watch; one failure passes, and a key that is refused does not.
_FAILURES = 2

# Credits that nobody is troubled for, and how many times what was spent so in any hour before.
LEAST_LEAK = 100.0
_UNUSUAL = 2.0
LEAK_WINDOW = timedelta(hours=1)
LEAK_DAYS = timedelta(days=7)
# Of the window; it ends with a reading, which may be a while ago.
_WHOLE = 0.5


class Key(NamedTuple):
    """What an event is told of: the same one is told once.

    Attributes:
        organization: Its id; empty for what concerns no organization.
        event: Such as ``low_balance``.
        subject: What sets this one apart from others of its kind: the level, or the period.
    """

    organization: str
    event: str
    subject: str = ""


class State(NamedTuple):
    """Whether an event is going on, as of an instant in microseconds since 1970 UTC."""

    is_ongoing: bool
    as_of: int


class Finding(NamedTuple):
    """How an event stands at an instant.

    Attributes:
        key: The event, and whose.
        at: The instant, in microseconds since 1970 UTC.
        is_happening: None where it is as it was before, whatever that is.
        facts: The figures to tell, by their names in a message.
    """

    key: Key
    at: int
    is_happening: bool | None
    facts: Mapping[str, Fact] = {}


def changes(findings: Iterable[Finding], states: Mapping[Key, State]) -> list[Finding]:
    """Those by which an event sets in or is over, in the order of time.

    Args:
        findings: What was found; what lies before the state's own instant, because somebody else
            has looked further, changes nothing.
        states: What is known from before.
    """
    known = dict(states)
    result = []
    for each in sorted(findings, key=lambda finding: finding.at):
        state = known.get(each.key, State(is_ongoing=False, as_of=-1))
        if each.is_happening in (None, state.is_ongoing) or each.at <= state.as_of:
            continue
        known[each.key] = State(bool(each.is_happening), each.at)
        result.append(each)
    return result


def low_findings(
    organization: str,
    series: Series,
    since: int,
    level: float | None,
    states: Iterable[Key] = (),
) -> list[Finding]:
    """Whether the balance is under a level, at each reading from an instant on.

    It is low from the first reading under the level on, and no longer once a reading is at least
    one hundredth of the level above it.

    Args:
        organization: Its id.
        series: Its readings.
        since: Microseconds since 1970 UTC.
        level: Credits; None where no level is set.
        states: What is known; levels that are set no longer can be over.
    """
    first = int(np.searchsorted(series.times, since))
    times, credits = series.times[first:].tolist(), series.credits[first:].tolist()
    own = [] if level is None else [Key(organization, "low_balance", repr(float(level)))]
    others = [
        each
        for each in states
        if (each.organization, each.event) == (organization, "low_balance") and each not in own
    ]
    findings = []
    for key in (*own, *others):
        limit = _level(key.subject)
        end = limit + abs(limit) * _CLEARLY_ABOVE
        for at, left in zip(times, credits, strict=True):
            is_low = True if left < limit else False if left >= end else None
            if key in own or is_low is False:
                facts = {"credits": left, "level": limit}
                findings.append(Finding(key, at, is_low, facts))
    return findings


def _level(subject: str) -> float:
    try:
        return float(subject)
    except ValueError:
        # Nobody's level: no balance is under it, and none above.
        return math.nan


def soon_finding(
    organization: str,
    at: int,
    *,
    now: datetime,
    days: float,
    empty_early: datetime | None,
    credits: float,
) -> Finding:
    """Whether the balance may be empty within so many days.

    Args:
        organization: Its id.
        at: When the last reading was taken, in microseconds since 1970 UTC.
        now: The present.
        days: How far ahead a warning is wanted.
        empty_early: The early end of the forecast; None where the forecast knows no date.
        credits: The balance.
    """
    is_soon: bool | None = False
    if empty_early is not None:
        ahead = empty_early - now
        is_later = ahead > timedelta(days=days * _CLEARLY_LATER)
        is_soon = True if ahead <= timedelta(days=days) else False if is_later else None
    early = None if empty_early is None else empty_early.isoformat(timespec="seconds")
    facts = {"credits": credits, "empty_early": early, "days": days}
    return Finding(Key(organization, "empty_soon", repr(float(days))), at, is_soon, facts)


def doubt_finding(organization: str, at: int, doubt: str | None, credits: float) -> Finding:
    """Whether the newest balance may be wrong.

    Args:
        organization: Its id.
        at: When it was read, in microseconds since 1970 UTC.
        doubt: Why it may be; None for nearly all.
        credits: The balance.
    """
    facts = {"credits": credits, "doubt": doubt}
    return Finding(Key(organization, "doubtful_balance"), at, doubt is not None, facts)


def topup_findings(organization: str, series: Series, since: int) -> list[Finding]:
    """The rises from an instant on that are no small refunds.

    A rise is told apart from others by the reading before it, which is the same for whoever sees
    the rise first.

    Args:
        organization: Its id.
        series: Its readings.
        since: Microseconds since 1970 UTC.
    """
    first = max(1, int(np.searchsorted(series.times, since)))
    rows = np.flatnonzero(series.topped_up[first:] >= LEAST_RISE) + first
    return [
        Finding(
            Key(organization, "topped_up", str(int(series.times[row - 1]))),
            int(series.times[row]),
            is_happening=True,
            facts={"credits": float(series.credits[row]), "more": float(series.topped_up[row])},
        )
        for row in rows.tolist()
    ]


def leak_hours(last: int) -> list[int]:
    """The instants that :func:`leak_finding` depends on besides the cells and the window."""
    hour = LEAK_WINDOW // timedelta(microseconds=1)
    return [last - each * hour for each in range(LEAK_DAYS // LEAK_WINDOW + 1)]


def leak_finding(organization: str, spending: CellSpending, begin: int) -> Finding | None:
    """Whether so much is spent elsewhere, by no cell, that it may be a leak.

    It is a leak where at least :data:`LEAST_LEAK` credits were spent in the window, and more than
    twice what was spent elsewhere in any hour of the seven days before. It is over once the
    window of half an hour or more saw less than half of :data:`LEAST_LEAK`.

    Args:
        organization: Its id.
        spending: What its cells spent.
        begin: Where the window begins that ends with the last reading, in microseconds since 1970.

    Returns:
        None without readings in the window.
    """
    times = spending.series.times
    if not len(times) or times[-1] <= begin:
        return None
    last = int(times[-1])
    _, spent, _ = spending.within(begin, last)
    # A watch that has just begun cannot tell that a leak is over.
    is_whole = last - begin >= _WHOLE * (LEAK_WINDOW // timedelta(microseconds=1))
    is_leak: bool | None = False if is_whole and spent < LEAST_LEAK / 2 else None
    if spent >= LEAST_LEAK:
        earlier = [each for each in leak_hours(last) if each <= begin][::-1]
        usual = max(
            (
                spending.within(since, until)[1]
                for since, until in itertools.pairwise(earlier)
                if times[0] < until
            ),
            default=0.0,
        )
        is_leak = True if spent > _UNUSUAL * usual else None
    facts = {"credits": float(spending.series.credits[-1]), "spent": spent, "since": float(begin)}
    return Finding(Key(organization, "leak"), last, is_leak, facts)


def watch_finding(
    organization: str, key_fingerprint: str, at: int, *, failures: int, is_final: bool, problem: str
) -> Finding:
    """Whether a watch fails.

    Args:
        organization: What it was told to watch.
        key_fingerprint: The key it reads with: what refuses one key may accept another.
        at: The present, in microseconds since 1970 UTC.
        failures: How many readings in a row could not be taken or logged.
        is_final: Whether trying again cannot help, as with a key that is refused.
        problem: Why the last one failed.
    """
    is_failing = True if failures >= (1 if is_final else _FAILURES) else None
    return Finding(
        Key(organization, "watch_failing", key_fingerprint),
        at,
        is_failing if failures else False,
        {"problem": problem},
    )


def budget_findings(
    organization: str,
    at: int,
    *,
    every: str,
    spent: float,
    budget: float,
    projected: float,
    period_start: int,
) -> list[Finding]:
    """Whether a budget is passed, or is projected to be; each is told once in a period.

    Args:
        organization: Its id.
        at: The instant of the figures, in microseconds since 1970 UTC.
        every: The kind of the period.
        spent: Credits, since the period began.
        budget: Credits that may be spent in the period.
        projected: Credits, expected until the period's end; NaN where that is not known.
        period_start: In microseconds since 1970 UTC.
    """
    # Whoever changes the budget in mid-period is told anew.
    subject = f"{every}:{period_start}:{float(budget)!r}"
    facts: dict[str, Fact] = {
        "every": every,
        "spent": spent,
        "budget": budget,
        "projected": None if math.isnan(projected) else projected,
        "period_start": float(period_start),
    }
    has_passed = is_passed(spent, budget)
    will_be_passed = True if projected > budget and not has_passed else None
    return [
        Finding(Key(organization, "budget_passed", subject), at, has_passed or None, facts),
        Finding(Key(organization, "budget_projected", subject), at, will_be_passed, facts),
    ]
