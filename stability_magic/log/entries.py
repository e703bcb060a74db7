"""Readings as the log stores them, and the frame of the readings of a log and a session."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..analysis.frames import ReadingRows, readings_frame, text_column, time_order
from ..analysis.series import Histories, Series, histories_from_series
from ..analysis.windows import ALL_TIME, Window, clip_to_neighbours
from ..models import Balance, to_microseconds
from ..text import clean_text, shorten
from .rows import ReadingColumns
from .validity import KEY_PREFIX, MAX_TEXT_LENGTH, is_finite, reading_fault

__all__ = [
    "Entry",
    "KnownOrganizations",
    "entry_from_balance",
    "frame_from_columns",
    "frame_from_entries",
    "histories_from_columns",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A reading as the log stores it.

    The id is made once, so an entry that is written again or merged from another file is
    recognized. ``read_at`` counts microseconds since 1970 UTC, and ``clock_offset`` those that were
    added to the machine's own time; None where that is not known.
    """

    organization: str
    read_at: int
    credits: float
    api_url: str
    source: str
    label: str | None
    host: str | None = None
    clock_offset: int | None = None
    id: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(16))


def entry_from_balance(
    balance: Balance,
    *,
    source: str = "library",
    label: str | None = None,
    host: str | None = None,
) -> Entry:
    """The entry for a balance; an unknown organization is logged under its key's fingerprint.

    Raises:
        ValueError: The credits are not a finite number, or the rest is no reading either.
    """
    if not is_finite(balance.credits):
        raise ValueError(
            f"credits are {balance.credits!r}, which is no balance; nothing was logged"
        )
    entry = Entry(
        organization=clean_text(balance.organization or f"{KEY_PREFIX}{balance.key_fingerprint}"),
        read_at=to_microseconds(balance.read_at),
        credits=float(balance.credits),
        api_url=_text_to_log(balance.api_url),
        source=_text_to_log(source),
        label=_text_to_log(label) if label else None,
        host=_text_to_log(host) if host else None,
        clock_offset=(
            None
            if balance.clock_offset is None
            else balance.clock_offset // timedelta(microseconds=1)
        ),
    )
    fault = reading_fault(entry.organization, entry.read_at, entry.id, entry.credits)
    if fault:
        raise ValueError(f"a reading with {fault} is none; nothing was logged")
    return entry


def _text_to_log(text: str) -> str:
    """A text that is safe to show; an immense one is cut, since its reading must not be lost."""
    return shorten(clean_text(text), MAX_TEXT_LENGTH)


class KnownOrganizations(NamedTuple):
    """What a log knows about organizations.

    Attributes:
        names: Names by organization id.
        defaults: The ids of the default organizations of keys, by the keys' fingerprints.
    """

    names: Mapping[str, str]
    defaults: Mapping[str, str]

    def organization(self, logged_id: str) -> str:
        """The id of the organization whose readings are logged under an id.

        That is the key's default organization where they are logged under a key.
        """
        if logged_id.startswith(KEY_PREFIX):
            logged_id = self.defaults.get(logged_id.removeprefix(KEY_PREFIX), logged_id)
        return clean_text(logged_id)


def frame_from_entries(
    entries: Sequence[Entry], names: Mapping[str, str], zone: tzinfo, *, hosts: bool = False
) -> pd.DataFrame:
    """The readings frame of entries that are not in a log."""
    return frame_from_columns([], entries, KnownOrganizations(names, {}), zone, hosts=hosts)


def frame_from_columns(
    parts: Sequence[tuple[str, ReadingColumns]],
    unlogged: Sequence[Entry],
    known_organizations: KnownOrganizations,
    zone: tzinfo,
    window: Window = ALL_TIME,
    *,
    hosts: bool = False,
) -> pd.DataFrame:
    """The readings frame of a log's readings and of entries that are not in the log.

    Args:
        parts: Organizations, and readings of each; an organization may occur several times.
        unlogged: Entries that are not in the log.
        known_organizations: What the log knows about organizations.
        zone: The time zone of the frame.
        window: What the frame shows, with each organization's readings next to it that count.
        hosts: Whether to add which machine took each reading.
    """
    parts = [*parts, *_parts_from_entries(unlogged, known_organizations)]
    ids = sorted({organization for organization, _ in parts})
    columns = [each for _, each in parts]
    codes = [np.full(len(each.times), ids.index(organization)) for organization, each in parts]
    rows = ReadingRows(
        np.concatenate([np.empty(0, np.int64), *(each.times for each in columns)]),
        np.concatenate([np.empty(0), *(each.credits for each in columns)]),
        np.concatenate([np.empty(0, np.int64), *codes]),
        ids,
        _concat_texts(columns, "source"),
        _concat_texts(columns, "label"),
        _concat_texts(columns, "host") if hosts else None,
    )
    return clip_to_neighbours(readings_frame(rows, known_organizations.names, zone), window)


def _concat_texts(columns: Sequence[ReadingColumns], name: str) -> pd.Series[Any]:
    """One column of text; missing for readings from a log of a version without that column."""
    texts = (each.texts.get(name, [None] * len(each.times)) for each in columns)
    column: pd.Series[Any] = pd.concat([text_column([]), *map(text_column, texts)])
    return column


def _parts_from_entries(
    entries: Sequence[Entry], known_organizations: KnownOrganizations
) -> list[tuple[str, ReadingColumns]]:
    return [
        (known_organizations.organization(each.organization), _columns_from_entry(each))
        for each in entries
    ]


def _columns_from_entry(entry: Entry) -> ReadingColumns:
    texts = {
        "source": [entry.source],
        "label": [entry.label],
        "host": [entry.host],
    }
    return ReadingColumns(np.array([entry.read_at]), np.array([entry.credits]), texts)


def histories_from_columns(
    parts: Sequence[tuple[str, ReadingColumns]],
    unlogged: Sequence[Entry],
    known_organizations: KnownOrganizations,
    zone: tzinfo,
    window: Window,
) -> Histories:
    """The series of the readings of a window, without the doubtful ones.

    The other arguments are those of :func:`frame_from_columns`.
    """
    parts = [*parts, *_parts_from_entries(unlogged, known_organizations)]
    columns_by_organization: dict[str, list[ReadingColumns]] = {}
    for organization, columns in parts:
        if len(columns.times):
            columns_by_organization.setdefault(organization, []).append(columns)
    series = (
        (clean_text(organization), _series_from_columns(columns, window))
        for organization, columns in columns_by_organization.items()
    )
    # What was fetched around a window may be all there is.
    non_empty = (each for each in series if len(each[1].times))
    names = known_organizations.names
    return histories_from_series(
        non_empty, {each: clean_text(name) for each, name in names.items()}, zone
    )


def _series_from_columns(columns: Sequence[ReadingColumns], window: Window) -> Series:
    times = np.concatenate([each.times for each in columns])
    credits = np.concatenate([each.credits for each in columns])
    order = time_order(times, credits)
    if order is not None:
        times, credits = times[order], credits[order]
    return Series.of_those_that_count(times, credits, window)
