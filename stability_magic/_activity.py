"""How one simulated organization goes about its days: profile, habits and calendar.

What is worked out here is what somebody would like to spend on a day. Whether the balance
pays for it is the business of the ledger, in ``_simulation``.
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
    "DAYS",
    "END",
    "EPOCH",
    "HOUR",
    "IMAGE_PRICES",
    "NANO",
    "SimulatedOrganization",
    "daily_levels",
    "default_organizations",
    "wishes",
]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
END: Final = datetime(2060, 1, 1, tzinfo=UTC)
HOUR: Final = 3_600_000_000  # microseconds, the unit of every time of the model
DAY: Final = 24 * HOUR
DAYS: Final = (END - EPOCH).days
NANO: Final = 10**9  # parts of a credit, the unit of every amount of the model

# List prices of one image in credits as seen in June 2026 (Stable Image Ultra, SD 3.5
# Large, Large Turbo, Medium, Core, and a legacy engine's odd decimal), each with the share
# of the images that an ordinary team makes with it.
IMAGE_PRICES: Final = ((8.0, 0.08), (6.5, 0.2), (4.0, 0.22), (3.5, 0.15), (3.0, 0.27), (0.2, 0.08))

_HOLIDAYS: Final = (101, 501, 1224, 1225, 1226, 1231)  # month * 100 + day
_NO_EVENTS: Final[Integers] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class SimulatedOrganization:
    """An organization of the simulated account, and how it spends.

    The first four fields are what the API tells. Without further arguments it spends
    nothing. With ``steady_per_hour`` alone it spends at a constant rate, in equal parts at
    the start of each minute, which suits tests.

    Args:
        opening: Credits it holds until the first of January 2025, 00:00 UTC.
        images_per_workday: How many images people make on an ordinary working day.
        weekend_share: Weekends and holidays as a share of an ordinary working day.
        idle_chance: How likely it is that a day passes without any hand-made image.
        batch_chance: How likely it is that a job runs in a given night.
        batch_images: How many images such a job makes (median).
        drift: How far the level wanders over weeks (standard deviation of its logarithm).
        prices: Pairs of credits for an image and the weight of that price.
        steady_per_hour: Credits spent each hour of day and night, besides the images.
        active_until: The first day on which nothing is spent any more.
        refill_below: Credits under which somebody will buy more; None for never.
        refill_usd: The purchases to choose from, in whole dollars, from 10 to 1000: the
            bounds of the real purchase form (Stability-AI/platform, Account/Credits.tsx).
        refill_delay: Hours between a low balance and the purchase (median), at least 0.1.
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
    refill_delay: float = 5.0
    utc_offset: float = 0.0

    def __post_init__(self) -> None:
        amounts = [self.opening, self.images_per_workday, self.weekend_share, self.batch_images]
        amounts += [self.drift, self.steady_per_hour, self.refill_below or 0.0]
        if not all(0 <= amount < 1e9 for amount in amounts):
            raise ValueError(f"{self.id}: amounts are finite and not negative")
        if not all(0 <= chance <= 1 for chance in (self.idle_chance, self.batch_chance)):
            raise ValueError(f"{self.id}: a chance lies between 0 and 1")
        if not self.prices or not all(price > 0 and share > 0 for price, share in self.prices):
            raise ValueError(f"{self.id}: prices and their weights are positive")
        if not self.refill_usd or not all(
            isinstance(usd, int) and 10 <= usd <= 1000 for usd in self.refill_usd
        ):
            raise ValueError(f"{self.id}: purchases are whole dollars from 10 to 1000")
        if not (0.1 <= self.refill_delay < 1e9 and abs(self.utc_offset) < 24):
            raise ValueError(f"{self.id}: refill_delay is at least 0.1, utc_offset under 24 hours")


def default_organizations() -> tuple[SimulatedOrganization, ...]:
    """The three organizations of the demo; the default one is not the first.

    A pipeline that lives on night jobs, a studio of people (the default), and a prototype
    that was left alone with less than the price of an image.
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
    """How lively each day since EPOCH is, beside an ordinary working day with 1.

    Returns:
        Two rows of ``DAYS + 1`` floats: the level of people, with weekends, holidays and
        summers, and that of jobs, which know of none of these.
    """
    # East of Greenwich the last day of the simulation has one more beginning.
    days = np.arange(DAYS + 1)
    drift = np.zeros(DAYS + 1)
    for weeks, weight in ((3, 0.8), (13, 0.6)):
        knots = rng.standard_normal(DAYS // (7 * weeks) + 2)
        drift += weight * np.interp(days / (7 * weeks), np.arange(len(knots)), knots)
    jobs = np.exp(organization.drift * drift)
    dates = np.datetime64(EPOCH.date(), "D") + days
    months, years = dates.astype("datetime64[M]"), dates.astype("datetime64[Y]")
    month_and_day = (months.astype(int) % 12 + 1) * 100 + (dates - months).astype(int) + 1
    quiet = ((days + EPOCH.weekday()) % 7 >= 5) | np.isin(month_and_day, _HOLIDAYS)
    year = (years - years[0]).astype(int)
    since_vacation = (dates - years).astype(int) - rng.integers(185, 225, year[-1] + 1)[year]
    vacation = (since_vacation >= 0) & (since_vacation < 12)
    people = jobs * np.where(quiet, organization.weekend_share, 1.0) * np.where(vacation, 0.2, 1.0)
    return np.stack([people, jobs])


def wishes(
    organization: SimulatedOrganization, day: int, levels: Floats, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """What the organization would spend on a day if it had the credits, oldest first.

    Args:
        day: The number of the day since EPOCH, in the organization's own time.
        levels: The answer of ``daily_levels``.
        rng: The random numbers of that day.

    Returns:
        Times (microseconds since that day's midnight) and costs (billionths of a credit).
    """
    until = organization.active_until
    if until is not None and day >= (until - EPOCH.date()).days:
        return _NO_EVENTS, _NO_EVENTS
    parts: list[tuple[Integers, Integers]] = []
    people, jobs = levels[:, day].tolist()
    if organization.images_per_workday and rng.random() >= organization.idle_chance:
        count = int(rng.poisson(organization.images_per_workday * people))
        if count:
            parts.append((_working_times(count, rng), _costs(organization, count, rng)))
    if organization.batch_chance and rng.random() < organization.batch_chance:
        count = 1 + int(organization.batch_images * jobs * math.exp(0.4 * rng.standard_normal()))
        parts.append((_night_times(count, rng), _costs(organization, 1, rng).repeat(count)))
    if organization.steady_per_hour:
        parts.append(_steady(round(organization.steady_per_hour * NANO)))
    if not parts:
        return _NO_EVENTS, _NO_EVENTS
    times = np.concatenate([times for times, _ in parts])
    costs = np.concatenate([costs for _, costs in parts])
    order = np.argsort(times, kind="stable")
    return times[order], costs[order]


@lru_cache(maxsize=32)
def _price_table(prices: tuple[tuple[float, float], ...]) -> tuple[Integers, Floats]:
    shares = np.cumsum([share for _, share in prices])
    costs = np.array([round(price * NANO) for price, _ in prices], dtype=np.int64)
    return costs, shares / shares[-1]


def _costs(organization: SimulatedOrganization, count: int, rng: np.random.Generator) -> Integers:
    prices, shares = _price_table(organization.prices)
    chosen: Integers = prices[shares.searchsorted(rng.random(count), "right")]
    return chosen


def _working_times(count: int, rng: np.random.Generator) -> Integers:
    # People work in bouts around the middle of the morning and of the afternoon.
    bouts = max(1, count // 8)
    starts = np.where(rng.random(bouts) < 0.5, 10.4, 15.2) + 1.3 * rng.standard_normal(bouts)
    hours = starts[(rng.random(count) * bouts).astype(np.int64)] + 0.15 * rng.standard_exponential(
        count
    )
    return (hours.clip(6.5, 23.5) * HOUR).astype(np.int64)


def _night_times(count: int, rng: np.random.Generator) -> Integers:
    hours = np.cumsum(rng.standard_exponential(count)) * (4 / 3600)
    # A very large job makes its images faster, so that it is through by the evening.
    hours *= min(1.0, 18.0 / hours[-1])
    return ((hours + rng.uniform(0.3, 4.0)) * HOUR).astype(np.int64)


def _steady(rate: int) -> tuple[Integers, Integers]:
    # Each minute's part is the difference of two rounded totals, so that no hour is ever a
    # billionth of a credit off.
    minutes = np.arange(24 * 60 + 1)
    whole, rest = divmod(rate, 60)
    return minutes[:-1] * (HOUR // 60), whole + np.diff(minutes * rest // 60)
