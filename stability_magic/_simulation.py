"""A model of how organizations spend prepaid credits, for the built-in simulator.

Everything in it is a function of the seed, the organization and the absolute time: the
balance at an instant is the same whenever, wherever and in whatever order it is asked, so
that a demo that is run again next week continues the same history. (The promise holds for
one version of numpy, whose random streams may change between feature releases.)

Amounts are kept as whole billionths of a credit. Sums are therefore exact, and the truth
over a window is the truth over its parts.
"""

from __future__ import annotations

import hashlib
import math
import threading
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ._activity import (
    DAY,
    DAYS,
    END,
    EPOCH,
    HOUR,
    IMAGE_PRICES,
    NANO,
    Floats,
    Integers,
    SimulatedOrganization,
    daily_levels,
    default_organizations,
    wishes,
)

__all__ = [
    "END",
    "EPOCH",
    "IMAGE_PRICES",
    "Ledger",
    "SimulatedOrganization",
    "default_organizations",
    "shared_ledger",
]

_NO_EVENTS: Final[Integers] = np.empty(0, dtype=np.int64)


class _Purchase(NamedTuple):
    at: int
    amount: int


class _Day(NamedTuple):
    """One settled day: when things happened, and the running totals since the epoch.

    The totals have one more entry than the times, the first being the day's opening.
    """

    spent_at: Integers
    spent: Integers
    bought_at: Integers
    bought: Integers


class Ledger:
    """The true account book of one simulated organization; safe to share by threads.

    For every instant ``balance(t)`` is ``opening + topped_up(EPOCH, t) - spent(EPOCH, t)``
    up to the rounding of floats, and never negative: an image that the balance cannot pay
    for is not made, as the service does not charge for refused requests.

    Days are worked out once, in order, when they are first asked for.

    Args:
        organization: Who spends, and how.
        seed: Any integer; another seed is another history.
    """

    def __init__(self, organization: SimulatedOrganization, seed: int = 0) -> None:
        self.organization = organization
        digest = hashlib.sha256(f"{seed} {organization.id}".encode()).digest()
        self._key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
        # Days are numbered from 0; the number past the last gives a stream of its own.
        self._levels = daily_levels(organization, self._generator(DAYS + 1))
        self._offset = round(organization.utc_offset * HOUR)
        self._lock = threading.Lock()
        self._days: list[_Day] = []
        # Fraction, because the product of two floats might round up to more than there is.
        self._held = math.floor(Fraction(organization.opening) * NANO)
        self._pending: _Purchase | None = None

    def balance(self, at: datetime) -> float:
        """Credits held at an instant; what happens at that very instant is not yet in.

        Args:
            at: An aware datetime. Before EPOCH the answer is the opening balance.

        Raises:
            ValueError: ``at`` has no time zone, or lies in 2060 or later.
        """
        spent, bought = self._totals(_microseconds(at))
        return self.organization.opening + (bought - spent) / NANO

    def spent(self, since: datetime, until: datetime) -> float:
        """Credits spent in ``[since, until)``; 0 for an empty window.

        Raises:
            ValueError: A time has no time zone, or lies in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        return max(0, self._totals(end)[0] - self._totals(start)[0]) / NANO

    def topped_up(self, since: datetime, until: datetime) -> float:
        """Credits bought in ``[since, until)``; 0 for an empty window.

        Raises:
            ValueError: A time has no time zone, or lies in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        return max(0, self._totals(end)[1] - self._totals(start)[1]) / NANO

    def events(self, since: datetime, until: datetime) -> tuple[npt.NDArray[np.datetime64], Floats]:
        """Everything that changed the balance in ``[since, until)``, oldest first.

        Returns:
            The times (datetime64[us], UTC) and the changes in credits (float64), negative
            where something was spent and positive where credits were bought.

        Raises:
            ValueError: A time has no time zone, or lies in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        first, last = max(self._day_of(start), 0), self._day_of(end)
        self._settle_until(last)
        days = self._days[first : last + 1]
        # Purchases come first, so that at equal times the stable sort keeps them there.
        times = [day.bought_at for day in days] + [day.spent_at for day in days]
        changes = [np.diff(day.bought) for day in days] + [-np.diff(day.spent) for day in days]
        at = np.concatenate([_NO_EVENTS, *times])
        amounts = np.concatenate([_NO_EVENTS, *changes])
        order = np.argsort(at, kind="stable")
        order = order[(at[order] >= start) & (at[order] < end)]
        epoch = np.datetime64(EPOCH.replace(tzinfo=None), "us")
        return epoch + at[order].astype("timedelta64[us]"), amounts[order] / NANO

    def _generator(self, day: int) -> np.random.Generator:
        # Philox is made for this: one key, and a counter whose highest word is the day, so
        # that no two days share numbers. It also starts twice as fast as seeding anew.
        counter = np.array([0, 0, 0, day], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=self._key, counter=counter))

    def _day_of(self, at: int) -> int:
        return (at + self._offset) // DAY

    def _totals(self, at: int) -> tuple[int, int]:
        number = self._day_of(at)
        if at <= 0 or number < 0:
            return 0, 0
        if number >= len(self._days):
            self._settle_until(number)
        day = self._days[number]
        spent = day.spent[day.spent_at.searchsorted(at)]
        return int(spent), int(day.bought[day.bought_at.searchsorted(at)])

    def _settle_until(self, number: int) -> None:
        with self._lock:
            while len(self._days) <= number:
                self._days.append(self._settle(len(self._days)))

    def _settle(self, number: int) -> _Day:
        rng = self._generator(number)
        times, costs = wishes(self.organization, number, self._levels, rng)
        start = number * DAY - self._offset
        end, times = start + DAY, times + start
        if start < 0:
            times, costs = times[times >= 0], costs[times >= 0]
        done, purchases = 0, []
        while True:
            if self._pending is None:
                self._plan_purchase(max(start, 0), times[done:], costs[done:], rng)
            pending = self._pending
            due = pending is not None and pending.at < end
            until = int(times.searchsorted(pending.at)) if pending and due else len(times)
            costs[done:until] = _affordable(costs[done:until], self._held)
            self._held -= int(costs[done:until].sum())
            if pending is None or not due:
                break
            purchases.append(pending)
            self._held += pending.amount
            self._pending, done, start = None, until, pending.at
        return self._record(times, costs, purchases)

    def _record(self, times: Integers, costs: Integers, purchases: list[_Purchase]) -> _Day:
        paid = costs > 0
        if not paid.all():
            times, costs = times[paid], costs[paid]
        spent = bought = 0
        if self._days:
            spent, bought = int(self._days[-1].spent[-1]), int(self._days[-1].bought[-1])
        bought_at = np.array([purchase.at for purchase in purchases], dtype=np.int64)
        amounts = np.array([purchase.amount for purchase in purchases], dtype=np.int64)
        return _Day(times, _running(spent, costs), bought_at, _running(bought, amounts))

    def _plan_purchase(
        self, start: int, times: Integers, costs: Integers, rng: np.random.Generator
    ) -> None:
        organization = self.organization
        if organization.refill_below is None:
            return
        threshold = round(organization.refill_below * NANO)
        if self._held < threshold:
            low_at = start
        elif self._held - int(costs.sum()) < threshold:
            low_at = int(times[np.argmax(self._held - np.cumsum(costs) < threshold)])
        else:
            return
        hours = organization.refill_delay * math.exp(0.7 * rng.standard_normal())
        at = low_at + max(1, round(min(hours, 240.0) * HOUR))
        # Nobody gets up at night to buy credits: they wait for the next morning.
        clock = (at + self._offset) % DAY
        if not 8 * HOUR <= clock < 20 * HOUR:
            morning = at - clock + (DAY if clock >= 20 * HOUR else 0)
            at = morning + int(rng.uniform(8.5, 10.5) * HOUR)
        usd = organization.refill_usd[int(rng.integers(len(organization.refill_usd)))]
        self._pending = _Purchase(at, usd * 100 * NANO)


@lru_cache(maxsize=32)
def shared_ledger(organization: SimulatedOrganization, seed: int) -> Ledger:
    """The ledger of an organization and a seed, the same one for all who ask.

    A ledger never changes what it says, so that simulators can share what is worked out.
    """
    return Ledger(organization, seed)


def _microseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    if at >= END:
        raise ValueError(f"{at} lies past the end of the simulation, {END:%Y-%m-%d}")
    return (at - EPOCH) // timedelta(microseconds=1)


def _running(before: int, amounts: Integers) -> Integers:
    totals = np.empty(len(amounts) + 1, dtype=np.int64)
    totals[0] = before
    np.cumsum(amounts, out=totals[1:])
    totals[1:] += before
    return totals


def _affordable(costs: Integers, held: int) -> Integers:
    """The same costs, with 0 for what cannot be paid when its turn comes."""
    if int(costs.sum()) <= held:
        return costs
    if int(costs.min()) > held:
        return np.zeros_like(costs)
    paid = []
    for cost in costs.tolist():
        paid.append(cost if cost <= held else 0)
        held -= paid[-1]
    return np.array(paid, dtype=np.int64)
