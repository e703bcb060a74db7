"""The guard: a notebook or a job stops before the credits run dry."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from IPython.core.error import UsageError
from matplotlib.colors import to_hex

from stability_magic import (
    AuthenticationError,
    BalanceLog,
    LowBalanceError,
    SettingsError,
    StatusError,
    TransportError,
    plot_balance,
    plot_usage,
)
from stability_magic._errors import BadArgument
from stability_magic._guard import required_credits
from stability_magic._simulator import FAULTS, Fault

from ._support import assert_is_told_well

pytestmark = pytest.mark.usefixtures("log_path")


def balances(api, *credits: float) -> None:
    """Hands these balances out to the next that ask."""
    for each in credits:
        body = json.dumps({"credits": each}).encode()
        api.fail(Fault(200, body), path="/user/balance")


def outcome(shell, line: str) -> BaseException | None:
    """What a magic raises; None when it raises nothing."""
    result = shell.run_cell(f"{line};")
    return result.error_in_exec or result.error_before_exec


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same as a process."""
    return subprocess.run(
        [sys.executable, "-m", "stability_magic", "balance", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=os.environ,
    )


@pytest.mark.parametrize(
    "required", ["500", "5usd", "5USD", "'5 usd'", "499.999", "0", "500credits"]
)
def test_enough_is_enough(shell, api, required):
    """Exactly as much among it; in credits or in dollars."""
    balances(api, 500.0)
    assert outcome(shell, f"%stability_balance --require {required}") is None


@pytest.mark.parametrize(("required", "credits"), [("500.01", 500.01), ("6usd", 600.0)])
def test_less_than_required_raises_after_it_was_logged(
    shell, api, capsys, log_path, required, credits
):
    """With what is left and what was required, in one line, after the reading was logged."""
    balances(api, 500.0)
    error = outcome(shell, f"%stability_balance --require {required}")
    assert isinstance(error, LowBalanceError)
    assert (error.credits, error.required) == (500.0, pytest.approx(credits))
    assert_is_told_well(error)
    shown = capsys.readouterr()
    assert shown.out.startswith("Fernhill Studio (simulated): 500.00 credits")
    assert shown.out.splitlines()[-1].startswith("LowBalanceError: ")
    assert BalanceLog(log_path).readings()["credits"].tolist() == [500.0]


def test_one_low_organization_is_enough_to_stop(shell, api):
    """Also where another one cannot be read."""
    balances(api, 900.0, 40.0)
    api.fail(FAULTS["500"], path="/user/balance")
    error = outcome(shell, "%stability_balance -a --require 500")
    assert isinstance(error, LowBalanceError)
    assert error.credits == 40.0


@pytest.mark.parametrize("required", ["lots", "''", "-5", "nan", "inf", "1e3", "5eur", "9" * 400])
def test_what_is_no_amount_is_refused_before_anything_is_asked(shell, api, required):
    """A guard that was mistyped must not let a job start."""
    assert isinstance(outcome(shell, f"%stability_balance --require {required}"), UsageError)
    assert not api.requests


def test_dollars_need_a_price():
    """Nothing can be divided by nothing."""
    assert required_credits("5usd", 0.02) == 250
    with pytest.raises(BadArgument, match="usd_per_credit"):
        required_credits("5usd", 0.0)


def test_a_balance_that_cannot_be_read_is_never_enough(shell, api, monkeypatch, capsys):
    """It is an error of its own kind, and only a warning for who asks for that."""
    line = "%stability_balance --require 1"

    def both(kind: type[Exception]) -> None:
        assert isinstance(outcome(shell, line), kind)
        capsys.readouterr()
        assert outcome(shell, f"{line} --fail-open") is None
        shown = capsys.readouterr()
        assert f"{kind.__name__}: " in shown.err
        assert "without knowing what is left" in shown.err
        assert shown.err.count("\n") == 1

    for _ in range(2):
        api.fail(FAULTS["500"], path="/user/balance")
    both(StatusError)
    api.stop()
    both(TransportError)
    api.start()
    monkeypatch.setenv("STABILITY_API_KEY", "sk-another")
    both(AuthenticationError)
    monkeypatch.delenv("STABILITY_API_KEY")
    both(SettingsError)


def test_failing_open_lets_no_low_balance_through(shell, api):
    """It is about what is not known; and without a requirement it means nothing."""
    balances(api, 5.0)
    line = "%stability_balance --require 500 --fail-open"
    assert isinstance(outcome(shell, line), LowBalanceError)
    assert isinstance(outcome(shell, "%stability_balance --fail-open"), UsageError)
    assert isinstance(outcome(shell, "%stability_balance --require x --fail-open"), UsageError)


def test_the_exit_code_tells(api):
    """0 enough, 1 not known, 2 mistyped, 3 too little; the data are there with 3 too."""
    assert command("--require", "1").returncode == 0
    low = command("--require", "1000000")
    assert low.returncode == 3
    assert low.stderr.splitlines()[-1].startswith("LowBalanceError: ")
    assert low.stdout.startswith("read_at,")
    assert command("--require", "much").returncode == 2
    assert command("--fail-open").returncode == 2
    api.stop()
    assert command("--require", "1").returncode == 1
    assert command("--require", "1", "--fail-open").returncode == 0


def readings(**latest: float) -> pd.DataFrame:
    """Two days of hourly readings of organizations that end at these balances."""
    index = pd.date_range("2026-11-01", periods=48, freq="h", tz="UTC")
    frames = [
        pd.DataFrame({"organization": name, "credits": last + np.arange(47.0, -1, -1)}, index=index)
        for name, last in latest.items()
    ]
    return pd.concat(frames)


def level(axes) -> list[float]:
    """Where lines of a warning's colour are drawn."""
    return [each.get_ydata()[0] for each in axes.lines if to_hex(each.get_color()) == "#c62828"]


def legend(axes) -> list[str]:
    """What the legend says."""
    return [each.get_text() for each in axes.get_legend().get_texts()] if axes.get_legend() else []


def test_a_picture_says_that_a_balance_is_low():
    """With a line at the level, and whose it is where there are several."""
    axes = plot_usage(readings(one=80.0), low_balance=100.0).axes[0]
    assert level(axes) == [100.0]
    assert "LOW: under 100" in legend(axes)
    axes = plot_usage(readings(one=80.0, two=400.0), low_balance=100.0).axes[0]
    assert "LOW: under 100 (one)" in legend(axes)


def test_a_picture_of_enough_says_nothing():
    """At the level is not under it."""
    for picture in (
        plot_usage(readings(one=100.0), low_balance=100.0).axes[0],
        plot_usage(readings(one=80.0)).axes[0],
        plot_balance(readings(one=100.0), low_balance=None),
    ):
        assert level(picture) == []
        assert not [each for each in legend(picture) if "LOW" in each]


def test_a_level_far_above_does_not_press_the_balance_flat():
    """The legend says it then."""
    axes = plot_usage(readings(one=80.0), low_balance=1e6).axes[0]
    assert axes.get_ylim()[1] < 200
    assert "LOW: under 1,000,000" in legend(axes)


def test_the_plot_takes_the_level_of_the_settings(shell, api):
    """As the lines do."""
    balances(api, 400.0)
    shell.run_cell("%config StabilityMagic.low_balance = 500").raise_error()
    shell.run_cell("%stability_balance;").raise_error()
    result = shell.run_cell("%stability_plot --since 1h")
    assert "LOW: under 500" in legend(result.result.axes[0])
