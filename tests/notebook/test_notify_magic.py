"""``%stability_notify``, and magics that tell, in a real shell."""

from __future__ import annotations

import os
import threading
import time

import pytest
from IPython.core.error import UsageError

from stability_magic import SettingsError

from ..session.recorders import Recorder
from ..session.service import answer_with_balances

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="its commands are those of POSIX"),
    pytest.mark.usefixtures("log_path"),
]


@pytest.fixture
def recorder(shell, tmp_path) -> Recorder:
    """A command that a notebook has set."""
    recorder = Recorder(tmp_path / "told.jsonl")
    shell.run_cell(f"%config StabilityMagic.notify = {recorder.command!r}").raise_error()
    return recorder


def test_the_magic_lists_and_tries_the_channels(shell, recorder, capsys):
    """It returns nothing, and stops Run All where a channel is dead."""
    shell.run_cell("nothing = %stability_notify").raise_error()
    shell.run_cell("%stability_notify --test").raise_error()
    assert shell.user_ns["nothing"] is None
    assert capsys.readouterr().out.splitlines() == [
        "1. the command tee",
        "1. the command tee: delivered",
    ]
    assert recorder.events() == ["test"]
    shell.run_cell("%config StabilityMagic.notify = ['false']")
    result = shell.run_cell("%stability_notify --test")
    assert isinstance(result.error_in_exec, SettingsError)
    output = capsys.readouterr().out
    assert "1. the command false: not delivered: it ended with exit code 1" in output
    assert "check StabilityMagic.notify." in output
    assert "None" not in output
    result = shell.run_cell("%stability_notify --test --digest daily")
    assert isinstance(result.error_in_exec, UsageError)


def test_a_reading_tells_and_a_dead_channel_is_told_with_a_later_one(shell, api, recorder, capsys):
    """A notebook does not wait for it."""
    shell.run_cell("%config StabilityMagic.low_balance = 500").raise_error()
    answer_with_balances(api, 400.0, 700.0, 300.0, 300.0, 300.0)
    shell.run_cell("%stability_balance;").raise_error()
    assert recorder.wait_for(1) == ["low_balance"]
    shell.run_cell("%config StabilityMagic.notify = ['false']")
    for _ in range(3):
        shell.run_cell("%stability_balance;").raise_error()
        wait_for_messages()
    shell.run_cell("%stability_balance;").raise_error()
    assert capsys.readouterr().err.count("No message can be sent to the command false") == 1


def test_the_demo_tells_nobody(shell, recorder, capsys):
    """Its figures are made up."""
    shell.run_cell("%config StabilityMagic.low_balance = 999999").raise_error()
    shell.run_cell("%stability_demo").raise_error()
    shell.run_cell("%stability_balance;").raise_error()
    result = shell.run_cell("%stability_notify --digest daily")
    assert "run %stability_demo --stop first" in str(result.error_in_exec)
    shell.run_cell("%stability_demo --stop").raise_error()
    wait_for_messages()
    assert recorder.events() == []


def wait_for_messages() -> None:
    """Waits until nothing more is on its way."""
    end = time.monotonic() + 60
    while any(each.name == "stability_notify" for each in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)
