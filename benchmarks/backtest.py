"""How well the forecast would have done: a backtest on series whose future is known.

    python -m benchmarks.backtest FOLDER_OR_CSV ...

Each CSV has the columns ``timestamp`` and ``value``; values are summed to hours and taken as
credits spent. A history of 14 or 28 days becomes hourly readings of a balance, and the
balance "now" is what is really spent in the next 24, 72 or 168 hours: so the true run-out is
known. Printed are, for each horizon, the share of true run-outs in the 80 % interval, the
median of |estimate - truth| / horizon beside that of three constant rates, and the median
width of the interval / horizon.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stability_magic import forecast

DAYS = (14, 28)
HORIZONS = (24, 72, 168)
YEAR = 365 * 24.0  # hours: what "more than a year" counts as


def hourly(path: Path) -> pd.Series:
    table = pd.read_csv(path)
    at = pd.to_datetime(table["timestamp"], format="mixed")
    values = pd.Series(table["value"].to_numpy(float), index=pd.DatetimeIndex(at, tz="UTC"))
    return values.resample("h").sum().clip(lower=0.0)


def cases(spent: pd.Series, origins: int) -> Iterator[tuple[int, int, int]]:
    """History in hours, horizon and origin, origins evenly spread over what is there."""
    for history in (24 * days for days in DAYS):
        for horizon in HORIZONS:
            first, last = history, len(spent) - horizon
            if last >= first:
                # Odd fractions, so that origins fall on other hours than the series' start.
                spread = (np.arange(origins) + 0.37) / origins
                for origin in np.unique((first + spread * (last - first)).astype(int)):
                    yield history, horizon, int(origin)


def measure(spent: pd.Series, history: int, horizon: int, origin: int) -> dict[str, float] | None:
    past = spent.to_numpy()[origin - history : origin]
    balance = spent.to_numpy()[origin : origin + horizon].sum()
    if balance <= 0.0 or past.sum() <= 0.0:
        return None  # no run-out, or nothing to learn from
    credits = balance + np.concatenate((np.cumsum(past[::-1])[::-1], [0.0]))
    index = pd.date_range(spent.index[origin - history], periods=history + 1, freq="h")
    readings = pd.DataFrame({"organization": "a", "credits": credits}, index=index)
    row = forecast(readings).iloc[0]
    times = pd.DatetimeIndex(row[["empty_at", "empty_early", "empty_late"]])
    middle, early, late = ((times - index[-1]) / pd.Timedelta(hours=1)).fillna(YEAR)
    result = {
        "covered": early <= horizon <= late,
        "ours": abs(middle - horizon) / horizon,
        "width": (late - early) / horizon,
    }
    for name, window in (("24 h", 24), ("7 days", 168), ("all", history)):
        rate = past[-window:].mean()
        hours_left = min(balance / rate, YEAR) if rate > 0.0 else YEAR
        result[name] = abs(hours_left - horizon) / horizon
    return result


def run(paths: list[Path], origins: int = 2) -> pd.DataFrame:
    rows = []
    for path in paths:
        spent = hourly(path)
        for history, horizon, origin in cases(spent, origins):
            if result := measure(spent, history, horizon, origin):
                rows.append({"h": horizon, "days": history // 24, "series": path.stem, **result})
    return pd.DataFrame(rows)


def summary(results: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = results.groupby(by)
    table = groups[["ours", "24 h", "7 days", "all", "width"]].median()
    table.insert(0, "covered", groups["covered"].mean())
    table = (100.0 * table.astype(float)).round(1)
    table["cases"] = groups.size()
    return table


def main(arguments: list[str]) -> None:
    paths: list[Path] = []
    for argument in map(Path, arguments):
        paths += sorted(argument.glob("*.csv")) if argument.is_dir() else [argument]
    if not paths:
        sys.exit("usage: python -m benchmarks.backtest FOLDER_OR_CSV ...")
    results = run(paths)
    print(f"{len(paths)} series; all figures in %")
    print(summary(results, ["h"]).to_string())
    print(summary(results, ["h", "days"]).to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
