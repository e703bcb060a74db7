"""The numbers that each panel of a picture shows; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..analysis.cut_points import condense
from ..analysis.gaps import unobserved_time
from ..analysis.outlook import Estimate, estimate, path
from ..analysis.periods import check_period, period_edges, period_start
from ..analysis.series import Histories, Series
from ..analysis.spend import SumDoubts, sum_doubts, usage_cut_points
from ..analysis.topups import likely_top_ups
from ..models import from_microseconds, to_microseconds
from .thinning import combine_bars, extreme_positions, largest_per_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..analysis.cut_points import CutPoints

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "DAY",
    "FEW_READINGS",
    "HOUR",
    "MAX_COLUMNS",
    "MINUTE",
    "SECOND",
    "BalanceLine",
    "BudgetLevels",
    "Look",
    "Outlook",
    "PictureData",
    "SpendingBars",
    "TopUps",
    "WindowSpending",
    "balance_line",
    "is_idle",
    "largest_top_ups",
    "latest_balances",
    "picture_cut_points",
    "prepare_picture",
    "prepare_watch",
    "spending_bars",
    "spent_in_window",
    "top_ups_of",
    "watch_cut_points",
    "with_outlooks",
]

SECOND = 1_000_000  # microseconds
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
_LENGTHS = {"second": SECOND, "minute": MINUTE}
_COVERAGE = 0.8
_TOPUP_STEP = 100.0  # credits: whole dollars are bought

# Credits. matplotlib multiplies and adds what it draws, and a number has no room beyond 1.8e308.
_MAX_DRAWABLE = 1e300

# A line keeps its extremes in at most this many columns, however many pixels there are. This
# keeps an SVG small.
MAX_COLUMNS = 2000

# A band over a gap that is narrower than this would be a line.
_LEAST_GAP_SHARE = 0.02
# The part of a picture that shows the future.
_LEAST_FUTURE, _MOST_FUTURE = 0.06, 1 / 3
# With fewer whole periods than this, shorter ones are shown, or the time between readings.
_FEWEST_PERIODS = 3
FEW_READINGS = 40
_SHORTER = {"day": "hour", "hour": "minute", "minute": "second"}


class Look(NamedTuple):
    """How a picture is drawn, whatever it shows.

    Attributes:
        theme: ``auto``, ``light`` or ``dark``.
        usd_per_credit: The price of a credit; with 0, no dollars are shown.
        order: All organizations in the order in which the log saw them, which gives colours.
        machine_zone: The machine's time zone, which need not be told; empty if it is not known.
        log_name: Where the log is, for a picture without readings.
    """

    theme: str = "auto"
    usd_per_credit: float = 0.01  # (Stability-AI/platform, Pricing.md)
    order: tuple[str, ...] = ()
    machine_zone: str = ""
    log_name: str = ""


class PictureData(NamedTuple):
    """The readings of a picture and the window of time that it shows.

    Instants are in microseconds since 1970 UTC. An organization's ``code`` is its position in
    ``histories``.

    Attributes:
        histories: All readings, by organization, in the order in which the log saw them first.
        by: The period of the bars: ``second`` to ``month``, or ``reading`` for the time between
            readings.
        until: Where the window ends; None for the last reading.
        window_start: Where the window begins, or the time of the first reading.
        window_end: ``until``, or the time of the last reading.
        edges: Where the bars begin and end: from the start of the window's first period to the
            end of its last.
        gaps: Where the time without readings begins that is unusual in this log, and where it ends.
        likely: What was likely spent and topped up at each reading, by organization.
        colours: The place of each organization's colour, which does not depend on the window.
        outlooks: How each organization's balance is expected to go on, if that is drawn.
        axis_end: The end of the time axis, which is later if a forecast is drawn.
        budgets: What might be spent in each period; None where that is not drawn.
    """

    histories: Histories
    by: str
    until: datetime | None
    window_start: int
    window_end: int
    edges: Ints
    gaps: tuple[Ints, Ints]
    likely: tuple[tuple[Floats, Floats], ...]
    colours: tuple[int, ...]
    axis_start: int
    axis_end: int
    outlooks: tuple[Outlook | None, ...] = ()
    budgets: BudgetLevels | None = None

    def contains(self, times: Ints) -> NDArray[np.bool_]:
        """Which instants are in the window; ``until`` itself is not, as in the usage frame."""
        is_before_end = times <= self.window_end if self.until is None else times < self.window_end
        return np.asarray((times >= self.window_start) & is_before_end)


class BalanceLine(NamedTuple):
    """One organization's balances: times in microseconds, credits, positions of readings.

    If there is a reading before the window, or after it, the line begins or ends at the
    window's edge; these points are not readings.
    """

    times: Ints
    credits: Floats
    readings: list[int]


class Outlook(NamedTuple):
    """A future balance: times in microseconds, and credits: expected, and a band around it.

    Under ``empty_below`` it counts as empty.
    """

    times: Ints
    expected: Floats
    low: Floats
    high: Floats
    estimate: Estimate
    empty_below: float = 0.0


class BudgetLevels(NamedTuple):
    """A budget in each of n periods.

    Attributes:
        credits: Shape (n,), what might be spent; NaN where nobody said.
        is_before: Shape (n,), whether that was before any was set, so that it only compares.
    """

    credits: Floats
    is_before: NDArray[np.bool_]


class TopUps(NamedTuple):
    """Top-ups of one organization in the window, oldest first.

    Attributes:
        times: When a reading showed each, in microseconds since 1970 UTC.
        credits: The balance of that reading.
        rises: By how many credits the balance rose.
        sizes: How many credits were likely bought.
    """

    times: Ints
    credits: Floats
    rises: Floats
    sizes: Floats


class WindowSpending(NamedTuple):
    """Spending of k organizations in the window of a picture, as the usage frame tells it.

    Attributes:
        seen: Shape (k,), credits spent for certain.
        hidden: Shape (k,), credits that top-ups likely hid besides.
        doubts: Why the sum of ``seen`` may be wrong.
    """

    seen: Floats
    hidden: Floats
    doubts: SumDoubts


class SpendingBars(NamedTuple):
    """Spending in n bars of k organizations.

    Attributes:
        edges: n + 1 instants in microseconds since 1970 UTC.
        seen: Shape (k, n), credits spent in that period for certain.
        pale: Shape (k, n), credits likely spent: hidden by a top-up, or spread over several
            periods, so that the share of each is an estimate.
        is_open: Shape (n,), whether the readings cover only a part of the period.
        is_hidden: Whether ``pale`` holds what a top-up hid.
    """

    edges: Ints
    seen: Floats
    pale: Floats
    is_open: NDArray[np.bool_]
    is_hidden: bool

    @property
    def totals(self) -> Floats:
        """Credits in each bar."""
        return np.asarray((self.seen + self.pale).sum(axis=0))


def latest_balances(picture: PictureData) -> list[float | None]:
    """The latest balance of each organization in or before the window, in credits."""
    balances: list[float | None] = []
    for each in picture.histories.series:
        side = "right" if picture.until is None else "left"
        count = int(np.searchsorted(each.times, picture.window_end, side=side))  # type: ignore[call-overload]
        balances.append(float(each.credits[count - 1]) if count else None)
    return balances


def is_idle(picture: PictureData, code: int) -> bool:
    """Whether an organization neither spent nor bought anything in the window."""
    series, (likely_spent, _) = picture.histories.series[code], picture.likely[code]
    bounds = np.array([picture.window_start, picture.window_end])
    has_spent = _overlaps(series, picture) and _between(series.times, likely_spent, bounds).any()
    return not (has_spent or series.topped_up[picture.contains(series.times)].any())


def prepare_picture(
    histories: Histories,
    by: str,
    since: datetime | None,
    until: datetime | None,
    *,
    exact: bool = False,
    whole_periods: bool = False,
    order: Sequence[str] = (),
) -> PictureData:
    """Checks the arguments of a picture and finds its window and periods.

    Args:
        histories: The readings.
        by: The period.
        since: Where the window begins; None for the first reading.
        until: Where it ends; None for the last reading.
        exact: Whether the bars are of that period in any case; else shorter ones are taken
            where there would be fewer than three.
        whole_periods: Whether it begins with the whole period in which ``since`` lies.
        order: Organizations in the order in which the log saw them; others follow.

    Raises:
        ValueError: ``by`` is not a period, or ``since`` and ``until`` have no time zone or are
            in the wrong order.
    """
    check_period(by)
    histories, colours = _in_order(histories, order)
    start, end = _window_edge("since", since), _window_edge("until", until)
    if start is not None and end is not None and start >= end:
        raise ValueError(f"`since` is {since}, which is not before `until`, {until}")
    if since is not None and whole_periods:
        start = to_microseconds(period_start(since, by, histories.zone))
    window_start = histories.first_time if start is None else start
    window_end = max(window_start, histories.last_time) if end is None else end
    window_start = min(window_start, window_end)
    by, edges = _bar_edges(histories, by, window_start, window_end, exact=exact)
    axis_start, axis_end = int(edges[0]), int(edges[-1])
    length = window_end - window_start
    is_lost = exact and axis_end - axis_start > 3 * length
    # Readings of a few minutes would be lost in a whole day.
    margin = max(length // 60, 0 if length else 5 * MINUTE)
    if by == "reading" or (is_lost and since is None):
        axis_start = window_start - (margin if since is None or not length else 0)
        axis_end = window_end + (margin if until is None or not length else 0)
    likely = tuple(likely_top_ups(each, _TOPUP_STEP) for each in histories.series)
    gaps = _visible_gaps(histories, (window_start, window_end), axis_end - axis_start)
    return PictureData(
        histories,
        by,
        until,
        window_start,
        window_end,
        edges,
        gaps,
        likely,
        colours,
        axis_start,
        axis_end,
    )


def _visible_gaps(
    histories: Histories, window: tuple[int, int], axis_length: int
) -> tuple[Ints, Ints]:
    """The time in the window in which no organization was read, where it is wide enough to see."""
    series = histories.series
    if not series:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts, ends = unobserved_time(
        [each.times for each in series], [each.gaps() for each in series], window
    )
    # Between the edges of columns, readings may be condensed.
    column = -(-(window[1] - window[0]) // MAX_COLUMNS)
    is_visible = ends - starts > max(_LEAST_GAP_SHARE * axis_length, column)
    return starts[is_visible], ends[is_visible]


def prepare_watch(histories: Histories, since: datetime, order: Sequence[str]) -> PictureData:
    """The picture of what was spent since a watch began, by second, minute, hour or day."""
    histories, colours = _in_order(histories, order)
    start = to_microseconds(since)
    # It begins with the first reading of the watch, just before or after ``since``.
    times = np.concatenate([each.times for each in histories.series])
    start = int(times[times >= start].min(initial=max(start, int(times.max()))))
    end = max(histories.last_time, start + SECOND)
    span = end - start
    by = "second" if span <= 2 * MINUTE else "minute" if span <= 3 * HOUR else "hour"
    edges = _edges_between(by, start, end, histories.zone)
    likely = tuple((each.spent, each.topped_up) for each in histories.series)
    low, high = int(edges[0]), int(edges[-1])
    gaps = _visible_gaps(histories, (start, end), high - low)
    return PictureData(histories, by, None, start, end, edges, gaps, likely, colours, low, high)


def _edges_between(by: str, start: int, end: int, zone: tzinfo) -> Ints:
    """The edges of the periods between two instants, also of minutes and seconds."""
    if by not in _LENGTHS:
        return period_edges(start, max(start, end - 1), by, zone)
    length = _LENGTHS[by]
    return np.arange(start // length, -(-end // length) + 1, dtype=np.int64) * length


def _in_order(histories: Histories, order: Sequence[str]) -> tuple[Histories, tuple[int, ...]]:
    """The histories in the order in which the log saw them, and the places of their colours."""
    ordered, places = histories.seen_in(order)
    return ordered._replace(series=[_drawable(each) for each in ordered.series]), places


def _bar_edges(
    histories: Histories, by: str, start: int, end: int, *, exact: bool
) -> tuple[str, Ints]:
    """The period of the bars, and their edges."""
    edges = _edges_between(by, start, end, histories.zone)
    whole = int(np.count_nonzero((edges[:-1] >= start) & (edges[1:] <= end + 1)))
    if exact or whole >= _FEWEST_PERIODS or not histories.series:
        return by, edges
    inside = [(each.times >= start) & (each.times <= end) for each in histories.series]
    pairs = list(zip(histories.series, inside, strict=True))
    if sum(int(each.counts[rows].sum()) for each, rows in pairs) <= FEW_READINGS:
        times = [each.times[rows] for each, rows in pairs]
        bars = np.unique(np.concatenate([[start, end], *times]))
        if len(bars) > 1:
            return "reading", bars
        return "reading", np.array([start, start + MINUTE])
    while by in _SHORTER and whole < _FEWEST_PERIODS:
        by = _SHORTER[by]
        edges = _edges_between(by, start, end, histories.zone)
        whole = len(edges) - 3
    return by, edges


def _drawable(series: Series) -> Series:
    """The series, with figures that no axis has room for replaced by the largest that one has."""
    figures = (series.credits, series.spent, series.topped_up)
    if all(np.abs(each).max(initial=0.0) <= _MAX_DRAWABLE for each in figures):
        return series
    credits, spent, topped_up = (np.clip(each, -_MAX_DRAWABLE, _MAX_DRAWABLE) for each in figures)
    return series._replace(credits=credits, spent=spent, topped_up=topped_up, find_likely=None)


def picture_cut_points(
    by: str, zone: tzinfo, since: datetime | None, until: datetime | None
) -> CutPoints:
    """Where a picture looks at readings: at the edges of its periods, and of columns so narrow
    that nobody sees what is between them.

    Args:
        by: The period.
        zone: The time zone in which periods begin and end.
        since: Where the picture begins; at the first reading when None.
        until: Where it ends; at the last reading when None.
    """
    usage_points = usage_cut_points(by, zone, since, until)

    def cut_points(first: int, last: int) -> NDArray[np.int64]:
        start = first if since is None else to_microseconds(since)
        end = last if until is None else to_microseconds(until)
        column_edges = np.linspace(start, end, MAX_COLUMNS + 1).astype(np.int64)
        # Where there are few periods, shorter ones are shown.
        shorter = [
            _edges_between(each, start, max(start, end), zone)
            for each, longest in (("hour", 4 * DAY), ("minute", 4 * HOUR), ("second", 4 * MINUTE))
            if end - start <= longest
        ]
        return np.concatenate([usage_points(first, last), column_edges, *shorter])

    return cut_points


def watch_cut_points(since: datetime) -> CutPoints:
    """Where the picture of a watch looks at readings: at the edges of its shortest periods."""

    def cut_points(first: int, last: int) -> Ints:
        start = max(first, to_microseconds(since))
        length = SECOND if last - start <= 2 * MINUTE else MINUTE
        end = max(last, start)
        edges = np.arange(
            start // length, end // length + 2, max(1, (end - start) // length // 20_000)
        )
        return np.append(edges * length, start)

    return cut_points


def with_outlooks(
    picture: PictureData, recent: Histories | None = None, *, empty_below: float = 0.0
) -> PictureData:
    """Adds how each balance is expected to go on, where there are enough readings to tell.

    The future takes as much room as its late end needs, within limits.

    Args:
        picture: The picture.
        recent: The readings to forecast from, where those of the picture are not all of the
            last four weeks; so that the forecast is the same whatever the picture shows.
        empty_below: The credits under which a balance counts as empty.
    """
    recent = picture.histories if recent is None else recent
    if not recent.series or picture.window_end < recent.last_time:
        # The picture ends before the forecast begins.
        return picture
    series = dict(zip(recent.organizations, recent.series, strict=True))
    past = max(picture.window_end - picture.axis_start, HOUR)
    most = int(past * _MOST_FUTURE / (1 - _MOST_FUTURE))
    least = int(past * _LEAST_FUTURE / (1 - _LEAST_FUTURE))
    outlooks = tuple(
        _outlook(series[each], most, empty_below) if each in series else None
        for each in picture.histories.organizations
    )
    ends = [
        each.estimate.empty_late or picture.window_end + most
        for each in outlooks
        if each and len(each.times)
    ]
    if not ends:
        return picture._replace(outlooks=outlooks)
    future = int(np.clip((max(ends) - picture.window_end) * 1.02, least, most))
    axis_end = max(picture.axis_end, picture.window_end + future)
    return picture._replace(outlooks=outlooks, axis_end=axis_end)


def _outlook(series: Series, length: int, empty_below: float) -> Outlook:
    now, days = int(series.times[-1]), length * 1.1 / DAY
    found = estimate(series, now=now, coverage=_COVERAGE, empty_below=empty_below)
    lines = path(series, now=now, coverage=_COVERAGE, days=days, empty_below=empty_below)
    return Outlook(*lines, found, empty_below)


def balance_line(picture: PictureData, code: int, column_count: int) -> BalanceLine | None:
    """One organization's line in the window, with the extremes of each column of the picture.

    None if the organization has no balance in the window.
    """
    series = picture.histories.series[code]
    times, credits = series.times, series.credits
    begin = int(np.searchsorted(times, picture.window_start))
    side = "right" if picture.until is None else "left"
    end = int(np.searchsorted(times, picture.window_end, side=side))  # type: ignore[call-overload]
    has_before, has_after = begin > 0, end < len(times)
    if begin == end and not (has_before and has_after):
        return None
    rows = slice(begin - has_before, end + has_after)
    times = np.clip(times[rows], picture.window_start, picture.window_end)
    credits = credits[rows]
    if has_after:
        # The reading after the window does not tell the balance at the window's edge.
        credits = np.append(credits[:-1], credits[-2])
    positions = extreme_positions(times, credits, column_count)
    is_reading = (positions >= has_before) & (positions < len(times) - has_after)
    return BalanceLine(times[positions], credits[positions], np.flatnonzero(is_reading).tolist())


def top_ups_of(picture: PictureData, code: int) -> TopUps:
    """The top-ups of one organization in the window."""
    series, (_, bought) = picture.histories.series[code], picture.likely[code]
    shown = np.flatnonzero((series.topped_up > 0) & picture.contains(series.times))
    return TopUps(
        series.times[shown], series.credits[shown], series.topped_up[shown], bought[shown]
    )


def largest_top_ups(top_ups: TopUps, column_width: int) -> TopUps:
    """The largest top-up in each column of ``column_width`` microseconds."""
    largest = np.sort(largest_per_column(top_ups.times, top_ups.sizes, column_width))
    times, credits, rises, sizes = top_ups
    return TopUps(times[largest], credits[largest], rises[largest], sizes[largest])


def spending_bars(picture: PictureData, max_bars: int) -> SpendingBars | None:
    """Spending by period; None if no organization was read around the window.

    Args:
        picture: What is shown.
        max_bars: How many bars can be told apart. If there are more periods, neighbours become
            one bar, which shows the period in which most was spent.
    """
    edges, histories = picture.edges, picture.histories
    # Only the part of a period that is in the window counts.
    bounds = np.clip(edges, picture.window_start, picture.window_end)
    if not any(_overlaps(each, picture) for each in histories.series):
        return None
    parts = [_parts(picture, code, bounds) for code in range(len(histories.series))]
    spent, spread, hidden = (np.array(each) for each in zip(*parts, strict=True))
    # A multiple of the smallest number must not look like something spread.
    seen = np.maximum(spent - spread, 0.0)
    pale = spread + hidden
    first = min(int(each.times[0]) for each in histories.series)
    last = max(int(each.times[-1]) for each in histories.series)
    is_open = (edges[:-1] < max(first, picture.window_start)) | (
        edges[1:] > min(last, picture.window_end)
    )
    # Between the last reading and the end of its period nothing is known; a period without any
    # readings of it has nothing to be open about.
    is_open &= (edges[1:] > first) & (edges[:-1] < last) & (picture.by != "reading")
    starts, highest = combine_bars((seen + pale).sum(axis=0), max_bars)
    is_grouped = len(starts) < len(edges) - 1
    return SpendingBars(
        np.append(edges[starts], edges[-1]),
        seen[:, highest],
        pale[:, highest],
        np.zeros(len(starts), dtype=bool) if is_grouped else is_open,
        bool(hidden.any()),
    )


def spent_in_window(picture: PictureData) -> WindowSpending:
    """What each organization spent in the window."""
    bounds = np.array([picture.window_start, picture.window_end])
    spent, hidden = np.zeros((2, len(picture.histories.series)))
    for code, series in enumerate(picture.histories.series):
        if _overlaps(series, picture):
            seen, _, behind_top_ups = _parts(picture, code, bounds)
            spent[code], hidden[code] = seen.sum(), behind_top_ups.sum()
    window = (from_microseconds(each) for each in (picture.window_start, picture.window_end))
    return WindowSpending(spent, hidden, sum_doubts(picture.histories.series, *window))


def _overlaps(series: Series, picture: PictureData) -> bool:
    first, last = int(series.times[0]), int(series.times[-1])
    is_before_end = (
        first <= picture.window_end if picture.until is None else first < picture.window_end
    )
    return is_before_end and last >= picture.window_start


def _parts(picture: PictureData, code: int, bounds: Ints) -> tuple[Floats, Floats, Floats]:
    """What one organization spent between some bounds, how much of it was spread over several
    of them, and what top-ups likely hid besides.
    """
    series, (likely_spent, _) = picture.histories.series[code], picture.likely[code]
    thin = condense(series, bounds)
    spent = _between(thin.times, thin.spent, bounds)
    first = np.searchsorted(bounds, thin.times[:-1], side="right")
    is_cut = np.append(False, np.searchsorted(bounds, thin.times[1:], side="left") > first)
    spread = _between(thin.times, np.where(is_cut, thin.spent, 0.0), bounds)
    rises = np.flatnonzero(series.topped_up > 0)
    hidden = np.zeros(len(spent))
    if len(rises) and likely_spent is not series.spent:
        is_around = series.topped_up > 0
        is_around[rises - 1] = True
        around = np.flatnonzero(is_around)
        amounts = np.where(series.topped_up > 0, likely_spent - series.spent, 0.0)[around]
        hidden = _between(series.times[around], amounts, bounds)
    return spent, spread, hidden


def _between(times: Ints, amounts: Floats, bounds: Ints) -> Floats:
    """What lies between bounds, where each amount is spread evenly over the time before it.

    What was seen at an instant happened before it, but nothing before the first time.
    """
    at = np.searchsorted(times, bounds, side="right") - 1
    following = np.minimum(at + 1, len(times) - 1)
    length = np.maximum(times[following] - times[at], 1)
    share = np.clip((bounds - times[at]) / length, 0.0, 1.0) * (following > at)
    totals = np.cumsum(amounts)[at] + amounts[following] * share
    is_before = bounds <= times[0]
    # The last bound is the end of the window, which belongs to it.
    is_before[-1] = bounds[-1] < times[0]
    return np.maximum(np.diff(np.where(is_before, 0.0, totals)), 0.0)


def _window_edge(argument: str, instant: datetime | None) -> int | None:
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise ValueError(f"`{argument}` is {instant}, without a time zone; give it one")
    return to_microseconds(instant)
