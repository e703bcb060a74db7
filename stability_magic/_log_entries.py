"""Readings as the log keeps them, and the frame of what a log and a session hold."""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd

from ._frames import Rows, readings_frame, text
from ._log_rows import Columns
from ._readings import Balance, microseconds
from ._text import clean_text

__all__ = ["Entry", "Known", "entry", "frame_of", "unlogged_frame"]


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
        pd.concat([text([]), *(text(each.sources) for each in columns)]),
        pd.concat([text([]), *(text(each.labels) for each in columns)]),
        pd.concat([text([]), *(text(each.hosts) for each in columns)]) if hosts else None,
    )
    return readings_frame(rows, known.names, zone)


def _column(entry: Entry) -> Columns:
    return Columns(
        np.array([entry.read_at]),
        np.array([entry.credits]),
        [entry.source],
        [entry.label],
        [entry.host],
    )
