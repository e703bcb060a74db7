"""``stability-magic watch``: real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stability_magic import BalanceLog
from stability_magic._simulator import FAULTS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="for systems with POSIX signals")


@pytest.fixture
def started(api, log_path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended at the end."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for each in processes:
        each.kill()
        each.communicate()


def watch(started: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    """A watch in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stability_magic", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    started.append(process)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(started, log_path, api, number):
    """A line for each reading on standard error, nothing on standard output, exit code 0."""
    process = watch(started, "-a")
    lines = [process.stderr.readline() for _ in api.organizations]
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (out, err) == ("", "")
    assert all(" credits ($" in each and " · next " in each for each in lines)
    assert len(BalanceLog(log_path).readings()) == len(lines)
    assert api.api_key not in "".join(lines)


def test_the_exit_code_tells_that_the_latest_reading_failed(started, api):
    """The line says why."""
    api.fail(FAULTS["500"], path="/user/balance")
    process = watch(started)
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert "HTTP 500" in line or "StatusError" in line


def test_low_credits_are_warned_of_in_a_line(started, monkeypatch):
    """Below the reading that showed it."""
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "1e6")
    process = watch(started)
    reading, warning = process.stderr.readline(), process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert "LOW: under 1,000,000.00" in reading
    assert warning.startswith("WARNING, ")


def test_two_processes_watch_into_one_log(started, log_path):
    """No reading is lost."""
    processes = [watch(started) for _ in range(2)]
    for each in processes:
        each.stderr.readline()
    for each in processes:
        each.send_signal(signal.SIGTERM)
        each.communicate(timeout=30)
    assert BalanceLog(log_path).readings()["source"].tolist() == ["watch", "watch"]


@pytest.mark.parametrize("arguments", [("--every", "0"), ("--every", "1s"), ("--status",)])
def test_wrong_arguments_end_it_with_2(started, api, arguments):
    """At once."""
    process = watch(started, *arguments)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert "error: " in err
    assert not api.requests


def test_without_a_key_it_ends_with_1(started, monkeypatch):
    """In one line."""
    monkeypatch.delenv("STABILITY_API_KEY")
    process = watch(started)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith("SettingsError: ")
    assert err.count("\n") == 1
