"""The words on a picture: amounts, dates, its title and what stands below it; pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo

from ..analysis.outlook import TOO_LITTLE, Estimate
from .picture_data import DAY, HOUR, MINUTE

__all__ = [
    "SEPARATOR",
    "amount",
    "day",
    "dollars",
    "duration",
    "empty_words",
    "local",
    "money",
    "priced",
    "window_words",
]

SEPARATOR = "  ·  "
_MAX_PLAIN = 1e15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(instant: int, zone: tzinfo) -> datetime:
    """An instant, in microseconds since 1970 UTC, by the clock of a zone."""
    try:
        return (_EPOCH + timedelta(microseconds=int(instant))).astimezone(zone)
    except OverflowError:
        return (
            datetime.max.replace(tzinfo=zone) if instant > 0 else datetime.min.replace(tzinfo=zone)
        )


def amount(credits: float, *, exact: bool = False) -> str:
    """Credits: whole ones from 100 on, two decimals below; with ``exact``, always two."""
    size = abs(credits)
    if size >= _MAX_PLAIN:
        return f"{credits:.3g}"
    if 0 < size < 0.005:
        return "<0.01" if credits > 0 else "0"
    if size == 0:
        return "0"
    return f"{credits:,.2f}" if exact or size < 99.995 else f"{credits:,.0f}"


def dollars(usd: float, *, short: bool = False) -> str:
    """Dollars with two decimals, none from $1,000 on; ``short`` also none where it is whole."""
    sign, usd = ("-" if usd < 0 else ""), abs(usd)
    if usd >= _MAX_PLAIN:
        return f"{sign}${usd:.3g}"
    if 0 < usd < 0.005:
        return f"{sign}<$0.01"
    is_whole = usd >= 999.995 or (short and round(usd, 2) == round(usd))
    return f"{sign}${usd:,.0f}" if is_whole else f"{sign}${usd:,.2f}"


def money(credits: float, price: float, *, short: bool = True) -> str:
    """Credits in dollars; as credits where they have no price."""
    return dollars(credits * price, short=short) if price else amount(credits)


def priced(
    credits: float, price: float, unit: str = "", *, short: bool = False, exact: bool = False
) -> str:
    """Credits with their price behind them: ``759 credits ($7.59)``."""
    behind = f" ({dollars(credits * price, short=short)})" if price else ""
    return f"{amount(credits, exact=exact)}{unit}{behind}"


def day(at: datetime) -> str:
    """``26 Nov``."""
    return f"{at.day} {at:%b}"


def duration(length: int) -> str:
    """``15 minutes``, ``6 hours``, ``3 days``; microseconds in."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1_000_000, "second")):
        if length >= 2 * unit or (name == "second"):
            count = max(1, round(length / unit))
            return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"
    raise AssertionError


def window_words(start: int, end: int, by: str, zone: tzinfo, *, is_past: bool) -> str:
    """The window of a picture: ``since 27 Sep``, ``on Tue 24 Nov``, ``from 1 to 15 Nov``."""
    begin, last = local(start, zone), local(end, zone)
    until = local(end - 1, zone)
    year = "" if begin.year == last.year else f" {begin.year}"
    if not is_past:
        if end - start <= 36 * HOUR:
            is_same_day = begin.date() == last.date()
            return f"since {begin:%H:%M}" if is_same_day else f"since {begin:%a %H:%M}"
        if by == "month" and year:
            return f"since {begin:%b %Y}"
        weekday = f"{begin:%a} " if end - start <= 14 * DAY else ""
        return f"since {weekday}{day(begin)}{year}"
    if begin.date() == until.date():
        if end - start >= 20 * HOUR:
            return f"on {begin:%a} {day(begin)}"
        return f"on {begin:%a} {day(begin)}, {begin:%H:%M} to {last:%H:%M}"
    return f"from {day(begin)}{year} to {day(until)}{f' {until.year}' if year else ''}"


def empty_words(estimate: Estimate, now: int, zone: tzinfo) -> tuple[str, str]:
    """When it is empty, and the range; empty where nothing can be said."""
    middle, early, late = (estimate.empty_at, estimate.empty_early, estimate.empty_late)
    if early is None or estimate.evidence == TOO_LITTLE:
        return "", ""
    first = local(early, zone)
    is_soon = early - now <= 2 * DAY
    if late is None or middle is None:
        if is_soon:
            return "irregular: cannot tell", ""
        words = f"{_date(first, now, zone)} or later"
        return (f"empty {_about(local(middle, zone))}", words) if middle else (f"empty {words}", "")
    last, center = local(late, zone), local(middle, zone)
    width = late - early
    if late - now <= 2 * DAY and width <= 12 * HOUR:
        is_today = center.date() == local(now, zone).date()
        when = f"{center:%H:%M}" if is_today else f"{center:%a %H:%M}"
        return f"empty about {when}", f"{first:%H:%M}\N{EN DASH}{last:%H:%M}"
    if width <= 3 * DAY:
        return f"empty about {center:%a} {day(center)}", _range(first, last)
    if width <= 10 * DAY:
        return f"empty about {day(center)}", _range(first, last)
    if is_soon:
        weeks = math.ceil((late - now) / (7 * DAY))
        within = f"empty within {weeks} weeks"
        return (within, "") if late - now <= 60 * DAY else ("irregular: cannot tell", "")
    if late - now <= 100 * DAY:
        return f"empty {_about(center)}", f"{day(first)} to {day(last)}"
    return f"empty {_about(center)}", f"{_date(first, now, zone)} or later"


def _about(at: datetime) -> str:
    third = "early " if at.day <= 10 else "mid-" if at.day <= 20 else "late "
    return f"about {third}{at:%B}"


def _date(at: datetime, now: int, zone: tzinfo) -> str:
    return day(at) if at.year == local(now, zone).year else f"{day(at)} {at.year}"


def _range(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        return ""
    is_same_month = (first.year, first.month) == (last.year, last.month)
    return f"{first.day if is_same_month else day(first)}\N{EN DASH}{day(last)}"
