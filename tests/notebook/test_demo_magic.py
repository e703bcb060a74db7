"""``%stability_demo`` in a real shell."""

from __future__ import annotations

import threading

import pandas as pd
import pytest
from IPython.core.error import UsageError

from stability_magic import SettingsError

from .magic_calls import magic_error, run_magic


def test_the_demo_has_its_own_log_and_ends_without_a_trace(
    shell, capsys, log_path, monkeypatch, tmp_path
):
    """Sixty days of readings, no request to the real service, and nothing left behind."""
    threads_before = set(threading.enumerate())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shell.run_cell("%stability_demo").raise_error()
    assert capsys.readouterr().out.startswith("SIMULATED")
    assert len(list(tmp_path.glob("stability-magic-demo-*/demo.db"))) == 1
    frame = run_magic(shell, "%stability_balance --since all")
    assert len(frame) > 200
    assert "(simulated)" in capsys.readouterr().out
    assert frame.index[-1] - frame.index[0] > pd.Timedelta(days=58)
    assert not log_path.exists()
    shell.run_cell("%stability_demo --stop").raise_error()
    assert not list(tmp_path.glob("stability-magic-demo-*"))
    capsys.readouterr()
    shell.run_cell("%stability_demo --stop").raise_error()
    assert capsys.readouterr().out.startswith("no demo is running")
    assert type(magic_error(shell, "%stability_balance")) is SettingsError
    assert set(threading.enumerate()) <= threads_before


@pytest.mark.usefixtures("log_path")
def test_loading_again_says_that_the_demo_has_ended(shell, capsys):
    """What comes next is about the real service."""
    shell.run_cell("%stability_demo").raise_error()
    capsys.readouterr()
    shell.run_cell("%reload_ext stability_magic").raise_error()
    assert "The demo has ended" in capsys.readouterr().err
    shell.run_cell("%reload_ext stability_magic").raise_error()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("log_path")
def test_the_demo_spends_on_request(shell, capsys):
    """So that %%stability_cost can be tried without a key; without a demo it is an error."""
    assert isinstance(magic_error(shell, "%stability_demo --spend 5"), UsageError)
    shell.run_cell("%stability_demo").raise_error()
    credits_before = run_magic(shell, "%stability_balance")["credits"].iloc[-1]
    capsys.readouterr()
    shell.run_cell("%stability_demo --spend 24").raise_error()
    assert capsys.readouterr().out == "SIMULATED: 24.00 credits spent\n"
    assert run_magic(shell, "%stability_balance")["credits"].iloc[-1] <= credits_before - 24
    for amount in ("lots", "-1", "1e9", "nan"):
        assert isinstance(magic_error(shell, f"%stability_demo --spend {amount}"), UsageError)
