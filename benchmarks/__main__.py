"""Prints tables of what takes how long, each beside its reference in the same run.

``python -m benchmarks [--readings 1000000] [--growth 10000000] [--only loading balance ...]``

The ratio is that to the nearest line above which has none. ``benchmarks.shared`` measures the
shared log, ``benchmarks.backtest`` the forecast, ``benchmarks.topups`` the likely top-ups,
``benchmarks.costs`` what cells cost where the balance lags, and ``benchmarks.soak`` what hours of a
notebook's life leave behind.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from . import appending, balance, growth, loading, reading


def main() -> None:
    """Runs the benchmarks and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--growth", type=int, default=10_000_000)
    names = ("loading", "balance", "reading", "appending", "growth")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.platform()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" pandas {pd.__version__}\n"
    )
    print("| what | seconds | ratio | aim |\n|---|---:|---:|---:|")
    benchmarks = {
        "loading": loading.run,
        "balance": lambda root: balance.run(root, arguments.readings),
        "reading": lambda root: reading.run(root, arguments.readings),
        "appending": appending.run,
        "growth": lambda root: growth.run(root, arguments.growth),
    }
    for name in names:
        if name in arguments.only:
            with tempfile.TemporaryDirectory() as folder:
                benchmarks[name](Path(folder))


if __name__ == "__main__":
    main()
