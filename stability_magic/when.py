"""Spans, dates, times and periods as people type them, and the names of periods; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from .errors import BadArgument
from .text import did_you_mean

__all__ = [
    "BUDGET_PERIODS",
    "PERIODS",
    "PERIOD_FORMS",
    "WHEN_FORMS",
    "default_window_start",
    "parse_interval",
    "parse_period",
    "parse_when",
    "time_phrase",
]

PERIODS = ("hour", "day", "week", "month")
# An hour is no time that anybody plans spending for.
BUDGET_PERIODS = PERIODS[1:]

# What the command line calls WHEN, for help texts and error messages.
WHEN_FORMS = "90m, 12h, 7d, 4w, 2026-11-01, '2026-11-01 18:00', today, yesterday or all"

# What the command line calls PERIOD, likewise.
PERIOD_FORMS = (
    "today, yesterday, 2026-11-18, 'this week', 'last week', 2026-W47, 'this month',"
    " 'last month', 2026-11, 'this year', 'last year' or 2026"
)

_PERIOD_WORDS = (
    "today",
    "yesterday",
    *(f"{which} {unit}" for which in ("this", "last") for unit in ("week", "month", "year")),
)

_SPAN = re.compile(r"(\d{1,6})\s*([mhdw])")
_INTERVAL = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 10, 7 * 86_400  # seconds
_DATE = re.compile(r"\d{4}-?(\d{2}-?\d{2}|w\d{2}(-?\d)?)")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_YEAR = re.compile(r"\d{4}")
_WEEK = re.compile(r"\d{4}-?w\d{2}")
_DAY = re.compile(r"\d{4}-?(\d{2}-?\d{2}|w\d{2}-?\d)")


def parse_when(text: str, *, now: datetime, is_window_end: bool = False) -> datetime | None:
    """The instant that a text stands for; None for ``all``.

    Args:
        text: A span back from now (elapsed minutes and hours, calendar days and weeks), a date,
            a date with a time, ``today``, ``yesterday`` or ``all``.
        now: The current time, in the zone of the dates.
        end: Whether the instant ends a window; a date then stands for the end of its day.

    Raises:
        BadArgument: The text is none of these.
    """
    word = text.strip().strip("'\"").lower()
    if word == "all":
        return None
    try:
        at = _parse_instant(word, now, is_window_end)
        at.astimezone(UTC)  # what UTC cannot express overflows here, not where it is used
    except (ValueError, OverflowError):
        meant = did_you_mean(word, ("today", "yesterday", "all"))
        raise BadArgument(f"{text!r} is no time; use {WHEN_FORMS}{meant}") from None
    return at


def parse_period(text: str, *, now: datetime) -> tuple[datetime, datetime]:
    """Where the day, week, month or year that a text stands for begins, and where it ends.

    Args:
        text: ``today``, ``yesterday``, ``this`` or ``last`` with ``week`` (from Monday), ``month``
            or ``year``, or a date, an ISO week, a month or a year in digits.
        now: The current time, in the zone whose days are meant.

    Returns:
        The first instant, and the first one after it.

    Raises:
        BadArgument: The text is none of these, or the zone's calendar left that day out.
    """
    words = " ".join(text.strip().strip("'\"").lower().split())
    try:
        start, end = _parse_days(words, now)
        is_empty = start.astimezone(UTC) >= end.astimezone(UTC)
    except (ValueError, OverflowError):
        meant = did_you_mean(words, _PERIOD_WORDS)
        raise BadArgument(f"{text!r} is no period; use {PERIOD_FORMS}{meant}") from None
    if is_empty:
        raise BadArgument(f"{text!r} never was: the clocks of {now.tzinfo} left it out.")
    return start, end


def parse_interval(text: str) -> timedelta:
    """The interval between readings: ``30s``, ``10m``, ``2h`` or ``1d``.

    Raises:
        BadArgument: The text is not an interval, or it is under ten seconds or over a week.
    """
    match = _INTERVAL.fullmatch(text.strip().strip("'\"").lower())
    seconds = int(match[1]) * _SECONDS_PER_UNIT[match[2]] if match else 0
    if not _SHORTEST_INTERVAL <= seconds <= _LONGEST_INTERVAL:
        raise BadArgument(
            f"every {text!r} is no time between readings; use 10s or more, such as 30s, 10m or"
            " 2h, up to 7d."
        )
    return timedelta(seconds=seconds)


def _parse_instant(word: str, now: datetime, is_window_end: bool) -> datetime:
    if span := _SPAN.fullmatch(word):
        return _go_back(now, int(span[1]), span[2])
    if word in ("today", "yesterday"):
        day = _midnight(now) if word == "today" else _go_back(_midnight(now), 1, "d")
        return _day_after(day) if is_window_end else day
    at = datetime.fromisoformat(word.upper())
    if _DATE.fullmatch(word):
        day = at.replace(tzinfo=now.tzinfo)
        return _day_after(day) if is_window_end else day
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def _parse_days(words: str, now: datetime) -> tuple[datetime, datetime]:
    """Two midnights: where a period of whole days begins and ends."""
    today = _midnight(now)
    if words in ("today", "yesterday"):
        day = today if words == "today" else _go_back(today, 1, "d")
        return day, _day_after(day)
    which, _, unit = words.partition(" ")
    if which in ("this", "last") and unit in ("week", "month", "year"):
        start = _unit_start(today, unit)
        if which == "last":
            start = _unit_start(_go_back(start, 1, "d"), unit)
        return start, _next_start(start, unit)
    if _YEAR.fullmatch(words):
        start, unit = today.replace(year=int(words), month=1, day=1), "year"
    elif month := _MONTH.fullmatch(words):
        start, unit = today.replace(year=int(month[1]), month=int(month[2]), day=1), "month"
    elif _WEEK.fullmatch(words) or _DAY.fullmatch(words):
        start = datetime.fromisoformat(words.upper()).replace(tzinfo=now.tzinfo)
        unit = "week" if _WEEK.fullmatch(words) else "day"
    else:
        raise ValueError(words)
    return start, _next_start(start, unit)


def _unit_start(day: datetime, unit: str) -> datetime:
    if unit == "week":
        return _go_back(day, day.weekday(), "d")
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _next_start(start: datetime, unit: str) -> datetime:
    if unit in ("day", "week"):
        return start + timedelta(days=1 if unit == "day" else 7)
    # No month has more than 31 days, and no year more than 366.
    return _unit_start(start + timedelta(days=31 if unit == "month" else 366), unit)


def default_window_start(by: str, now: datetime) -> datetime:
    """Where a period's default window begins: as many whole periods as fit on a screen."""
    today = _midnight(now)
    if by == "hour":
        return _go_back(today, 1, "d")
    if by == "day":
        return _go_back(today, 30, "d")
    if by == "week":
        return _go_back(today, now.weekday() + 7 * 12, "d")
    return today.replace(year=now.year - 1, day=1)


def time_phrase(at: datetime, now: datetime) -> str:
    """A short time: ``18:02``, ``yesterday 18:02``, ``12 Nov 18:02``, ``12 Nov 2025 18:02``."""
    at = at.astimezone(now.tzinfo)
    clock = f"{at:%H:%M}"
    days = (now.date() - at.date()).days
    if days == 0:
        return clock
    if days == 1:
        return f"yesterday {clock}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at.day} {at:%b}{year} {clock}"


def _go_back(at: datetime, count: int, unit: str) -> datetime:
    if unit in "mh":
        elapsed = timedelta(minutes=count) if unit == "m" else timedelta(hours=count)
        # Through UTC: within a zone Python subtracts wall-clock time, not elapsed time.
        return (at.astimezone(UTC) - elapsed).astimezone(at.tzinfo)
    return at - timedelta(days=count if unit == "d" else 7 * count)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _day_after(at: datetime) -> datetime:
    return at + timedelta(days=1)
