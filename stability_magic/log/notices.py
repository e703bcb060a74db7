"""What a person was told of, so that no other watch and no restart tells it again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from ..analysis.notices import Finding, Key, State
from .file import open_for_reading, open_for_writing
from .rows import check_types, has_table

__all__ = ["claim_changes"]

_COLUMNS = "organization, event, subject, is_ongoing, as_of"


def claim_changes(
    path: Path, find_changes: Callable[[Mapping[Key, State]], list[Finding]]
) -> list[Finding]:
    """The changes that are this caller's to tell: nobody else is given them, nor later again.

    Args:
        path: The log's file.
        find_changes: Takes what is known from before, and returns what has changed; without side
            effects, as it is called again under the lock of the file where there is something.

    Raises:
        LogError: The file could not be read or written; nothing was claimed.
    """
    with open_for_reading(path) as connection:
        states = {} if connection is None else _read_states(connection)
    # Nearly always nothing has changed, which costs no write.
    if not find_changes(states):
        return []
    with open_for_writing(path) as connection:
        changes = find_changes(_read_states(connection))
        connection.executemany(
            f"INSERT INTO notices ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - our own
            " ON CONFLICT (organization, event, subject) DO UPDATE"
            " SET is_ongoing = excluded.is_ongoing, as_of = excluded.as_of",
            [(*each.key, bool(each.is_happening), each.at) for each in changes],
        )
        return changes


def _read_states(connection: sqlite3.Connection) -> dict[Key, State]:
    # A log of an older version does not know what was told.
    if not has_table(connection, "notices"):
        return {}
    rows = connection.execute(f"SELECT {_COLUMNS} FROM notices")  # noqa: S608 - names of our own
    return {
        Key(organization, event, subject): State(bool(is_ongoing), as_of)
        for organization, event, subject, is_ongoing, as_of in check_types(rows, "tttii")
    }
