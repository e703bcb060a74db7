"""What is said of a budget, in lines and in tables."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic.analysis.budgets import (
    BudgetChange,
    BudgetSpend,
    BudgetStanding,
    budget_frame,
)
from stability_magic.analysis.outlook import SpendingAhead
from stability_magic.display.budget_words import (
    budget_line,
    budget_phrase,
    change_line,
    passed_text,
)
from stability_magic.display.frame_html import frame_html
from stability_magic.display.tables import frame_text
from stability_magic.display.wording import NOTHING

NOW = datetime(2026, 11, 12, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
NOTHING_KNOWN = SpendingAhead(math.nan, math.nan, math.nan, "too little to tell: 0.5 of 3 days")


def spend(spent=312.0, budget=500.0, **fields):
    """A budget of a week, and what was spent of it."""
    made = BudgetSpend(
        "org-a",
        "Alpha",
        "week",
        budget,
        MONDAY,
        MONDAY + timedelta(days=7),
        spent,
        False,
        0.0,
        NOW,
        None,
    )
    return made._replace(**fields)


def standing(ahead=(100.0, 80.0, 150.0), **fields):
    """The same with what is expected."""
    return BudgetStanding(spend(**fields), SpendingAhead(*ahead, "28.0 days, 90 readings"))


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({}, "budget: 312 of 500 this week"),
        ({"spent": 0.0}, "budget: 0 of 500 this week"),
        ({"spent": 312.4, "every": "day"}, "budget: 312.40 of 500 today"),
        ({"is_at_least": True, "every": "month"}, "budget: at least 312 of 500 this month"),
        ({"estimated": 3.0}, "budget: about 312 of 500 this week"),
        ({"spent": 512.0}, "OVER BUDGET: 512 of 500 this week"),
        ({"spent": 500.0}, "budget: 500 of 500 this week"),
        ({"spent": math.nan}, "budget: 500 this week, no readings yet"),
        ({"budget": 1e9}, "budget: 312 of 1,000,000,000 this week"),
    ],
)
def test_a_few_words_say_how_it_stands(fields, phrase):
    """In the balance line, the card, the summary and the watch."""
    assert budget_phrase(spend(**fields)) == phrase


def test_a_line_says_what_is_left_and_what_is_expected():
    """With the interval, and whether that is too much."""
    assert budget_line(standing(), NOW, 0.01) == (
        "Alpha: 312.00 of 500.00 credits ($5.00) spent this week · 188.00 left"
        " · 412.00 (392.00 to 462.00) expected by the end of the week"
    )
    line = budget_line(standing((250.0, 80.0, 300.0)), NOW, 0.01)
    assert line.endswith("562.00 (392.00 to 612.00) expected by the end of the week, over budget")
    line = budget_line(standing(spent=512.0), NOW, 0.01)
    assert line.startswith(
        "Alpha: OVER BUDGET: 512.00 of 500.00 credits ($5.00) spent this week · "
    )
    assert " left" not in line
    assert not line.endswith("over budget")


def test_a_line_says_what_is_not_known():
    """A top-up, the beginning of the log, an old reading, no reading, no forecast."""
    line = budget_line(standing(is_at_least=True), NOW, 0.01)
    assert "at least 312.00 of" in line
    assert "at most 188.00 left" in line
    assert "at least 412.00 (" in line
    line = budget_line(standing(known_from=NOW - timedelta(days=1)), NOW, 0.01)
    assert "this week, known from yesterday 12:00 on" in line
    line = budget_line(standing(read_at=NOW - timedelta(hours=5)), NOW, 0.01)
    assert line.endswith(" · read 07:00")
    line = budget_line(BudgetStanding(spend(), NOTHING_KNOWN), NOW, 0.01)
    assert line.endswith(
        "cannot tell how much by the end of the week: too little to tell: 0.5 of 3 days"
    )
    unread = spend(spent=math.nan, read_at=MONDAY - timedelta(days=1))
    assert budget_line(BudgetStanding(unread, NOTHING_KNOWN), NOW, 0.01) == (
        "Alpha: budget of 500.00 credits ($5.00) this week"
        " · no readings in it yet, last read 8 Nov 00:00"
    )


def test_a_change_is_told_with_what_it_was_before():
    """Also that it is the same."""
    before = BudgetChange("org-a", "week", 1, 400.0, bytes(16))
    assert change_line("Alpha", "week", 500.0, None, 0.01) == (
        "Alpha: a budget of 500.00 credits ($5.00) for each week"
    )
    assert change_line("Alpha", "week", 500.0, before, 0.01).endswith("; before it was 400.00")
    assert change_line("Alpha", "week", 400.0, before, 0.01).endswith(", as before")
    assert change_line("Alpha", "week", None, before, 0.01) == (
        "Alpha: the budget for each week is removed; it was 400.00 credits ($4.00)"
    )


def test_who_passed_it_is_told_what_to_do():
    """In one line."""
    assert passed_text(spend(spent=512.0), 0.01) == (
        "Alpha has spent 512.00 credits ($5.12) this week, and the budget is 500.00. It begins anew"
        " on Mon 16 Nov; wait until then, or raise it: %stability_budget N --every week."
    )


def test_the_table_is_short_and_says_what_its_signs_mean():
    """In a terminal of 80 columns, in ASCII too."""
    rows = [
        standing(is_at_least=True),
        standing(spent=512.0, every="day"),
        BudgetStanding(spend(spent=math.nan, estimated=math.nan, every="month"), NOTHING_KNOWN),
    ]
    frame = budget_frame(rows, UTC, 0.01)
    text = frame_text(frame, "table", 80, now=NOW)
    assert max(map(len, text.splitlines())) <= 80
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "period budget spent share left expected low to high"
    assert lines[1] == "this week 500.00 ≥ 312.00 62 % ≤ 188.00 ≥ 412.00 392 to 462"
    assert lines[2] == "today 500.00 512.00 102 % OVER 612.00 592 to 662"
    assert lines[3] == f"this month 500.00{5 * f' {NOTHING}'}"
    assert lines[4:] == ["Alpha", "≥: at least, a top-up hid a part; ≤: at most"]
    over = budget_frame([standing(spent=512.0, is_at_least=True)], UTC, 0.01)
    assert "≤" not in frame_text(over, "table", 80, now=NOW)
    assert frame_text(frame, "table", 80, now=NOW, has_unicode=False).isascii()
    html = frame_html(frame, NOW, 0.01)
    assert "projected_high" in html
    assert "OVER" in html
    later = frame_html(frame, NOW + timedelta(days=30), 0.01)
    assert "week from 9 Nov" in later
    assert "this week" not in later
