"""Prints a table of what takes how long, beside its reference in the same run.

``python -m benchmarks [--readings 1000000]``
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import requests
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from stability_magic import BalanceLog, plot_usage, usage
from stability_magic import _log_rows as log_rows
from stability_magic._log import Entry
from stability_magic._simulator import SimulatedClock, Simulator

from ._timing import side_by_side

ORGANIZATION = "org-0123456789abcdefghijklmn"
STEP = 150_000_000  # microseconds: a million readings are nearly five years
BEGIN = 1_600_000_000_000_000


def main() -> None:
    """Runs everything and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000)
    count = parser.parse_args().readings
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, pandas {pd.__version__}\n"
    )
    print(f"{'what':58} {'seconds':>9} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        loading(root)
        balance(root)
        for length in (8, 28):
            size(root, length)
        large(root, count)


def report(what: str, seconds: float, reference: float | None = None) -> None:
    """One line of the table; the ratio to the reference, where this is not one."""
    ratio = "" if reference is None else f"{seconds / reference:7.2f}"
    print(f"{what:58} {seconds:9.4f} {ratio}", flush=True)


def loading(root: Path) -> None:
    """``ipython -c`` with and without the extension."""

    def ipython(code: str) -> None:
        command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "-c", code]
        # As pip installs it: compiled once, and not at each start.
        environment = os.environ | {"IPYTHONDIR": str(root / "ipython")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run(command, check=True, capture_output=True, env=environment)

    times = side_by_side(
        {
            "bare": lambda: ipython("pass"),
            "loaded": lambda: ipython("%load_ext stability_magic"),
        },
        rounds=15,
    )
    report("ipython -c 'pass'", times["bare"])
    report("ipython -c '%load_ext stability_magic'", times["loaded"], times["bare"])


@contextlib.contextmanager
def shell(simulator: Simulator, log: Path) -> Iterator[InteractiveShell]:
    """A shell with the extension, pointed at a simulator and a log."""
    os.environ |= {
        "STABILITY_API_HOST": simulator.url,
        "STABILITY_API_KEY": simulator.api_key,
        "STABILITY_MAGIC_LOG": str(log),
    }
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config)
    made.run_line_magic("load_ext", "stability_magic")
    try:
        yield made
    finally:
        made.run_line_magic("unload_ext", "stability_magic")
        InteractiveShell.clear_instance()


def balance(root: Path) -> None:
    """``%stability_balance`` against its bare parts: one GET, one durable insert, one frame."""
    bare_log = root / "bare.db"
    with sqlite3.connect(bare_log) as made:
        made.execute("CREATE TABLE readings (read_at INTEGER, credits REAL)")
    rows = 200
    with Simulator(clock=SimulatedClock(speed=0), rate_limit=10**9) as simulator:
        session = requests.Session()
        session.headers["Authorization"] = simulator.api_key

        def bare() -> pd.DataFrame:
            answer = session.get(f"{simulator.url}/v1alpha/user/balance", timeout=10)
            connection = sqlite3.connect(bare_log)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("INSERT INTO readings VALUES (0, ?)", [answer.json()["credits"]])
            connection.commit()
            frame = pd.read_sql_query(
                f"SELECT * FROM readings ORDER BY rowid DESC LIMIT {rows}", connection
            )
            connection.close()
            return frame

        with shell(simulator, root / "small.db") as ipython:

            def magic() -> None:
                with contextlib.redirect_stdout(io.StringIO()):
                    ipython.run_line_magic("stability_balance", "")

            for _ in range(rows):
                bare()
                magic()
            times = side_by_side({"bare": bare, "magic": magic}, rounds=100)
    report("requests GET + durable insert + DataFrame", times["bare"])
    report("%stability_balance, a log of 200 to 300 readings", times["magic"], times["bare"])


def entries(count: int, organization: str) -> Iterator[Entry]:
    """Readings every 150 seconds, with a top-up now and then."""
    credits = 1000.0
    for number in range(count):
        credits -= 0.37
        if credits < 100:
            credits += 1000
        yield Entry(organization, BEGIN + number * STEP, credits, "https://x", "magic", None)


def size(root: Path, length: int) -> None:
    """Bytes that a reading takes in the file."""
    log = BalanceLog(root / f"size-{length}.db")
    count = 100_000
    log.write(entries(count, ORGANIZATION[:length]))
    bytes_each = log.path.stat().st_size / count
    print(f"{f'bytes a reading, organization ids of {length} characters':58} {bytes_each:9.1f}")


def large(root: Path, count: int) -> None:
    """A long log: loading it, usage by period, pictures."""
    log = BalanceLog(root / "large.db")
    log.write(entries(count, ORGANIZATION))
    worth_arrow = log_rows._WORTH_ARROW

    def plain() -> pd.DataFrame:
        log_rows._WORTH_ARROW = sys.maxsize
        return log.readings()

    def fast() -> pd.DataFrame:
        log_rows._WORTH_ARROW = worth_arrow
        return log.readings()

    def pandas() -> pd.DataFrame:
        query = "SELECT read_at, organization, credits, source, label FROM readings"
        connection = sqlite3.connect(log.path)
        try:
            return pd.read_sql_query(query, connection)
        finally:
            connection.close()

    times = side_by_side({"pandas": pandas, "plain": plain, "fast": fast}, rounds=5)
    report(f"pandas.read_sql_query, {count:,} readings", times["pandas"])
    report("history without the extra fast", times["plain"], times["pandas"])
    report("history with the extra fast", times["fast"], times["pandas"])

    readings = fast()
    few = readings.iloc[:: max(1, len(readings) // 10_000)]
    by_period = side_by_side(
        {by: lambda by=by: usage(readings, by) for by in ("day", "hour")}, rounds=5
    )
    for by, seconds in by_period.items():
        report(f"usage by {by}, {count:,} readings", seconds)
    drawn = side_by_side(
        {
            f"{kind}{len(frame)}": lambda kind=kind, frame=frame: draw(frame, kind)
            for kind in ("png", "svg")
            for frame in (few, readings)
        },
        rounds=3,
    )
    for kind in ("png", "svg"):
        reference = drawn[f"{kind}{len(few)}"]
        report(f"plot of {len(few):,} readings, {kind.upper()}", reference)
        report(f"plot of {count:,} readings, {kind.upper()}", drawn[f"{kind}{count}"], reference)
        sizes = [draw(frame, kind) / 1024 for frame in (few, readings)]
        what = f"  kilobytes of these two {kind.upper()} files"
        print(f"{what:58} {sizes[0]:9.0f} {sizes[1]:7.0f}")


def draw(readings: pd.DataFrame, kind: str) -> int:
    """Draws a picture and tells its bytes."""
    buffer = io.BytesIO()
    plot_usage(readings, "week").savefig(buffer, format=kind)
    return len(buffer.getvalue())


if __name__ == "__main__":
    main()
