"""What was spent, period by period, computed from readings; pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..models import to_microseconds
from .frames import COLUMNS, mark, text_column, usage_frame
from .periods import check_period, period_edges
from .series import Histories, Series, histories_from_frame
from .topups import check_step, likely_top_ups
from .windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from .cut_points import CutPoints

__all__ = [
    "SumDoubts",
    "doubtful_count",
    "share_in_window",
    "sum_doubts",
    "usage",
    "usage_between",
    "usage_cut_points",
    "usage_of",
]


class SumDoubts(NamedTuple):
    """Why a sum of spending may be wrong.

    Attributes:
        is_estimate: A part of it was spread over the border of its window: the truth may be less
            or more.
        is_lower_bound: A rise of the balance hides spending: the truth may be more.
    """

    is_estimate: bool
    is_lower_bound: bool


class _Pieces(NamedTuple):
    """The time between readings, cut at the edges of the periods.

    Attributes:
        interval: The position of the reading at the end of the interval that a piece is part of.
        end: When the piece ends, in microseconds since 1970 UTC.
        share: The piece's share of its interval.
    """

    interval: NDArray[np.int64]
    end: NDArray[np.int64]
    share: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> _Pieces:
        return _Pieces(self.interval[mask], self.end[mask], self.share[mask])


def usage(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    usd_per_credit: float = 0.01,
    topup_step: float | None = 100,
) -> pd.DataFrame:
    """Credits spent and topped up in each hour, day, week or month.

    What was spent between two readings is spread evenly over the time between them, so the
    periods add up to the total. A rise of the balance is a top-up, and it hides what was spent
    in that time: ``spent`` is then a lower bound. A top-up counts in the period of the reading
    that showed it. Changes of less than a millionth of a credit are ignored.

    In the likely columns a rise counts as the smallest amount that people buy, or that the log has
    shown, which hides as much as is spent in such a time; else as the multiple of ``topup_step``
    that is nearest to the rise plus the usual spending in as much time, judged by the whole frame.
    Where that would hide far more than is ever spent in as much time, the rise was no purchase and
    stays as it is. Only with a ``topup_step`` of a dollar it is known what people buy.

    Args:
        readings: A readings frame, in any order; only its columns ``organization`` and
            ``credits`` are needed. Periods begin by the clock of its index's time zone.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        usd_per_credit: The price for the column ``usd``.
            (1 credit = 0.01 USD; Stability-AI/platform, Pricing.md)
        topup_step: Purchases are multiples of this many credits (100 are one dollar); None
            takes every rise as it is.

    Returns:
        One row for each period and organization, from the period of its first reading to
        that of its last, with the start of the ``period`` as index: ``organization``,
        ``name``, ``spent`` and ``topped_up`` (credits), ``likely_spent`` and
        ``likely_topped_up`` (the same where nothing is hidden), ``at_least`` (whether a rise
        hides spending in the period), ``credits`` (the last balance read by the period's end),
        ``readings`` (how many), ``observed`` (the share of the period's time that lies between
        readings and in no gap; in the period that is still running, of the time up to the
        frame's last reading), ``usd`` (of ``spent``) and ``estimated`` (the credits of ``spent``
        that come from readings on either side of an edge of the period, so that the period's
        share of what was spent between them is an estimate). A gap is a step between readings
        that is long for this frame: longer than three times the 95th percentile and four times
        the median of the organization's own steps.

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are not finite numbers,
            ``by`` is unknown, or ``topup_step`` is not a finite number above zero.

    Example:
        >>> import pandas as pd
        >>> at = pd.to_datetime(["2026-01-01", "2026-01-03"], utc=True)
        >>> frame = pd.DataFrame({"organization": "org-1", "credits": [10.0, 7.5]}, index=at)
        >>> usage(frame)["spent"].tolist()
        [1.25, 1.25, 0.0]
    """
    return usage_between(readings, by, usd_per_credit=usd_per_credit, topup_step=topup_step)


def usage_between(
    readings: pd.DataFrame,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    usd_per_credit: float = 0.01,
    topup_step: float | None = 100,
) -> pd.DataFrame:
    """The usage from ``since`` up to, but without, ``until``.

    The spending across an edge of this window is divided there if the frame also holds a reading
    before and one after it. The likely columns, and what is a gap, are judged by the whole frame,
    so they are the same in every window.
    """
    check_period(by)
    return usage_of(
        histories_from_frame(readings),
        by,
        since=since,
        until=until,
        usd_per_credit=usd_per_credit,
        topup_step=topup_step,
    )


def usage_of(
    histories: Histories,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    usd_per_credit: float = 0.01,
    topup_step: float | None = 100,
) -> pd.DataFrame:
    """The usage frame of histories, which may be condensed at :func:`usage_cut_points` (see
    ``cut_points``).
    """
    by, step = check_period(by), check_step(topup_step)
    begin = None if since is None else to_microseconds(since)
    end = None if until is None else to_microseconds(until)
    parts = [
        _organization_rows(histories, code, by, step, begin, end)
        for code in range(len(histories.series))
    ]
    frame = _combine([each for each in parts if each], histories, usd_per_credit)
    return mark(frame, f"usage by {by}")


def usage_cut_points(
    by: str, zone: tzinfo, since: datetime | None, until: datetime | None
) -> CutPoints:
    """The instants that :func:`usage_of` depends on."""
    window = [to_microseconds(each) for each in (since, until) if each is not None]
    window_edges = np.array(window, dtype=np.int64)

    def cut_points(first: int, last: int) -> NDArray[np.int64]:
        return np.append(period_edges(first, last, by, zone), window_edges)

    return cut_points


def share_in_window(
    times: NDArray[np.int64], begin: int | None, end: int | None
) -> NDArray[np.float64]:
    """The share of each interval between readings that usage counts in a window.

    Args:
        times: The readings' times in order, in microseconds since 1970 UTC.
        begin: The window's start, likewise; None for no limit.
        end: Its end, which is not part of it.

    Returns:
        One number from 0 to 1 for each two readings that follow each other.
    """
    window = np.array([each for each in (begin, end) if each is not None], dtype=np.int64)
    pieces = _cut(times, window)
    pieces = pieces.where(_within(np.maximum(pieces.end - 1, times[:1]), begin, end))
    shares = np.bincount(pieces.interval - 1, pieces.share, max(len(times) - 1, 0))
    return shares.astype(np.float64, copy=False)


def sum_doubts(
    series: Iterable[Series], since: datetime | None, until: datetime | None
) -> SumDoubts:
    """What makes the sum of what some organizations spent in a window inexact.

    What was spread over the border of the window may have been spent outside, so the sum is an
    estimate. What was spread over periods inside it makes their own sums estimates, but is all in
    the window's sum.

    Args:
        series: Each organization's readings in the window, and the ones next to it.
        since: Where the window begins; None where the readings do.
        until: Where it ends, which is not part of it; None where the readings do.
    """
    is_estimate = is_lower_bound = False
    for times, _, spent, topped_up, *_ in series:
        first, last = 1, len(times) - 1
        for border in (to_microseconds(each) for each in (since, until) if each is not None):
            at = int(np.searchsorted(times, border))
            is_within_step = 0 < at < len(times) and times[at] > border
            is_estimate |= bool(is_within_step and spent[at] > 0)
        if since is not None:
            first = max(first, int(np.searchsorted(times, to_microseconds(since), side="right")))
        if until is not None:
            last = min(last, int(np.searchsorted(times, to_microseconds(until))))
        is_lower_bound |= bool((topped_up[first : last + 1] > 0).any())
    return SumDoubts(is_estimate, is_lower_bound)


def doubtful_count(series: Iterable[Series], since: datetime | None, until: datetime | None) -> int:
    """How many readings in a window are doubtful, and so count in no sum."""
    window = Window.between(since, until)
    return sum(
        int(((each.doubtful >= window.since) & (each.doubtful < window.until)).sum())
        for each in series
    )


def _period_before(instants: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The period of a change that was seen at an instant; at an edge, the period that ends."""
    return np.clip(np.searchsorted(edges, instants, side="left") - 1, 0, len(edges) - 2)


def _period_at(instants: Any, edges: NDArray[np.int64]) -> Any:
    """The period that an instant is in; at an edge, the period that begins."""
    return np.searchsorted(edges, instants, side="right") - 1


def _cut(times: NDArray[np.int64], cut_points: NDArray[np.int64]) -> _Pieces:
    """Cuts the time between readings at the cut points, which are in order."""
    at = np.searchsorted(times, cut_points)
    is_between = (at > 0) & (at < len(times))
    is_between[is_between] = times[at[is_between]] != cut_points[is_between]
    points = np.insert(times, at[is_between], cut_points[is_between])
    is_reading = np.insert(np.ones(len(times), dtype=bool), at[is_between], False)
    # A piece belongs to the interval that ends with the first reading at or after its end.
    interval = (np.cumsum(is_reading) - is_reading)[1:]
    length = np.diff(points)
    interval_length = np.diff(times)[interval - 1]
    share = np.divide(length, interval_length, out=np.ones(len(length)), where=interval_length > 0)
    return _Pieces(interval, points[1:], share)


def _organization_rows(
    histories: Histories,
    code: int,
    by: str,
    step: float | None,
    begin: int | None,
    end: int | None,
) -> dict[str, Any]:
    """The columns of one organization's rows; empty where none of its time is in the window."""
    series = histories.series[code]
    times, spent, topped_up = series.times, series.spent, series.topped_up
    first = int(times[0]) if begin is None else max(int(times[0]), begin)
    last = int(times[-1]) if end is None else min(int(times[-1]), end - 1)
    if first > last:
        return {}
    edges = period_edges(first, last, by, histories.zone)
    window = np.array([each for each in (begin, end) if each is not None], dtype=np.int64)
    pieces = _cut(times, np.union1d(edges, window))
    # What was seen at an instant happened before it, so a piece belongs to the period that its
    # end is in; but nothing of an organization lies before its first reading.
    pieces = pieces.where(_within(np.maximum(pieces.end - 1, times[0]), begin, end))
    in_window = _within(times, begin, end)
    periods = len(edges) - 1
    at = _period_before(pieces.end, edges)

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(at, values.astype(np.float64), periods).astype(np.float64, copy=False)

    rises = np.flatnonzero((topped_up > 0) & _within(times - 1, begin, end))
    rise_periods = _period_before(times[rises], edges)
    hides_spending = (topped_up > 0)[pieces.interval]
    likely_spent, likely_topped_up = spent, topped_up
    if hides_spending.any():
        likely_spent, likely_topped_up = likely_top_ups(series, step)
    elapsed = np.minimum(edges[1:], histories.last_time) - edges[:-1]
    # A gap that reaches into the window is the same gap as without the window.
    seen = np.clip(edges, first, times[-1] if end is None else min(times[-1], end))
    observed = np.diff(seen - series.gaps().time_until(seen))
    piece_spent = spent[pieces.interval] * pieces.share
    ends = edges[1:] if end is None else np.minimum(edges[1:], end)
    return {
        "period": edges[:-1],
        "organization": np.full(periods, code),
        "spent": total(piece_spent),
        "topped_up": np.bincount(rise_periods, topped_up[rises], periods),
        "likely_spent": total(likely_spent[pieces.interval] * pieces.share),
        "likely_topped_up": np.bincount(rise_periods, likely_topped_up[rises], periods),
        "at_least": total(hides_spending) > 0,
        "credits": series.credits[np.searchsorted(times, ends, side="right") - 1],
        "readings": np.bincount(
            _period_at(times[in_window], edges), series.counts[in_window], periods
        ),
        "observed": np.divide(observed, elapsed, out=np.zeros(periods), where=elapsed > 0),
        "estimated": total(piece_spent * (pieces.share < 1)),
    }


def _within(instants: NDArray[np.int64], begin: int | None, end: int | None) -> NDArray[np.bool_]:
    inside = np.ones(len(instants), dtype=bool)
    if begin is not None:
        inside &= instants >= begin
    if end is not None:
        inside &= instants < end
    return inside


def _combine(
    parts: list[dict[str, Any]], histories: Histories, usd_per_credit: float = 0.01
) -> pd.DataFrame:
    """The usage frame of all organizations, by period and then by organization."""
    if not parts:
        computed = COLUMNS["usage"].keys() - {"name", "usd"} | {"period"}
        parts = [dict.fromkeys(computed, np.empty(0, dtype=np.int64))]
    merged = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    order = np.lexsort((merged["organization"], merged["period"]))
    merged = {name: values[order] for name, values in merged.items()}
    codes = merged["organization"]
    columns = merged | {
        "organization": text_column(histories.organizations).array.take(codes),
        "name": text_column(histories.names).array.take(codes),
        "usd": merged["spent"] * usd_per_credit,
    }
    return usage_frame(columns, merged["period"], histories.zone)
