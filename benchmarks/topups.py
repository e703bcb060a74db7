"""Prints how often, and how closely, the likely top-ups are the true ones of the simulator.

``python -m benchmarks.topups [--seeds 6] [--years 2]``

``hit`` is the share of rises whose likely top-up is what was really bought; ``plain rule`` that of
the smallest usual amount not below the rise; ``nearest`` that of the method before, the multiple of
a dollar that is nearest to the rise plus the usual spending; ``hit, certain`` that of the rise
itself. Organizations buy usual amounts, as in the demo; odd amounts of their own, again and again;
or any whole dollars.
``error`` adds up how far ``likely_spent`` is off the truth in the intervals with a rise, as a share
of what was truly spent in them; the certain figures show no spending there, so their error is 1.
``bias`` is the same with its sign, and ``credits off`` is the mean error of one rise.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stability_magic.analysis.series import Series
from stability_magic.analysis.topups import likely_top_ups
from stability_magic.simulator.ledger import (
    EPOCH,
    Ledger,
    SimulatedOrganization,
    default_organizations,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND = 1_000_000
PLAIN_AMOUNTS = 100.0 * np.array([10, 25, 50, 75, 100, 150, 200, 500])
ODD_USD = (13, 17, 23, 37, 61, 88, 120, 333)
STEPS = {"10 minutes": 600 * SECOND, "hour": 3600 * SECOND, "day": 86_400 * SECOND}


class Rises(NamedTuple):
    """Each rise of a balance: as it was read, as estimated, and as it truly was; in credits.

    Attributes:
        rise: By how much the balance rose.
        likely_topped_up: The estimated top-up.
        likely_spent: The estimated spending between the two readings.
        bought: The true top-up.
        spent: The true spending.
        nearest: The top-up by the method before.
    """

    rise: NDArray[np.float64]
    likely_topped_up: NDArray[np.float64]
    likely_spent: NDArray[np.float64]
    bought: NDArray[np.float64]
    spent: NDArray[np.float64]
    nearest: NDArray[np.float64]


def find_rises(ledger: Ledger, until: datetime, step: int) -> Rises:
    """The rises in readings that are ``step`` microseconds apart, from EPOCH to ``until``."""
    event_times, amounts = ledger.events(EPOCH, until)
    times = np.arange(0, (until - EPOCH) // timedelta(microseconds=1), step)
    epoch = np.datetime64(EPOCH.replace(tzinfo=None), "us")
    event_counts = np.searchsorted((event_times - epoch).astype(np.int64), times)
    bought, spent = (
        np.append(0.0, np.cumsum(np.maximum(each, 0)))[event_counts] for each in (amounts, -amounts)
    )
    credits = ledger.organization.opening + bought - spent
    series = Series.of(times, credits)
    rose = series.topped_up
    likely_spent, likely_topped_up = likely_top_ups(series, 100.0)
    # Where a step is no dollar, no usual amounts are known, and the method is the one before.
    _, nearest = likely_top_ups(series, np.nextafter(100.0, 0.0))
    positions = np.flatnonzero(rose > 0)
    true_amounts = (each[positions] - each[positions - 1] for each in (bought, spent))
    return Rises(
        rose[positions],
        likely_topped_up[positions],
        likely_spent[positions],
        *true_amounts,
        nearest[positions],
    )


def print_row(name: str, interval: str, rises: Rises) -> None:
    """Prints one row of the table."""
    hit = np.mean(np.abs(rises.likely_topped_up - rises.bought) < 1e-3)
    certain = np.mean(np.abs(rises.rise - rises.bought) < 1e-3)
    at = np.searchsorted(PLAIN_AMOUNTS, rises.rise - 1e-3)
    plain = np.mean(np.abs(np.append(PLAIN_AMOUNTS, np.inf)[at] - rises.bought) < 1e-3)
    nearest = np.mean(np.abs(rises.nearest - rises.bought) < 1e-3)
    errors = rises.likely_spent - rises.spent
    # If nothing was hidden, a share of it is undefined.
    spent = rises.spent.sum() or np.nan
    print(
        f"{name:30} {interval:11} {len(errors):6} {hit:7.1%} {plain:11.1%} {nearest:8.1%}"
        f" {certain:13.1%}"
        f" {np.abs(errors).sum() / spent:7.3f} {errors.sum() / spent:+7.3f}"
        f" {np.abs(errors).mean():12.1f}"
    )


def main() -> None:
    """Computes the table for all organizations that top up, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--years", type=int, default=2)
    arguments = parser.parse_args()
    buyers = [each for each in default_organizations() if each.refill_below is not None]
    kinds = {
        "usual amounts": buyers,
        "odd amounts, again and again": [
            dataclasses.replace(each, refill_usd=ODD_USD) for each in buyers
        ],
        "any whole dollars": [dataclasses.replace(each, odd_refill_chance=1.0) for each in buyers],
    }
    for name, organizations in kinds.items():
        print(f"\npurchases of {name}")
        print_table(organizations, arguments.seeds, EPOCH + timedelta(days=365 * arguments.years))


def print_table(buyers: Sequence[SimulatedOrganization], seeds: int, until: datetime) -> None:
    """Prints the rows for organizations that buy credits."""
    ledgers = {each.name: [Ledger(each, seed) for seed in range(seeds)] for each in buyers}
    print(
        f"{'organization':30} {'read every':11} {'rises':>6} {'hit':>7} {'plain rule':>11}"
        f" {'nearest':>8} {'hit, certain':>13} {'error':>7} {'bias':>7} {'credits off':>12}"
    )
    for interval, step in STEPS.items():
        parts_by_name = {
            name: [find_rises(ledger, until, step) for ledger in ledgers_of_name]
            for name, ledgers_of_name in ledgers.items()
        }
        parts_by_name["all"] = list(itertools.chain.from_iterable(parts_by_name.values()))
        for name, parts in parts_by_name.items():
            rises = Rises(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            print_row(name, interval, rises)


if __name__ == "__main__":
    main()
