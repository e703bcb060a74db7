"""Prints how true the costs of cells are where the balance lags behind, as measured and as revised.

``python -m benchmarks.costs [--sessions 300]``

Each session has up to a dozen cells, some free, and readings afterwards at one of three distances;
the balance shows everything later by one lag, up to the given one. With ``others`` somebody else
spends meanwhile. For costs as they were measured when the cell ended, and then as told from all
readings, ``wrong`` is the share that is not the truth, ``off`` the mean error in credits, and
``silent`` the share that is wrong without a word of it: ``about`` or ``no change seen yet``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from stability_magic.analysis.cell_spending import cell_spending
from stability_magic.analysis.costs import Cost, change_between, spent_shortly_before
from stability_magic.analysis.series import Series

SECOND = 1_000_000
LAGS = (0, 20, 120, 600)
SETTLE = 1.0


class Costs(NamedTuple):
    """What cells truly cost, and what is told: in credits, and whether with a word of doubt."""

    truth: np.ndarray
    measured: np.ndarray
    has_doubted: np.ndarray
    revised: np.ndarray
    doubts: np.ndarray


def simulate(rng: np.random.Generator, longest_lag: float, *, others: bool) -> Costs:
    """One session of cells."""
    lag, at = rng.uniform(0, longest_lag), 0.0
    spendings, spans, truth, read_at = [], [], [], []
    for _ in range(rng.integers(1, 12)):
        at += rng.choice([5, 30, 120, 700, 2400])
        end = at + rng.choice([3, 20, 90, 300])
        images, price = rng.choice([0, 1, 4, 20]), rng.choice([3.0, 6.5, 8.0])
        spendings += [(each, price) for each in rng.uniform(at + 0.01, end, images)]
        spans.append((at, end + 0.1 + SETTLE))
        read_at += [at, end + 0.1, end + 0.1 + SETTLE]
        truth.append(images * price)
        at = end + 0.1 + SETTLE
    if others:
        spendings += [(each, 6.5) for each in rng.uniform(0, at, rng.integers(0, 6))]
    read_at += [*np.arange(0, at + 4000, rng.choice([60, 600, 3600])), at + 4000]
    times = np.unique(np.round(np.array(read_at) * SECOND).astype(np.int64))
    shown_at, amounts = (
        np.array(each) for each in zip(*sorted(spendings or [(0, 0)]), strict=True)
    )
    totals = np.append(0.0, np.cumsum(amounts))
    credits = 1e5 - totals[np.searchsorted(shown_at + lag, times / SECOND, side="right")]
    costs = list(measure(spans, times, credits))
    spending = cell_spending(Series.of(times, credits), costs)
    return Costs(
        np.array(truth),
        np.array([each.spent for each in costs]),
        np.array([not each.exact for each in costs]),
        spending.spent,
        spending.is_estimate | spending.is_waiting,
    )


def measure(
    spans: list[tuple[float, float]], times: np.ndarray, credits: np.ndarray
) -> Iterator[Cost]:
    """The costs of cells as they are measured when they end."""
    index = pd.DatetimeIndex(times.view("datetime64[us]"), tz="UTC")
    readings = pd.DataFrame({"credits": credits}, index=index)
    costs: list[Cost] = []
    for number, span in enumerate(spans):
        start, end = (round(each * SECOND) for each in span)
        change = change_between(readings, start, end)
        last = int(np.searchsorted(times, end))
        exact = credits[last] == credits[last - 1] and not spent_shortly_before(
            readings, costs, start
        )
        identity = number.to_bytes(16, "big")
        costs.append(Cost("o", start, end, 0.0, change.spent, bool(exact), None, None, identity))
    yield from costs


def main() -> None:
    """Simulates the sessions and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=300)
    arguments = parser.parse_args()
    print(f"{'lag up to':9} {'others':6} {'cells':>6}", end="")
    print(f" {'wrong':>7} {'off':>6} {'silent':>7}   {'wrong':>7} {'off':>6} {'silent':>7}")
    for lag in LAGS:
        for others in (False, True):
            rng = np.random.default_rng(1)
            sessions = [simulate(rng, lag, others=others) for _ in range(arguments.sessions)]
            all_costs = Costs(*map(np.concatenate, zip(*sessions, strict=True)))
            print(f"{lag:7} s {'yes' if others else 'no':6} {len(all_costs.truth):6}", end="")
            for told, doubts in (
                (all_costs.measured, all_costs.has_doubted),
                (all_costs.revised, all_costs.doubts),
            ):
                error = np.abs(told - all_costs.truth)
                is_wrong = error > 1e-6
                print(f" {is_wrong.mean():7.1%} {error.mean():6.2f}", end="")
                print(f" {(is_wrong & ~doubts).mean():7.1%}  ", end="")
            print()


if __name__ == "__main__":
    main()
