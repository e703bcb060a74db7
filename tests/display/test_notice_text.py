"""Messages: what each event says, and what a program gets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from stability_magic.analysis.notices import Fact, Finding, Key, budget_findings
from stability_magic.display.notice_text import Message, notice_message, trial_message
from stability_magic.models import to_microseconds

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
AT = to_microseconds(NOW)
HOUR = 3_600_000_000.0


def message(
    event: str, facts: Mapping[str, Fact], *, doubt: str | None = None, is_on: bool = True
) -> Message:
    """The message of an event."""
    finding = Finding(Key("org-1", event, "x"), AT, is_on, facts)
    told = notice_message(finding, "Studio", now=NOW, usd_per_credit=0.01, doubt=doubt)
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("event", "facts", "title", "text"),
    [
        (
            "low_balance",
            {"credits": 480.0, "level": 500.0},
            "Studio: low balance",
            "480.00 credits ($4.80) left at 12:30, under 500.00.",
        ),
        (
            "empty_soon",
            {"credits": 480.0, "empty_early": "2026-11-27T08:00:00+00:00", "days": 3.0},
            "Studio: empty soon",
            "The balance may be empty as early as 27 Nov 08:00; 480.00 credits ($4.80) left at"
            " 12:30.",
        ),
        (
            "doubtful_balance",
            {"credits": 0.0, "doubt": "a sudden 0, which may be wrong"},
            "Studio: doubtful balance",
            "0.00 credits ($0.00) left at 12:30: a sudden 0, which may be wrong. Later readings"
            " will tell.",
        ),
        (
            "topped_up",
            {"credits": 1480.0, "more": 1000.0},
            "Studio: topped up",
            "The balance rose by 1,000.00 credits ($10.00); 1,480.00 credits ($14.80) left at"
            " 12:30.",
        ),
        (
            "leak",
            {"credits": 480.0, "spent": 120.0, "since": AT - HOUR},
            "Studio: spent elsewhere",
            "120.00 credits ($1.20) spent elsewhere, by no measured cell, 11:30 to 12:30; 480.00"
            " credits ($4.80) left.",
        ),
        (
            "watch_failing",
            {"problem": "TransportError: no answer"},
            "Studio: watch failing",
            "The watch could not read or log the balance at 12:30: TransportError: no answer",
        ),
    ],
)
def test_each_event_says_what_has_happened(event, facts, title, text):
    """In a title and a sentence."""
    told = message(event, facts)
    assert (told.event, told.title, told.text) == (event, title, text)
    fields = json.loads(told.to_json())
    assert (fields["organization"], fields["name"]) == ("org-1", "Studio")
    assert fields["at"] == "2026-11-25T12:30:00+00:00"
    assert facts.keys() <= fields.keys()


def test_times_are_told_to_programs_as_such():
    """And not in microseconds."""
    fields = json.loads(
        message("leak", {"credits": 1.0, "spent": 2.0, "since": AT - HOUR}).to_json()
    )
    assert fields["since"] == "2026-11-25T11:30:00+00:00"


def test_of_what_is_over_only_a_watch_tells():
    """It is well again."""
    assert message("watch_failing", {"problem": ""}, is_on=False).event == "watch_well"
    over = Finding(Key("org-1", "low_balance"), AT, False, {})
    assert notice_message(over, "Studio", now=NOW, usd_per_credit=0.01) is None


def test_a_doubt_goes_with_the_balance_that_it_is_about():
    """So that nobody buys credits for a wrong 0."""
    told = message(
        "low_balance", {"credits": 0.0, "level": 5.0}, doubt="a sudden 0, which may be wrong"
    )
    assert told.text.endswith(" DOUBTFUL: a sudden 0, which may be wrong.")


@pytest.mark.parametrize(
    ("projected", "expected"),
    [
        (
            620.0,
            [
                "480.00 credits ($4.80) spent since 23 Nov 12:30, and 620.00 expected by the"
                " period's end; the budget for each week is 470.00.",
                "480.00 credits ($4.80) spent since 23 Nov 12:30; the budget for each week is"
                " 470.00.",
            ],
        ),
        (
            math.nan,
            [
                "480.00 credits ($4.80) spent since 23 Nov 12:30, and an unknown number of expected"
                " by the period's end; the budget for each week is 470.00.",
                "480.00 credits ($4.80) spent since 23 Nov 12:30; the budget for each week is"
                " 470.00.",
            ],
        ),
    ],
)
def test_budgets(projected, expected):
    """What is not known is not 0."""
    findings = budget_findings(
        "org-1",
        AT,
        every="week",
        spent=480.0,
        budget=470.0,
        projected=projected,
        period_start=AT - round(48 * HOUR),
    )
    told = [
        notice_message(each._replace(is_happening=True), "Studio", now=NOW, usd_per_credit=0.01)
        for each in findings
    ]
    assert sorted(each.text for each in told if each) == sorted(expected)
    fields = [json.loads(each.to_json()) for each in told if each]
    assert [each["event"] for each in fields] == ["budget_passed", "budget_projected"]
    assert fields[0]["projected"] == (None if math.isnan(projected) else projected)
    assert fields[0]["period_start"] == "2026-11-23T12:30:00+00:00"


def test_what_comes_from_outside_does_no_harm():
    """Control characters, marks that turn the text around, and immense texts."""
    finding = Finding(Key("org-1", "watch_failing"), AT, True, {"problem": "x\n\x1b[31m" * 500})
    told = notice_message(finding, "A\nB\u202e", now=NOW, usd_per_credit=0.01)
    assert told is not None
    assert len(told.text) <= 500
    assert all(each.isprintable() for each in (told.title, told.text, told.to_json()))


def test_a_test_says_that_it_is_one():
    """And no figures."""
    told = trial_message(NOW)
    assert (told.event, "A test at 12:30" in told.text) == ("test", True)
