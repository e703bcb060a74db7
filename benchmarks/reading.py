"""A long log: its history, what was spent, pictures, the forecast, and the memory it takes."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pandas as pd

from stability_magic import BalanceLog, forecast, plot_usage, usage
from stability_magic import _log_rows as log_rows

from ._logs import entries, made
from ._timing import report, side_by_side, tell

__all__ = ["history", "run"]

_QUERY = "SELECT read_at, organization, credits, source, label FROM readings"


def run(root: Path, count: int) -> None:
    """Everything that reads a log of so many readings."""
    log = made(root / "large.db", count)
    times = side_by_side(
        {
            "pandas": partial(_through_pandas, log.path),
            "plain": partial(_through_sqlite, log.path),
            "slow": partial(history, log, fast=False),
            "fast": partial(history, log, fast=True),
        },
        rounds=5,
    )
    report(f"`pandas.read_sql_query`, {count:,} readings", times["pandas"])
    report("`sqlite3`, `fetchall`", times["plain"], times["pandas"])
    report("history without the extra `fast`", times["slow"], times["pandas"])
    report("history with the extra `fast`", times["fast"], times["pandas"], 0.5)
    readings = history(log, fast=True)
    _computed(readings, times["fast"])
    _drawn(readings)
    _sizes(root)
    _memory(log.path)


def history(log: BalanceLog, *, fast: bool) -> pd.DataFrame:
    """The readings frame, through Arrow or not."""
    worth = log_rows._WORTH_ARROW
    log_rows._WORTH_ARROW = 0 if fast else sys.maxsize
    try:
        return log.readings()
    finally:
        log_rows._WORTH_ARROW = worth


def _through_pandas(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return pd.read_sql_query(_QUERY, connection)


def _through_sqlite(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(_QUERY).fetchall()


def _computed(readings: pd.DataFrame, loading: float) -> None:
    jobs = {f"usage by {by}": partial(usage, readings, by) for by in ("day", "hour")}
    times = side_by_side({**jobs, "forecast": partial(forecast, readings)}, rounds=5)
    for what, seconds in times.items():
        tell(f"{what}, beyond loading", f"{seconds:.4f}", f"{seconds / loading:.2f}")


def _drawn(readings: pd.DataFrame) -> None:
    few = readings.iloc[:: max(1, len(readings) // 10_000)]
    for kind in ("png", "svg"):
        jobs = {str(len(each)): partial(_draw, each, kind) for each in (few, readings)}
        one, other = side_by_side(jobs, rounds=3).values()
        report(f"picture of {len(few):,} readings, {kind.upper()}", one)
        report(f"picture of {len(readings):,} readings, {kind.upper()}", other, one, 2)
        small, large = (_draw(each, kind) / 1024 for each in (few, readings))
        tell(f"the larger {kind.upper()}, kB", f"{large:.0f}", f"{large / small:.2f}")


def _draw(readings: pd.DataFrame, kind: str) -> int:
    buffer = io.BytesIO()
    plot_usage(readings, "week").savefig(buffer, format=kind)
    return len(buffer.getvalue())


def _sizes(root: Path) -> None:
    count = 100_000
    for length in (8, 28):
        log = BalanceLog(root / f"size-{length}.db")
        log.write(entries(count, "org-0123456789abcdefghijklmn"[:length]))
        each = log.path.stat().st_size / count
        tell(f"bytes a reading, organization ids of {length} characters", f"{each:.1f}", aim="80")


_PEAK = """
import re, sys
from datetime import UTC
from stability_magic import BalanceLog
from stability_magic._spend import usage_of
import pyarrow.compute, adbc_driver_sqlite.dbapi
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
log = BalanceLog(sys.argv[1], timezone=UTC)
before = peak()
kept = log.readings() if sys.argv[2] == "history" else usage_of(log.balances(), "day")
print(peak() - before)
"""


def _memory(path: Path) -> None:
    if not Path("/proc/self/status").exists():
        return
    for what in ("history", "usage by day"):
        command = [sys.executable, "-c", _PEAK, str(path), what]
        told = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
        tell(f"peak memory above the imports, MB: {what}", f"{float(told):.0f}", aim="250")
