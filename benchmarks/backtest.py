"""How true the forecast is, on series whose future is known.

    python -m benchmarks.backtest [--origins 12] FOLDER_OR_CSV ...

A CSV holds either one series, with the columns ``timestamp`` and ``value``, of which the values of
an hour are added up; or one series in each line, its name and then its hourly values. Each value
is taken as credits spent. A name of the form ``set/series`` tells the set that a series belongs to;
otherwise that is its folder's name.

At random hours of each series the 7 to 28 days before become hourly readings of a balance that is
just what is really spent in the next 24, 72, 168 or 336 hours ("spent"), or what was spent in 1, 3,
7 or 14 average days before ("mean"). The true time at which it is empty is thus known, and the
public ``forecast`` is asked for it. For each set and over all, as the mean of the sets, it prints:

- cover 50, 80 and 95: the share of true times in the interval with this coverage;
- error: the median of |estimate - truth| / truth, and beside it those of the constant rates of the
  last 24 hours, the last 7 days and the whole history;
- width: the median of ln(late / early) at 80 %;
- CRPS of ln(time): twice the mean pinball loss at seven quantiles from 2.5 to 97.5 %;
- useless: the share with late / early above 20.

Whatever is further off than a year counts as a year.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stability_magic import forecast

HORIZONS = (24, 72, 168, 336)
YEAR = 365 * 24.0  # hours
COVERAGES = (0.5, 0.8, 0.95)
QUANTILES = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
USELESS = 20.0


def read_series(path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Set, name and hourly spending of each series in a file."""
    with path.open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        first = next(rows)
        if first[:2] != ["timestamp", "value"]:
            for name, *values in (first, *rows):
                group, _, rest = name.rpartition("/")
                yield group or path.stem, rest, np.array(values, dtype=float)
            return
    table = pd.read_csv(path)
    times = pd.to_datetime(table["timestamp"], format="mixed")
    values = pd.Series(table["value"].to_numpy(float), index=pd.DatetimeIndex(times, tz="UTC"))
    yield path.resolve().parent.name, path.stem, values.resample("h").sum().to_numpy()


def cases(
    spending: np.ndarray, origin_count: int, seed: int
) -> Iterator[tuple[np.ndarray, float, float, str]]:
    """The past, the balance, the true hours until it is empty, and how it was chosen."""
    random = np.random.default_rng(seed)
    for _ in range(origin_count):
        history = 24 * int(random.integers(7, 29))
        horizon = int(random.choice(HORIZONS))
        if len(spending) < history + horizon + 1:
            continue
        origin = int(random.integers(history, len(spending) - horizon))
        past, future = spending[origin - history : origin], spending[origin:]
        if past.sum() <= 0.0:
            continue  # nothing to learn from
        spent = float(future[:horizon].sum())
        if spent > 0.0:
            yield past, spent, hours_until(future, spent), "spent"
        mean = horizon * float(past.mean())
        if future.sum() >= mean:
            yield past, mean, hours_until(future, mean), "mean"


def hours_until(future: np.ndarray, credits: float) -> float:
    sums = np.concatenate(([0.0], np.cumsum(future)))
    after = int(np.searchsorted(sums, credits * (1.0 - 1e-9)))
    return after - 1 + float((credits - sums[after - 1]) / (sums[after] - sums[after - 1]))


def measure(past: np.ndarray, balance: float, truth: float) -> dict[str, float]:
    """The scores of one forecast."""
    credits = balance + np.concatenate((np.cumsum(past[::-1])[::-1], [0.0]))
    index = pd.date_range("2026-01-05", periods=len(credits), freq="h", tz="UTC")
    readings = pd.DataFrame({"organization": "a", "credits": credits}, index=index)
    hours = {}
    for coverage in COVERAGES:
        row = forecast(readings, coverage=coverage).iloc[0]
        times = pd.to_datetime(row[["empty_early", "empty_at", "empty_late"]].to_list(), utc=True)
        ahead = ((times - index[-1]) / pd.Timedelta(hours=1)).fillna(YEAR)
        hours[coverage] = np.maximum(ahead.to_numpy(), 1e-3)
    early, middle, late = hours[0.8]
    result = {f"cover {100 * c:.0f}": float(e <= truth <= w) for c, (e, _, w) in hours.items()}
    result["error"] = abs(middle - truth) / truth
    for name, window in (("24 h", 24), ("7 days", 168), ("all", len(past))):
        rate = past[-window:].mean()
        result[name] = abs(min(balance / rate if rate > 0.0 else YEAR, YEAR) - truth) / truth
    lows = [hours[coverage][0] for coverage in reversed(COVERAGES)]
    highs = [hours[coverage][2] for coverage in COVERAGES]
    departures = np.log(truth) - np.log([*lows, middle, *highs])
    losses = np.maximum(QUANTILES * departures, (QUANTILES - 1.0) * departures)
    result["width"] = float(np.log(late / early))
    result["CRPS"] = 2.0 * float(losses.mean())
    result["useless"] = float(late > USELESS * early)
    return result


def run(paths: list[Path], origin_count: int) -> pd.DataFrame:
    """The scores of all forecasts, one in each row."""
    rows = []
    for path in paths:
        for group, name, spending in read_series(path):
            seed = zlib.crc32(f"{group}/{name}".encode())
            for past, balance, truth, kind in cases(spending, origin_count, seed):
                scores = measure(past, balance, truth)
                rows.append({"set": group, "series": name, "balance": kind, **scores})
    return pd.DataFrame(rows)


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """The scores of each set, and last their mean over the sets."""
    groups = results.drop(columns=["series", "balance"]).groupby("set")
    table = groups.mean()
    for name in ("error", "24 h", "7 days", "all", "width"):
        table[name] = groups[name].median()
    table.loc["mean of the sets"] = table.mean()
    table["forecasts"] = [*groups.size(), len(results)]
    return table


def main() -> None:
    """Prints the scores."""
    parser = argparse.ArgumentParser(description="How true the forecast is.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER_OR_CSV")
    parser.add_argument("--origins", type=int, default=12, help="a series; 12 if not told")
    arguments = parser.parse_args()
    paths: list[Path] = []
    for each in arguments.paths:
        paths += sorted(each.rglob("*.csv")) if each.is_dir() else [each]
    results = run(paths, arguments.origins)
    if results.empty:
        parser.error("no series was found, or none is as long as three weeks")
    for kind, part in [*results.groupby("balance"), ("both", results)]:
        print(f"\nbalance by what is {kind}" if kind != "both" else "\nboth kinds of balance")
        print(summarize(part).round(3).to_string())


if __name__ == "__main__":
    main()
