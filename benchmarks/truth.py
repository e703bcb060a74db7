"""Whether what is told of spending is true, on random logs whose truth is known.

    python -m benchmarks.truth [--logs 200]

Each log is of one simulated organization: other seeds; readings every 10 minutes, hour, six hours
or day, with gaps; purchases of usual or of odd amounts; a balance that lags up to ten minutes;
balances that are wrong for a while; or two machines whose clocks differ. For each kind of log and
each distance of readings it prints:

- above: logs of which the certain spending is above the truth, with what may still lag taken off;
- unsaid: days on which the certain spending differs from the truth by more than 1 % and 1 credit,
  and neither ``at_least`` nor ``estimated`` says so, as a share of all days;
- certain, likely: the error of the spending of all days together, as a share of the truth;
- found: the share of wrong readings that are doubtful; flagged: of honest ones, in ten thousand.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stability_magic import Balance, BalanceLog, usage
from stability_magic.api.service_clock import ServiceClock
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.simulator.activity import SimulatedOrganization, default_organizations
from stability_magic.simulator.ledger import Ledger

START = datetime(2026, 2, 2, tzinfo=UTC)
DAYS = 40
STEPS = {"10 min": 10, "hour": 60, "6 hours": 360, "day": 1440}  # minutes
KINDS = ("plain", "odd purchases", "lag", "wrong for a while", "clocks 90 s", "clocks 1 h")
ODD_USD = (13, 17, 23, 37, 61, 88, 120, 333)


class RandomLog(NamedTuple):
    """A log and its truth.

    Attributes:
        frame: The readings frame that the log gives.
        is_wrong: For each of its rows, whether the balance was not the true one.
        spent: The true spending of each day, by date.
        pending: Credits that were spent at the end and may not show yet.
    """

    frame: pd.DataFrame
    is_wrong: np.ndarray
    spent: pd.Series
    pending: float


def organization_of(random: np.random.Generator, kind: str) -> SimulatedOrganization:
    studio = default_organizations()[int(random.integers(0, 2))]
    if kind == "odd purchases":
        return dataclasses.replace(studio, refill_usd=ODD_USD)
    return studio


def make_log(seed: int, kind: str, minutes: int, path: Path) -> RandomLog:
    random = np.random.default_rng(seed)
    ledger = Ledger(organization_of(random, kind), seed=seed)
    count = DAYS * 1440 // minutes
    offsets = np.arange(count) * minutes + random.uniform(0, minutes / 5, count)
    keep = np.ones(count, bool)
    for _ in range(int(random.integers(0, 4))):
        first = int(random.integers(0, count))
        keep[first : first + int(random.integers(1, max(2, 3 * 1440 // minutes)))] = False
    offsets = offsets[keep]
    times = [START + timedelta(minutes=float(each)) for each in offsets]
    lag = timedelta(minutes=float(random.uniform(1, 10))) if kind == "lag" else timedelta(0)
    credits = np.array([ledger.balance(each - lag) for each in times])
    is_wrong = np.zeros(len(times), bool)
    if kind == "wrong for a while":
        for _ in range(3):
            first = int(random.integers(2, len(times) - 6))
            stretch = slice(first, first + int(random.integers(1, 4)))
            is_wrong[stretch] = True
            credits[stretch] = credits[first - 1] + float(random.choice([953.5, 217.25, 1410.8]))
            if random.random() < 0.3:
                credits[stretch] = 0.0
    log = BalanceLog(path, timezone=UTC)
    difference = {"clocks 90 s": 90.0, "clocks 1 h": 3600.0}.get(kind, 0.0)
    clocks = ServiceClock(), ServiceClock()
    log.write(
        entry_from_balance(
            _balance(
                ledger.organization.id,
                float(left),
                at,
                difference if position % 2 else 0.0,
                clocks[position % 2],
            )
        )
        for position, (at, left) in enumerate(zip(times, credits, strict=True))
    )
    frame = log.readings()
    dates = pd.date_range(START, periods=DAYS + 1, freq="D")
    last = times[-1]
    spent = pd.Series(
        [
            ledger.spent(
                max(day.to_pydatetime(), times[0]),
                min((day + pd.Timedelta(days=1)).to_pydatetime(), last),
            )
            if day < last and day + pd.Timedelta(days=1) > times[0]
            else 0.0
            for day in dates
        ],
        index=dates,
    )
    pending = ledger.spent(times[0] - lag, times[0]) if lag else 0.0
    return RandomLog(frame, is_wrong, spent, pending)


def _balance(
    organization: str, credits: float, at: datetime, ahead: float, clock: ServiceClock
) -> Balance:
    """A balance as a machine logs it whose clock is so many seconds ahead."""
    own_time = at + timedelta(seconds=ahead)
    headers = {"date": format_datetime(at, usegmt=True)}
    offset = clock.offset(headers, own_time - timedelta(seconds=0.2), own_time)
    return Balance(organization, credits, own_time + (offset or timedelta(0)), clock_offset=offset)


def measure(log: RandomLog) -> dict[str, float]:
    frame = usage(log.frame, "day")
    told = frame["spent"].groupby(level=0).sum().reindex(log.spent.index, fill_value=0.0)
    likely = frame["likely_spent"].groupby(level=0).sum().reindex(log.spent.index, fill_value=0.0)
    estimated = frame["estimated"] if "estimated" in frame else frame["spent"] * 0.0
    is_said = ((estimated > 0.005) | frame["at_least"]).groupby(level=0).any()
    is_said = is_said.reindex(log.spent.index, fill_value=False)
    truth = float(log.spent.sum())
    is_off = (told - log.spent).abs() > np.maximum(1.0, 0.01 * log.spent)
    flags = (
        log.frame["doubtful"].notna().to_numpy()
        if "doubtful" in log.frame
        else log.is_wrong & False
    )
    honest = ~log.is_wrong
    return {
        "above": float(told.sum() > truth + log.pending + 0.01),
        "unsaid": float((is_off & ~is_said).mean()),
        "certain": abs(float(told.sum()) - truth) / truth,
        "likely": abs(float(likely.sum()) - truth) / truth,
        "wrong": float(log.is_wrong.sum()),
        "found": float(flags[log.is_wrong].sum()),
        "honest": float(honest.sum()),
        "flagged": float(flags[honest].sum()),
    }


def cases(log_count: int) -> Iterator[tuple[int, str, str]]:
    for seed in range(log_count):
        yield seed, KINDS[seed % len(KINDS)], list(STEPS)[seed // len(KINDS) % len(STEPS)]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Whether what is told of spending is true.")
    parser.add_argument("--logs", type=int, default=200)
    arguments = parser.parse_args()
    rows = []
    for seed, kind, step in cases(arguments.logs):
        with tempfile.TemporaryDirectory() as folder:
            log = make_log(seed, kind, STEPS[step], Path(folder) / "log.db")
        rows.append({"log": kind, "readings every": step, **measure(log)})
    table = pd.DataFrame(rows)
    for by in ("log", "readings every"):
        groups = table.groupby(by, sort=False)
        result = groups[["above", "unsaid", "certain", "likely"]].mean()
        sums = groups[["wrong", "found", "honest", "flagged"]].sum()
        result["found"] = sums["found"] / sums["wrong"]
        result["flagged"] = 1e4 * sums["flagged"] / sums["honest"]
        result["logs"] = groups.size()
        print(f"\n{result.round(4).to_string()}")


if __name__ == "__main__":
    main()
