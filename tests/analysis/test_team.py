"""Who spent what: by hand, and against what usage tells, on random cells."""

from __future__ import annotations

import dataclasses
from datetime import UTC

import numpy as np
import pandas as pd
import pytest

from stability_magic.analysis.cell_spending import spending_by_organization
from stability_magic.analysis.cost_frames import ELSEWHERE, NO_LABEL
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.frames import COLUMNS
from stability_magic.analysis.series import Histories, Series, histories_from_series
from stability_magic.analysis.spend import sum_doubts, usage_of
from stability_magic.analysis.team import NO_MEMBER, Team, team_spending
from stability_magic.display.team import team_line, team_table
from stability_magic.models import from_microseconds

MINUTE = 60_000_000
DAY = 24 * 60


def cell(
    start: float,
    end: float,
    spent: float | None,
    member: str | None = "ann",
    host: str | None = "hub",
    label: str | None = "render",
    organization: str = "org-a",
) -> Cost:
    """The cost of a cell that ran from one minute to another."""
    times = (round(start * MINUTE), round(end * MINUTE))
    identity = repr((start, end, member)).encode()[:16].ljust(16)
    return Cost(organization, *times, 1.0, spent, True, label, None, identity, host, member)


def histories(**readings: list[tuple[float, float]]) -> Histories:
    """Series of balances at minutes, by organization."""
    series = (
        (
            f"org-{each}",
            Series.of(
                np.array([round(time * MINUTE) for time, _ in points], np.int64),
                np.array([credits for _, credits in points], np.float64),
            ),
        )
        for each, points in readings.items()
    )
    return histories_from_series(series, {}, UTC)


def team(known: Histories, *cells: Cost, begin: float | None = None, end: float | None = None):
    """What the members spent from one minute to another."""
    window = tuple(None if each is None else round(each * MINUTE) for each in (begin, end))
    spendings = spending_by_organization(known, cells)
    return team_spending(spendings, {"org-a": "Studio"}, window, UTC, 0.01)


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Member, host, label and credits."""
    return [
        tuple(None if pd.isna(each) else each for each in row)
        for row in frame[["member", "host", "label", "spent"]].itertuples(index=False)
    ]


def line_of(spent: Team, known: Histories) -> str:
    return team_line(spent, "today", sum_doubts(known.series, None, None))


STEADY = [(0, 100.0), (5, 90.0), (10, 90.0), (15, 70.0), (20, 70.0), (90, 70.0), (200, 65.0)]


def test_cells_are_added_up_by_member_host_and_label():
    """What nobody's cell spent stands at the end; members by what they spent."""
    known = histories(a=STEADY)
    spent = team(known, cell(0, 5, 10.0), cell(10, 15, 20.0, "bob", "laptop", None))
    assert rows(spent.frame) == [
        ("bob", "laptop", NO_LABEL, 20.0),
        ("ann", "hub", "render", 10.0),
        (ELSEWHERE, None, None, 5.0),
    ]
    assert list(spent.frame.columns) == list(COLUMNS["team"])
    assert spent.frame["share"].tolist() == [20 / 35, 10 / 35, 5 / 35]
    assert spent.frame["usd"].tolist() == [0.2, 0.1, 0.05]
    assert set(spent.frame["name"]) == {"Studio"}
    assert spent.frame["cells"].tolist() == [1, 1, 0]
    assert line_of(spent, known) == (
        "2 members spent 30.00 credits ($0.30) today; 14 % elsewhere · 35.00 in all"
    )


def test_cells_without_a_member_and_a_host_are_told_as_such():
    """After the members, however much they spent; the table says how that is changed."""
    known = histories(a=STEADY)
    spent = team(known, cell(0, 5, 10.0), cell(10, 15, 20.0, None, None))
    assert rows(spent.frame)[:2] == [
        ("ann", "hub", "render", 10.0),
        (NO_MEMBER, None, "render", 20.0),
    ]
    assert line_of(spent, known).startswith(
        "1 member and cells without a member spent 30.00 credits ($0.30) today; "
    )
    assert "the setting member" in team_table(spent.frame)
    nobody = team(known, cell(10, 15, 20.0, None))
    assert line_of(nobody, known).startswith("cells without a member spent 20.00 credits")


def test_a_member_with_two_names_or_machines_has_a_row_of_each():
    """Below the table stands what each spent in all."""
    spent = team(histories(a=STEADY), cell(0, 5, 10.0), cell(10, 15, 20.0, "ann", "laptop"))
    assert [row[1] for row in rows(spent.frame)] == ["laptop", "hub", None]
    assert "in all: ann 30.00" in team_table(spent.frame)


def test_of_cells_that_overlap_no_credit_counts_twice():
    """What both saw belongs to the one that began last."""
    known = histories(a=[(0, 100.0), (5, 90.0), (10, 60.0), (15, 50.0), (30, 50.0)])
    spent = team(known, cell(0, 15, 50.0), cell(5, 10, 30.0, "bob"))
    assert rows(spent.frame) == [
        ("bob", "hub", "render", 30.0),
        ("ann", "hub", "render", 20.0),
        (ELSEWHERE, None, None, 0.0),
    ]
    assert "nothing elsewhere" in line_of(spent, known)


def test_a_window_cuts_a_cell():
    """Both sides together are the whole, whose ever they are; where it was cut is an estimate."""
    known = histories(a=[(0, 100.0), (30, 60.0), (60, 40.0), (120, 40.0)])
    job = cell(0, 60, 60.0)
    before, after = team(known, job, end=15), team(known, job, begin=15)
    assert [row[3] for row in rows(before.frame)] == [20.0, 0.0]
    assert [row[3] for row in rows(after.frame)] == [40.0, 0.0]
    assert not after.frame["exact"].iloc[0]
    assert line_of(after, known).startswith("1 member spent about 40.00 credits")


def test_what_is_not_known_is_nan():
    """A cell whose balance could not be read, and one of whose time there are no readings."""
    known = histories(a=[(0, 100.0), (5, 90.0)])
    spent = team(known, cell(1, 4, None), cell(50, 60, 24.0, "bob"))
    assert [row[0] for row in rows(spent.frame)] == ["ann", "bob", ELSEWHERE]
    assert spent.frame["spent"].isna().tolist() == [True, True, False]
    assert spent.frame["spent"].sum() == 10.0
    line = line_of(spent, known)
    assert " · 10.00 in all · 1 cell of unknown cost · 24.00 left out" in line


def test_nobody_ran_a_cell():
    """All is elsewhere; an idle organization stands only where there is no other row."""
    known = histories(a=STEADY, b=[(0, 5.0), (60, 5.0)])
    spent = team(known)
    assert rows(spent.frame) == [(ELSEWHERE, None, None, 35.0)]
    assert line_of(spent, known) == "no cells today; 100 % elsewhere · 35.00 in all"
    idle = team(histories(b=[(0, 5.0), (60, 5.0)]))
    assert rows(idle.frame) == [(ELSEWHERE, None, None, 0.0)]
    assert np.isnan(idle.frame["share"].iloc[0])
    empty = team(histories())
    assert empty.frame.empty
    assert empty.frame.dtypes.to_dict() == spent.frame.dtypes.to_dict()
    assert line_of(empty, histories()) == "no readings today"


@pytest.mark.parametrize("window", [{"end": 0}, {"begin": 201}, {"begin": 300, "end": 400}])
def test_of_a_window_without_readings_nothing_is_told(window):
    """Nothing is known of it, which is not that nothing was spent; nor is it of a cell there."""
    known = histories(a=STEADY)
    nobody = team(known, **window)
    assert nobody.frame.empty
    assert line_of(nobody, known) == "no readings today"
    at = window.get("begin", -20) + 1
    spent = team(known, cell(at, at + 5, 8.0), **window)
    assert [row[:2] for row in rows(spent.frame)] == [("ann", "hub")]
    assert spent.frame["spent"].isna().all()
    assert "; elsewhere unknown" in line_of(spent, known)


def test_organizations_have_rows_of_their_own():
    """And count in one sum."""
    known = histories(a=STEADY, b=[(0, 50.0), (5, 40.0), (60, 40.0)])
    spent = team(known, cell(10, 15, 20.0), cell(0, 5, 10.0, organization="org-b"))
    assert spent.frame["organization"].tolist() == ["org-a", "org-b", "org-a", "org-b"]
    assert line_of(spent, known).startswith("1 member spent 30.00 credits")
    assert "org-b" in team_table(spent.frame)


def random_team(seed: int) -> tuple[Histories, list[Cost]]:
    """Three days of readings with pauses and top-ups, and cells that overlap, lag and fail."""
    rng = np.random.default_rng(seed)
    known: dict[str, list[tuple[float, float]]] = {}
    cells: list[Cost] = []
    for organization in "ab"[: rng.integers(1, 3)]:
        times = np.sort(rng.choice(3 * DAY, int(rng.integers(5, 150)), replace=False))
        credits = 5000.0 - rng.choice([0.0, 0.0, 0.25, 8.1, 24.0], len(times)).cumsum()
        credits += (rng.random(len(times)) < 0.04).cumsum() * 1000.0
        known[organization] = list(zip(times.tolist(), credits.tolist(), strict=True))
        for begin in rng.integers(0, len(times) - 1, int(rng.integers(0, 12))):
            end = min(len(times) - 1, begin + int(rng.integers(1, 5)))
            falls = -np.diff(credits[begin : end + 1])
            spent = None if rng.random() < 0.2 else float(falls[falls > 0].sum())
            who = (str(rng.choice(["ann", "bob", ""])) or None, str(rng.choice(["hub", "desk"])))
            cells.append(
                cell(times[begin], times[end], spent, *who, organization=f"org-{organization}")
            )
    return histories(**known), [
        dataclasses.replace(each, id=bytes([n]) * 16) for n, each in enumerate(cells)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_the_rows_add_up_to_usage(seed):
    """Of each organization, in any window of whole days; and two windows to both together."""
    known, cells = random_team(seed)
    day = 0
    parts = []
    for first, last in ((None, 1), (1, 2), (2, None), (None, None), (0, 2)):
        begin, end = (None if each is None else each * DAY for each in (first, last))
        spent = team(known, *cells, begin=begin, end=end)
        limits = [
            None if each is None else from_microseconds(each * MINUTE) for each in (begin, end)
        ]
        used = usage_of(known, "day", since=limits[0], until=limits[1])
        for organization, own in spent.frame.groupby("organization"):
            expected = used.loc[used["organization"] == organization, "spent"].sum()
            assert own["spent"].sum() == pytest.approx(expected, abs=1e-9)
        if spent.frame["spent"].sum() > 0:
            assert spent.frame["share"].sum() == pytest.approx(1.0)
        if day < 3:
            parts.append(spent.frame)
            day += 1
    whole = team(known, *cells).frame
    keys = ["member", "host", "organization"]
    by_part = pd.concat(parts).fillna({"host": ""}).groupby(keys)["spent"].sum()
    by_whole = whole.fillna({"host": ""}).groupby(keys)["spent"].sum()
    for key, amount in by_whole.items():
        assert by_part.get(key, 0.0) == pytest.approx(amount, abs=1e-9)
