"""Quickly creates logs of any length."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stability_magic import Balance, BalanceLog
from stability_magic.log.entries import Entry

__all__ = ["BEGIN", "ORGANIZATION", "STEP", "create_log", "entries"]

ORGANIZATION = "org-0123456789abcdefghijklmn"
STEP = 150_000_000  # microseconds between readings: a million readings are nearly five years
BEGIN = 1_600_000_000_000_000  # microseconds since 1970 UTC


def entries(count: int, organization: str) -> Iterator[Entry]:
    """Readings of one organization, with a top-up now and then."""
    credits = 1000.0
    for number in range(count):
        credits -= 0.37
        if credits < 100:
            credits += 1000
        yield Entry(organization, BEGIN + number * STEP, credits, "https://x", "magic", None)


def create_log(path: Path, count: int, organization: str = ORGANIZATION) -> BalanceLog:
    """A new log of ``count`` readings, the last of them a moment ago."""
    log = BalanceLog(path)
    log.append(Balance(organization, 1000.0, datetime(2000, 1, 1, tzinfo=UTC), "https://x"))
    begin = datetime.now(UTC) - timedelta(microseconds=STEP) * count
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "WITH RECURSIVE numbers (n) AS"
            " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
            " INSERT INTO readings (organization, read_at, id, credits, api, source, label, host)"
            " SELECT :organization, :start + n * :step, randomblob(16),"
            " 1000 - (n * 37 % 100000) / 100.0, 1, 'magic', NULL, NULL FROM numbers",
            {
                "organization": organization,
                "start": int(begin.timestamp() * 1e6),
                "step": STEP,
                "last": count - 1,
            },
        )
    return log
