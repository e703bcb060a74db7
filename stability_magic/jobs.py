"""Jobs as people write them, such as ``40 ultra + 12 creative-upscale``, and their price; pure.

This is the one place that reads them, for every command, option and setting.
"""

from __future__ import annotations

import dataclasses
import math
import re
from datetime import date

from .errors import BadArgument
from .prices import UNITS, PriceList
from .text import clean_text, shorten

__all__ = ["JOB_EXAMPLE", "Job", "Task", "empty_level", "low_level", "parse_job"]

JOB_EXAMPLE = "40 ultra + 12 creative-upscale"

# A million of the cheapest cost $9,000: more is a slip of the finger.
_MOST = 1_000_000
_COUNT = re.compile(r"[0-9]{1,12}")
# What is meant as a number, or as an amount of money, whether it is a good one or not.
_NUMERIC = re.compile(
    r"[-+\u2212]?[$€£]?[\d.,_']*\d[\d.,_']*(e[-+]?\d+)?(usd|eur|gbp|credits?|[$€£%])?"
    r"|[-+]?(nan|inf|infinity)",
    re.IGNORECASE,
)
_LONGEST_SHOWN = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """So many uses of one operation, and what one of them costs; NaN where that is not known."""

    operation: str
    count: int
    price: float

    @property
    def credits(self) -> float:
        """What all of them cost."""
        return self.count * self.price


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """Operations to be done, each of them once in the list, with their prices."""

    tasks: tuple[Task, ...]

    @property
    def credits(self) -> float:
        """What the job costs; NaN if the price of a part of it is not known."""
        return math.fsum(each.credits for each in self.tasks)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The operations whose price is not known."""
        return tuple(each.operation for each in self.tasks if math.isnan(each.price))

    def times(self, balance: float) -> float:
        """How often a balance pays for the job, as a whole number.

        NaN where its price is not known, infinite where it costs nothing or next to it.
        """
        if math.isnan(self.credits):
            return math.nan
        if not self.credits > 0.0:
            return math.inf
        # Rounding errors must not take the last one away: 36 / 0.9 is to be 40.
        times = max(balance / self.credits * (1.0 + 1e-12), 0.0)
        return float(math.floor(times)) if math.isfinite(times) else times

    def __str__(self) -> str:
        return " + ".join(f"{each.count} {each.operation}" for each in self.tasks)


def empty_level(next_job: Job | None) -> float:
    """The credits under which a balance counts as empty: what is done next costs more.

    0 where nothing is said of that, or what it costs is not known.
    """
    return 0.0 if next_job is None or math.isnan(next_job.credits) else next_job.credits


def low_level(low_balance: float | None, next_job: Job | None) -> float | None:
    """The credits under which a balance is low: one's own level, and that of empty.

    Args:
        low_balance: One's own level, if there is one.
        next_job: What is done next, if that is known.
    """
    level = empty_level(next_job)
    if not level:
        return low_balance
    return level if low_balance is None else max(level, low_balance)


def parse_job(text: str, prices: PriceList, day: date) -> Job:
    """The job that a text names, with the prices of a day.

    Args:
        text: Operations joined by ``+``, each with how often it is done in front, which may be
            left out where that is once: ``ultra``, ``40 ultra + 12 creative-upscale``.
        prices: What operations cost.
        day: The day whose prices are taken.

    Raises:
        BadArgument: It is no job: a number is missing, or is no whole one from 1 to 1,000,000, or
            an operation is not known.
    """
    counts: dict[str, int] = {}
    for part in text.split("+"):
        count, name = _count_and_name(part, text)
        operation = prices.operation(name)
        counts[operation] = counts.get(operation, 0) + count
    tasks = tuple(Task(each, count, prices.on(each, day).credits) for each, count in counts.items())
    for each in tasks:
        if each.count > _MOST:
            raise BadArgument(_count_text(str(each.count)))
    return Job(tasks)


def _count_and_name(part: str, text: str) -> tuple[int, str]:
    words = part.split()
    if not words:
        raise BadArgument(
            f"{_shown(text)} lacks an operation; use a job such as '{JOB_EXAMPLE}'."
            if text.strip(" +")
            else f"there is no job; use one such as '{JOB_EXAMPLE}'."
        )
    if UNITS.fullmatch(words[-1]) or (len(words) == 1 and _NUMERIC.fullmatch(words[0])):
        raise BadArgument(
            f"{_shown(part.strip())} names no operation; use a job, which counts them,"
            f" such as '{JOB_EXAMPLE}'."
        )
    *before, name = words
    if before and (_NUMERIC.fullmatch(before[0]) is None or len(before) > 1):
        raise BadArgument(
            f"{_shown(part.strip())} is no number and one operation; use a + between operations,"
            f" such as '{JOB_EXAMPLE}'."
        )
    if not before:
        return 1, name
    (count,) = before
    if not _COUNT.fullmatch(count) or not 1 <= int(count) <= _MOST:
        raise BadArgument(_count_text(count))
    return int(count), name


def _count_text(count: str) -> str:
    return (
        f"{_shown(count)} does not say how often; use a whole number in digits, from 1 to {_MOST}."
    )


def _shown(text: str) -> str:
    return repr(shorten(clean_text(text), _LONGEST_SHOWN))
