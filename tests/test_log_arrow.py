"""The fast way out of the log, through Arrow, against the plain one."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from stability_magic import Account, Balance, BalanceLog, Organization, _log_rows
from stability_magic._frames import COLUMNS
from stability_magic._log import entry

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
    """A log of two organizations and a key; balances whole and broken, rising and falling."""
    log = BalanceLog(path, timezone=BERLIN)
    organizations = ("org-a", "org-b", None)
    log.write(
        [
            entry(
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
def both(monkeypatch):
    """The same question answered through sqlite3 and through Arrow, which must answer."""
    answered = []
    through_arrow = _log_rows._through_arrow

    def watched(*arguments, **options):
        answered.append(through_arrow(*arguments))
        return answered[-1]

    monkeypatch.setattr(_log_rows, "_through_arrow", watched)

    def ask(log, *arguments, **options):
        plain = log.readings(*arguments, **options)
        assert not answered
        with monkeypatch.context() as patch:
            patch.setattr(_log_rows, "_WORTH_ARROW", 0)
            fast = log.readings(*arguments, **options)
        assert answered.pop() is not None or fast.empty
        return plain, fast

    return ask


@pytest.mark.parametrize("label", LABELS)
def test_both_ways_give_the_same_frame(tmp_path, both, label):
    """Values, dtypes, index and names, with and without labels."""
    plain, fast = both(write(tmp_path / "log.db", LABELS[label]))
    assert len(plain) == 300
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)
    assert fast["label"].isna().sum() == plain["label"].isna().sum()


def test_both_ways_tell_the_machine_on_request(tmp_path, both):
    """Also where nobody knows which one it was."""
    plain, fast = both(write(tmp_path / "log.db"), hosts=True)
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)
    assert fast["host"].notna().sum() == 240
    assert set(fast["host"].dropna()) == {"läptop"}


@pytest.mark.parametrize("organizations", ["org-a", "org-b", ["org-a", "org-b"], "nobody", []])
@pytest.mark.parametrize(
    "window",
    [{"since": at(100)}, {"until": at(100.5)}, {"since": at(50), "until": at(51)}],
    ids=["since", "until", "both"],
)
def test_both_ways_know_windows_and_organizations(tmp_path, both, organizations, window):
    """Also where nothing is in them."""
    plain, fast = both(write(tmp_path / "log.db"), organizations, **window)
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast, check_exact=True)


@pytest.mark.parametrize(
    "window", [(400, 500), (-5, -1), (9, 3)], ids=["after", "before", "turned"]
)
def test_both_ways_give_an_empty_frame_for_an_empty_window(tmp_path, both, window):
    """Its dtypes are those of every readings frame."""
    since, until = map(at, window)
    plain, fast = both(write(tmp_path / "log.db"), since=since, until=until)
    assert fast.empty
    assert dict(fast.dtypes) == dict(COLUMNS["readings"])
    pd.testing.assert_frame_equal(plain, fast)


def test_both_ways_read_a_log_of_names_alone(tmp_path, both):
    """There is not a single reading in it."""
    plain, fast = both(write(tmp_path / "log.db", count=0))
    assert fast.empty
    pd.testing.assert_frame_equal(plain, fast)


def test_a_span_without_readings_is_empty_either_way(tmp_path, monkeypatch):
    """Of a column without a value the driver does not know the type."""
    log = write(tmp_path / "log.db")
    monkeypatch.setattr(_log_rows, "_WORTH_ARROW", 0)
    span = _log_rows.Span("org-a", 1, 2)
    with _log_rows.closing(_log_rows.sqlite3.connect(log.path)) as connection:
        (found,) = _log_rows.fetch(connection, log.path, [span], ["source", "label"])
    assert [len(each) for each in (found.times, found.credits, *found.texts.values())] == [0] * 4
    assert [str(found.times.dtype), str(found.credits.dtype)] == ["int64", "float64"]


@pytest.mark.parametrize("name", ["with space.db", "a#b.db", "100%25.db", "ключ-🎨.db"])
def test_arrow_opens_a_file_of_any_name(tmp_path, both, name):
    """The name is never taken for a part of an address."""
    (tmp_path / f"folder of {name}").mkdir()
    plain, fast = both(write(tmp_path / f"folder of {name}" / name))
    assert len(fast) == 300
    pd.testing.assert_frame_equal(plain, fast)


def test_arrow_changes_nothing(tmp_path, both):
    """Not a byte of the file, and nothing lies beside it afterwards."""
    log = write(tmp_path / "log.db")
    before = log.path.read_bytes()
    both(log)
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
    """It is an extra."""
    log = write(tmp_path / "log.db")
    monkeypatch.setattr(_log_rows, "_WORTH_ARROW", 0)
    monkeypatch.setitem(sys.modules, "adbc_driver_sqlite", None)
    assert len(log.readings()) == 300


def test_an_arrow_that_does_not_load_is_as_good_as_none(tmp_path):
    """One that was built for another numpy is installed, and fails when it is imported."""
    write(tmp_path / "log.db")
    broken = tmp_path / "broken" / "pyarrow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('pyarrow requires another NumPy')")
    code = (
        "import sys; from stability_magic import BalanceLog, _log_rows\n"
        "_log_rows._WORTH_ARROW = 0\n"
        "assert len(BalanceLog(sys.argv[1]).readings()) == 300"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log.db")],
        env=os.environ | {"PYTHONPATH": str(broken.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
