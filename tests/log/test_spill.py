"""What cannot be written to a log is kept beside it, and taken in once by whoever can."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.spill import read_spills, remove_files, write_spill
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
COST = Cost("org-a", 10, 20, 1.5, None, False, "render", None, bytes(range(16)))
NOT_A_LOG = b"these are my notes, not a database" * 200


def make_entry(number: int = 0, **options: str):
    """The entry of a reading, some minutes after noon."""
    balance = Balance("org-a", 100.0 - number, NOON + timedelta(minutes=number))
    return entry_from_balance(balance, **options)


def spill_files(folder: Path) -> list[Path]:
    """The spill files in a folder and below it."""
    return sorted(folder.rglob("*.unlogged"))


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line."""
    command = [sys.executable, "-m", "stability_magic", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def unusable(log_path) -> Path:
    """A log's path at which there is something else, which the user will remove."""
    log_path.parent.mkdir()
    log_path.write_bytes(NOT_A_LOG)
    return log_path


def test_what_is_spilled_is_what_is_read(tmp_path):
    """To the last bit, with its id, in a file for its owner alone."""
    entry = make_entry(3, label="näht \N{SNOWMAN} =1+1", host="büro")
    file = write_spill(tmp_path / "log.db", [entry], [COST])
    assert file.parent == tmp_path
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each[1:] for each in read_spills(tmp_path / "log.db")] == [([entry], [COST])]
    assert read_spills(tmp_path / "log.db2") == read_spills(tmp_path / "og.db") == []


@given(credits=st.floats(allow_nan=False, allow_infinity=False), text=st.text(min_size=1))
def test_every_reading_survives_its_spill(tmp_path_factory, credits, text):
    """Whatever its credits and its label are."""
    path = tmp_path_factory.mktemp("spill") / "log.db"
    entry = entry_from_balance(Balance("org-a", credits, NOON), label=text)
    write_spill(path, [entry], [])
    BalanceLog(path, timezone=UTC).write([])
    frame = BalanceLog(path, timezone=UTC).readings()
    assert frame["credits"].tolist() == [credits]
    assert frame["label"].tolist() == [entry.label]


@pytest.mark.parametrize("taker", ["balance", "history", "library"])
def test_a_command_keeps_what_it_cannot_log_and_the_next_one_logs_it(api, unusable, taker):
    """Once, with the time and the credits that it was read with; the kept file goes."""
    done = run_command("balance", "--label", "kept")
    assert done.returncode == 0
    assert "Fernhill Studio (simulated): " in done.stderr
    assert f"1 reading is not in the log yet but in the frame, and kept in {unusable.parent}" in (
        done.stderr
    )
    (file,) = spill_files(unusable.parent)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert unusable.read_bytes() == NOT_A_LOG
    (spill,) = read_spills(unusable)
    unusable.unlink()
    if taker == "library":
        BalanceLog(unusable).append(Balance("org-b", 1.0, datetime.now(UTC)))
    else:
        assert run_command(taker).returncode == 0
    frame = BalanceLog(unusable).readings()
    kept = frame[frame["label"] == "kept"]
    assert kept["credits"].tolist() == [spill.entries[0].credits]
    assert len(frame) == (1 if taker == "history" else 2)
    assert not spill_files(unusable.parent)


def test_a_log_whose_folder_cannot_be_written_spills_into_the_data_folder(
    api, monkeypatch, tmp_path
):
    """And is found there by its path."""
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(blocked / "log.db"))
    assert run_command("balance").returncode == 0
    (file,) = spill_files(tmp_path)
    assert file.is_relative_to(os.environ["HOME"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    blocked.unlink()
    assert run_command("history").returncode == 0
    assert len(BalanceLog(blocked / "log.db").readings()) == 1
    assert not spill_files(tmp_path)


def test_what_can_be_kept_nowhere_is_told_to_be_lost(api, monkeypatch, tmp_path):
    """With its figure, and an exit code that says so."""
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(blocked / "log.db"))
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(blocked / "home"))
    done = run_command("balance")
    assert done.returncode == 1
    credits = f"{api.ledgers['org-sim-studio'].balance(api.clock.now()):,.2f}"
    assert "1 reading could not be kept anywhere, and ends with this command: org-sim-studio" in (
        done.stderr
    )
    assert f"{credits} credits" in done.stderr
    assert done.stdout.count("\n") == 2, "the frame shows it"
    # What was required decides where it is not met.
    assert run_command("balance", "--require", "9999999").returncode == 3


def test_taking_in_what_was_taken_in_before_changes_nothing(tmp_path):
    """Whoever is killed between writing and removing leaves the file, which is read again."""
    path = tmp_path / "log.db"
    write_spill(path, [make_entry(0), make_entry(1)], [COST])
    (file,) = spill_files(tmp_path)
    content = file.read_bytes()
    for _ in range(3):
        BalanceLog(path).write([])
        assert not file.exists()
        file.write_bytes(content)
    assert len(BalanceLog(path).readings()) == 2
    assert BalanceLog(path).costs() == [COST]


def test_many_processes_take_in_the_same_files_once(tmp_path):
    """At the same time, each with a reading of its own."""
    path = tmp_path / "log.db"
    for number in range(20):
        write_spill(path, [make_entry(number)], [])
    code = (
        "import sys; from datetime import UTC, datetime\n"
        "from stability_magic import Balance, BalanceLog\n"
        "BalanceLog(sys.argv[1]).append(Balance('org-b', 1.0, datetime.now(UTC)))\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command) for _ in range(6)]
    assert [each.wait(120) for each in processes] == [0] * 6
    counts = BalanceLog(path).readings()["organization"].value_counts()
    assert counts.to_dict() == {"org-a": 20, "org-b": 6}
    assert not spill_files(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"entries": [], "costs"',
        b'{"entries": [{}], "costs": []}',
        b'{"entries": 5, "costs": []}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_no_spill_blocks_nothing_and_stays(tmp_path, content):
    """It is somebody else's, or still being written."""
    file = tmp_path / "log.db.0123.unlogged"
    file.write_bytes(content)
    log = BalanceLog(tmp_path / "log.db")
    log.append(Balance("org-a", 1.0, NOON))
    assert len(log.readings()) == 1
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        {"credits": float("nan")},
        {"credits": True},
        {"credits": "5"},
        {"read_at": 2**62},
        {"read_at": 1.5},
        {"id": "00"},
        {"organization": ""},
        {"organization": 5},
        {"label": 7},
    ],
)
def test_a_row_that_is_not_valid_is_not_taken_in(tmp_path, change):
    """Whoever can write beside the log cannot make it unreadable."""
    path = tmp_path / "log.db"
    file = write_spill(path, [make_entry(0)], [])
    rows = json.loads(file.read_bytes())
    rows["entries"][0] |= change
    file.write_text(json.dumps(rows))
    write_spill(path, [make_entry(1)], [])
    BalanceLog(path).append(Balance("org-a", 1.0, NOON))
    assert len(BalanceLog(path).readings()) == 2


def test_a_session_that_ends_tries_once_more(api, unusable):
    """And says nothing of what it said before."""
    session = Session(StabilityMagic(), source="magic")
    session.take_readings([None])
    assert "is not an SQLite file" in " ".join(session.take_notes())
    session.close()
    assert not session.take_notes()
    session = Session(StabilityMagic(), source="magic")
    session.take_readings([None])
    session.take_notes()
    unusable.unlink()
    session.close()
    assert not session.take_notes()
    assert len(BalanceLog(unusable).readings()) == 2
    assert not spill_files(unusable.parent)


def test_another_log_that_is_chosen_takes_what_the_first_could_not(api, unusable, tmp_path):
    """It is then in no two logs."""
    session = Session(StabilityMagic(), source="magic")
    session.take_readings([None])
    session.settings.log = str(tmp_path / "other.db")
    session.take_readings([None])
    session.close()
    assert len(BalanceLog(tmp_path / "other.db").readings()) == 2
    assert not spill_files(tmp_path)


def test_a_kernel_that_ends_writes_what_waits(api, unusable):
    """Without being told to: at its end the reason may be over."""
    code = (
        "import os, sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'stability_magic')\n"
        "shell.run_line_magic('stability_balance', '')\n"
        "os.unlink(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(unusable)], check=True, timeout=120)
    assert len(BalanceLog(unusable).readings()) == 1
    assert not spill_files(unusable.parent)


def test_files_that_are_gone_already_are_no_error(tmp_path):
    """Somebody else has taken them in."""
    file = write_spill(tmp_path / "log.db", [make_entry()], [])
    remove_files([file, file])
    assert not file.exists()
