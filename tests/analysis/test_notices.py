"""What is told, and when it sets in and is over: pure functions of readings."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from stability_magic.analysis.cell_spending import cell_spending
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.notices import (
    Finding,
    Key,
    State,
    budget_findings,
    changes,
    doubt_finding,
    leak_finding,
    low_findings,
    soon_finding,
    topup_findings,
    watch_finding,
)
from stability_magic.analysis.series import Series

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = 60_000_000
START = 1_700_000_000_000_000
ORG = "org-1"


def series(*credits: float, step: int = 10 * MINUTE) -> Series:
    """Readings every ten minutes."""
    return Series.of(START + step * np.arange(len(credits)), np.array(credits, dtype=np.float64))


def told(findings: list[Finding], states: dict[Key, State] | None = None) -> list[tuple[str, bool]]:
    """What has changed."""
    return [(each.key.event, bool(each.is_happening)) for each in changes(findings, states or {})]


def low_times(*credits: float, level: float = 500.0) -> list[int]:
    """At which readings a low balance sets in."""
    findings = low_findings(ORG, series(*credits), START, level)
    return [
        (each.at - START) // (10 * MINUTE) for each in changes(findings, {}) if each.is_happening
    ]


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ((600, 499, 498), [1]),
        ((499,), [0]),
        ((500, 500.0), []),
        ((600, 499, 600, 499), [1, 3]),
        # Around the level, it is the same crossing.
        ((510, 499, 501, 499.9, 504.9, 490), [1]),
        ((510, 499, 505, 499), [1, 3]),
        ((-3, 0, 1), [0]),
    ],
)
def test_a_balance_is_low_once_until_it_is_clearly_above_the_level(credits, expected):
    """A hundredth of the level is clear."""
    assert low_times(*credits) == expected


@pytest.mark.parametrize("seed", range(8))
def test_fifty_crossings_with_noise_are_fifty(seed):
    """Whatever the noise around the level and the readings on either side."""
    random = np.random.default_rng(seed)
    level, credits, crossings = 500.0, [600.0], []
    for _ in range(50):
        credits += [level + random.uniform(0, 3) for _ in range(random.integers(0, 3))]
        crossings.append(len(credits))
        credits += [level - random.uniform(0.01, 3)]
        credits += [level + random.uniform(-4, 4) for _ in range(random.integers(0, 5))]
        credits += [level - random.uniform(20, 80) for _ in range(random.integers(1, 4))]
        credits += [level + random.uniform(6, 150) for _ in range(random.integers(1, 4))]
    assert low_times(*credits) == crossings


def test_a_level_of_zero_and_none():
    """Zero is a level: then a debt is low."""
    assert low_times(1, 0, -1, -0.5, 0, -2, level=0.0) == [2, 5]
    assert low_findings(ORG, series(1.0), START, None) == []


def test_only_what_was_not_looked_at_counts():
    """Others have told of the readings before."""
    credits = series(600, 400, 600, 400)
    since = int(credits.times[2])
    key = Key(ORG, "low_balance", "500.0")
    findings = low_findings(ORG, credits, since, 500.0)
    assert told(findings, {key: State(True, int(credits.times[1]))}) == [
        ("low_balance", False),
        ("low_balance", True),
    ]
    # Somebody else has looked further already.
    assert told(findings, {key: State(True, int(credits.times[3]))}) == []


def test_another_level_is_told_anew_and_the_old_one_can_be_over():
    """Whoever sets a level wants to know of it."""
    old = Key(ORG, "low_balance", "500.0")
    states = {old: State(True, START - 1)}
    assert told(low_findings(ORG, series(450), START, 800.0, states), states) == [
        ("low_balance", True)
    ]
    assert [
        each.key for each in changes(low_findings(ORG, series(900), START, 800.0, states), states)
    ] == [old]
    # What another program wrote there is no level.
    odd = {Key(ORG, "low_balance", "much"): State(True, START - 1)}
    assert told(low_findings(ORG, series(900), START, None, odd), odd) == []


def test_empty_soon_is_over_when_the_date_is_clearly_later():
    """A forecast moves with every reading."""
    ahead = [4.0, 2.9, 3.2, 2.8, 3.7, None, 3.9, 3.0]
    findings = [
        soon_finding(
            ORG,
            START + each,
            now=NOW,
            days=3,
            empty_early=None if days is None else NOW + timedelta(days=days),
            credits=100.0,
        )
        for each, days in enumerate(ahead)
    ]
    assert [(each.at - START, each.is_happening) for each in changes(findings, {})] == [
        (1, True),
        (5, False),
        (7, True),
    ]


def test_a_doubt_is_told_while_it_lasts():
    """And again when there is another."""
    doubts = [None, "a sudden 0", "a sudden 0", None, "a rise"]
    findings = [doubt_finding(ORG, START + at, each, 0.0) for at, each in enumerate(doubts)]
    assert [each.facts["doubt"] for each in changes(findings, {})] == ["a sudden 0", None, "a rise"]


def test_a_topup_is_told_apart_by_the_reading_before_it():
    """So whoever reads first after it, it is the same; small refunds are none."""
    first = topup_findings(ORG, series(100, 1100, 1100, 1130, 1000, 2000), START)
    assert [(each.key.subject, each.facts["more"]) for each in first] == [
        (str(START), 1000.0),
        (str(START + 40 * MINUTE), 1000.0),
    ]
    states = {each.key: State(True, each.at) for each in first}
    seen_later = Series.of(np.array([START, START + 20 * MINUTE]), np.array([100.0, 1100.0]))
    assert told(topup_findings(ORG, seen_later, START), states) == []
    assert topup_findings(ORG, series(100, 1100), START + 11 * MINUTE) == []


def cost(first: int, last: int, spent: float) -> Cost:
    """A cell from one reading to another one."""
    begin, end = (START + 10 * MINUTE * each for each in (first, last))
    return Cost(ORG, begin, end, 60.0, spent, True, "render", None, bytes(16))


def leak(credits: list[float], *costs: Cost, hours: float = 1.0) -> bool | None:
    """Whether the last of those hours saw a leak."""
    readings = series(*credits)
    begin = int(readings.times[-1]) - round(hours * 60) * MINUTE
    finding = leak_finding(ORG, cell_spending(readings, list(costs)), begin)
    return None if finding is None else finding.is_happening


def test_spending_that_no_cell_explains_is_a_leak():
    """From 100 credits within an hour on; it is over under 50."""
    flat = [5000.0] * 20
    assert leak([*flat, 4900, 4900]) is True
    assert leak([*flat, 4901, 4901]) is None
    assert leak([*flat, 4951, 4951]) is False
    assert leak([*flat, 4800, *[4800] * 6]) is False


def test_what_a_cell_spent_is_no_leak():
    """Only the rest counts."""
    flat = [5000.0] * 20
    assert leak([*flat, 4800, 4800], cost(19, 21, 200)) is False
    assert leak([*flat, 4800, 4650, 4650], cost(19, 20, 200)) is True


def test_what_is_usual_is_no_leak():
    """Whoever spends by scripts all the time is told of twice as much alone."""
    hourly = [20_000.0 - 50.0 * each for each in range(60)]  # 300 credits an hour
    assert leak(hourly) is None
    assert leak([*hourly, hourly[-1] - 500, hourly[-1] - 500]) is True


def test_without_readings_in_the_window_nothing_is_said():
    """What was spent before the watch is none of it, and it is over after half an hour at most."""
    assert leak([5000.0, 100.0], hours=0.0) is None
    assert leak([5000.0, 5000.0, 5000.0], hours=0.2) is None
    assert leak([5000.0, 5000.0, 5000.0], hours=0.5) is False
    assert leak([5000.0, 4800.0], hours=0.2) is True


@pytest.mark.parametrize(
    ("failures", "final", "expected"),
    [
        ([0, 1, 0, 1], False, []),
        ([0, 1, 2, 3, 0], False, [2, 4]),
        ([0, 1, 2, 0], True, [1, 3]),
    ],
)
def test_a_watch_fails_from_the_second_failure_on(failures, final, expected):
    """At the first one where trying again does not help."""
    findings = [
        watch_finding("", "f", at, failures=each, is_final=final and each > 0, problem="x")
        for at, each in enumerate(failures)
    ]
    assert [each.at for each in changes(findings, {})] == expected


def test_a_budget_is_told_once_in_a_period():
    """First that it is projected to be passed, then that it is."""

    def events(spent: float, projected: float, at: int, budget: float = 500.0, start: int = 7):
        return budget_findings(
            ORG,
            at,
            every="week",
            spent=spent,
            budget=budget,
            projected=projected,
            period_start=start,
        )

    week = [
        *events(100, 400, 1),
        *events(200, 600, 2),
        *events(210, 490, 3),
        *events(220, 610, 4),
        *events(500, 700, 5),
        *events(501, 700, 6),
        *events(650, 700, 7),
    ]
    assert [(each.key.event, each.at) for each in changes(week, {})] == [
        ("budget_projected", 2),
        ("budget_passed", 6),
    ]
    # Passed at once, it need not be projected; in the next period, and with another budget, it is
    # told anew; and what is not known passes nothing.
    assert told(events(501, 700, 1)) == [("budget_passed", True)]
    later = [*week, *events(501, 700, 8, start=8), *events(651, 700, 9, budget=600.0)]
    assert len(changes(later, {})) == 4
    assert told(events(100, math.nan, 1)) == []
    assert events(100, math.nan, 1)[0].facts["projected"] is None
    assert told(events(0, 0, 1)) == []
