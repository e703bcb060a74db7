"""``stability-magic notify``, and commands that tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from stability_magic import BalanceLog
from stability_magic.terminal.command_line import main

from ..session.recorders import Recorder
from ..session.service import answer_with_balances

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="its commands are those of POSIX"),
    pytest.mark.usefixtures("log_path"),
]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A command that the environment says is told."""
    recorder = Recorder(tmp_path / "told.jsonl")
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", json.dumps(recorder.command))
    return recorder


class Done(NamedTuple):
    """What became of a command."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process."""

    def run(*arguments: str) -> Done:
        try:
            code = main(list(arguments))
        except SystemExit as error:
            code = int(error.code or 0)
        return Done(code, *capsys.readouterr())

    return run


def test_each_channel_is_tried(run, recorder, monkeypatch):
    """One that fails makes the exit code 1."""
    done = run("notify", "--test")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1. the command tee: delivered\n"
    assert recorder.events() == ["test"]
    channels = [recorder.command, ["false"], ["no-such-program", "my-token"]]
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", json.dumps(channels))
    done = run("notify", "--test")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "1. the command tee: delivered",
        "2. the command false: not delivered: it ended with exit code 1",
        "3. the command no-such-program: not delivered: there is no such program, or it may not be"
        " run",
        "SettingsError: 2 of 3 channels did not take the message; check STABILITY_MAGIC_NOTIFY.",
    ]
    assert run("notify").stderr.splitlines()[2] == "3. the command no-such-program"


@pytest.mark.parametrize(
    ("value", "arguments", "code", "told"),
    [
        ("", (), 1, "SettingsError: Nobody is told: STABILITY_MAGIC_NOTIFY is not set. Set it to"),
        ("", ("--test",), 1, "SettingsError: Nobody is told"),
        ("tell me", ("--test",), 1, "SettingsError: STABILITY_MAGIC_NOTIFY cannot be used: it is"),
        ('["true"]', ("--digest", "dayly"), 2, "did you mean daily?"),
        ('["true"]', ("--digest", "daily", "--test"), 2, "use one"),
        ('["true"]', ("--json",), 2, "notify writes no table"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(run, monkeypatch, value, arguments, code, told):
    """In one line."""
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", value)
    done = run("notify", *arguments)
    assert done.returncode == code
    assert told in done.stderr.splitlines()[-1]


def test_a_digest_is_sent_once_for_each_day(run, recorder, api, monkeypatch):
    """One that no channel took can be sent again; without readings there is none."""
    done = run("notify", "--digest", "daily")
    assert done.returncode == 0
    assert "There are no readings to tell of yet" in done.stderr
    run("balance")
    working = os.environ["STABILITY_MAGIC_NOTIFY"]
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", '["false"]')
    assert run("notify", "--digest", "daily").returncode == 1
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", working)
    assert run("notify", "--digest", "daily").stderr == "1. the command tee: delivered\n"
    again = run("notify", "--digest", "daily")
    assert again.returncode == 0
    assert " was sent before" in again.stderr
    assert run("notify", "--digest", "weekly").returncode == 0
    assert recorder.events() == ["digest_daily", "digest_weekly"]
    daily, weekly = recorder.messages()
    assert "what was spent yesterday is not known" in daily["text"]
    (figures,) = daily["organizations"]
    assert figures["spent"] is None
    assert figures["empty_at"] is None
    assert figures["credits"] > 0
    assert " to Sun " in weekly["period"]


def test_a_reading_tells_before_the_command_ends(run, recorder, api, log_path, monkeypatch):
    """And one whose channel is dead says so, and is a reading all the same."""
    answer_with_balances(api, 100.0, 100.0)
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "500")
    assert run("balance").returncode == 0
    assert recorder.events() == ["low_balance"]
    # Another level is told anew.
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "400")
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", '["false"]')
    done = run("balance", "--require", "50")
    assert done.returncode == 0
    assert done.stderr.count("No message can be sent to the command false: it ended with") == 1
    assert len(BalanceLog(log_path).readings()) == 2


@pytest.mark.once
def test_two_watches_tell_once(run, recorder, api, log_path, monkeypatch):
    """Each in its process; a third one, started later, does not repeat it."""
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "999999")
    watches = []
    try:
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "-m", "stability_magic", "watch", "-o", "org-sim-studio"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
            watches.append(process)
        for each in watches:
            assert "LOW" in each.stderr.readline()
        assert recorder.wait_for(1) == ["low_balance"]
        for each in watches:
            each.send_signal(signal.SIGTERM)
            each.communicate(timeout=30)
            assert each.returncode == 0
    finally:
        for each in watches:
            each.kill()
    run("balance", "-o", "org-sim-studio")
    assert recorder.events() == ["low_balance"]
