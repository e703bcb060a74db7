"""The condition of a log's file: its size, what it holds, and whether all of it can be read."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..errors import LogError
from ..models import from_microseconds
from .file import open_for_reading
from .rows import check_types

__all__ = ["SQLITE_VERSION", "LogCondition", "log_condition"]

SQLITE_VERSION = sqlite3.sqlite_version


class LogCondition(NamedTuple):
    """What there is in a log's file.

    Attributes:
        size: Its length in bytes.
        readings: How many readings it holds.
        first: The time of the oldest one, in UTC; None without readings.
        last: The time of the newest one.
    """

    size: int
    readings: int
    first: datetime | None
    last: datetime | None


def log_condition(path: Path) -> LogCondition | None:
    """What there is in a log's file, every page of which is looked at; None if there is no file.

    Raises:
        LogError: The file could not be read, is damaged, or is of a newer version.
    """
    with open_for_reading(path) as connection:
        if connection is None:
            return LogCondition(path.stat().st_size, 0, None, None) if path.exists() else None
        ((found,),) = check_types(connection.execute("PRAGMA quick_check(1)"), "t")
        if found != "ok":
            raise LogError(
                f"{path} is damaged; it was left as it is. Restore a copy, or let"
                " 'sqlite3 FILE .recover' tell what can be read.",
                path=path,
            )
        count, first, last = connection.execute(
            "SELECT count(*), min(read_at), max(read_at) FROM readings"
        ).fetchone()
    times = (None, None) if not count else (from_microseconds(first), from_microseconds(last))
    return LogCondition(path.stat().st_size, count, *times)
