"""The one place that defines the columns and dtypes of the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ._text import clean_text, masked_email

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._readings import Account

__all__ = [
    "COLUMNS",
    "Rows",
    "changes",
    "frame_of_rows",
    "organizations_frame",
    "readings_frame",
    "text",
    "time_order",
    "usage_frame",
]

# What this pandas makes of text: ``str`` from version 3 on, ``object`` before.
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
    },
}

# Balances are doubles with long binary fractions; below this a change is their rounding.
SMALLEST_CHANGE = 1e-6

_NOT_A_TIME = np.iinfo(np.int64).min


class Rows(NamedTuple):
    """Readings as a log hands them over, in any order.

    Attributes:
        times: int64, microseconds since 1970 UTC.
        credits: float64.
        codes: int64, positions in ``organizations``.
        organizations: The ids, each once.
        sources: Text, one each row.
        labels: Text or None, one each row.
        hosts: The same; None where the frame shall not show them.
    """

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    codes: NDArray[np.int64]
    organizations: Sequence[str]
    sources: Any
    labels: Any
    hosts: Any = None


def text(values: Any) -> pd.Series[Any]:
    """A column of text; None stays a missing value."""
    return pd.Series(values, dtype=TEXT)


def utc_index(times: NDArray[np.int64], zone: tzinfo, name: str) -> pd.DatetimeIndex:
    """Microseconds since 1970 UTC as an index in ``zone``."""
    return pd.DatetimeIndex(times.view("datetime64[us]"), tz="UTC", name=name).tz_convert(zone)


def changes(
    codes: NDArray[np.int64], credits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spent and topped up since the same organization's row before.

    A balance shows the net change alone: where it rose, what was spent meanwhile is hidden,
    and where it fell, a top-up may be.

    Args:
        codes: One number for each organization.
        credits: Balances, oldest first within each organization.

    Returns:
        Two arrays in the order of the rows, in credits, not negative, NaN in the first row
        of an organization; at most one of the two is above zero.
    """
    order = np.argsort(codes, kind="stable")
    ordered = credits[order]
    delta = np.full(len(credits), np.nan)
    delta[1:] = np.diff(ordered)
    grouped = codes[order]
    delta[1:][grouped[1:] != grouped[:-1]] = np.nan
    delta[np.abs(delta) < SMALLEST_CHANGE] = 0.0
    spent = np.empty_like(delta)
    topped_up = np.empty_like(delta)
    # Adding 0.0 turns the negative zero of an unchanged balance into an ordinary one.
    spent[order] = np.maximum(-delta, 0.0) + 0.0
    topped_up[order] = np.maximum(delta, 0.0) + 0.0
    return spent, topped_up


def time_order(times: NDArray[np.int64], credits: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The order by time; None where it is there already.

    Of two readings at the same microsecond the higher comes first: spending explains it, and
    no top-up has to be made up. So the order does not depend on how the rows came in.
    """
    if np.all(times[1:] > times[:-1]):
        return None
    return np.lexsort((-credits, times))


def readings_frame(rows: Rows, names: Mapping[str, str], zone: tzinfo) -> pd.DataFrame:
    """The readings frame, oldest first.

    Args:
        rows: The readings, in any order.
        names: Names by organization id; an organization without one goes by its id.
        zone: The time zone of the index.
    """
    times, credits, codes = rows.times, rows.credits, rows.codes
    shown_as = {"source": text(rows.sources), "label": text(rows.labels)}
    if rows.hosts is not None:
        shown_as["host"] = text(rows.hosts)
    order = time_order(times, credits)
    if order is not None:
        times, credits, codes = times[order], credits[order], codes[order]
        shown_as = {name: column.iloc[order] for name, column in shown_as.items()}
    spent, topped_up = changes(codes, credits)
    ids = [clean_text(each) for each in rows.organizations]
    shown = [clean_text(names.get(each, each)) for each in rows.organizations]
    return pd.DataFrame(
        {
            "organization": text(ids).array.take(codes),
            "name": text(shown).array.take(codes),
            "credits": credits,
            "spent": spent,
            "topped_up": topped_up,
            **{name: column.array for name, column in shown_as.items()},
        },
        index=utc_index(times, zone, "read_at"),
        copy=False,
    )


def organizations_frame(account: Account, *, show_email: bool) -> pd.DataFrame:
    """The organizations frame: one row each, in the order of the service."""
    email = clean_text(account.email)
    shown = email if show_email else masked_email(email)
    rows = [
        (each.id, each.name, each.role, each.is_default, account.id, shown)
        for each in account.organizations
    ]
    columns = COLUMNS["organizations"]
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def usage_frame(
    columns: Mapping[str, Any], periods: NDArray[np.int64], zone: tzinfo
) -> pd.DataFrame:
    """The usage frame from its columns, in the documented order and dtypes."""
    dtypes = COLUMNS["usage"]
    frame = pd.DataFrame(
        {name: columns[name] for name in dtypes}, index=utc_index(periods, zone, "period")
    )
    return frame.astype(dict(dtypes))


def frame_of_rows(kind: str, rows: Sequence[Sequence[Any]], zone: tzinfo) -> pd.DataFrame:
    """A frame without a time index, in the documented columns and dtypes.

    Args:
        kind: Which one, such as ``forecast``.
        rows: Its rows; times are microseconds since 1970 UTC, or None.
        zone: The time zone of its times.
    """
    columns = COLUMNS[kind]
    cells = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
    made = {}
    for name, dtype in columns.items():
        values = list(cells.get(name, ()))
        if dtype.kind == "M":
            times = np.array([_NOT_A_TIME if each is None else each for each in values], "int64")
            made[name] = pd.Series(utc_index(times, zone, name))
        else:
            made[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made)
