"""What was spent and topped up between balances; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SMALLEST_CHANGE", "spent_and_topped_up"]

# Balances are doubles with long binary fractions; a smaller change is only rounding.
SMALLEST_CHANGE = 1e-6

_LARGEST = np.finfo(np.float64).max


def spent_and_topped_up(
    codes: NDArray[np.int64], credits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What was spent and topped up since the previous row of the same organization.

    A balance shows only the net change: a rise hides what was spent meanwhile, and a fall may
    hide a top-up. A change of less than a millionth does not count, and the next balance is then
    compared with the last one that counted, so that many small changes add up.

    Args:
        codes: One number for each organization.
        credits: Balances, oldest first within each organization.

    Returns:
        Two arrays in the order of the rows, in credits, not negative, NaN in the first row
        of an organization; in each row at most one of the two is above zero.
    """
    order = np.argsort(codes, kind="stable")
    ordered_credits, ordered_codes = credits[order], codes[order]
    delta = np.full(len(credits), np.nan)
    with np.errstate(over="ignore"):
        # Two balances may be further apart than the largest number.
        delta[1:] = np.clip(np.diff(ordered_credits), -_LARGEST, _LARGEST)
    delta[1:][ordered_codes[1:] != ordered_codes[:-1]] = np.nan
    _gather_small_changes(delta, ordered_credits)
    spent = np.empty_like(delta)
    topped_up = np.empty_like(delta)
    # Adding 0.0 turns the negative zero of an unchanged balance into an ordinary one.
    spent[order] = np.maximum(-delta, 0.0) + 0.0
    topped_up[order] = np.maximum(delta, 0.0) + 0.0
    return spent, topped_up


def _gather_small_changes(delta: NDArray[np.float64], credits: NDArray[np.float64]) -> None:
    """Turns changes into those since the last balance that counted, none of which is too small."""
    changed = np.flatnonzero(delta != 0.0)
    # Whatever is larger counts, even if a change before it that did not count was the other way.
    is_small = np.abs(delta[changed]) < 2 * SMALLEST_CHANGE
    is_next = np.append(False, is_small[:-1])
    counted: float | None = None
    for at in changed[is_small | is_next].tolist():
        if np.isnan(delta[at]):
            counted = None
            continue
        change = delta[at] if counted is None else credits[at] - counted
        if abs(change) >= SMALLEST_CHANGE:
            counted = None
        else:
            counted = credits[at - 1] if counted is None else counted
            change = 0.0
        delta[at] = change
