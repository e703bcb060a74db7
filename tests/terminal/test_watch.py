"""``stability-magic watch``: real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stability_magic import BalanceLog
from stability_magic.simulator.simulator import FAULTS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="for systems with POSIX signals")


@pytest.fixture
def processes(api, log_path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended after the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for each in processes:
        each.kill()
        each.communicate()


def start_watch(processes: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    """A watch in its own process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stability_magic", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    processes.append(process)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_exit_code_0(processes, log_path, api, number):
    """There is a line for each reading on standard error, and nothing on standard output."""
    process = start_watch(processes, "-a")
    lines = [process.stderr.readline() for _ in api.organizations]
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (out, err) == ("", "")
    assert all(" credits ($" in each and " · next " in each for each in lines)
    assert len(BalanceLog(log_path).readings()) == len(lines)
    assert api.api_key not in "".join(lines)


def test_the_exit_code_tells_that_the_latest_reading_failed(processes, api):
    """The line says why it failed."""
    api.fail(FAULTS["500"], path="/user/balance")
    process = start_watch(processes)
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert "HTTP 500" in line or "StatusError" in line


def test_low_credits_give_a_line_with_a_warning(processes, monkeypatch):
    """Below the line of the reading."""
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "1e6")
    process = start_watch(processes)
    reading, warning = process.stderr.readline(), process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert "LOW: under 1,000,000.00" in reading
    assert warning.startswith("WARNING, ")


def test_two_processes_watch_into_one_log(processes, log_path):
    """No reading is lost."""
    watches = [start_watch(processes) for _ in range(2)]
    for each in watches:
        each.stderr.readline()
    for each in watches:
        each.send_signal(signal.SIGTERM)
        each.communicate(timeout=30)
    assert BalanceLog(log_path).readings()["source"].tolist() == ["watch", "watch"]


@pytest.mark.parametrize("arguments", [("--every", "0"), ("--every", "1s"), ("--status",)])
def test_wrong_arguments_end_it_with_2(processes, api, arguments):
    """At once, before any request."""
    process = start_watch(processes, *arguments)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert "error: " in err
    assert not api.requests


def test_without_a_key_it_ends_with_1(processes, monkeypatch):
    """With one line that says so."""
    monkeypatch.delenv("STABILITY_API_KEY")
    process = start_watch(processes)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith("SettingsError: ")
    assert err.count("\n") == 1
