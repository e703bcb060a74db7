"""Reads readings from the shared log, added up in the database between cut points.

Each query is about one organization, and many queries are sent at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import psycopg
from psycopg import errors

from ..analysis.changes import SMALLEST_CHANGE
from ..analysis.doubtful import LEAST_RISE, LONGEST, MARGIN, doubtful_stretches
from ..analysis.gaps import FACTORS, SHARES, Gaps
from ..analysis.series import Series, WindowAmounts
from ..log.rows import ReadingColumns, Span
from ..log.validity import FIRST_TIME, LAST_TIME
from ..text import clean_text
from .connection import Target, translate_errors, watchdog
from .schema import in_schema
from .statements import AMOUNTS, CONDENSED, FIRST, GAPS, RETURNS, ROWS, SETTINGS, SPAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..analysis.cut_points import CutPoints

    Floats = NDArray[np.float64]

__all__ = ["Reader", "ReadingRange"]

Answer = TypeVar("Answer")
Rows = list[tuple[Any, ...]]

# Up to so many readings of an organization are fetched without being added up.
_MAX_READINGS_AS_THEY_ARE = 1000
# How many queries are sent at once. Their answers are in memory together.
_QUERIES_AT_ONCE = 16

_DAY_MICROSECONDS = 86_400_000_000


class ReadingRange(NamedTuple):
    """A window of one organization's readings, with the reading before it and the one after it.

    Attributes:
        organization: The organization's id.
        since: The start of the window, in microseconds since 1970 UTC.
        until: The end of the window, which is not part of it.
        after: Whether to include the reading after the window.
    """

    organization: str
    since: int = FIRST_TIME
    until: int = LAST_TIME
    after: bool = True

    def widened(self) -> ReadingRange:
        """The range, and the time around it that may show which of its readings are doubtful."""
        since = max(self.since - MARGIN, FIRST_TIME)
        return ReadingRange(self.organization, since, min(self.until + MARGIN, LAST_TIME))


class _Doubtful(NamedTuple):
    """Readings that do not count.

    Attributes:
        times: When they were taken, in order.
        edges: Readings are doubtful from the first of these instants to just before the second,
            from the third on, and so on.
    """

    times: list[int]
    edges: list[int]


_ALL_COUNT = _Doubtful([], [])


class _AvailableReadings(NamedTuple):
    """The readings that exist in a range.

    Attributes:
        span: From the first reading to the last one.
        last_in_window: The time of the last reading that is not after the window.
        last_credits: The last balance.
        is_small: Whether there are so few readings that they need not be added up.
        doubtful: Which readings do not count.
    """

    span: Span
    last_in_window: int
    last_credits: float
    is_small: bool
    doubtful: _Doubtful


class _Query(NamedTuple):
    """A statement, in which ``{s}`` stands for the schema, and its parameters."""

    statement: str
    parameters: Mapping[str, Any]


class Reader:
    """Reads readings from a shared log.

    Args:
        connection: Returns the connection to the database.
        target: Where the shared log is.

    Raises:
        LogError: The database did not answer. Every method may raise it.
    """

    def __init__(self, connection: Callable[[], psycopg.Connection[Any]], target: Target) -> None:
        self._connection = connection
        self._target = target

    def columns(
        self, ranges: Sequence[ReadingRange], texts: Sequence[str]
    ) -> Iterator[tuple[str, ReadingColumns]]:
        """All readings in and around the ranges, by organization, with some columns of text."""
        dtype = np.dtype([("time", "i8"), ("credits", "f8"), *((each, "O") for each in texts)])
        statement = ROWS.replace("{columns}", ", ".join(["read_at", "credits", *texts]))
        widened_ranges = [each.widened() for each in ranges]
        all_count = [_ALL_COUNT] * len(ranges)
        spans = [each.span for each in self._find_available(widened_ranges, all_count)]
        answers = self._run_queries(_span_query(statement, span, _ALL_COUNT) for span in spans)
        for span, answer in zip(spans, answers, strict=True):
            rows = np.fromiter(answer, dtype=dtype, count=len(answer))
            yield (
                span.organization,
                ReadingColumns(
                    np.ascontiguousarray(rows["time"]),
                    np.ascontiguousarray(rows["credits"]),
                    {each: _clean_texts(rows[each]) for each in texts},
                ),
            )

    def series(
        self, ranges: Sequence[ReadingRange], cut_points: CutPoints
    ) -> Iterator[tuple[str, Series]]:
        """The series of the readings in the ranges that count, by organization.

        Where there are many readings, those between two cut points are added up.
        """
        available_readings = list(self._find_available(ranges, self._find_doubtful(ranges)))
        queries = [self._series_query(each, cut_points) for each in available_readings]
        answers = self._try_queries(queries)
        for available, query, answer in zip(available_readings, queries, answers, strict=True):
            span = available.span
            if available.is_small or answer is None or _ignores_much(answer):
                rows = answer if available.is_small and answer else self._rows(available)
                times, credits = (np.array(column) for column in zip(*rows, strict=True))
                series = Series.of(times, credits)
            else:
                edges = np.array(query.parameters["edges"], dtype=np.int64)
                last_reading = (span.last, available.last_credits)
                series = _series_from_sums(answer, edges, last_reading)._replace(
                    amounts=partial(self._amounts, available),
                    find_gaps=partial(self._gaps, span, available.doubtful),
                )
            doubtful = np.array(available.doubtful.times, dtype=np.int64)
            yield span.organization, series._replace(doubtful=doubtful)

    def organization_order(self, organizations: Sequence[str]) -> list[str]:
        """Those of the organizations that have readings, in the order of the first of each."""
        answers = self._run_queries(_Query(FIRST, {"organization": each}) for each in organizations)
        first_times = {
            each: time
            for each, ((time,),) in zip(organizations, answers, strict=True)
            if time is not None
        }
        return sorted(first_times, key=lambda each: (first_times[each], each))

    def gaps(self, organization: str) -> Gaps:
        """The gaps between all readings of an organization that count."""
        (doubtful,) = self._find_doubtful([ReadingRange(organization)])
        return self._gaps(Span(organization, FIRST_TIME, LAST_TIME), doubtful)

    def _gaps(self, span: Span, doubtful: _Doubtful) -> Gaps:
        """The gaps between the readings in a span, as the pure function finds them."""
        parameters = {
            **span._asdict(),
            "doubtful": doubtful.edges,
            "shares": list(SHARES),
            "factors": list(FACTORS),
        }
        (answer,) = self._run_queries([_Query(GAPS, parameters)])
        found = [each for each in answer if each[1] is not None]
        starts, ends = (np.array([each[at] for each in found], dtype=np.int64) for at in (1, 2))
        return Gaps(starts, ends, answer[0][0])

    def _find_doubtful(self, ranges: Sequence[ReadingRange]) -> list[_Doubtful]:
        """Which readings of each range are doubtful."""
        spans = [Span(*each.widened()[:3]) for each in ranges]
        limits = {"least": SMALLEST_CHANGE, "least_rise": LEAST_RISE, "longest": LONGEST}
        answers = self._try_queries(_Query(RETURNS, {**span._asdict(), **limits}) for span in spans)
        # Where balances are too large to be subtracted, all readings are looked at.
        spans_to_judge = [
            [span] if answer is None else _spans_around(span.organization, answer)
            for span, answer in zip(spans, answers, strict=True)
        ]
        answers_to_judge = self._run_queries(
            _rows_query(span, _ALL_COUNT) for spans in spans_to_judge for span in spans
        )
        return [_doubtful_among(next(answers_to_judge) for _ in spans) for spans in spans_to_judge]

    def _rows(self, available: _AvailableReadings) -> Rows:
        """All readings that are available, not added up."""
        (rows,) = self._run_queries([_rows_query(available.span, available.doubtful)])
        return rows

    def _series_query(self, available: _AvailableReadings, cut_points: CutPoints) -> _Query:
        span = available.span
        if available.is_small:
            return _rows_query(span, available.doubtful)
        instants = cut_points(span.first, available.last_in_window)
        instants = instants[(instants >= span.first) & (instants <= span.last)]
        edges = np.unique(np.concatenate([[span.first], instants, instants + 1])).tolist()
        parameters = {
            "edges": edges,
            "least": SMALLEST_CHANGE,
            "doubtful": available.doubtful.edges,
        }
        return _Query(CONDENSED, {**span._asdict(), **parameters})

    def _find_available(
        self, ranges: Sequence[ReadingRange], doubtful: Sequence[_Doubtful]
    ) -> Iterator[_AvailableReadings]:
        limit = _MAX_READINGS_AS_THEY_ARE
        answers = self._run_queries(
            _Query(SPAN, {**each._asdict(), "few": limit + 1, "doubtful": ignored.edges})
            for each, ignored in zip(ranges, doubtful, strict=True)
        )
        for each, ignored, (row,) in zip(ranges, doubtful, answers, strict=True):
            first, last, last_in_window, last_credits, count = row
            if count:
                # If the window is before all readings, there is only the reading after it.
                last_in_window = last if last_in_window is None else last_in_window
                span = Span(each.organization, first, last)
                yield _AvailableReadings(
                    span, last_in_window, last_credits, count <= limit, ignored
                )

    def _amounts(
        self, available: _AvailableReadings, starts: Floats, lengths: Floats
    ) -> WindowAmounts:
        """What was spent in windows of time, as the pure functions compute it from all readings.

        Args:
            available: The readings.
            starts: The starts of the windows, in microseconds since the first reading.
            lengths: Their lengths, in microseconds.
        """
        span = available.span
        starts, lengths = np.broadcast_arrays(starts, lengths)
        spent, at_most = np.full((2, starts.size), np.nan)
        begin, length = starts.ravel(), lengths.ravel()
        inside = np.flatnonzero((begin >= 0) & (begin + length <= span.last - span.first))
        if len(inside):
            begin, length = begin[inside], length[inside]
            parameters = {
                **span._asdict(),
                "starts": begin.tolist(),
                "ends": (begin + length).tolist(),
                "least": SMALLEST_CHANGE,
                "doubtful": available.doubtful.edges,
                "day": _DAY_MICROSECONDS,
            }
            (answer,) = self._try_queries([_Query(AMOUNTS, parameters)])
            # For each window: its number, what was spent in the part of it that is covered by
            # readings, how long that part is, and what was spent between the readings around it.
            rows = np.array(
                [
                    (number, covered_spent, covered_length, spent_around)
                    for number, _, _, covered_spent, covered_length, spent_around in answer or ()
                ],
                dtype=np.float64,
            ).reshape(-1, 4)
            windows = rows[:, 0].astype(np.int64) - 1
            is_covered_enough = rows[:, 2] >= length[windows] / 2
            windows = windows[is_covered_enough]
            _, covered_spent, covered_length, spent_around = rows[is_covered_enough].T
            divisor = np.where(covered_length > 0, covered_length, 1.0)
            spent[inside[windows]] = covered_spent * (length[windows] / divisor)
            at_most[inside[windows]] = spent_around
        return WindowAmounts(spent.reshape(starts.shape), at_most.reshape(starts.shape))

    def _run_queries(self, queries: Iterable[_Query]) -> Iterator[Rows]:
        """The rows that answer each query; the queries are sent a few at a time."""
        return self._in_batches(queries, self._run_batch)

    def _try_queries(self, queries: Iterable[_Query]) -> Iterator[Rows | None]:
        """The same; None where balances are so large that the database cannot add them up."""
        return self._in_batches(queries, self._try_batch)

    def _in_batches(
        self, queries: Iterable[_Query], run: Callable[[Sequence[_Query]], Iterable[Answer]]
    ) -> Iterator[Answer]:
        remaining = iter(queries)
        while batch := list(itertools.islice(remaining, _QUERIES_AT_ONCE)):
            with translate_errors(self._target.address):
                answers = run(batch)
            yield from answers

    def _try_batch(self, queries: Sequence[_Query]) -> list[Rows | None]:
        try:
            return [*self._run_batch(queries)]
        except errors.NumericValueOutOfRange:
            if len(queries) == 1:
                return [None]
            return [answer for each in queries for answer in self._try_batch([each])]

    def _run_batch(self, queries: Sequence[_Query]) -> list[Rows]:
        answers = []
        connection = self._connection()
        # Without pipelines, an old libpq waits for each answer before it sends the next query.
        pipeline = connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()
        with watchdog(connection) as timer, connection.transaction(), pipeline:
            connection.execute(SETTINGS)
            cursors = [
                connection.execute(
                    in_schema(each.statement, self._target.schema), each.parameters, binary=True
                )
                for each in queries
            ]
            for cursor in cursors:
                answers.append(cursor.fetchall())
                timer.restart()
        return answers


def _rows_query(span: Span, doubtful: _Doubtful) -> _Query:
    return _span_query(ROWS.replace("{columns}", "read_at, credits"), span, doubtful)


def _span_query(statement: str, span: Span, doubtful: _Doubtful) -> _Query:
    return _Query(statement, {**span._asdict(), "doubtful": doubtful.edges})


def _spans_around(organization: str, rises: Rows) -> list[Span]:
    """Spans of time that show whether the stretches at some rises are doubtful."""
    spans: list[Span] = []
    for (rise,) in rises:
        first, last = max(rise - MARGIN, FIRST_TIME), min(rise + MARGIN, LAST_TIME)
        if spans and first <= spans[-1].last:
            first = spans.pop().first
        spans.append(Span(organization, first, last))
    return spans


def _doubtful_among(answers: Iterable[Rows]) -> _Doubtful:
    """The doubtful readings among those of some spans of time."""
    doubtful = _Doubtful([], [])
    for rows in answers:
        times = np.array([time for time, _ in rows], dtype=np.int64)
        credits = np.array([balance for _, balance in rows], dtype=np.float64)
        for each in doubtful_stretches(times, credits):
            doubtful.times.extend(times[each.first : each.last + 1].tolist())
            doubtful.edges.extend([int(times[each.first]), int(times[each.last]) + 1])
    return doubtful


def _ignores_much(answer: Rows) -> bool:
    """Whether changes too small to count may add up to one that counts, which needs every reading.

    No price is so low.
    """
    return sum(row[7] or 0.0 for row in answer) >= SMALLEST_CHANGE


def _clean_texts(texts: NDArray[Any]) -> list[str | None]:
    """Texts that are safe to show, whoever wrote them."""
    cleaned = {each: None if each is None else clean_text(each) for each in set(texts)}
    return [cleaned[each] for each in texts]


def _series_from_sums(
    answer: Sequence[tuple[Any, ...]], edges: NDArray[np.int64], last_reading: tuple[int, float]
) -> Series:
    """The series from the sums that ``CONDENSED`` selects, oldest first.

    A stretch lies between two edges. The first and the last reading of each stretch, and those
    around each rise, are rows of the series. What was spent in a stretch, and the number of its
    readings, are added to one of its rows: between two cut points it does not matter which.

    Args:
        answer: The rows that the database selected.
        edges: Where stretches begin, in microseconds since 1970 UTC.
        last_reading: The time and the balance of the last reading.
    """
    points, rises = {last_reading}, set()
    for _, time, _, _, balance, previous_time, previous_balance, _ in answer:
        if time is not None:
            points |= {(time, balance), (previous_time, previous_balance)}
            if previous_balance is not None and balance - previous_balance >= SMALLEST_CHANGE:
                rises.add((time, balance))
    sorted_points = sorted(points - {(None, None)}, key=lambda point: (point[0], -point[1]))
    times, credits = (np.array(each) for each in zip(*sorted_points, strict=True))
    series = Series.of(times, credits)
    is_rise = np.array([each in rises for each in sorted_points])
    stretches = np.searchsorted(edges, times, side="right")
    is_within_stretch = np.append(False, stretches[1:] == stretches[:-1]) & ~is_rise
    spent = np.where(is_within_stretch, 0.0, series.spent)
    topped_up = np.where(is_rise, series.topped_up, 0.0)
    # By stretch: what was spent in it, and how many of its readings have no row.
    answer_stretches = np.array([row[0] for row in answer])
    size = len(edges) + 1
    stretch_spent = np.bincount(answer_stretches, [row[3] for row in answer], size)
    missing_counts = np.bincount(answer_stretches, [row[2] for row in answer], size)
    missing_counts = missing_counts.astype(np.int64) - np.bincount(stretches, minlength=size)
    # They are added to the first row whose step lies within the stretch, or to its only row.
    order = np.lexsort((~is_within_stretch, stretches))
    row_stretches, first_indices = np.unique(stretches[order], return_index=True)
    spent[order[first_indices]] += stretch_spent[row_stretches]
    counts = series.counts
    counts[order[first_indices]] += missing_counts[row_stretches]
    return Series(times, credits, spent, topped_up, counts)
