"""How a simulated organization spends its days: profile, habits and calendar.

This module computes what an organization would like to spend on a day. ``ledger`` decides whether
the balance pays for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY",
    "DAY_COUNT",
    "END",
    "EPOCH",
    "HOUR",
    "IMAGE_PRICES",
    "LEAST_USD",
    "MOST_USD",
    "NANOS_PER_CREDIT",
    "SimulatedOrganization",
    "daily_levels",
    "default_organizations",
    "desired_spending",
]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
END: Final = datetime(2060, 1, 1, tzinfo=UTC)
HOUR: Final = 3_600_000_000  # microseconds, the model's unit of time
DAY: Final = 24 * HOUR
DAY_COUNT: Final = (END - EPOCH).days
NANOS_PER_CREDIT: Final = 10**9  # billionths of a credit, the model's unit of amounts
LEAST_USD: Final = 10
MOST_USD: Final = 1000

# List prices of one image in credits in June 2026 (Stable Image Ultra, SD 3.5 Large, Large
# Turbo, Medium, Core, and a legacy engine's odd decimal), each with the share of an ordinary
# team's images that it pays for.
IMAGE_PRICES: Final = ((8.0, 0.08), (6.5, 0.2), (4.0, 0.22), (3.5, 0.15), (3.0, 0.27), (0.2, 0.08))

_HOLIDAYS: Final = (101, 501, 1224, 1225, 1226, 1231)  # month * 100 + day
_NO_EVENTS: Final[Integers] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class SimulatedOrganization:
    """An organization of the simulated account, and how it spends.

    The API returns the first four fields. With no other arguments the organization spends
    nothing. With only ``steady_per_hour`` it spends at a constant rate, in equal parts at the
    start of each minute, which suits tests.

    Args:
        opening: The balance in credits until 1 January 2025, 00:00 UTC.
        images_per_workday: How many images people make on an ordinary working day.
        weekend_share: Weekends and holidays as a share of an ordinary working day.
        idle_chance: The probability that people make no image on a day.
        batch_chance: The probability that a batch job runs in a night.
        batch_images: How many images a batch job makes (median).
        drift: How far activity drifts over weeks (standard deviation of its logarithm).
        prices: Pairs of an image's price in credits and the weight of that price.
        steady_per_hour: Credits spent every hour, day and night, in addition to the images.
        active_until: The first day without spending; None for never.
        refill_below: The balance in credits below which more are bought; None for never.
        refill_usd: The purchases to choose from, in whole dollars, from 10 to 1000: the
            limits of the real purchase form (Stability-AI/platform, Account/Credits.tsx).
        odd_refill_chance: The probability that a purchase is of any whole dollars instead, from
            half the smallest to twice the largest of ``refill_usd``, within those limits.
        refill_delay: Hours from a low balance to the purchase (median), at least 0.1.
        utc_offset: Hours by which its working day is ahead of UTC.

    Raises:
        ValueError: An amount, chance or purchase is out of its range.
    """

    id: str
    name: str
    role: str = "MEMBER"
    is_default: bool = False
    opening: float = 0.0
    images_per_workday: float = 0.0
    weekend_share: float = 0.08
    idle_chance: float = 0.0
    batch_chance: float = 0.0
    batch_images: float = 300.0
    drift: float = 0.3
    prices: tuple[tuple[float, float], ...] = IMAGE_PRICES
    steady_per_hour: float = 0.0
    active_until: date | None = None
    refill_below: float | None = None
    refill_usd: tuple[int, ...] = (10,)
    odd_refill_chance: float = 0.0
    refill_delay: float = 5.0
    utc_offset: float = 0.0

    def __post_init__(self) -> None:
        amounts = [self.opening, self.images_per_workday, self.weekend_share, self.batch_images]
        amounts += [self.drift, self.steady_per_hour, self.refill_below or 0.0]
        if not all(0 <= amount < 1e9 for amount in amounts):
            raise ValueError(f"{self.id}: amounts are finite and not negative")
        chances = (self.idle_chance, self.batch_chance, self.odd_refill_chance)
        if not all(0 <= chance <= 1 for chance in chances):
            raise ValueError(f"{self.id}: a chance lies between 0 and 1")
        if not self.prices or not all(price > 0 and share > 0 for price, share in self.prices):
            raise ValueError(f"{self.id}: prices and their weights are positive")
        if not self.refill_usd or not all(
            isinstance(usd, int) and LEAST_USD <= usd <= MOST_USD for usd in self.refill_usd
        ):
            raise ValueError(f"{self.id}: purchases are whole dollars from 10 to 1000")
        if not (0.1 <= self.refill_delay < 1e9 and abs(self.utc_offset) < 24):
            raise ValueError(f"{self.id}: refill_delay is at least 0.1, utc_offset under 24 hours")


def default_organizations() -> tuple[SimulatedOrganization, ...]:
    """The demo's three organizations; the default one is not the first.

    A pipeline that mostly runs night jobs, a studio of people (the default), and an abandoned
    prototype with less left than the price of an image.
    """
    return (
        SimulatedOrganization(
            id="org-sim-pipeline",
            name="Lantern Pipeline (simulated)",
            opening=9250.400000000001,
            images_per_workday=14.0,
            weekend_share=0.2,
            idle_chance=0.25,
            batch_chance=0.3,
            batch_images=260.0,
            prices=((4.0, 0.3), (3.5, 0.2), (3.0, 0.4), (0.2, 0.1)),
            refill_below=1200.0,
            refill_usd=(100, 100, 150, 200),
            refill_delay=9.0,
        ),
        SimulatedOrganization(
            id="org-sim-studio",
            name="Fernhill Studio (simulated)",
            role="OWNER",
            is_default=True,
            opening=3480.2336833840314,
            images_per_workday=85.0,
            idle_chance=0.04,
            batch_chance=0.07,
            batch_images=180.0,
            refill_below=600.0,
            refill_usd=(25, 50, 50, 75),
            utc_offset=1.0,
        ),
        SimulatedOrganization(
            id="org-sim-prototype",
            name="Old Prototype (simulated)",
            role="ACCOUNTANT",
            opening=125.6336833840314097,
            images_per_workday=6.0,
            idle_chance=0.5,
            prices=((8.0, 0.2), (4.0, 0.5), (3.0, 0.3), (1.0, 1.0)),
            active_until=date(2025, 4, 1),
        ),
    )


def daily_levels(organization: SimulatedOrganization, rng: np.random.Generator) -> Floats:
    """How active each day since EPOCH is, relative to an ordinary working day, which is 1.

    Returns:
        Two rows of ``DAY_COUNT + 1`` floats: the level of people, who have weekends, holidays
        and summers, and that of jobs, which have none.
    """
    # East of Greenwich one more day begins before the simulation ends.
    days = np.arange(DAY_COUNT + 1)
    drift = np.zeros(DAY_COUNT + 1)
    for weeks, weight in ((3, 0.8), (13, 0.6)):
        knots = rng.standard_normal(DAY_COUNT // (7 * weeks) + 2)
        drift += weight * np.interp(days / (7 * weeks), np.arange(len(knots)), knots)
    jobs = np.exp(organization.drift * drift)
    dates = np.datetime64(EPOCH.date(), "D") + days
    months, years = dates.astype("datetime64[M]"), dates.astype("datetime64[Y]")
    month_and_day = (months.astype(int) % 12 + 1) * 100 + (dates - months).astype(int) + 1
    is_day_off = ((days + EPOCH.weekday()) % 7 >= 5) | np.isin(month_and_day, _HOLIDAYS)
    year = (years - years[0]).astype(int)
    days_into_vacation = (dates - years).astype(int) - rng.integers(185, 225, year[-1] + 1)[year]
    is_vacation = (days_into_vacation >= 0) & (days_into_vacation < 12)
    people = jobs * np.where(is_day_off, organization.weekend_share, 1.0)
    people *= np.where(is_vacation, 0.2, 1.0)
    return np.stack([people, jobs])


def desired_spending(
    organization: SimulatedOrganization, day: int, levels: Floats, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """What the organization would spend on a day if it had the credits, oldest first.

    Args:
        day: The number of the day since EPOCH, in the organization's own time.
        levels: What ``daily_levels`` returned.
        rng: That day's random numbers.

    Returns:
        Times (microseconds since that day's midnight) and costs (billionths of a credit).
    """
    active_until = organization.active_until
    if active_until is not None and day >= (active_until - EPOCH.date()).days:
        return _NO_EVENTS, _NO_EVENTS
    parts: list[tuple[Integers, Integers]] = []
    people, jobs = levels[:, day].tolist()
    if organization.images_per_workday and rng.random() >= organization.idle_chance:
        count = int(rng.poisson(organization.images_per_workday * people))
        if count:
            parts.append((_working_times(count, rng), _image_costs(organization, count, rng)))
    if organization.batch_chance and rng.random() < organization.batch_chance:
        count = 1 + int(organization.batch_images * jobs * math.exp(0.4 * rng.standard_normal()))
        parts.append((_night_times(count, rng), _image_costs(organization, 1, rng).repeat(count)))
    if organization.steady_per_hour:
        parts.append(_steady_spending(round(organization.steady_per_hour * NANOS_PER_CREDIT)))
    if not parts:
        return _NO_EVENTS, _NO_EVENTS
    times = np.concatenate([times for times, _ in parts])
    costs = np.concatenate([costs for _, costs in parts])
    order = np.argsort(times, kind="stable")
    return times[order], costs[order]


@lru_cache(maxsize=32)
def _price_table(prices: tuple[tuple[float, float], ...]) -> tuple[Integers, Floats]:
    shares = np.cumsum([share for _, share in prices])
    costs = np.array([round(price * NANOS_PER_CREDIT) for price, _ in prices], dtype=np.int64)
    return costs, shares / shares[-1]


def _image_costs(
    organization: SimulatedOrganization, count: int, rng: np.random.Generator
) -> Integers:
    prices, shares = _price_table(organization.prices)
    costs: Integers = prices[shares.searchsorted(rng.random(count), "right")]
    return costs


def _working_times(count: int, rng: np.random.Generator) -> Integers:
    # People work in bouts around mid-morning and mid-afternoon.
    bouts = max(1, count // 8)
    starts = np.where(rng.random(bouts) < 0.5, 10.4, 15.2) + 1.3 * rng.standard_normal(bouts)
    hours = starts[(rng.random(count) * bouts).astype(np.int64)] + 0.15 * rng.standard_exponential(
        count
    )
    return (hours.clip(6.5, 23.5) * HOUR).astype(np.int64)


def _night_times(count: int, rng: np.random.Generator) -> Integers:
    hours = np.cumsum(rng.standard_exponential(count)) * (4 / 3600)
    # A very large job makes its images faster, so that it ends by the evening.
    hours *= min(1.0, 18.0 / hours[-1])
    return ((hours + rng.uniform(0.3, 4.0)) * HOUR).astype(np.int64)


def _steady_spending(per_hour: int) -> tuple[Integers, Integers]:
    # Each minute's part is the difference of two rounded totals, so that every hour adds up to
    # exactly the hourly amount.
    minutes = np.arange(24 * 60 + 1)
    per_minute, remainder = divmod(per_hour, 60)
    return minutes[:-1] * (HOUR // 60), per_minute + np.diff(minutes * remainder // 60)
