"""The log returns what was appended, for the organizations and the window requested."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import Account, Balance, BalanceLog, LogError, Organization
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log.balance_log import Entry, entry_from_balance, frame_from_entries

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACCOUNT = Account(
    id="user-1",
    email="ada@example.org",
    organizations=(
        Organization("org-b", "Beta", "MEMBER", is_default=False),
        Organization("org-a", "Alpha", "OWNER", is_default=True),
    ),
)


def balance(credits=100.0, hours=0.0, organization: str | None = "org-a", **more):
    """A reading some hours after noon."""
    return Balance(organization, credits, NOON + hours * HOUR, **more)


@pytest.fixture
def log(tmp_path):
    return BalanceLog(tmp_path / "log.db", timezone=BERLIN)


def test_what_is_appended_comes_back_with_its_columns_and_dtypes(log):
    """Every field of a reading is in the frame, at its time, in the log's time zone."""
    log.append(balance(0.1 + 0.2), source="test", label="before")
    log.append(balance(-3, hours=1.5))
    frame = log.readings()
    assert dict(frame.dtypes) == dict(COLUMNS["readings"])
    assert list(frame.columns) == list(COLUMNS["readings"])
    assert frame.index.name == "read_at"
    assert frame.index.tz == BERLIN
    assert list(frame.index) == [NOON, NOON + 1.5 * HOUR]
    assert frame["organization"].tolist() == frame["name"].tolist() == ["org-a"] * 2
    assert frame["credits"].tolist() == [0.1 + 0.2, -3.0]
    assert frame["source"].tolist() == ["test", "library"]
    assert frame["label"].iloc[0] == "before"
    assert pd.isna(frame["label"].iloc[1])


def test_times_keep_their_microseconds(log):
    """Times are not rounded through a float."""
    instants = [datetime(2026, 1, 5, 12, 0, 0, n, tzinfo=UTC) for n in (1, 999_999)]
    instants.append(datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    for at in instants:
        log.append(Balance("org-a", 1.0, at))
    assert list(log.readings().index) == instants


def test_a_log_that_is_not_there_is_empty_and_stays_away(tmp_path):
    """Reading creates neither the file nor its folder; the frame has the usual dtypes."""
    log = BalanceLog(tmp_path / "folder" / "log.db", timezone=BERLIN)
    frame = log.readings(since=NOON)
    assert frame.empty
    assert dict(frame.dtypes) == dict(COLUMNS["readings"])
    assert frame.index.tz == BERLIN
    assert frame.index.name == "read_at"
    assert log.organizations() == {}
    assert log.default_organization("f") is None
    assert not log.path.parent.exists()


@pytest.mark.parametrize("window", [(5, 6), (-2, -1), (3, 1)], ids=["after", "before", "turned"])
def test_an_empty_window_has_the_same_dtypes(log, window):
    """A window without readings, or one that ends before it begins, gives an empty frame."""
    log.append(balance())
    log.append(balance(hours=2))
    since, until = (NOON + hours * HOUR for hours in window)
    frame = log.readings(since=since, until=until)
    assert frame.empty
    assert dict(frame.dtypes) == dict(COLUMNS["readings"])
    assert frame.index.tz == BERLIN


def test_a_window_begins_with_since_and_ends_before_until(log):
    """The window is half-open, to the microsecond."""
    for hours in range(4):
        log.append(balance(100 - hours, hours))
    since, until = NOON + HOUR, NOON + 3 * HOUR
    step = timedelta(microseconds=1)
    assert log.readings(since=since, until=until)["credits"].tolist() == [99, 98]
    assert log.readings(since=since + step, until=until + step)["credits"].tolist() == [98, 97]
    assert log.readings(until=until)["credits"].tolist() == [100, 99, 98]
    assert log.readings(since=until)["credits"].tolist() == [97]


def test_changes_count_from_the_reading_before_the_window(log):
    """Only the very first reading of an organization has no change."""
    for hours, credits in enumerate([100, 90, 190, 190]):
        log.append(balance(credits, hours))
        log.append(balance(credits * 2, hours + 0.5, organization="org-b"))
    all_readings = log.readings()
    assert all_readings["spent"].isna().tolist() == [True, True] + [False] * 6
    frame = log.readings("org-a", since=NOON + HOUR)
    assert frame["spent"].tolist() == [10, 0, 0]
    assert frame["topped_up"].tolist() == [0, 100, 0]
    frame = log.readings(since=NOON + 1.75 * HOUR, until=NOON + 3 * HOUR)
    assert frame["organization"].tolist() == ["org-a", "org-b"]
    assert frame["topped_up"].tolist() == [100, 200]
    pd.testing.assert_frame_equal(frame, all_readings.loc[frame.index])


def test_readings_come_in_the_order_of_time_whenever_they_were_written(log):
    """A reading that is written late is sorted in, and the changes follow."""
    for hours, credits in [(2, 80), (0, 100), (1, 95)]:
        log.append(balance(credits, hours))
    frame = log.readings()
    assert frame.index.is_monotonic_increasing
    assert frame["credits"].tolist() == [100, 95, 80]
    assert frame["spent"].tolist()[1:] == [5, 15]


@pytest.mark.parametrize(
    ("organizations", "expected"),
    [
        (None, {"org-a", "org-b", "org-c"}),
        ("org-a", {"org-a"}),
        (["org-a", "org-c"], {"org-a", "org-c"}),
        ({"org-b"}, {"org-b"}),
        ((each for each in ["org-b", "org-b"]), {"org-b"}),
        ([], set()),
        ("org-missing", set()),
        ("org", set()),
    ],
)
def test_organizations_are_chosen_by_their_ids(log, organizations, expected):
    """One id, any number of ids, or all."""
    for organization in ("org-b", "org-a", "org-c"):
        log.append(balance(organization=organization))
    frame = log.readings(organizations)
    assert set(frame["organization"]) == expected
    assert dict(frame.dtypes) == dict(COLUMNS["readings"])


def test_names_are_remembered_and_follow_the_account(log):
    """The latest name is shown; an organization without a name is shown by its id."""
    log.write(
        [entry_from_balance(balance(organization=each)) for each in ("org-a", "org-b", "org-z")]
    )
    assert set(log.readings()["name"]) == {"org-a", "org-b", "org-z"}
    log.write([], account=ACCOUNT)
    assert log.organizations() == {"org-a": "Alpha", "org-b": "Beta", "org-z": "org-z"}
    renamed = Account("user-1", "", (Organization("org-a", "Omega", "OWNER", is_default=True),))
    log.write([], account=renamed)
    assert set(log.readings()["name"]) == {"Omega", "Beta", "org-z"}


def test_a_reading_of_an_unknown_organization_finds_its_way_once_it_is_known(log):
    """Readings that were logged under a key's fingerprint join the organization's own readings."""
    log.append(balance(100, 0, organization=None, key_fingerprint="abcd"))
    log.append(balance(80, 2, organization="org-a"))
    log.append(balance(50, 1, organization=None, key_fingerprint="other"))
    assert log.readings()["organization"].tolist() == ["key:abcd", "key:other", "org-a"]
    assert log.default_organization("abcd") is None
    log.write([], account=ACCOUNT, key_fingerprint="abcd")
    assert log.default_organization("abcd") == "org-a"
    frame = log.readings("org-a")
    assert frame["name"].tolist() == ["Alpha", "Alpha"]
    assert frame["spent"].tolist()[1:] == [20]
    assert log.readings("key:abcd")["organization"].tolist() == ["org-a", "org-a"]
    assert log.readings("key:other")["name"].tolist() == ["key:other"]
    assert log.organizations() == {"key:other": "key:other", "org-a": "Alpha"}


def test_an_account_without_one_default_names_no_default(log):
    """With two defaults, it is unknown which one is the key's."""
    both = tuple(Organization(f"org-{n}", "N", "OWNER", is_default=True) for n in range(2))
    log.write([], account=Account("user-1", "", both), key_fingerprint="abcd")
    assert log.default_organization("abcd") is None


def test_an_entry_that_is_written_twice_is_stored_once(log):
    """Its id distinguishes it from another reading that is equal in everything else."""
    first, second = entry_from_balance(balance()), entry_from_balance(balance())
    log.write([first, first])
    log.write([first])
    assert len(log.readings()) == 1
    log.write([first, second])
    assert len(log.readings()) == 2


def test_entries_that_no_log_holds_are_shown_with_those_of_the_file(log):
    """They are sorted in and counted in the changes as if they had been written."""
    log.append(balance(100, 0))
    log.write([], account=ACCOUNT, key_fingerprint="abcd")
    unlogged = [
        entry_from_balance(balance(70, 1, organization=None, key_fingerprint="abcd"), label="new")
    ]
    frame = log.readings_with_neighbours("org-a", unlogged=unlogged)
    assert frame["spent"].tolist()[1:] == [30]
    assert frame["label"].iloc[1] == "new"
    assert len(log.readings_with_neighbours("org-b", unlogged=unlogged)) == 0
    frame = frame_from_entries(unlogged, {"key:abcd": "Alpha"}, BERLIN)
    assert dict(frame.dtypes) == dict(COLUMNS["readings"])
    assert frame["name"].tolist() == ["Alpha"]


@pytest.mark.parametrize(
    "credits",
    [math.nan, math.inf, -math.inf, True, False, np.True_, "12", None, 10**400, b"1", 1j],
    ids=repr,
)
def test_credits_that_are_no_finite_number_are_refused(log, credits):
    """Nothing is written; not even the file is created."""
    with pytest.raises(ValueError, match="nothing was logged"):
        log.append(balance(credits))
    assert not log.path.exists()


@pytest.mark.parametrize("credits", [5, np.int64(5), np.float32(5), Fraction(5)], ids=repr)
def test_any_kind_of_real_number_is_a_balance(log, credits):
    """Including numpy's numbers."""
    log.append(balance(credits))
    assert log.readings()["credits"].tolist() == [5.0]


def test_an_entry_without_an_amount_is_an_error_and_no_silence(log):
    """An entry that the table rejects is not skipped like one that the log already holds."""
    log.append(balance())
    bad = Entry("org-a", 0, math.nan, "", "test", None)
    with pytest.raises(LogError, match="NOT NULL"):
        log.write([entry_from_balance(balance()), bad])
    assert len(log.readings()) == 1


@pytest.mark.parametrize(
    ("label", "stored"),
    [
        ("line\nbreak\x00\x1b[31m", "line�break��[31m"),
        ("half \ud83d of an emoji", "half � of an emoji"),
        ("right\u202eleft", "right�left"),
        ("naïve 'quoted' \"%s\" ? ; -- 🎨", "naïve 'quoted' \"%s\" ? ; -- 🎨"),
        ("x" * 10_000, "x" * 10_000),
    ],
    ids=["controls", "surrogate", "reordering", "odd", "long"],
)
def test_any_text_can_be_a_label(log, label, stored):
    """It is stored in full; only characters that are unsafe to show are replaced."""
    log.append(balance(api_url=f"https://{label}"), source=label, label=label)
    frame = log.readings()
    assert frame["label"].tolist() == frame["source"].tolist() == [stored]


def test_an_empty_label_is_none(log):
    """An empty text is not a second way to have no label."""
    log.append(balance(), label="")
    assert log.readings()["label"].isna().all()


def test_a_log_shows_where_it_lies(log):
    """It also accepts a path as text, with a ~ for the home folder."""
    assert repr(log) == f"BalanceLog({str(log.path)!r})"
    assert BalanceLog("~/log.db").path.is_absolute()


def test_a_time_without_a_zone_is_refused(log):
    """Without a zone, it is unknown which instant is meant."""
    with pytest.raises(ValueError, match="read_at has no time zone"):
        Balance("org-a", 1.0, datetime(2026, 1, 5))
    for window in ({"since": datetime(2026, 1, 5)}, {"until": datetime(2026, 1, 5)}):
        log.append(balance())
        with pytest.raises(ValueError, match=r"2026-01-05 00:00:00 has no time zone"):
            log.readings(**window)
