"""The usage frame as a table for notebooks: one row a period, a column an organization; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .html_table import NOTEBOOK, Cell, Head, Medium
from .quiet_rows import idle_organizations, visible_stretches
from .table_texts import (
    amount_text,
    dollars_text,
    names_text,
    period_text,
    rate_text,
    shown_names,
    top_up_text,
)
from .wording import ABOUT_NOTE, AT_LEAST_NOTE, NOTHING, count_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .quiet_rows import Stretch

__all__ = ["usage_table"]

# With more organizations the table would be wider than a page.
_MOST_COLUMNS = 3
_HEADS = {"hour": "hour from", "day": "day", "week": "week from", "month": "month"}
# A likely figure that differs by less is the certain one.
_SMALLEST_DIFFERENCE = 0.005


def usage_table(
    frame: pd.DataFrame,
    now: datetime,
    usd_per_credit: float,
    *,
    by: str,
    medium: Medium = NOTEBOOK,
) -> str:
    """What was spent in each period, in all and by each organization.

    Args:
        frame: A usage frame.
        now: The present, in the zone of the frame.
        usd_per_credit: The price of a credit, for what was topped up.
        by: The kind of its periods; empty where that is not known.
        medium: Where it is shown.
    """
    names = shown_names(frame)
    codes, periods = pd.factorize(frame.index)
    sums = _sums(frame, codes, len(periods))
    idle = idle_organizations(frame)
    active = [each for each in names if each not in idle]
    stretches = visible_stretches(_is_quiet(sums), medium.most_rows, medium.kept_rows)
    singles = [each.begin for each in stretches if each.is_single]
    has_likely = any(_is_likely(sums, each) for each in singles)
    has_top_ups = any(sums["likely_topped_up"][each] > 0.0 for each in singles)
    columns = active if 1 < len(active) <= _MOST_COLUMNS else []
    heads = [Head(_HEADS.get(by, "period from"), is_text=True), Head("spent", span=2)]
    heads += [Head("likely")] * has_likely
    heads += [Head(names[each]) for each in columns]
    heads += [Head("topped up")] * has_top_ups
    lines: list[list[Cell] | str] = []
    for stretch in stretches:
        if stretch.begin not in singles:
            lines.append(_stretch_text(stretch, periods, by, now))
            continue
        position = stretch.begin
        signs = {
            "at_least": bool(sums["at_least"][position]),
            "about": bool(sums["estimated"][position]),
        }
        spent, usd = sums["spent"][position], sums["usd"][position]
        so_far = "so far" if _has_now(periods[position], by, now) else ""
        cells = [Cell(period_text(periods[position], by, now), is_text=True, note=so_far)]
        cells += [
            Cell(_spent_text(spent, **signs), is_bold=spent > 0.0),
            Cell(dollars_text(usd, **signs) if usd > 0.0 or signs["at_least"] else NOTHING),
        ]
        if has_likely:
            likely = f"≈ {rate_text(sums['likely_spent'][position])}"
            cells.append(Cell(likely if _is_likely(sums, position) else NOTHING))
        rows = frame[codes == position] if columns else frame.iloc[:0]
        cells += [Cell(_organization_text(rows, each)) for each in columns]
        if has_top_ups:
            bought, seen = (sums[each][position] for each in ("likely_topped_up", "topped_up"))
            is_likely = bought - seen > _SMALLEST_DIFFERENCE
            cells.append(Cell(top_up_text(bought * usd_per_credit, about=is_likely)))
        lines.append(cells)
    foot = [AT_LEAST_NOTE] if sums["at_least"][singles].any() else []
    is_estimate = sums["estimated"] & ~sums["at_least"]
    if columns and "estimated" in frame:
        # An organization's own part may be an estimate where the sum is a bound.
        own = (frame["estimated"] > 0.0) & ~frame["at_least"]
        is_estimate |= np.bincount(codes, own, len(periods)) > 0.0
    if is_estimate[singles].any():
        foot.append(ABOUT_NOTE)
    if len(active) == 1:
        foot.append(names[active[0]])
    elif len(active) > len(columns):
        foot.append(f"{names_text([names[each] for each in active])} together")
    if idle:
        foot.append(f"idle: {names_text([names[each] for each in idle])}")
    return medium.draw(heads, lines, foot, frame)


def _sums(frame: pd.DataFrame, codes: NDArray[Any], count: int) -> Mapping[str, NDArray[Any]]:
    """The figures of each period, over its organizations."""
    added = ("spent", "usd", "topped_up", "likely_spent", "likely_topped_up")
    sums = {each: np.bincount(codes, frame[each].fillna(0.0), count) for each in added}
    estimated = frame["estimated"] if "estimated" in frame else np.zeros(len(frame))
    flags = {
        "at_least": frame["at_least"].to_numpy(bool),
        "estimated": np.asarray(estimated, dtype=np.float64) > 0.0,
    }
    return sums | {name: np.bincount(codes, each, count) > 0.0 for name, each in flags.items()}


def _is_quiet(sums: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    figures = ("spent", "topped_up", "likely_spent", "likely_topped_up")
    quiet: NDArray[np.bool_] = np.all([sums[each] <= 0.0 for each in figures], axis=0)
    return quiet


def _is_likely(sums: Mapping[str, NDArray[Any]], position: int) -> bool:
    hidden = sums["likely_spent"][position] - sums["spent"][position]
    return bool(hidden > _SMALLEST_DIFFERENCE)


def _spent_text(spent: float, *, at_least: bool, about: bool) -> str:
    if not spent > 0.0 and not at_least:
        return NOTHING
    return amount_text(spent, at_least=at_least, about=about)


def _organization_text(rows: pd.DataFrame, organization: str) -> str:
    own = rows[rows["organization"] == organization]
    estimated = "estimated" in own and bool((own["estimated"] > 0.0).any())
    at_least = bool(own["at_least"].any())
    return _spent_text(float(own["spent"].sum()), at_least=at_least, about=estimated)


def _has_now(begin: datetime, by: str, now: datetime) -> bool:
    """Whether a period that begins then is not over."""
    if by == "week":
        return begin <= now and now.date() - begin.date() < timedelta(days=7)
    if by == "month":
        return (begin.year, begin.month) == (now.year, now.month)
    is_today = begin.date() == now.date()
    return is_today and (by == "day" or (by == "hour" and begin.hour == now.hour))


def _stretch_text(stretch: Stretch, periods: Any, by: str, now: datetime) -> str:
    count, since = stretch.end - stretch.begin, period_text(periods[stretch.begin], by, now)
    noun = by or "period"
    if not stretch.is_earlier:
        return f"… {count_text(count, noun)} with nothing spent, from {since}"
    if periods.is_monotonic_increasing:
        return f"… {count_text(count, f'earlier {noun}')}, from {since}"
    return f"… {count_text(count, f'more {noun}')}"
