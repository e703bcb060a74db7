"""From readings to what was spent, period by period; pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._balances import Balances, balances
from ._frames import COLUMNS, text, usage_frame
from ._periods import known_period, period_edges
from ._readings import microseconds
from ._topups import known_step, likely_top_ups

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ._balances import Marks

__all__ = ["usage", "usage_between", "usage_marks", "usage_of", "watched"]

# A reading that a timer takes every hour comes a little late now and then.
_LATENESS = 1.01


class _Pieces(NamedTuple):
    """The time between readings, cut at the edges of the periods.

    ``interval`` is the position of the reading that ends the interval it is cut from, ``end``
    its own end, ``length`` in microseconds, ``share`` its part of the whole interval.
    """

    interval: NDArray[np.int64]
    end: NDArray[np.int64]
    length: NDArray[np.int64]
    share: NDArray[np.float64]

    def of(self, kept: NDArray[np.bool_]) -> _Pieces:
        return _Pieces(self.interval[kept], self.end[kept], self.length[kept], self.share[kept])


def usage(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    usd_per_credit: float = 0.01,
    topup_step: float | None = 100,
) -> pd.DataFrame:
    """Credits spent and topped up in each hour, day, week or month.

    What was spent between two readings is spread evenly over the time between them, so the
    periods add up to the whole. Where the balance rose it was topped up, and what was spent
    in that time cannot be seen: ``spent`` is then a lower bound. A top-up counts in the
    period of the reading that showed it. Changes under a millionth of a credit are none.

    In the likely columns a rise is the multiple of ``topup_step`` nearest to it plus what is
    usually spent in such a time, judged by all of the frame. One that would hide far more
    than is ever spent in such a time is no purchase, and stays as it is.

    Args:
        readings: A readings frame, in any order; of its columns ``organization`` and
            ``credits`` are needed. The periods are cut in the time zone of its index.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        usd_per_credit: The price for the column ``usd``.
            (1 credit = 0.01 USD; Stability-AI/platform, Pricing.md)
        topup_step: The credits of a whole dollar; None takes every rise for what it is.

    Returns:
        One row for each period and organization, from the period of its first reading to
        that of its last, with the start of the ``period`` as index: ``organization``,
        ``name``, ``spent`` and ``topped_up`` (credits), ``likely_spent`` and
        ``likely_topped_up`` (the same where nothing is hidden), ``at_least`` (whether a rise
        hides spending in it), ``credits`` (the last balance read until the period's end),
        ``readings`` (how many), ``observed`` (the share of the period's elapsed time that
        lies between readings no further apart than one period, with a hundredth allowed for
        a timer that is late; up to the frame's last reading in the period that is still
        running) and ``usd`` (of ``spent``).

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are no finite numbers,
            ``by`` is unknown, or ``topup_step`` is no finite number above zero.

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
    """The usage of a window: what lies before ``since`` or from ``until`` on is left out.

    For exact figures at its edges the frame holds a reading before and one after it; the
    spending across an edge is then cut there. What is likely is judged by all of the frame,
    so that it is the same in every window of it.
    """
    known_period(by)
    whole = balances(readings)
    return usage_of(
        whole, by, since=since, until=until, usd_per_credit=usd_per_credit, topup_step=topup_step
    )


def usage_of(
    whole: Balances,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    usd_per_credit: float = 0.01,
    topup_step: float | None = 100,
) -> pd.DataFrame:
    """The same of readings that were taken apart, of which those may be left out that
    :func:`~stability_magic._thinning.reduced` leaves out at the marks of :func:`usage_marks`.
    """
    by, step = known_period(by), known_step(topup_step)
    begin = None if since is None else microseconds(since)
    end = None if until is None else microseconds(until)
    parts = [
        _one_organization(whole, code, by, step, begin, end) for code in range(len(whole.series))
    ]
    return _assemble([each for each in parts if each], whole, usd_per_credit)


def usage_marks(by: str, zone: tzinfo, since: datetime | None, until: datetime | None) -> Marks:
    """Where :func:`usage_of` looks at readings."""
    given = [microseconds(each) for each in (since, until) if each is not None]
    window = np.array(given, dtype=np.int64)

    def marks(first: int, last: int) -> NDArray[np.int64]:
        return np.append(period_edges(first, last, by, zone), window)

    return marks


def watched(times: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each reading is no further from the one before than one period.

    The longer of the two periods that the interval begins and ends in counts: readings at
    the same hour every day are a day apart also when the clock changes.
    """
    lengths = np.diff(edges)
    ends = _period_of(times, edges)
    begun = np.clip(_period_at(times, edges), 0, len(lengths) - 1)
    starts = np.concatenate([begun[:1], begun[:-1]])
    allowed = np.maximum(lengths[starts], lengths[ends]) * _LATENESS
    near: NDArray[np.bool_] = np.diff(times, prepend=times[:1]) <= allowed
    return near


def _period_of(instants: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a change seen at an instant belongs: it lies before it, so an edge ends a period."""
    return np.clip(np.searchsorted(edges, instants, side="left") - 1, 0, len(edges) - 2)


def _period_at(instants: Any, edges: NDArray[np.int64]) -> Any:
    """The period that holds an instant; one that is an edge begins its period."""
    return np.searchsorted(edges, instants, side="right") - 1


def _cut(times: NDArray[np.int64], marks: NDArray[np.int64]) -> _Pieces:
    """Cuts the time between readings at the marks, in order."""
    at = np.searchsorted(times, marks)
    inside = (at > 0) & (at < len(times))
    inside[inside] = times[at[inside]] != marks[inside]
    points = np.insert(times, at[inside], marks[inside])
    is_reading = np.insert(np.ones(len(times), dtype=bool), at[inside], False)
    # A piece belongs to the interval of the next reading at or after its end.
    interval = (np.cumsum(is_reading) - is_reading)[1:]
    length = np.diff(points)
    whole = np.diff(times)[interval - 1]
    share = np.divide(length, whole, out=np.ones(len(length)), where=whole > 0)
    return _Pieces(interval, points[1:], length, share)


def _one_organization(
    whole: Balances, code: int, by: str, step: float | None, begin: int | None, end: int | None
) -> dict[str, Any]:
    """The columns of one organization's rows; empty where none of its time is in the window."""
    series = whole.series[code]
    times, spent, topped_up = series.times, series.spent, series.topped_up
    first = int(times[0]) if begin is None else max(int(times[0]), begin)
    last = int(times[-1]) if end is None else min(int(times[-1]), end - 1)
    if first > last:
        return {}
    # An interval that reaches into the window is judged by all periods that it lies in.
    edges = period_edges(int(times[0]), int(times[-1]), by, whole.zone)
    near = watched(times, edges)
    edges = edges[_period_at(first, edges) : _period_at(last, edges) + 2]
    window = np.array([each for each in (begin, end) if each is not None], dtype=np.int64)
    pieces = _cut(times, np.union1d(edges, window))
    # What was seen at an instant happened before it, so a piece belongs where its end is; but
    # nothing of an organization lies before its first reading.
    pieces = pieces.of(_within(np.maximum(pieces.end - 1, times[0]), begin, end))
    shown = _within(times, begin, end)
    periods = len(edges) - 1
    at = _period_of(pieces.end, edges)

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(at, values.astype(np.float64), periods).astype(np.float64, copy=False)

    rises = np.flatnonzero((topped_up > 0) & _within(times - 1, begin, end))
    risen = _period_of(times[rises], edges)
    hiding = (topped_up > 0)[pieces.interval]
    likely_spent, likely_topped_up = likely_top_ups(series, step)
    elapsed = np.minimum(edges[1:], whole.last) - edges[:-1]
    seen = total(pieces.length * near[pieces.interval])
    ends = edges[1:] if end is None else np.minimum(edges[1:], end)
    return {
        "period": edges[:-1],
        "organization": np.full(periods, code),
        "spent": total(spent[pieces.interval] * pieces.share),
        "topped_up": np.bincount(risen, topped_up[rises], periods),
        "likely_spent": total(likely_spent[pieces.interval] * pieces.share),
        "likely_topped_up": np.bincount(risen, likely_topped_up[rises], periods),
        "at_least": total(hiding) > 0,
        "credits": series.credits[np.searchsorted(times, ends, side="right") - 1],
        "readings": np.bincount(_period_at(times[shown], edges), series.counts[shown], periods),
        "observed": np.divide(seen, elapsed, out=np.zeros(periods), where=elapsed > 0),
    }


def _within(instants: NDArray[np.int64], begin: int | None, end: int | None) -> NDArray[np.bool_]:
    inside = np.ones(len(instants), dtype=bool)
    if begin is not None:
        inside &= instants >= begin
    if end is not None:
        inside &= instants < end
    return inside


def _assemble(
    parts: list[dict[str, Any]], whole: Balances, usd_per_credit: float = 0.01
) -> pd.DataFrame:
    """One frame of all organizations, by period and then by organization."""
    if not parts:
        computed = COLUMNS["usage"].keys() - {"name", "usd"} | {"period"}
        parts = [dict.fromkeys(computed, np.empty(0, dtype=np.int64))]
    merged = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    order = np.lexsort((merged["organization"], merged["period"]))
    merged = {name: values[order] for name, values in merged.items()}
    codes = merged["organization"]
    columns = merged | {
        "organization": text(whole.organizations).array.take(codes),
        "name": text(whole.names).array.take(codes),
        "usd": merged["spent"] * usd_per_credit,
    }
    return usage_frame(columns, merged["period"], whole.zone)
