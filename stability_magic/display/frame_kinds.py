"""Which of the documented frames a frame is, if it still is one; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..analysis.frames import COLUMNS, MARK, TEXT

__all__ = ["FrameKind", "kind_of"]

_INDEX_NAMES: Mapping[str, str] = {"readings": "read_at", "usage": "period"}


class FrameKind(NamedTuple):
    """What a frame is.

    Attributes:
        name: A key of ``COLUMNS``.
        by: The kind of its periods; empty where it has none.
        is_below_answer: Whether it stands below an answer that told the most important already.
    """

    name: str
    by: str
    is_below_answer: bool


def kind_of(frame: pd.DataFrame) -> FrameKind | None:
    """What a frame is, if it is marked so and its columns and index are still those of its kind.

    pandas keeps the mark through most operations, also through those that change what the rows
    mean: a sum by day is no reading. So the mark alone does not count.
    """
    mark = frame.attrs.get(MARK)
    if type(frame) is not pd.DataFrame or not isinstance(mark, str):
        return None
    word, _, rest = mark.partition(" ")
    name = "readings" if word == "balance" else word
    if name not in COLUMNS or not _has_index(frame, name):
        return None
    documented, columns = dict(COLUMNS[name]), list(frame.columns)
    expected = list(documented)
    if rest == "with host":
        # It is there on request alone, so that it is not among the documented ones.
        documented["host"] = TEXT
        expected.insert(columns.index("host") if "host" in columns else 0, "host")
    if columns != expected or frame.columns.name is not None:
        return None
    dtypes = zip(frame.dtypes, (documented[each] for each in columns), strict=True)
    if not all(_is_alike(actual, wanted) for actual, wanted in dtypes):
        return None
    return FrameKind(name, rest.removeprefix("by "), word == "balance")


def _has_index(frame: pd.DataFrame, name: str) -> bool:
    index = frame.index
    if list(index.names) != [_INDEX_NAMES.get(name)]:
        return False
    if name not in _INDEX_NAMES:
        return index.dtype == np.dtype("int64")
    # Only what pandas has grouped by a frequency has one.
    return isinstance(index, pd.DatetimeIndex) and index.tz is not None and index.freq is None


def _is_alike(dtype: Any, documented: Any) -> bool:
    """Whether a column holds what its documentation says; times have any zone and precision."""
    if documented.kind == "M":
        return isinstance(dtype, pd.DatetimeTZDtype)
    if documented.kind == "m":
        return isinstance(dtype, np.dtype) and dtype.kind == "m"
    return bool(dtype == documented)
