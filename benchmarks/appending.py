"""Appending, by one process and by eight, beside bare sqlite3 with the same durability."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from ._timing import report

__all__ = ["run"]

_EACH = 200

_OURS = """
import sys
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog
log, noon = BalanceLog(sys.argv[1]), datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
def append(n):
    log.append(Balance("org-a", 1.0 * n, noon + timedelta(seconds=n), "https://x"))
append(-1)
"""
_BARE = """
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
_GO = f"""
print("ready", flush=True)
sys.stdin.readline()
for n in range({_EACH}):
    append(n)
"""


def run(root: Path) -> None:
    """Seconds for each append of a process, all of which begin together."""
    for many in (1, 8):
        taken: dict[str, list[float]] = {"bare": [], "ours": []}
        for turn in range(3):
            for name, code in (("bare", _BARE), ("ours", _OURS)):
                taken[name].append(_together(code, root / f"{name}-{many}-{turn}.db", many))
        bare, ours = (sorted(each)[1] / _EACH for each in taken.values())
        processes = "1 process" if many == 1 else f"{many} processes at once"
        report(f"an append to bare sqlite3, {processes}", bare)
        report(f"`BalanceLog.append`, {processes}", ours, bare)


def _together(code: str, path: Path, many: int) -> float:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code + _GO, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(many)
    ]
    for each in running:
        assert each.stdout is not None
        each.stdout.readline()
    begin = time.perf_counter()
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in running:
        assert each.wait() == 0
    seconds = time.perf_counter() - begin
    for each in running:
        each.communicate()
    return seconds
