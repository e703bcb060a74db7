"""A long log: its history, usage, pictures, forecast, size and memory."""

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
from stability_magic.log import rows as log_rows

from .logs import ORGANIZATION, create_log, entries
from .timing import print_row, print_timing, time_side_by_side

__all__ = ["history", "run"]

_QUERY = "SELECT read_at, organization, credits, source, label FROM readings"


def run(root: Path, count: int) -> None:
    """Measures everything that reads a log of ``count`` readings."""
    log = create_log(root / "large.db", count)
    times = time_side_by_side(
        {
            "pandas": partial(_read_with_pandas, log.path),
            "plain": partial(_read_with_sqlite, log.path),
            "slow": partial(history, log, fast=False),
            "fast": partial(history, log, fast=True),
        },
        rounds=5,
    )
    print_timing(f"`pandas.read_sql_query`, {count:,} readings", times["pandas"])
    print_timing("`sqlite3`, `fetchall`", times["plain"], times["pandas"])
    print_timing("history without the extra `fast`", times["slow"], times["pandas"])
    print_timing("history with the extra `fast`", times["fast"], times["pandas"], 0.5)
    readings = history(log, fast=True)
    _time_computations(readings, times["fast"])
    _time_pictures(readings)
    _measure_file_sizes(root)
    _measure_memory(log.path)


def history(log: BalanceLog, *, fast: bool) -> pd.DataFrame:
    """The readings frame, read through Arrow if ``fast``."""
    normal_threshold = log_rows._ARROW_MIN_BYTES
    log_rows._ARROW_MIN_BYTES = 0 if fast else sys.maxsize
    try:
        return log.readings()
    finally:
        log_rows._ARROW_MIN_BYTES = normal_threshold


def _read_with_pandas(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return pd.read_sql_query(_QUERY, connection)


def _read_with_sqlite(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(_QUERY).fetchall()


def _time_computations(readings: pd.DataFrame, loading_seconds: float) -> None:
    jobs = {f"usage by {by}": partial(usage, readings, by) for by in ("day", "hour")}
    times = time_side_by_side({**jobs, "forecast": partial(forecast, readings)}, rounds=5)
    for what, seconds in times.items():
        ratio = f"{seconds / loading_seconds:.2f}"
        print_row(f"{what}, beyond loading", f"{seconds:.4f}", ratio)


def _time_pictures(readings: pd.DataFrame) -> None:
    few_readings = readings.iloc[:: max(1, len(readings) // 10_000)]
    for file_format in ("png", "svg"):
        jobs = {
            str(len(each)): partial(_draw_picture, each, file_format)
            for each in (few_readings, readings)
        }
        few_seconds, seconds = time_side_by_side(jobs, rounds=3).values()
        name = file_format.upper()
        print_timing(f"picture of {len(few_readings):,} readings, {name}", few_seconds)
        print_timing(f"picture of {len(readings):,} readings, {name}", seconds, few_seconds, 2)
        small, large = (job() / 1024 for job in jobs.values())
        print_row(f"the larger {name}, kB", f"{large:.0f}", f"{large / small:.2f}")


def _draw_picture(readings: pd.DataFrame, file_format: str) -> int:
    """Draws a picture and returns its size in bytes."""
    buffer = io.BytesIO()
    plot_usage(readings, "week").savefig(buffer, format=file_format)
    return len(buffer.getvalue())


def _measure_file_sizes(root: Path) -> None:
    count = 100_000
    for length in (8, 28):
        log = BalanceLog(root / f"size-{length}.db")
        log.write(entries(count, ORGANIZATION[:length]))
        size = log.path.stat().st_size / count
        what = f"bytes a reading, organization ids of {length} characters"
        print_row(what, f"{size:.1f}", aim="80")


_PEAK_MEMORY_CODE = """
import re, sys
from datetime import UTC
from stability_magic import BalanceLog
from stability_magic.analysis.spend import usage_of
import pyarrow.compute, adbc_driver_sqlite.dbapi
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
log = BalanceLog(sys.argv[1], timezone=UTC)
before = peak()
result = log.readings() if sys.argv[2] == "history" else usage_of(log.histories(), "day")
print(peak() - before)
"""


def _measure_memory(path: Path) -> None:
    if not Path("/proc/self/status").exists():
        return
    for what in ("history", "usage by day"):
        command = [sys.executable, "-c", _PEAK_MEMORY_CODE, str(path), what]
        output = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
        print_row(f"peak memory above the imports, MB: {what}", f"{float(output):.0f}", aim="250")
