"""Where a log is: absolute from the beginning, and always a file."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic

from ..helpers.errors import assert_is_clear_error

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NO_FILES = [
    ":memory:",
    ":MEMORY:",
    ":memory:?cache=shared",
    "file:credits.db",
    "file:credits.db?mode=ro",
    "file::memory:?cache=shared",
    "file:///tmp/credits.db",
    "sqlite:///credits.db",
    "sqlite:credits.db",
    "sqlite3:credits.db",
    "postgresql://me:hunter2hunter2@host/db",
    "postgres://host",
    "https://example.org/log.db",
    " ",
    "\t",
]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders, the first of which is the current one."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "first")
    return tmp_path / "first", tmp_path / "second"


@pytest.mark.parametrize("make_path", [str, Path])
def test_a_log_stays_where_it_is_when_the_folder_changes(folders, make_path):
    """A relative path means the folder at the time when the log is named."""
    first, second = folders
    log = BalanceLog(make_path("data/credits.db"))
    assert log.path == first / "data" / "credits.db"
    log.append(Balance("org-a", 1.0, NOON))
    os.chdir(second)
    log.append(Balance("org-a", 2.0, NOON))
    assert len(log.readings()) == 2
    assert list(second.iterdir()) == []


@pytest.mark.parametrize("kind", ["environment", "setting", "later setting"])
def test_the_settings_log_stays_too(folders, monkeypatch, kind):
    """From when it is set, or from when the settings are made."""
    first, second = folders
    if kind == "environment":
        monkeypatch.setenv("STABILITY_MAGIC_LOG", "credits.db")
    settings = StabilityMagic(log="credits.db") if kind == "setting" else StabilityMagic()
    if kind == "later setting":
        settings.log = "credits.db"
    os.chdir(second)
    assert settings.log_path() == first / "credits.db"
    settings.log = "other.db"
    os.chdir(first)
    assert settings.log_path() == second / "other.db"
    settings.log = str(first / "absolute.db")
    assert settings.log_path() == first / "absolute.db"


def test_a_session_logs_into_one_file(folders, api, monkeypatch, shell):
    """A notebook may change its folder between two readings."""
    first, second = folders
    monkeypatch.setenv("STABILITY_MAGIC_LOG", "credits.db")
    shell.run_cell("%stability_balance").raise_error()
    shell.run_cell(f"import os; os.chdir({str(second)!r})").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    assert len(BalanceLog(first / "credits.db").readings()) == 2
    assert list(second.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is Linux's")
def test_a_relative_data_folder_stays(folders, monkeypatch):
    """It comes from the environment as well."""
    _, second = folders
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    settings = StabilityMagic()
    path = settings.log_path()
    assert path.is_absolute()
    os.chdir(second)
    assert settings.log_path() == path


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_refused_in_one_sentence(name, api, monkeypatch):
    """By the class at once, and by a session before anything is sent."""
    with pytest.raises(SettingsError) as caught:
        BalanceLog(name)
    assert_is_clear_error(caught.value)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("STABILITY_MAGIC_LOG", name)
    session = Session(StabilityMagic(), source="magic")
    with pytest.raises(SettingsError) as caught, session.command():
        session.take_readings([None])
    assert_is_clear_error(caught.value)
    assert not api.requests
    session.close()
    assert not Path(name).is_file()


def test_an_empty_name_is_no_log():
    """It would be the current folder."""
    with pytest.raises(SettingsError, match="empty name"):
        BalanceLog("")


@pytest.mark.skipif(os.name == "nt", reason="a colon has another meaning there")
@pytest.mark.parametrize("name", ["notes: 2026.db", "a:b.db", "12:30.db", "x:/y.db"])
def test_a_file_may_have_a_colon_in_its_name(folders, name):
    """Not everything with a colon is a URL."""
    assert BalanceLog(name).path == folders[0] / name


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the current folder")
def test_a_folder_that_is_gone_is_told(tmp_path, monkeypatch):
    """Nobody knows then what a relative path means."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SettingsError, match="the current folder is gone") as caught:
        BalanceLog("credits.db")
    assert_is_clear_error(caught.value)
    assert BalanceLog(tmp_path / "log.db").path == tmp_path / "log.db"
