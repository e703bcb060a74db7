"""Readings as the log keeps them, and the frame of what a log and a session hold."""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ._balances import Balances, Series, assembled
from ._frames import Rows, readings_frame, text, time_order
from ._log_rows import Columns
from ._readings import Balance, microseconds
from ._text import clean_text

__all__ = ["Entry", "Known", "balances_of", "entry", "frame_of", "unlogged_frame"]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A reading as the log keeps it.

    The id is made once: an entry that is written again, or merged from another file, is
    recognised. ``read_at`` counts microseconds since 1970 UTC.
    """

    organization: str
    read_at: int
    credits: float
    api_url: str
    source: str
    label: str | None
    host: str | None = None
    id: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(16))


def entry(
    balance: Balance,
    *,
    source: str = "library",
    label: str | None = None,
    host: str | None = None,
) -> Entry:
    """The entry of a balance; an unknown organization goes by its key's fingerprint.

    Raises:
        ValueError: The credits are no finite number.
    """
    if not _is_finite(balance.credits):
        raise ValueError(
            f"credits are {balance.credits!r}, which is no balance; nothing was logged"
        )
    return Entry(
        organization=clean_text(balance.organization or f"key:{balance.key_fingerprint}"),
        read_at=microseconds(balance.read_at),
        credits=float(balance.credits),
        api_url=clean_text(balance.api_url),
        source=clean_text(source),
        label=clean_text(label) if label else None,
        host=clean_text(host) if host else None,
    )


def _is_finite(credits: object) -> bool:
    if isinstance(credits, bool) or not isinstance(credits, Real):
        return False
    try:
        return math.isfinite(credits)
    except OverflowError:
        # An integer that is no float.
        return False


class Known(NamedTuple):
    """What a log knows of organizations: their names, and the defaults of keys."""

    names: Mapping[str, str]
    defaults: Mapping[str, str]

    def organization(self, logged: str) -> str:
        """The organization of a reading; one logged under a key belongs to its default."""
        return self.defaults.get(logged.removeprefix("key:"), logged)


def unlogged_frame(
    entries: Sequence[Entry], names: Mapping[str, str], zone: tzinfo, *, hosts: bool = False
) -> pd.DataFrame:
    """The readings frame of entries that no log holds."""
    return frame_of([], entries, Known(names, {}), zone, hosts=hosts)


def frame_of(
    parts: Sequence[tuple[str, Columns]],
    unlogged: Sequence[Entry],
    known: Known,
    zone: tzinfo,
    *,
    hosts: bool = False,
) -> pd.DataFrame:
    """One readings frame of what the log and the session hold, by organization."""
    also = [(known.organization(each.organization), _column(each)) for each in unlogged]
    parts = [*parts, *also]
    ids = sorted({organization for organization, _ in parts})
    columns = [each for _, each in parts]
    codes = [np.full(len(each.times), ids.index(organization)) for organization, each in parts]
    rows = Rows(
        np.concatenate([np.empty(0, np.int64), *(each.times for each in columns)]),
        np.concatenate([np.empty(0), *(each.credits for each in columns)]),
        np.concatenate([np.empty(0, np.int64), *codes]),
        ids,
        _texts(columns, "source"),
        _texts(columns, "label"),
        _texts(columns, "host") if hosts else None,
    )
    return readings_frame(rows, known.names, zone)


def _texts(columns: Sequence[Columns], name: str) -> pd.Series[Any]:
    """One column of text; missing where the log does not know it yet."""
    missing = ([None] * len(each.times) for each in columns)
    found = (each.texts.get(name, none) for each, none in zip(columns, missing, strict=True))
    column: pd.Series[Any] = pd.concat([text([]), *map(text, found)])
    return column


def _column(entry: Entry) -> Columns:
    texts = {"source": [entry.source], "label": [entry.label], "host": [entry.host]}
    return Columns(np.array([entry.read_at]), np.array([entry.credits]), texts)


def balances_of(
    parts: Sequence[tuple[str, Columns]], unlogged: Sequence[Entry], known: Known, zone: tzinfo
) -> Balances:
    """The same readings as series, with the names of organizations."""
    also = [(known.organization(each.organization), _column(each)) for each in unlogged]
    grouped: dict[str, list[Columns]] = {}
    for organization, columns in (*parts, *also):
        if len(columns.times):
            grouped.setdefault(organization, []).append(columns)
    series = ((clean_text(each), _one_series(columns)) for each, columns in grouped.items())
    return assembled(series, {each: clean_text(known.names[each]) for each in known.names}, zone)


def _one_series(columns: Sequence[Columns]) -> Series:
    times = np.concatenate([each.times for each in columns])
    credits = np.concatenate([each.credits for each in columns])
    order = time_order(times, credits)
    return Series.of(times, credits) if order is None else Series.of(times[order], credits[order])
