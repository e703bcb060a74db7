"""Appends by one process and by eight, beside bare sqlite3 with the same durability."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from .timing import print_timing

__all__ = ["run"]

_APPENDS_PER_PROCESS = 200

_BALANCE_LOG_CODE = """
import sys
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog
log, noon = BalanceLog(sys.argv[1]), datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
def append(n):
    log.append(Balance("org-a", 1.0 * n, noon + timedelta(seconds=n), "https://x"))
append(-1)
"""
_BARE_CODE = """
import secrets, sqlite3, sys
def append(n):
    connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS readings (organization TEXT, read_at INTEGER, id BLOB,"
        " credits REAL, PRIMARY KEY (organization, read_at, id)) WITHOUT ROWID"
    )
    connection.execute(
        "INSERT INTO readings VALUES ('org-a', ?, ?, 1.0)", [n, secrets.token_bytes(16)]
    )
    connection.execute("COMMIT")
    connection.close()
append(-1)
"""
_MEASURED_CODE = f"""
print("ready", flush=True)
sys.stdin.readline()
for n in range({_APPENDS_PER_PROCESS}):
    append(n)
"""


def run(root: Path) -> None:
    """Measures the seconds per append of one process, and of several that append at once."""
    codes = {"bare": _BARE_CODE, "ours": _BALANCE_LOG_CODE}
    for process_count in (1, 8):
        durations: dict[str, list[float]] = {name: [] for name in codes}
        for turn in range(3):
            for name, code in codes.items():
                path = root / f"{name}-{process_count}-{turn}.db"
                durations[name].append(_time_processes(code, path, process_count))
        bare, ours = (sorted(each)[1] / _APPENDS_PER_PROCESS for each in durations.values())
        processes = "1 process" if process_count == 1 else f"{process_count} processes at once"
        print_timing(f"an append to bare sqlite3, {processes}", bare)
        print_timing(f"`BalanceLog.append`, {processes}", ours, bare)


def _time_processes(code: str, path: Path, process_count: int) -> float:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code + _MEASURED_CODE, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(process_count)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    begin = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.wait() == 0
    seconds = time.perf_counter() - begin
    for process in processes:
        process.communicate()
    return seconds
