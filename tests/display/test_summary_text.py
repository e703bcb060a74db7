"""The summary in a terminal of 80 columns."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.display.summary_json import summary_json
from stability_magic.display.summary_text import summary_text

from ..analysis.summary_readings import NOW, make_summaries


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 7),
    seed=st.integers(0, 1000),
    days=st.sampled_from([0, 1, 5, 20, 60]),
    scale=st.sampled_from([1e-4, 1.0, 1e3]),
    age=st.sampled_from([0, 1, 40, 700]),
    has_unicode=st.booleans(),
    low_balance=st.sampled_from([None, 0.5, 1e6]),
)
def test_no_line_is_wider_than_80_columns(count, seed, days, scale, age, has_unicode, low_balance):
    """Whatever was spent, and in ASCII where the terminal has no more."""
    now = NOW + timedelta(days=age)
    text = summary_text(
        make_summaries(count, seed=seed, days=days, scale=scale, now=now),
        now,
        usd_per_credit=0.01,
        low_balance=low_balance,
        has_unicode=has_unicode,
    )
    assert max(map(len, text.splitlines())) <= 80, text
    assert has_unicode or text.isascii(), text
    assert "nan" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_large_figures_take_room_from_the_bars():
    """The figures are whole and apart from each other, and the bars begin in one column."""
    (summary,) = make_summaries(1, seed=364, days=60, scale=1e5, now=NOW)
    lines = summary_text([summary], NOW, usd_per_credit=0.01).splitlines()
    assert max(map(len, lines)) == 80
    bars = [line.index("━") for line in lines if "━" in line]
    assert len(bars) == 6
    assert len(set(bars)) == 1
    assert any("490,444,018.56 ≥ $4,904,440.19   ━" in line for line in lines), lines


def test_large_figures_of_organizations_take_room_from_names():
    """The table ends at 80 columns, and its figures are whole."""
    for seed in (366, 3, 4):
        summaries = make_summaries(4, seed=seed, days=60, scale=2e4, now=NOW)
        text = summary_text(summaries, NOW, usd_per_credit=0.01)
        lines = text.splitlines()
        assert max(map(len, lines)) <= 80, text
        for each in summaries:
            assert any(f" {each.credits:,.2f} " in line for line in lines), text


def test_one_organization_in_full():
    """What is left, when it is empty, what was spent, by day, and what was bought."""
    text = summary_text(make_summaries(seed=2), NOW, usd_per_credit=0.01, low_balance=1e6)
    lines = text.splitlines()
    assert lines[0].startswith("Organization 0 · ")
    assert lines[0].endswith("Wed 25 Nov, 08:28")
    assert lines[1].startswith("LOW, under 1,000,000 · ")
    labels = [each.split("  ")[0] for each in lines[4:10]]
    assert labels == [
        "today",
        "yesterday",
        "this week, from Mon",
        "last week",
        "November, so far",
        "October",
    ]
    assert "23 Nov" in text
    assert text.count("█") >= 2


def test_each_pair_is_drawn_to_its_larger_one():
    """Thirty columns for the larger of today and yesterday, and so on."""
    (summary,) = make_summaries(seed=1)
    lines = summary_text([summary], NOW, usd_per_credit=0.01, has_unicode=False).splitlines()
    lengths = [each.count("#") for each in lines if "#" in each]
    assert lengths.count(30) == 3


def test_several_organizations_are_a_table_with_a_total():
    """Two lines for each of them."""
    summaries = make_summaries(3)
    lines = summary_text(summaries, NOW, usd_per_credit=0.01).splitlines()
    assert lines[0].startswith("3 organizations · ")
    total = f"{sum(each.credits for each in summaries):,.2f}"
    (last,) = (each for each in lines if each.startswith("together"))
    assert total in last


@pytest.mark.parametrize("days", [0, 60])
def test_json_has_a_version_and_exact_figures(days):
    """Names of windows are keys, and what is unknown is null."""
    summaries = make_summaries(2, days=days)
    answer = json.loads(summary_json(summaries, NOW, usd_per_credit=0.01, low_balance=100.0))
    assert answer["schema"] == 1
    assert [each["credits"] for each in answer["organizations"]] == [
        each.credits for each in summaries
    ]
    spent = answer["organizations"][0]["spent"]
    assert list(spent) == [
        "today",
        "yesterday",
        "this_week",
        "last_week",
        "this_month",
        "last_month",
    ]
    assert (spent["last_month"] is None) == (days == 0)
    assert {"empty_at", "empty_early", "empty_late", "evidence"} <= set(answer["organizations"][0])
