"""The frames: their columns, dtypes and order, and which frames count as readings frames."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import Account, Organization
from stability_magic.analysis.frames import (
    COLUMNS,
    ReadingRows,
    organizations_frame,
    readings_frame,
    spent_and_topped_up,
)
from stability_magic.analysis.series import histories_from_frame

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000


def rows(*readings, organizations=("org-a", "org-b")):
    """Rows of (hours, position of the organization, credits)."""
    hours, codes, credits = zip(*readings, strict=True) if readings else ((), (), ())
    return ReadingRows(
        np.array([round(each * HOUR) for each in hours], dtype=np.int64),
        np.array(credits, dtype=np.float64),
        np.array(codes, dtype=np.int64),
        organizations,
        ["test"] * len(hours),
        [None] * len(hours),
    )


def frame(credits=(10.0, 7.5), organization="org-a", **more):
    """A readings frame that a user made, with one reading an hour."""
    index = pd.date_range("2026-01-05", periods=len(credits), freq="h", tz="UTC")
    return pd.DataFrame({"organization": organization, "credits": credits, **more}, index=index)


def test_a_readings_frame_has_the_documented_columns_whatever_is_in_it():
    """With readings and without; times in the zone, ascending."""
    for each in (rows(), rows((0, 0, 1.0)), rows((1, 1, 2.0), (0, 0, 1.0))):
        result = readings_frame(each, {}, BERLIN)
        assert dict(result.dtypes) == dict(COLUMNS["readings"])
        assert list(result.columns) == list(COLUMNS["readings"])
        assert result.index.name == "read_at"
        assert result.index.tz == BERLIN
        assert result.index.is_monotonic_increasing


def test_changes_are_of_the_same_organization_and_of_one_sign():
    """A fall is spending, a rise a top-up, and neither is ever negative."""
    result = readings_frame(
        rows((0, 0, 10), (1, 1, 500), (2, 0, 4), (3, 1, 800), (4, 0, 4), (5, 1, 700)), {}, BERLIN
    )
    np.testing.assert_array_equal(result["spent"], [math.nan, math.nan, 6, 0, 0, 100])
    np.testing.assert_array_equal(result["topped_up"], [math.nan, math.nan, 0, 300, 0, 0])
    assert not np.signbit(result[["spent", "topped_up"]].fillna(0)).any(axis=None)


@pytest.mark.parametrize(
    ("change", "spent", "topped_up"),
    [
        (-1.1e-6, True, False),
        (-0.9e-6, False, False),
        (0.9e-6, False, False),
        (1.1e-6, False, True),
    ],
)
def test_a_change_under_a_millionth_is_ignored(change, spent, topped_up):
    """The service rounds its sums."""
    result = spent_and_topped_up(np.zeros(2, dtype=np.int64), np.array([1.0, 1.0 + change]))
    assert [each[1] > 0 for each in result] == [spent, topped_up]


def test_balances_may_be_negative():
    """Spending and top-ups across zero count like any others."""
    result = readings_frame(rows((0, 0, 5), (1, 0, -5), (2, 0, 95)), {}, BERLIN)
    assert result["spent"].tolist()[1:] == [10, 0]
    assert result["topped_up"].tolist()[1:] == [0, 100]


def test_of_two_readings_at_one_instant_the_higher_comes_first():
    """The difference is spending, not a top-up."""
    for readings in ([(0, 0, 10), (1, 0, 9), (1, 0, 8)], [(1, 0, 8), (0, 0, 10), (1, 0, 9)]):
        result = readings_frame(rows(*readings), {}, BERLIN)
        assert result["credits"].tolist() == [10, 9, 8]
        assert result["topped_up"].sum() == 0


def test_names_are_made_safe_to_show():
    """Control characters and reordering marks are replaced; everything else stays."""
    names = {"org-a": "a\x1b[31m\u202eb", "org-b": "$x$ <b> 🎨 שלום"}
    result = readings_frame(rows((0, 0, 1), (1, 1, 1)), names, BERLIN)
    assert result["name"].tolist() == ["a�[31m�b", "$x$ <b> 🎨 שלום"]


def test_an_organizations_frame_hides_the_address_until_it_is_asked_for():
    """One row for each, in the order of the service, and none for an account without any."""
    organizations = (
        Organization("org-b", "Beta", "MEMBER", is_default=False),
        Organization("org-a", "Alpha", "OWNER", is_default=True),
    )
    account = Account("user-1", "ada@example.org", organizations)
    result = organizations_frame(account, show_email=False)
    assert dict(result.dtypes) == dict(COLUMNS["organizations"])
    assert result["organization"].tolist() == ["org-b", "org-a"]
    assert result["is_default"].tolist() == [False, True]
    assert result["email"].tolist() == ["a***@example.org"] * 2
    assert set(organizations_frame(account, show_email=True)["email"]) == {"ada@example.org"}
    empty = organizations_frame(Account("user-1", "", ()), show_email=False)
    assert dict(empty.dtypes) == dict(COLUMNS["organizations"])
    assert empty.empty


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_frame_may_count_time_in_any_unit(unit):
    """Whatever the unit, the instants are the same."""
    readings = frame().set_axis(frame().index.as_unit(unit))
    assert np.diff(histories_from_frame(readings).series[0].times).tolist() == [HOUR]


@pytest.mark.parametrize(
    "readings",
    [
        frame([10, 7]),
        frame(pd.array([10.0, 7.0], dtype="Float64")),
        frame(np.array([10, 7], dtype="float32")),
        frame([10.0, 7.0], organization=pd.Categorical(["org-a", "org-a"])),
        frame([10.0, 7.0], extra="more", name="Alpha").iloc[::-1],
    ],
    ids=["integers", "nullable", "single", "categorical", "unsorted"],
)
def test_a_readings_frame_may_come_from_anywhere(readings):
    """Its index and two columns of numbers and text are enough, whatever their dtypes."""
    result = histories_from_frame(readings)
    assert result.series[0].credits.dtype == np.float64
    assert result.series[0].credits.tolist() == [10, 7]
    assert result.organizations == ["org-a"]


def test_an_organization_goes_by_its_latest_name():
    """Or by its id where the frame has no name."""
    readings = pd.concat([frame(name=["Old", "New"]), frame(organization="org-b", name=None)])
    assert histories_from_frame(readings).names == ["New", "org-b"]
    assert histories_from_frame(readings[::-1]).names == ["New", "org-b"]
    assert histories_from_frame(frame()).names == ["org-a"]


@pytest.mark.parametrize(
    ("readings", "message"),
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
def test_any_other_frame_is_refused_in_one_line(readings, message):
    """The message says what is missing."""
    with pytest.raises(ValueError, match=message) as error:
        histories_from_frame(readings)
    assert len(str(error.value).splitlines()) == 1


def test_an_empty_frame_needs_no_dtypes():
    """Its columns are objects, as in any empty frame of pandas."""
    index = pd.DatetimeIndex([], tz=UTC)
    readings = pd.DataFrame({"organization": [], "credits": []}, index=index, dtype=object)
    assert histories_from_frame(readings).series == []


def test_a_readings_frame_can_be_read_back():
    """With its instants unchanged to the microsecond."""
    at = datetime(2026, 3, 29, 1, 0, 0, 1, tzinfo=UTC)
    micro = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + 1
    readings = rows((0, 0, 1.5))._replace(times=np.array([micro]))
    result = readings_frame(readings, {"org-a": "Alpha"}, BERLIN)
    assert result.index[0] == at
    assert histories_from_frame(result).series[0].times.tolist() == [micro]
    assert histories_from_frame(result).names == ["Alpha"]
