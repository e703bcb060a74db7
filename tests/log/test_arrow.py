"""Reading the log through Arrow gives the same as reading it through sqlite3."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log import rows
from stability_magic.log.balance_log import entry_from_balance

pytest.importorskip("adbc_driver_sqlite")
pytest.importorskip("pyarrow")

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ACCOUNT = Account("user-1", "", (Organization("org-a", "Älpha 🎨 $<b>", "OWNER", is_default=True),))
LABELS = {
    "none": lambda n: None,
    "all": lambda n: f"label {n % 3}",
    "some": lambda n: "naïve 🎨" if n % 3 else None,
    "late": lambda n: "at last" if n > 290 else None,
}


def at(hours):
    """An instant some hours after noon."""
    return NOON + timedelta(hours=hours)


def write(path, label=LABELS["some"], count=300):
    """Writes a log of two organizations and a key, with balances that rise and fall."""
    log = BalanceLog(path, timezone=BERLIN)
    organizations = ("org-a", "org-b", None)
    log.write(
        [
            entry_from_balance(
                Balance(organizations[n % 3], (n * 37 % 101) / (n % 4 + 1), at(n), "", "f"),
                source="test" if n % 2 else "naïve",
                label=label(n),
                host="läptop" if n % 5 else None,
            )
            for n in range(count)
        ],
        account=ACCOUNT,
        key_fingerprint="f",
    )
    return log


@pytest.fixture
def read_both_ways(monkeypatch):
    """Reads a log through sqlite3 and through Arrow, which must succeed."""
    arrow_results = []
    fetch_through_arrow = rows._fetch_through_arrow

    def record_result(*arguments):
        arrow_results.append(fetch_through_arrow(*arguments))
        return arrow_results[-1]

    monkeypatch.setattr(rows, "_fetch_through_arrow", record_result)

    def read(log, *arguments, **options):
        plain = log.readings(*arguments, **options)
        assert not arrow_results
        with monkeypatch.context() as patch:
            patch.setattr(rows, "_ARROW_MIN_BYTES", 0)
            fast = log.readings(*arguments, **options)
        assert arrow_results.pop() is not None or fast.empty
        return plain, fast

    return read


@pytest.mark.parametrize("label", LABELS)
def test_both_ways_give_the_same_frame(tmp_path, read_both_ways, label):
    """Values, dtypes, index and names, with and without labels."""
    plain, fast = read_both_ways(write(tmp_path / "log.db", LABELS[label]))
    assert len(plain) == 300
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)
    assert fast["label"].isna().sum() == plain["label"].isna().sum()


def test_both_ways_tell_the_machine_on_request(tmp_path, read_both_ways):
    """It is missing for readings whose machine is unknown."""
    plain, fast = read_both_ways(write(tmp_path / "log.db"), hosts=True)
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)
    assert fast["host"].notna().sum() == 240
    assert set(fast["host"].dropna()) == {"läptop"}


@pytest.mark.parametrize("organizations", ["org-a", "org-b", ["org-a", "org-b"], "nobody", []])
@pytest.mark.parametrize(
    "window",
    [{"since": at(100)}, {"until": at(100.5)}, {"since": at(50), "until": at(51)}],
    ids=["since", "until", "both"],
)
def test_both_ways_know_windows_and_organizations(tmp_path, read_both_ways, organizations, window):
    """Even if there are no readings in them."""
    plain, fast = read_both_ways(write(tmp_path / "log.db"), organizations, **window)
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)


@pytest.mark.parametrize(
    "window", [(400, 500), (-5, -1), (9, 3)], ids=["after", "before", "turned"]
)
def test_both_ways_give_an_empty_frame_for_an_empty_window(tmp_path, read_both_ways, window):
    """Its dtypes are those of every readings frame."""
    since, until = map(at, window)
    plain, fast = read_both_ways(write(tmp_path / "log.db"), since=since, until=until)
    assert fast.empty
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast)


def test_both_ways_read_a_log_of_names_alone(tmp_path, read_both_ways):
    """A log without a single reading."""
    plain, fast = read_both_ways(write(tmp_path / "log.db", count=0))
    assert fast.empty
    pd.testing.assert_frame_equal(plain, fast)


def test_a_span_without_readings_is_empty_either_way(tmp_path, monkeypatch):
    """The driver does not know the type of a column without values."""
    log = write(tmp_path / "log.db")
    monkeypatch.setattr(rows, "_ARROW_MIN_BYTES", 0)
    span = rows.Span("org-a", 1, 2)
    with rows.closing(rows.sqlite3.connect(log.path)) as connection:
        (columns,) = rows.fetch_columns(connection, log.path, [span], ["source", "label"])
    arrays = (columns.times, columns.credits, *columns.texts.values())
    assert [len(each) for each in arrays] == [0] * 4
    assert [str(columns.times.dtype), str(columns.credits.dtype)] == ["int64", "float64"]


@pytest.mark.parametrize("name", ["with space.db", "a#b.db", "100%25.db", "ключ-🎨.db"])
def test_arrow_opens_a_file_of_any_name(tmp_path, read_both_ways, name):
    """No part of the name is mistaken for a part of a URI."""
    (tmp_path / f"folder of {name}").mkdir()
    plain, fast = read_both_ways(write(tmp_path / f"folder of {name}" / name))
    assert len(fast) == 300
    pd.testing.assert_frame_equal(plain, fast)


def test_arrow_changes_nothing(tmp_path, read_both_ways):
    """The file keeps every byte, and no other file appears beside it."""
    log = write(tmp_path / "log.db")
    before = log.path.read_bytes()
    read_both_ways(log)
    assert log.path.read_bytes() == before
    assert [each for each in log.path.parent.iterdir() if each.is_file()] == [log.path]


def test_a_small_log_does_not_load_arrow_for_itself(tmp_path):
    """Loading the driver would take longer than it saves."""
    write(tmp_path / "log.db")
    code = (
        "import sys; from stability_magic import BalanceLog\n"
        "assert len(BalanceLog(sys.argv[1]).readings()) == 300\n"
        "assert 'adbc_driver_sqlite' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "log.db")], check=True)


def test_without_the_driver_a_large_log_is_read_all_the_same(tmp_path, monkeypatch):
    """The driver is an optional extra."""
    log = write(tmp_path / "log.db")
    monkeypatch.setattr(rows, "_ARROW_MIN_BYTES", 0)
    monkeypatch.setitem(sys.modules, "adbc_driver_sqlite", None)
    assert len(log.readings()) == 300


def test_an_arrow_that_does_not_load_is_as_good_as_none(tmp_path):
    """A pyarrow that was built for another numpy is installed, but fails to import."""
    write(tmp_path / "log.db")
    broken = tmp_path / "broken" / "pyarrow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('pyarrow requires another NumPy')")
    code = (
        "import sys; from stability_magic import BalanceLog\n"
        "from stability_magic.log import rows\n"
        "rows._ARROW_MIN_BYTES = 0\n"
        "assert len(BalanceLog(sys.argv[1]).readings()) == 300"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log.db")],
        env=os.environ | {"PYTHONPATH": str(broken.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
