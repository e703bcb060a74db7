"""Readings out of the shared log, added up in the database as far as nothing depends on them.

Many questions are under way at once, each about one organization.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import psycopg

from ._balances import Amounts, Series
from ._frames import SMALLEST_CHANGE
from ._log_rows import FIRST, LAST, Columns, Span
from ._shared_connection import Target, naming, patience
from ._shared_schema import in_schema
from ._shared_sql import AMOUNTS, REDUCED, ROWS, SETTINGS, SPAN
from ._text import clean_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._balances import Marks

    Floats = NDArray[np.float64]

__all__ = ["Reader", "Wanted"]

# Up to so many readings of an organization are fetched as they are.
_FEW = 1000
# So many questions are under way at once; their answers are in memory together.
_AT_ONCE = 16

_DAY = 86_400_000_000


class Wanted(NamedTuple):
    """Readings of one organization: from ``since`` on and before ``until``, in microseconds.

    With them goes the reading before, and unless ``after`` says no the one after.
    """

    organization: str
    since: int = FIRST
    until: int = LAST
    after: bool = True


class _Found(NamedTuple):
    """What there is of what is wanted.

    Attributes:
        span: From when to when.
        inside: When the last reading was that is not after the window.
        credits: The last balance.
        few: Whether it is so little that nothing need be added up.
    """

    span: Span
    inside: int
    credits: float
    few: bool


class Reader:
    """Asks a shared log for readings.

    Args:
        connection: To its database.
        target: Where its tables are.

    Raises:
        LogError: The database did not tell. So does whatever it is asked.
    """

    def __init__(self, connection: psycopg.Connection[Any], target: Target) -> None:
        self._connection = connection
        self._target = target

    def columns(
        self, wanted: Sequence[Wanted], texts: Sequence[str]
    ) -> Iterator[tuple[str, Columns]]:
        """All readings that are wanted, by organization, with texts that belong to them."""
        kinds = np.dtype([("time", "i8"), ("credits", "f8"), *((each, "O") for each in texts)])
        statement = ROWS.replace("{columns}", ", ".join(["read_at", "credits", *texts]))
        spans = [each.span for each in self._found(wanted)]
        answers = self._answers((statement, span._asdict()) for span in spans)
        for span, answer in zip(spans, answers, strict=True):
            rows = np.fromiter(answer, dtype=kinds, count=len(answer))
            yield (
                span.organization,
                Columns(
                    np.ascontiguousarray(rows["time"]),
                    np.ascontiguousarray(rows["credits"]),
                    {each: _printable(rows[each]) for each in texts},
                ),
            )

    def series(self, wanted: Sequence[Wanted], marks: Marks) -> Iterator[tuple[str, Series]]:
        """The series of what is wanted, without what nothing depends on at the marks."""
        found = list(self._found(wanted))
        questions = [self._question(each, marks) for each in found]
        answers = self._answers(questions)
        for each, (_, asked), answer in zip(found, questions, answers, strict=True):
            span = each.span
            if each.few:
                times, credits = (np.array(column) for column in zip(*answer, strict=True))
                yield span.organization, Series.of(times, credits)
            else:
                edges = np.array(asked["edges"], dtype=np.int64)
                series = _assembled(answer, edges, (span.last, each.credits))
                yield span.organization, series._replace(amounts=partial(self._amounts, span))

    def _question(self, found: _Found, marks: Marks) -> tuple[str, dict[str, Any]]:
        span = found.span
        if found.few:
            return ROWS.replace("{columns}", "read_at, credits"), span._asdict()
        at = marks(span.first, found.inside)
        at = at[(at >= span.first) & (at <= span.last)]
        edges = np.unique(np.concatenate([[span.first], at, at + 1])).tolist()
        return REDUCED, {**span._asdict(), "edges": edges, "least": SMALLEST_CHANGE}

    def _found(self, wanted: Sequence[Wanted]) -> Iterator[_Found]:
        answers = self._answers((SPAN, {**each._asdict(), "few": _FEW + 1}) for each in wanted)
        for each, ((first, last, inside, credits, count),) in zip(wanted, answers, strict=True):
            if count:
                span = Span(each.organization, first, last)
                # Where the window is before all readings, the one after it is the only one.
                yield _Found(span, last if inside is None else inside, credits, count <= _FEW)

    def _amounts(self, span: Span, starts: Floats, length: Floats) -> Amounts:
        """What was spent in windows of time, as the pure functions have it of all readings."""
        starts, length = np.broadcast_arrays(starts, length)
        spent, at_most = np.full((2, starts.size), np.nan)
        begin, long = starts.ravel(), length.ravel()
        inside = np.flatnonzero((begin >= 0) & (begin + long <= span.last - span.first))
        if len(inside):
            begin, long = begin[inside], long[inside]
            question = {
                **span._asdict(),
                "starts": begin.tolist(),
                "ends": (begin + long).tolist(),
                "least": SMALLEST_CHANGE,
                "day": _DAY,
            }
            (answer,) = self._answers([(AMOUNTS, question)])
            found = np.array(
                [(number, spent, seen, around) for number, _, _, spent, seen, around in answer],
                dtype=np.float64,
            ).reshape(-1, 4)
            at = found[:, 0].astype(np.int64) - 1
            known = found[:, 2] >= long[at] / 2
            at, (_, some, seen, around) = at[known], found[known].T
            spent[inside[at]] = some * (long[at] / np.where(seen > 0, seen, 1.0))
            at_most[inside[at]] = around
        return Amounts(spent.reshape(starts.shape), at_most.reshape(starts.shape))

    def _answers(
        self, questions: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The rows that answer each of the questions, which are asked some at a time."""
        rest = iter(questions)
        while some := list(itertools.islice(rest, _AT_ONCE)):
            with naming(self._target.address):
                answers = self._together(some)
            yield from answers

    def _together(
        self, questions: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> list[list[tuple[Any, ...]]]:
        answers = []
        connection = self._connection
        with patience(connection) as waiting, connection.transaction(), self._pipeline():
            connection.execute(SETTINGS)
            asked = [
                connection.execute(in_schema(text, self._target.schema), values, binary=True)
                for text, values in questions
            ]
            for each in asked:
                answers.append(each.fetchall())
                waiting.restart()
        return answers

    def _pipeline(self) -> AbstractContextManager[Any]:
        # An old libpq waits for each answer before it asks the next question.
        return self._connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()


def _printable(texts: NDArray[Any]) -> list[str | None]:
    """Texts that do no harm, whoever wrote them there."""
    clean = {each: None if each is None else clean_text(each) for each in set(texts)}
    return [clean[each] for each in texts]


def _assembled(
    answer: Sequence[tuple[Any, ...]], edges: NDArray[np.int64], last: tuple[int, float]
) -> Series:
    """The series of which the database has told the sums, oldest first.

    There is a row for each reading that it told of, and for the one before: the first and the
    last of each stretch, and those around each rise. What was spent in a stretch, and the number
    of its readings, count in one of its rows: between two marks it does not matter where.
    """
    points, rises = {last}, set()
    for _, told_at, _, _, left, before_at, before in answer:
        if told_at is not None:
            points |= {(told_at, left), (before_at, before)}
            if before is not None and left - before >= SMALLEST_CHANGE:
                rises.add((told_at, left))
    ordered = sorted(points - {(None, None)}, key=lambda point: (point[0], -point[1]))
    times, credits = (np.array(each) for each in zip(*ordered, strict=True))
    rows = Series.of(times, credits)
    risen = np.array([each in rises for each in ordered])
    stretch = np.searchsorted(edges, times, side="right")
    within = np.append(False, stretch[1:] == stretch[:-1]) & ~risen
    spent, topped_up = np.where(within, 0.0, rows.spent), np.where(risen, rows.topped_up, 0.0)
    # By stretch: what was spent in it, and the readings that have no row.
    told_of = np.array([row[0] for row in answer])
    fallen = np.bincount(told_of, [row[3] for row in answer], len(edges) + 1)
    unseen = np.bincount(told_of, [row[2] for row in answer], len(edges) + 1).astype(np.int64)
    unseen -= np.bincount(stretch, minlength=len(edges) + 1)
    # The row that takes them: the first that ends a step within the stretch, or its only one.
    order = np.lexsort((~within, stretch))
    stretches, firsts = np.unique(stretch[order], return_index=True)
    spent[order[firsts]] += fallen[stretches]
    counts = rows.counts
    counts[order[firsts]] += unseen[stretches]
    return Series(times, credits, spent, topped_up, counts)
