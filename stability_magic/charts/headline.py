"""The title of a picture, and the line below it; pure."""

from __future__ import annotations

from typing import NamedTuple

from ..display.wording import bound_words
from .picture_data import (
    DAY,
    HOUR,
    Outlook,
    PictureData,
    SpendingBars,
    latest_balances,
    spent_in_window,
    top_ups_of,
)
from .words import (
    amount,
    dollars,
    duration,
    empty_words,
    priced,
    window_words,
)

__all__ = ["Headline", "headline", "spent_words"]

_FEW_DAYS = 3 * DAY
_NOTHING = "nothing"


class Headline(NamedTuple):
    """The words above a picture.

    Attributes:
        name: Whose balance it is, or how many organizations'.
        rest: The title after the name, which is never shortened.
        empty: What the title says of the end of the credits, if it has room; else empty.
        parts: The parts of the line below, the most important first.
        is_low: Whether the title warns.
    """

    name: str
    rest: str
    empty: str
    parts: list[str]
    is_low: bool


def headline(
    picture: PictureData,
    names: list[str],
    bars: SpendingBars | None,
    low_balance: float | None,
    price: float,
    zone_name: str,
) -> Headline:
    """The words above a picture of balances and spending."""
    balances = latest_balances(picture)
    known = [each for each in balances if each is not None]
    name = names[0] if len(names) == 1 else f"{len(names):,} organizations"
    is_past = picture.until is not None and picture.histories.last_time >= picture.window_end
    left = priced(sum(known), price)
    window = window_words(
        picture.window_start,
        picture.window_end,
        picture.by,
        picture.histories.zone,
        is_past=is_past,
    )
    spent, rate = spent_words(picture, bars, price)
    count = sum(
        int(each.counts[picture.contains(each.times)].sum()) for each in picture.histories.series
    )
    readings = f"{count:,} reading" if count == 1 else f"{count:,} readings"
    parts: list[str] = []
    has_steps = any(len(each.times) > 1 for each in picture.histories.series)
    is_short = picture.window_end - picture.window_start <= 36 * HOUR
    is_low = (
        len(names) == 1
        and not is_past
        and low_balance is not None
        and known[:1] < [low_balance]
        and bool(known)
    )
    if is_past:
        title = f"{spent} spent {window}" if spent else f"{left} left {window}"
        is_day = window.startswith("on ") and ":" not in window
        parts = [
            f"{left} left at the end{' of the day' if is_day else ''}",
            readings,
        ]
    else:
        title = f"{'LOW, ' if is_low else ''}{priced(sum(known), price, ' credits')} left"
        if is_low and low_balance is not None:
            parts.append(f"under the low balance of {priced(low_balance, price, short=True)}")
        if count <= 1 and not has_steps:
            parts.append(f"{readings} {window.replace('since', 'at', 1)}" if is_short else readings)
        elif spent and is_short:
            parts += [
                f"{spent} spent in {duration(picture.window_end - picture.window_start)}",
                f"{readings} {window}",
            ]
        elif spent:
            parts.append(f"{spent} spent {window}{rate}")
        else:
            parts.append(f"{readings} {window}")
    if is_past and spent:
        title = f"{_with_unit(spent)} spent {window}"
    parts += _top_up_words(picture, price) if not is_short else []
    empty, more = _forecast_words(picture, names, is_past=is_past)
    parts += more
    if zone_name:
        parts.append(f"times in {zone_name}")
    return Headline(name, title, empty, parts, is_low)


def _forecast_words(
    picture: PictureData, names: list[str], *, is_past: bool
) -> tuple[str, list[str]]:
    """When the credits end, for the title; and else what the line below says about that."""
    empty = ""
    outlooks = [each for each in picture.outlooks if each]
    if len(names) == 1 and outlooks:
        empty = _title_empty(outlooks[0], picture)
    if not empty and _is_young(picture) and not is_past:
        return "", ["a forecast needs 3 days of readings"]
    if len(names) == 1 and outlooks and not empty:
        return "", [outlooks[0].estimate.evidence.partition(":")[0]]
    return empty, []


def _with_unit(spent: str) -> str:
    """``about 452 ($4.52)`` with its unit."""
    if spent == _NOTHING:
        return spent
    number, bracket, behind = spent.partition(" (")
    return f"{number} credits{bracket}{behind}"


def _is_young(picture: PictureData) -> bool:
    histories = picture.histories
    return (
        bool(histories.series)
        and histories.last_time - histories.first_time < _FEW_DAYS
        and (picture.window_start <= histories.first_time)
    )


def _title_empty(outlook: Outlook, picture: PictureData) -> str:
    now = int(outlook.times[0]) if len(outlook.times) else picture.window_end
    return empty_words(outlook.estimate, now, picture.histories.zone)[0]


def spent_words(picture: PictureData, bars: SpendingBars | None, price: float) -> tuple[str, str]:
    """What was spent in the window, and how much that is a day, a week or a month."""
    if bars is None:
        return "", ""
    spending = spent_in_window(picture)
    total = float((spending.seen + spending.hidden).sum())
    # Both here and in lines, "at least" is what was seen, and "about" is likely.
    words = "about " if spending.hidden.any() else bound_words(*spending.doubts)
    if total == 0.0 and not words:
        return _NOTHING, ""
    length = picture.window_end - picture.window_start
    unit, span = {"month": ("month", 365.25 / 12), "week": ("week", 7.0)}.get(
        picture.by, ("day", 1.0)
    )
    rate = ""
    if length >= 2 * span * DAY:
        mean = total / (length / DAY / span)
        behind = (
            f" ({dollars(mean * price).partition('.')[0]})" if price and unit == "month" else ""
        )
        rate = f", {amount(mean)}{behind} a {unit}"
    return f"{words}{priced(total, price)}", rate


def _top_up_words(picture: PictureData, price: float) -> list[str]:
    codes = range(len(picture.histories.series))
    sizes = [size for code in codes for size in top_ups_of(picture, code).sizes.tolist()]
    if not sizes:
        return []
    noun = "top-up" if len(sizes) == 1 else "top-ups"
    total = dollars(sum(sizes) * price, short=True) if price else amount(sum(sizes))
    return [f"{len(sizes):,} {noun}, {total}"]
