"""The columns and dtypes of all frames, defined only here; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..text import clean_text, mask_email
from .changes import spent_and_topped_up
from .doubtful import doubtful_stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models import Account

__all__ = [
    "COLUMNS",
    "MARK",
    "ReadingRows",
    "frame_from_rows",
    "mark",
    "organizations_frame",
    "readings_frame",
    "text_column",
    "those_that_count",
    "time_order",
    "usage_frame",
]

# The dtype of text in this pandas: ``str`` since version 3, ``object`` before.
TEXT = pd.Index(["text"]).dtype

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "organizations": {
        "organization": TEXT,
        "name": TEXT,
        "role": TEXT,
        "is_default": np.dtype(bool),
        "user": TEXT,
        "email": TEXT,
    },
    "readings": {
        "organization": TEXT,
        "name": TEXT,
        "credits": np.dtype("float64"),
        "spent": np.dtype("float64"),
        "topped_up": np.dtype("float64"),
        "source": TEXT,
        "label": TEXT,
        "doubtful": TEXT,
    },
    "forecast": {
        "organization": TEXT,
        "name": TEXT,
        "credits": np.dtype("float64"),
        "spent_per_day": np.dtype("float64"),
        "empty_at": np.dtype("datetime64[us]"),
        "empty_early": np.dtype("datetime64[us]"),
        "empty_late": np.dtype("datetime64[us]"),
        "evidence": TEXT,
        "recent_per_day": np.dtype("float64"),
    },
    "costs": {
        "started_at": np.dtype("datetime64[us]"),
        "label": TEXT,
        "seconds": np.dtype("float64"),
        "organization": TEXT,
        "spent": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "exact": np.dtype(bool),
        "cell": TEXT,
        "revised_at": np.dtype("datetime64[us]"),
        "host": TEXT,
        "member": TEXT,
    },
    "summary": {
        "label": TEXT,
        "organization": TEXT,
        "count": np.dtype("int64"),
        "total": np.dtype("float64"),
        "mean": np.dtype("float64"),
        "dearest": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "exact": np.dtype(bool),
        "share": np.dtype("float64"),
    },
    "team": {
        "member": TEXT,
        "host": TEXT,
        "label": TEXT,
        "spent": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "share": np.dtype("float64"),
        "organization": TEXT,
        "name": TEXT,
        "cells": np.dtype("int64"),
        "exact": np.dtype(bool),
    },
    "counts": {
        "log": TEXT,
        "readings": np.dtype("int64"),
        "known": np.dtype("int64"),
        "costs": np.dtype("int64"),
        "organizations": np.dtype("int64"),
    },
    "watch": {
        "organization": TEXT,
        "name": TEXT,
        "since": np.dtype("datetime64[us]"),
        "every": np.dtype("timedelta64[us]"),
        "credits": np.dtype("float64"),
        "spent": np.dtype("float64"),
        "last_reading": np.dtype("datetime64[us]"),
        "next_reading": np.dtype("datetime64[us]"),
        "failures": np.dtype("int64"),
    },
    "prices": {
        "operation": TEXT,
        "credits": np.dtype("float64"),
        "since": np.dtype("datetime64[us]"),
        "until": np.dtype("datetime64[us]"),
        "source": TEXT,
        "measured": np.dtype("float64"),
    },
    "estimate": {
        "organization": TEXT,
        "name": TEXT,
        "operation": TEXT,
        "count": np.dtype("int64"),
        "price": np.dtype("float64"),
        "credits": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "left": np.dtype("float64"),
        "days_sooner": np.dtype("float64"),
    },
    "budget": {
        "organization": TEXT,
        "name": TEXT,
        "every": TEXT,
        "budget": np.dtype("float64"),
        "period": np.dtype("datetime64[us]"),
        "until": np.dtype("datetime64[us]"),
        "spent": np.dtype("float64"),
        "left": np.dtype("float64"),
        "share": np.dtype("float64"),
        "projected": np.dtype("float64"),
        "projected_low": np.dtype("float64"),
        "projected_high": np.dtype("float64"),
        "at_least": np.dtype(bool),
        "estimated": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "evidence": TEXT,
    },
    "usage": {
        "organization": TEXT,
        "name": TEXT,
        "spent": np.dtype("float64"),
        "topped_up": np.dtype("float64"),
        "likely_spent": np.dtype("float64"),
        "likely_topped_up": np.dtype("float64"),
        "at_least": np.dtype(bool),
        "credits": np.dtype("float64"),
        "readings": np.dtype("int64"),
        "observed": np.dtype("float64"),
        "usd": np.dtype("float64"),
        "estimated": np.dtype("float64"),
    },
}

# The name among a frame's attributes under which the frame says what it is, for who displays it.
MARK = "stability_magic"

_NOT_A_TIME = np.iinfo(np.int64).min


class ReadingRows(NamedTuple):
    """Readings as a log returns them, in any order.

    Attributes:
        times: int64, microseconds since 1970 UTC.
        credits: float64.
        codes: int64, positions in ``organizations``.
        organizations: The ids, each once.
        sources: Text, one for each row.
        labels: Text or None, one for each row.
        hosts: Text or None, one for each row; None for a frame without this column.
    """

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    codes: NDArray[np.int64]
    organizations: Sequence[str]
    sources: Any
    labels: Any
    hosts: Any = None


def mark(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The frame, marked with what it is: a key of ``COLUMNS``, and words about it.

    The words are ``with host`` for the column of that name, and ``by week`` for the periods of
    usage; ``balance`` is the readings below the answer of a balance. It stays a plain frame: the
    mark is one short text among its attributes.
    """
    frame.attrs[MARK] = kind
    return frame


def text_column(values: Any) -> pd.Series[Any]:
    """A column of text; None stays a missing value."""
    return pd.Series(values, dtype=TEXT)


def time_index(times: NDArray[np.int64], zone: tzinfo, name: str) -> pd.DatetimeIndex:
    """Microseconds since 1970 UTC as an index in ``zone``."""
    return pd.DatetimeIndex(times.view("datetime64[us]"), tz="UTC", name=name).tz_convert(zone)


def time_order(times: NDArray[np.int64], credits: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The order by time; None where the rows are already in it.

    Of two readings at the same microsecond the higher comes first, so that their difference is
    spending and not a top-up. The result does not depend on the order of the rows.
    """
    if np.all(times[1:] > times[:-1]):
        return None
    return np.lexsort((-credits, times))


def readings_frame(rows: ReadingRows, names: Mapping[str, str], zone: tzinfo) -> pd.DataFrame:
    """The readings frame, oldest first.

    Args:
        rows: The readings, in any order.
        names: Names by organization id; an organization without one goes by its id.
        zone: The time zone of the index.
    """
    times, credits, codes = rows.times, rows.credits, rows.codes
    text_columns = {"source": text_column(rows.sources), "label": text_column(rows.labels)}
    if rows.hosts is not None:
        text_columns["host"] = text_column(rows.hosts)
    order = time_order(times, credits)
    if order is not None:
        times, credits, codes = times[order], credits[order], codes[order]
        text_columns = {name: column.iloc[order] for name, column in text_columns.items()}
    reasons, doubts = _doubts(times, credits, codes, len(rows.organizations))
    counts = doubts == 0
    spent, topped_up = np.full((2, len(credits)), np.nan)
    spent[counts], topped_up[counts] = spent_and_topped_up(codes[counts], credits[counts])
    ids = [clean_text(each) for each in rows.organizations]
    clean_names = [clean_text(names.get(each, each)) for each in rows.organizations]
    frame = pd.DataFrame(
        {
            "organization": text_column(ids).array.take(codes),
            "name": text_column(clean_names).array.take(codes),
            "credits": credits,
            "spent": spent,
            "topped_up": topped_up,
            **{name: column.array for name, column in text_columns.items()},
            "doubtful": text_column(reasons).array.take(doubts),
        },
        index=time_index(times, zone, "read_at"),
        copy=False,
    )
    return mark(frame, "readings" if rows.hosts is None else "readings with host")


def those_that_count(readings: pd.DataFrame) -> pd.DataFrame:
    """The rows of a readings frame that it does not call doubtful."""
    return readings[readings["doubtful"].isna()] if "doubtful" in readings.columns else readings


def _doubts(
    times: NDArray[np.int64], credits: NDArray[np.float64], codes: NDArray[np.int64], count: int
) -> tuple[list[str | None], NDArray[np.int64]]:
    """The reasons for doubt, of which the first is None, and the position of each row's reason.

    Args:
        times: Ascending, in microseconds since 1970 UTC.
        credits: Balances.
        codes: A number below ``count`` for each organization.
        count: How many organizations there are.
    """
    reasons: list[str | None] = [None]
    doubts = np.zeros(len(times), np.int64)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(1, count))
    for rows in np.split(order, starts):
        for each in doubtful_stretches(times[rows], credits[rows]):
            doubts[rows[each.first : each.last + 1]] = len(reasons)
            reasons.append(each.reason)
    return reasons, doubts


def organizations_frame(account: Account, *, show_email: bool) -> pd.DataFrame:
    """The organizations frame: one row for each, in the order of the service."""
    email = clean_text(account.email)
    if not show_email:
        email = mask_email(email)
    rows = [
        (each.id, each.name, each.role, each.is_default, account.id, email)
        for each in account.organizations
    ]
    columns = COLUMNS["organizations"]
    frame = pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))
    return mark(frame, "organizations")


def usage_frame(
    columns: Mapping[str, Any], periods: NDArray[np.int64], zone: tzinfo
) -> pd.DataFrame:
    """The usage frame from its columns, in the documented order and dtypes."""
    dtypes = COLUMNS["usage"]
    frame = pd.DataFrame(
        {name: columns[name] for name in dtypes}, index=time_index(periods, zone, "period")
    )
    return mark(frame.astype(dict(dtypes)), "usage")


def frame_from_rows(kind: str, rows: Sequence[Sequence[Any]], zone: tzinfo) -> pd.DataFrame:
    """A frame without a time index, in the documented columns and dtypes.

    Args:
        kind: A key of ``COLUMNS``, such as ``forecast``.
        rows: Its rows; times are microseconds since 1970 UTC, or None.
        zone: The time zone of its times.
    """
    columns = COLUMNS[kind]
    cells = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
    data = {}
    for name, dtype in columns.items():
        values = list(cells.get(name, ()))
        if dtype.kind == "M":
            times = np.array([_NOT_A_TIME if each is None else each for each in values], "int64")
            data[name] = pd.Series(time_index(times, zone, name))
        else:
            data[name] = pd.Series(values, dtype=dtype)
    return mark(pd.DataFrame(data), kind)
