"""The frames: their columns, dtypes and order, and what is taken for a readings frame."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import Account, Organization
from stability_magic._balances import balances
from stability_magic._frames import (
    COLUMNS,
    Rows,
    changes,
    organizations_frame,
    readings_frame,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000


def rows(*readings, organizations=("org-a", "org-b")):
    """Rows of (hours, position of the organization, credits)."""
    hours, codes, credits = zip(*readings, strict=True) if readings else ((), (), ())
    return Rows(
        np.array([round(each * HOUR) for each in hours], dtype=np.int64),
        np.array(credits, dtype=np.float64),
        np.array(codes, dtype=np.int64),
        organizations,
        ["test"] * len(hours),
        [None] * len(hours),
    )


def frame(credits=(10.0, 7.5), organization="org-a", **more):
    """A readings frame as somebody else would make it, one reading an hour."""
    index = pd.date_range("2026-01-05", periods=len(credits), freq="h", tz="UTC")
    return pd.DataFrame({"organization": organization, "credits": credits, **more}, index=index)


def test_a_readings_frame_has_the_documented_columns_whatever_is_in_it():
    """With readings and without; times in the zone, ascending."""
    for each in (rows(), rows((0, 0, 1.0)), rows((1, 1, 2.0), (0, 0, 1.0))):
        found = readings_frame(each, {}, BERLIN)
        assert dict(found.dtypes) == dict(COLUMNS["readings"])
        assert list(found.columns) == list(COLUMNS["readings"])
        assert found.index.name == "read_at"
        assert found.index.tz == BERLIN
        assert found.index.is_monotonic_increasing


def test_changes_are_of_the_same_organization_and_of_one_sign():
    """A fall was spent, a rise topped up, and neither is ever negative."""
    found = readings_frame(
        rows((0, 0, 10), (1, 1, 500), (2, 0, 4), (3, 1, 800), (4, 0, 4), (5, 1, 700)), {}, BERLIN
    )
    np.testing.assert_array_equal(found["spent"], [math.nan, math.nan, 6, 0, 0, 100])
    np.testing.assert_array_equal(found["topped_up"], [math.nan, math.nan, 0, 300, 0, 0])
    assert not np.signbit(found[["spent", "topped_up"]].fillna(0)).any(axis=None)


@pytest.mark.parametrize(
    ("change", "spent", "topped_up"),
    [
        (-1.1e-6, True, False),
        (-0.9e-6, False, False),
        (0.9e-6, False, False),
        (1.1e-6, False, True),
    ],
)
def test_a_change_under_a_millionth_is_none(change, spent, topped_up):
    """It is the rounding of the service's own sums."""
    found = changes(np.zeros(2, dtype=np.int64), np.array([1.0, 1.0 + change]))
    assert [each[1] > 0 for each in found] == [spent, topped_up]


def test_balances_may_be_negative():
    """Spending and topping up across zero are what they are."""
    found = readings_frame(rows((0, 0, 5), (1, 0, -5), (2, 0, 95)), {}, BERLIN)
    assert found["spent"].tolist()[1:] == [10, 0]
    assert found["topped_up"].tolist()[1:] == [0, 100]


def test_of_two_readings_at_one_instant_the_higher_comes_first():
    """Spending explains it; a top-up would be made up."""
    for readings in ([(0, 0, 10), (1, 0, 9), (1, 0, 8)], [(1, 0, 8), (0, 0, 10), (1, 0, 9)]):
        found = readings_frame(rows(*readings), {}, BERLIN)
        assert found["credits"].tolist() == [10, 9, 8]
        assert found["topped_up"].sum() == 0


def test_names_are_made_safe_to_show():
    """Control characters and reordering marks are replaced, everything else is kept."""
    names = {"org-a": "a\x1b[31m\u202eb", "org-b": "$x$ <b> 🎨 שלום"}
    found = readings_frame(rows((0, 0, 1), (1, 1, 1)), names, BERLIN)
    assert found["name"].tolist() == ["a�[31m�b", "$x$ <b> 🎨 שלום"]


def test_an_organizations_frame_hides_the_address_until_it_is_asked_for():
    """One row each, in the order of the service; also of an account that is in none."""
    organizations = (
        Organization("org-b", "Beta", "MEMBER", is_default=False),
        Organization("org-a", "Alpha", "OWNER", is_default=True),
    )
    account = Account("user-1", "ada@example.org", organizations)
    found = organizations_frame(account, show_email=False)
    assert dict(found.dtypes) == dict(COLUMNS["organizations"])
    assert found["organization"].tolist() == ["org-b", "org-a"]
    assert found["is_default"].tolist() == [False, True]
    assert found["email"].tolist() == ["a***@example.org"] * 2
    assert set(organizations_frame(account, show_email=True)["email"]) == {"ada@example.org"}
    empty = organizations_frame(Account("user-1", "", ()), show_email=False)
    assert dict(empty.dtypes) == dict(COLUMNS["organizations"])
    assert empty.empty


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_frame_may_count_time_in_any_unit(unit):
    """Half a second apart or more, they are the same instants."""
    given = frame().set_axis(frame().index.as_unit(unit))
    assert np.diff(balances(given).series[0].times).tolist() == [HOUR]


@pytest.mark.parametrize(
    "given",
    [
        frame([10, 7]),
        frame(pd.array([10.0, 7.0], dtype="Float64")),
        frame(np.array([10, 7], dtype="float32")),
        frame([10.0, 7.0], organization=pd.Categorical(["org-a", "org-a"])),
        frame([10.0, 7.0], extra="more", name="Alpha").iloc[::-1],
    ],
    ids=["integers", "nullable", "single", "categorical", "unsorted"],
)
def test_a_readings_frame_may_come_from_anywhere(given):
    """Its index and two columns are enough, of any kind that holds numbers and text."""
    found = balances(given)
    assert found.series[0].credits.dtype == np.float64
    assert found.series[0].credits.tolist() == [10, 7]
    assert found.organizations == ["org-a"]


def test_an_organization_bears_its_latest_name():
    """And its id where the frame tells none."""
    given = pd.concat([frame(name=["Old", "New"]), frame(organization="org-b", name=None)])
    assert balances(given).names == ["New", "org-b"]
    assert balances(given[::-1]).names == ["New", "org-b"]
    assert balances(frame()).names == ["org-a"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame(), "no column 'organization'"),
        (frame().drop(columns="credits"), "no column 'credits'"),
        (frame().tz_localize(None), "time index with a time zone"),
        (frame().reset_index(drop=True), "time index with a time zone"),
        (frame([10.0, math.nan]), "NaN or infinity"),
        (frame([10.0, math.inf]), "NaN or infinity"),
        (frame(pd.array([10.0, None], dtype="Float64")), "NaN or infinity"),
        (frame(["10", "7"]), "does not hold numbers"),
        (frame([True, False]), "does not hold numbers"),
        (frame(organization=["org-a", None]), "no time or no organization"),
        (frame().set_axis(pd.DatetimeIndex(["2026-01-05", pd.NaT], tz="UTC")), "no time or no"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_no_readings_frame_is_refused_in_one_line(given, said):
    """The message says what is missing."""
    with pytest.raises(ValueError, match=said) as caught:
        balances(given)
    assert len(str(caught.value).splitlines()) == 1


def test_an_empty_frame_needs_no_dtypes():
    """As pandas makes it when nothing is in it."""
    index = pd.DatetimeIndex([], tz=UTC)
    given = pd.DataFrame({"organization": [], "credits": []}, index=index, dtype=object)
    assert balances(given).series == []


def test_a_readings_frame_is_a_frame_for_any_later_question():
    """What the log gives goes in again, with its instants unchanged."""
    at = datetime(2026, 3, 29, 1, 0, 0, 1, tzinfo=UTC)
    micro = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + 1
    given = rows((0, 0, 1.5))._replace(times=np.array([micro]))
    found = readings_frame(given, {"org-a": "Alpha"}, BERLIN)
    assert found.index[0] == at
    assert balances(found).series[0].times.tolist() == [micro]
    assert balances(found).names == ["Alpha"]
