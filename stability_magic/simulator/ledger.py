"""A model of how organizations spend prepaid credits, for the built-in simulator.

Everything depends only on the seed, the organization and the absolute time. The balance at an
instant is the same on every machine and in every order of calls, so a demo that runs again next
week continues the same history. (This holds for one version of numpy, whose random streams may
change between feature releases.)

Amounts are whole billionths of a credit. Sums are therefore exact, and what was spent in a window
is the sum over its parts.
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

from .activity import (
    DAY,
    DAY_COUNT,
    END,
    EPOCH,
    HOUR,
    IMAGE_PRICES,
    LEAST_USD,
    MOST_USD,
    NANOS_PER_CREDIT,
    Floats,
    Integers,
    SimulatedOrganization,
    daily_levels,
    default_organizations,
    desired_spending,
)

__all__ = [
    "END",
    "EPOCH",
    "IMAGE_PRICES",
    "Ledger",
    "SimulatedOrganization",
    "cached_ledger",
    "default_organizations",
]

_NO_EVENTS: Final[Integers] = np.empty(0, dtype=np.int64)


class _Purchase(NamedTuple):
    at: int
    amount: int


class _Day(NamedTuple):
    """One settled day: the times of its events, and the running totals since EPOCH.

    The totals have one more entry than the times; the first is the total at the start of the day.
    """

    spent_at: Integers
    spent_totals: Integers
    bought_at: Integers
    bought_totals: Integers


class Ledger:
    """The true account book of one simulated organization; threads may share it.

    At every instant ``balance(t)`` is ``opening + topped_up(EPOCH, t) - spent(EPOCH, t)``, up to
    the rounding of floats. It is never negative: an image that the balance cannot pay for is not
    made, as the service does not charge for refused requests.

    Days are computed once, in order, when they are first needed.

    Args:
        organization: Who spends, and how.
        seed: Any integer; a different seed gives a different history.
    """

    def __init__(self, organization: SimulatedOrganization, seed: int = 0) -> None:
        self.organization = organization
        digest = hashlib.sha256(f"{seed} {organization.id}".encode()).digest()
        self._random_key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
        # Days are numbered from 0; the number after the last has an independent stream.
        self._levels = daily_levels(organization, self._random_generator(DAY_COUNT + 1))
        self._utc_offset = round(organization.utc_offset * HOUR)
        self._lock = threading.Lock()
        self._days: list[_Day] = []
        # A Fraction, because the product of two floats might round up to more than the balance.
        self._balance = math.floor(Fraction(organization.opening) * NANOS_PER_CREDIT)
        self._pending_purchase: _Purchase | None = None

    def balance(self, at: datetime) -> float:
        """The balance in credits at an instant, before any event at that very instant.

        Args:
            at: An aware datetime. Before EPOCH the result is the opening balance.

        Raises:
            ValueError: ``at`` has no time zone, or is in 2060 or later.
        """
        spent, bought = self._totals(_microseconds(at))
        return self.organization.opening + (bought - spent) / NANOS_PER_CREDIT

    def spent(self, since: datetime, until: datetime) -> float:
        """Credits spent in ``[since, until)``; 0 for an empty window.

        Raises:
            ValueError: A time has no time zone, or is in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        return max(0, self._totals(end)[0] - self._totals(start)[0]) / NANOS_PER_CREDIT

    def topped_up(self, since: datetime, until: datetime) -> float:
        """Credits bought in ``[since, until)``; 0 for an empty window.

        Raises:
            ValueError: A time has no time zone, or is in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        return max(0, self._totals(end)[1] - self._totals(start)[1]) / NANOS_PER_CREDIT

    def events(self, since: datetime, until: datetime) -> tuple[npt.NDArray[np.datetime64], Floats]:
        """Everything that changed the balance in ``[since, until)``, oldest first.

        Returns:
            The times (datetime64[us], UTC) and the changes in credits (float64), negative for
            spending and positive for purchases.

        Raises:
            ValueError: A time has no time zone, or is in 2060 or later.
        """
        start, end = _microseconds(since), _microseconds(until)
        first, last = max(self._day_number(start), 0), self._day_number(end)
        self._settle_days_through(last)
        days = self._days[first : last + 1]
        # Purchases come first, so that the stable sort keeps them first at equal times.
        times = [day.bought_at for day in days] + [day.spent_at for day in days]
        changes = [np.diff(day.bought_totals) for day in days]
        changes += [-np.diff(day.spent_totals) for day in days]
        at = np.concatenate([_NO_EVENTS, *times])
        amounts = np.concatenate([_NO_EVENTS, *changes])
        order = np.argsort(at, kind="stable")
        order = order[(at[order] >= start) & (at[order] < end)]
        epoch = np.datetime64(EPOCH.replace(tzinfo=None), "us")
        return epoch + at[order].astype("timedelta64[us]"), amounts[order] / NANOS_PER_CREDIT

    def _random_generator(self, day: int) -> np.random.Generator:
        # Philox suits this: one key, and a counter whose highest word is the day, so that no two
        # days share numbers. It also starts twice as fast as a newly seeded generator.
        counter = np.array([0, 0, 0, day], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=self._random_key, counter=counter))

    def _day_number(self, at: int) -> int:
        return (at + self._utc_offset) // DAY

    def _totals(self, at: int) -> tuple[int, int]:
        """What was spent and what was bought since EPOCH."""
        number = self._day_number(at)
        if at <= 0 or number < 0:
            return 0, 0
        if number >= len(self._days):
            self._settle_days_through(number)
        day = self._days[number]
        spent = day.spent_totals[day.spent_at.searchsorted(at)]
        return int(spent), int(day.bought_totals[day.bought_at.searchsorted(at)])

    def _settle_days_through(self, last: int) -> None:
        with self._lock:
            while len(self._days) <= last:
                self._days.append(self._settle_day(len(self._days)))

    def _settle_day(self, number: int) -> _Day:
        rng = self._random_generator(number)
        times, costs = desired_spending(self.organization, number, self._levels, rng)
        start = number * DAY - self._utc_offset
        end, times = start + DAY, times + start
        if start < 0:
            times, costs = times[times >= 0], costs[times >= 0]
        first, purchases = 0, []
        while True:
            if self._pending_purchase is None:
                self._plan_purchase(max(start, 0), times[first:], costs[first:], rng)
            purchase = self._pending_purchase
            is_due = purchase is not None and purchase.at < end
            stop = int(times.searchsorted(purchase.at)) if purchase and is_due else len(times)
            costs[first:stop] = _affordable_costs(costs[first:stop], self._balance)
            self._balance -= int(costs[first:stop].sum())
            if purchase is None or not is_due:
                break
            purchases.append(purchase)
            self._balance += purchase.amount
            self._pending_purchase, first, start = None, stop, purchase.at
        return self._new_day(times, costs, purchases)

    def _new_day(self, times: Integers, costs: Integers, purchases: list[_Purchase]) -> _Day:
        is_paid = costs > 0
        if not is_paid.all():
            times, costs = times[is_paid], costs[is_paid]
        spent = bought = 0
        if self._days:
            last = self._days[-1]
            spent, bought = int(last.spent_totals[-1]), int(last.bought_totals[-1])
        bought_at = np.array([purchase.at for purchase in purchases], dtype=np.int64)
        amounts = np.array([purchase.amount for purchase in purchases], dtype=np.int64)
        return _Day(
            times, _running_totals(spent, costs), bought_at, _running_totals(bought, amounts)
        )

    def _plan_purchase(
        self, start: int, times: Integers, costs: Integers, rng: np.random.Generator
    ) -> None:
        organization = self.organization
        if organization.refill_below is None:
            return
        threshold = round(organization.refill_below * NANOS_PER_CREDIT)
        if self._balance < threshold:
            low_at = start
        elif self._balance - int(costs.sum()) < threshold:
            low_at = int(times[np.argmax(self._balance - np.cumsum(costs) < threshold)])
        else:
            return
        hours = organization.refill_delay * math.exp(0.7 * rng.standard_normal())
        at = low_at + max(1, round(min(hours, 240.0) * HOUR))
        # Nobody gets up at night to buy credits: the purchase waits for the next morning.
        time_of_day = (at + self._utc_offset) % DAY
        if not 8 * HOUR <= time_of_day < 20 * HOUR:
            midnight = at - time_of_day + (DAY if time_of_day >= 20 * HOUR else 0)
            at = midnight + int(rng.uniform(8.5, 10.5) * HOUR)
        usd = _dollars_to_buy(organization, rng)
        self._pending_purchase = _Purchase(at, usd * 100 * NANOS_PER_CREDIT)


@lru_cache(maxsize=32)
def cached_ledger(organization: SimulatedOrganization, seed: int) -> Ledger:
    """The ledger of an organization and a seed, the same object for every caller.

    A ledger's answers never change, so simulators can share what has been computed.
    """
    return Ledger(organization, seed)


def _dollars_to_buy(organization: SimulatedOrganization, rng: np.random.Generator) -> int:
    choices = organization.refill_usd
    # Without odd purchases no number is drawn for them, so that the rest of the day stays the same.
    if organization.odd_refill_chance and rng.random() < organization.odd_refill_chance:
        least, most = max(min(choices) // 2, LEAST_USD), min(2 * max(choices), MOST_USD)
        return int(rng.integers(least, most + 1))
    return choices[int(rng.integers(len(choices)))]


def _microseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    if at >= END:
        raise ValueError(f"{at} lies past the end of the simulation, {END:%Y-%m-%d}")
    return (at - EPOCH) // timedelta(microseconds=1)


def _running_totals(opening: int, amounts: Integers) -> Integers:
    totals = np.empty(len(amounts) + 1, dtype=np.int64)
    totals[0] = opening
    np.cumsum(amounts, out=totals[1:])
    totals[1:] += opening
    return totals


def _affordable_costs(costs: Integers, balance: int) -> Integers:
    """The same costs, with 0 for each that the balance cannot pay when its turn comes."""
    if int(costs.sum()) <= balance:
        return costs
    if int(costs.min()) > balance:
        return np.zeros_like(costs)
    payments = []
    for cost in costs.tolist():
        payments.append(cost if cost <= balance else 0)
        balance -= payments[-1]
    return np.array(payments, dtype=np.int64)
