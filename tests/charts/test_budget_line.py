"""The line at the budget in the panel of spending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from stability_magic.analysis.budgets import BudgetChange
from stability_magic.analysis.series import histories_from_frame
from stability_magic.charts.plots import usage_picture
from stability_magic.display.palette import LOW_COLOUR
from stability_magic.models import to_microseconds

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(days=7)


def readings(organizations=1, per_hour=1.0):
    """Four weeks of readings; 168 credits are spent in each."""
    times = pd.date_range(MONDAY, periods=4 * 168 + 1, freq="h")
    return pd.concat(
        pd.DataFrame(
            {"organization": f"org-{n}", "credits": 9000.0 - per_hour * np.arange(len(times))},
            index=times,
        )
        for n in range(organizations)
    )


def change(at, credits, every="week", organization="org-0"):
    """A change of a budget."""
    return BudgetChange(organization, every, to_microseconds(at), credits, bytes(16))


def draw(*changes, by="week", organizations=1):
    """The panel of spending with budgets, its lines, and its caption."""
    histories = histories_from_frame(readings(organizations))
    figure = usage_picture(histories, by, since=MONDAY, budgets=changes)
    panel = figure.axes[1] if len(figure.axes) > 1 else figure.axes[0]
    lines = [
        each
        for each in panel.collections
        if isinstance(each, LineCollection) and each.get_label() == "_budget"
    ]
    captions = [each.get_text() for each in figure.texts if "credits spent" in each.get_text()]
    return panel, lines, "".join(captions)


def levels(lines):
    """The levels of all strokes, with how many days they span."""
    strokes = [stroke for each in lines for stroke in each.get_segments()]
    return [(stroke[0][1], round(stroke[1][0] - stroke[0][0])) for stroke in strokes]


def test_a_line_stands_at_the_budget_of_its_period():
    """In each week at what held then; what is compared with it is fainter."""
    _, lines, caption = draw(
        change(MONDAY + WEEK, 150.0), change(MONDAY + 2.5 * WEEK, 200.0), change(MONDAY, 9.0, "day")
    )
    assert levels(lines) == [(150.0, 7), (200.0, 14), (150.0, 7)]
    assert [each.get_alpha() for each in lines] == [1.0, 0.5]
    assert "dashes: now budget 200 ($2)" in caption
    assert to_hex(lines[0].get_colors()[0]) != LOW_COLOUR.lower()


def test_it_is_red_while_the_budget_is_passed():
    """And the caption says so."""
    _, lines, caption = draw(change(MONDAY, 100.0))
    assert to_hex(lines[0].get_colors()[0]).upper() == LOW_COLOUR.upper()
    assert "dashes: OVER budget 100 ($1)" in caption


def test_bars_are_not_lost_below_a_budget_that_is_far_above():
    """The caption tells it instead."""
    panel, lines, caption = draw(change(MONDAY, 1e9))
    assert not lines
    assert panel.get_ylim()[1] < 500
    assert "budget 1,000,000,000 ($10,000,000), far above" in caption


def test_a_line_above_the_bars_has_room():
    """Within the panel."""
    panel, lines, _ = draw(change(MONDAY, 400.0))
    assert levels(lines) == [(400.0, 28)]
    assert panel.get_ylim()[1] > 400


@pytest.mark.parametrize(
    ("changes", "by", "organizations"),
    [
        ([], "week", 1),
        ([change(MONDAY, 100.0)], "day", 1),
        ([change(MONDAY, 100.0)], "week", 2),
        ([change(MONDAY, 100.0)], "week", 6),
        ([change(MONDAY, 100.0, organization="org-7")], "week", 1),
        ([change(MONDAY - WEEK, 100.0), change(MONDAY - timedelta(days=1), None)], "week", 1),
    ],
)
def test_elsewhere_there_is_none(changes, by, organizations):
    """With other periods, several organizations, or no budget of theirs."""
    _, lines, caption = draw(*changes, by=by, organizations=organizations)
    assert not lines
    assert "budget" not in caption
