"""WHEN: spans, dates and times as people type them, and the names of periods; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ._errors import BadArgument

__all__ = ["PERIODS", "WHEN", "first_of", "parse_every", "parse_when", "time_phrase"]

PERIODS = ("hour", "day", "week", "month")

WHEN = "90m, 12h, 7d, 4w, 2026-11-01, '2026-11-01 18:00', today, yesterday or all"

_SPAN = re.compile(r"(\d{1,6})\s*([mhdw])")
_EVERY = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHORTEST, _LONGEST = 10, 7 * 86_400
_DATE = re.compile(r"\d{4}-?(\d{2}-?\d{2}|w\d{2}(-?\d)?)")


def parse_when(text: str, *, now: datetime, end: bool = False) -> datetime | None:
    """The instant that WHEN stands for; None for ``all``.

    Args:
        text: A span back from now (minutes and hours of time, days and weeks of the
            calendar), a date, a date with a time, ``today``, ``yesterday`` or ``all``.
        now: The present, in the zone that dates are meant in.
        end: The instant ends a window: a date then means until its last moment.

    Raises:
        BadArgument: It is none of these.
    """
    word = text.strip().strip("'\"").lower()
    if word == "all":
        return None
    try:
        at = _instant(word, now, end)
        at.astimezone(UTC)  # what UTC cannot express overflows here, and not where it is used
    except (ValueError, OverflowError):
        raise BadArgument(f"{text!r} is no time; use {WHEN}") from None
    return at


def parse_every(text: str) -> timedelta:
    """The time between readings: ``30s``, ``10m``, ``2h`` or ``1d``.

    Raises:
        BadArgument: It is no such time, under ten seconds, or over a week.
    """
    every = _EVERY.fullmatch(text.strip().strip("'\"").lower())
    seconds = int(every[1]) * _SECONDS[every[2]] if every else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise BadArgument(
            f"every {text!r} is no time between readings; use 10s or more, such as 30s, 10m or"
            " 2h, up to 7d."
        )
    return timedelta(seconds=seconds)


def _instant(word: str, now: datetime, end: bool) -> datetime:
    if span := _SPAN.fullmatch(word):
        return _back(now, int(span[1]), span[2])
    if word in ("today", "yesterday"):
        day = _midnight(now) if word == "today" else _back(_midnight(now), 1, "d")
        return _next_day(day) if end else day
    at = datetime.fromisoformat(word.upper())
    if _DATE.fullmatch(word):
        day = at.replace(tzinfo=now.tzinfo)
        return _next_day(day) if end else day
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def first_of(by: str, now: datetime) -> datetime:
    """Where the default window of a period begins: as many whole periods as fit a screen."""
    today = _midnight(now)
    if by == "hour":
        return _back(today, 1, "d")
    if by == "day":
        return _back(today, 30, "d")
    if by == "week":
        return _back(today, now.weekday() + 7 * 12, "d")
    return today.replace(year=now.year - 1, day=1)


def time_phrase(at: datetime, now: datetime) -> str:
    """A time as people say it: ``18:02``, ``yesterday 18:02``, ``12 Nov 18:02``, ``… 2025``."""
    at = at.astimezone(now.tzinfo)
    clock = f"{at:%H:%M}"
    days = (now.date() - at.date()).days
    if days == 0:
        return clock
    if days == 1:
        return f"yesterday {clock}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at.day} {at:%b}{year} {clock}"


def _back(at: datetime, count: int, unit: str) -> datetime:
    if unit in "mh":
        elapsed = timedelta(minutes=count) if unit == "m" else timedelta(hours=count)
        # Through UTC: within one zone Python counts by the clock on the wall.
        return (at.astimezone(UTC) - elapsed).astimezone(at.tzinfo)
    return at - timedelta(days=count if unit == "d" else 7 * count)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _next_day(at: datetime) -> datetime:
    return at + timedelta(days=1)
