"""A readings frame, from anywhere, taken apart and checked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Balances", "balances"]


class Balances(NamedTuple):
    """A readings frame taken apart: by organization, oldest first within each."""

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    codes: NDArray[np.int64]
    organizations: list[str]
    names: list[str]
    zone: tzinfo


def balances(readings: pd.DataFrame) -> Balances:
    """Takes a readings frame apart; the frame is not changed.

    Args:
        readings: Any frame with a zone-aware DatetimeIndex and the columns ``organization``
            and ``credits``; ``name`` is used where it is there. In any order.

    Raises:
        ValueError: A column is missing, the times have no zone, or credits are no numbers.
    """
    _require(readings, ("organization", "credits"))
    index = readings.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError(
            "the readings need a time index with a time zone; use"
            " frame.set_index('read_at').tz_localize('UTC')"
        )
    credits = _numbers(readings["credits"])
    codes, organizations = pd.factorize(readings["organization"], sort=True)
    if index.hasnans or (codes < 0).any():
        raise ValueError("a reading has no time or no organization; drop it with dropna()")
    times = index.as_unit("us").asi8
    if len(organizations) == 1 and np.all(times[1:] > times[:-1]):
        order = np.arange(len(times))
    else:
        order = np.lexsort((-credits, times, codes))
        times, credits, codes = times[order], credits[order], codes[order]
    ids = [str(each) for each in organizations]
    latest = order[np.searchsorted(codes, np.arange(len(ids)), side="right") - 1]
    return Balances(times, credits, codes, ids, _names(readings, ids, latest), index.tz)


def _require(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [each for each in columns if each not in frame.columns]
    if missing:
        raise ValueError(f"the readings have no column {missing[0]!r}")


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if len(column) and not numeric:
        raise ValueError("the column 'credits' does not hold numbers; use astype(float)")
    credits = column.to_numpy(dtype="float64", na_value=np.nan)
    if not np.isfinite(credits).all():
        raise ValueError("the column 'credits' holds NaN or infinity; drop these readings first")
    return credits


def _names(
    readings: pd.DataFrame, organizations: list[str], latest: NDArray[np.int64]
) -> list[str]:
    """The names in each organization's latest row; its id where the frame tells none."""
    if "name" not in readings.columns:
        return organizations
    names = readings["name"].iloc[latest]
    return [
        str(name) if pd.notna(name) else each
        for each, name in zip(organizations, names, strict=True)
    ]
