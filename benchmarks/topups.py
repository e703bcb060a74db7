"""Prints how often, and how closely, the likely top-ups are the true ones of the simulator.

``python -m benchmarks.topups [--seeds 6] [--years 2]``

``hit`` is the share of rises whose likely top-up is what was really bought; ``hit, certain``
is the same for the rise taken as it is. ``error`` is the sum of what ``likely_spent`` is off
the truth in the intervals with a rise, as a share of what was truly spent in them; the
certain figures see nothing of that, so that their error is 1. ``bias`` is the same with its
sign, and ``credits off`` the mean error of one rise.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stability_magic._frames import changes
from stability_magic._simulation import EPOCH, Ledger, default_organizations
from stability_magic._topups import likely_top_ups

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND = 1_000_000
STEPS = {"10 minutes": 600 * SECOND, "hour": 3600 * SECOND, "day": 86_400 * SECOND}


class Rises(NamedTuple):
    """Of each rise: what it was, what it likely was, and what it truly was."""

    rise: NDArray[np.float64]
    likely_topped_up: NDArray[np.float64]
    likely_spent: NDArray[np.float64]
    bought: NDArray[np.float64]
    spent: NDArray[np.float64]


def rises_of(ledger: Ledger, until: datetime, step: int) -> Rises:
    """The rises that readings from EPOCH until then, ``step`` microseconds apart, show."""
    at, amounts = ledger.events(EPOCH, until)
    times = np.arange(0, (until - EPOCH) // timedelta(microseconds=1), step)
    since = (at - np.datetime64(EPOCH.replace(tzinfo=None), "us")).astype(np.int64)
    happened = np.searchsorted(since, times)
    bought, spent = (
        np.append(0.0, np.cumsum(np.maximum(each, 0)))[happened] for each in (amounts, -amounts)
    )
    credits = ledger.organization.opening + bought - spent
    fell, rose = changes(np.zeros(len(times), dtype=np.int64), credits)
    likely_spent, likely_topped_up = likely_top_ups(times, fell, rose, 100.0)
    here = np.flatnonzero(rose > 0)
    truth = (each[here] - each[here - 1] for each in (bought, spent))
    return Rises(rose[here], likely_topped_up[here], likely_spent[here], *truth)


def report(name: str, every: str, found: Rises) -> None:
    """One line of the table."""
    hit = np.mean(np.abs(found.likely_topped_up - found.bought) < 1e-3)
    certain = np.mean(np.abs(found.rise - found.bought) < 1e-3)
    off = found.likely_spent - found.spent
    # Where nothing was hidden there is no share of it.
    spent = found.spent.sum() or np.nan
    print(
        f"{name:30} {every:11} {len(off):6} {hit:7.1%} {certain:13.1%}"
        f" {np.abs(off).sum() / spent:7.3f} {off.sum() / spent:+7.3f} {np.abs(off).mean():12.1f}"
    )


def main() -> None:
    """Runs all organizations that top up, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--years", type=int, default=2)
    given = parser.parse_args()
    until = EPOCH + timedelta(days=365 * given.years)
    buyers = [each for each in default_organizations() if each.refill_below is not None]
    ledgers = {each.name: [Ledger(each, seed) for seed in range(given.seeds)] for each in buyers}
    print(
        f"{'organization':30} {'read every':11} {'rises':>6} {'hit':>7} {'hit, certain':>13}",
        end="",
    )
    print(f" {'error':>7} {'bias':>7} {'credits off':>12}")
    for every, step in STEPS.items():
        parts = {
            name: [rises_of(ledger, until, step) for ledger in some]
            for name, some in ledgers.items()
        }
        parts["all"] = [each for some in parts.values() for each in some]
        for name, some in parts.items():
            report(name, every, Rises(*(np.concatenate(each) for each in zip(*some, strict=True))))


if __name__ == "__main__":
    main()
