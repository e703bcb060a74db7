"""The guard: a notebook or a job stops before the balance is empty."""

from __future__ import annotations

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
from stability_magic.errors import BadArgument
from stability_magic.session.guard import parse_amount
from stability_magic.simulator.simulator import FAULTS

from ..helpers.errors import assert_is_clear_error
from .service import answer_with_balances

pytestmark = pytest.mark.usefixtures("log_path")


def magic_error(shell, line: str) -> BaseException | None:
    """The error that a magic raises; None if it succeeds."""
    result = shell.run_cell(f"{line};")
    return result.error_in_exec or result.error_before_exec


def run_balance(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``stability-magic balance`` in a process."""
    return subprocess.run(
        [sys.executable, "-m", "stability_magic", "balance", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=os.environ,
    )


@pytest.mark.parametrize(
    "required",
    [
        "500",
        "5usd",
        "5USD",
        "'5 usd'",
        "$5",
        "'$5'",
        "$4.99",
        "499.999",
        "0",
        "500credits",
        "'62 ultra'",
        "erase",
    ],
)
def test_enough_is_enough(shell, api, required):
    """Even exactly as much as is required, in credits or in dollars."""
    answer_with_balances(api, 500.0)
    assert magic_error(shell, f"%stability_balance --require {required}") is None


@pytest.mark.parametrize(
    ("required", "credits"),
    [("500.01", 500.01), ("6usd", 600.0), ("$6", 600.0), ("'60 ultra + 8 core'", 504.0)],
)
def test_less_than_required_raises_after_it_was_logged(
    shell, api, capsys, log_path, required, credits
):
    """In one line with what is left and what is required; nothing else repeats the balance."""
    answer_with_balances(api, 500.0)
    error = magic_error(shell, f"%stability_balance --require {required}")
    assert isinstance(error, LowBalanceError)
    assert (error.credits, error.required) == (500.0, pytest.approx(credits))
    assert_is_clear_error(error)
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    assert line.startswith("LowBalanceError: Fernhill Studio (simulated) has 500.00 credits")
    assert BalanceLog(log_path).readings()["credits"].tolist() == [500.0]


def test_one_low_organization_is_enough_to_stop(shell, api):
    """Even if another one cannot be read."""
    answer_with_balances(api, 900.0, 40.0)
    api.fail(FAULTS["500"], path="/user/balance")
    error = magic_error(shell, "%stability_balance -a --require 500")
    assert isinstance(error, LowBalanceError)
    assert error.credits == 40.0


@pytest.mark.parametrize(
    "required",
    [
        "lots",
        "''",
        "-5",
        "$",
        "$5credits",
        "nan",
        "inf",
        "1e3",
        "5eur",
        "9" * 400,
        "'0 ultra'",
        "'1e9 ultra'",
        "'ultra ultra'",
        "utlra",
        "'3 kg'",
    ],
)
def test_an_invalid_amount_is_refused_before_any_request(shell, api, required):
    """A mistyped guard must not let a job start."""
    assert isinstance(magic_error(shell, f"%stability_balance --require {required}"), UsageError)
    assert not api.requests


def test_a_job_is_named_in_the_error(shell, api):
    """And one of unknown price is refused, before anything is asked."""
    answer_with_balances(api, 40.0)
    error = magic_error(shell, "%stability_balance --require '6 ultra'")
    assert isinstance(error, LowBalanceError)
    assert error.required == 48.0
    assert "and 48.00 are required for 6 ultra. Top up" in str(error)
    count = len(api.requests)
    shell.run_cell("%config StabilityMagic.prices = {'x': {'credits': 1, 'since': '2090-01-01'}}")
    error = magic_error(shell, "%stability_balance --require '1 ultra + 1 x'")
    assert isinstance(error, UsageError)
    assert "no price is known for x" in str(error)
    assert len(api.requests) == count


def test_a_job_without_quotes_is_refused_with_advice(shell, api):
    """Its second word is no argument."""
    error = magic_error(shell, "%stability_balance --require 6 ultra")
    assert isinstance(error, UsageError)
    assert "ultra; words that belong together need quotes" in str(error)
    assert not api.requests


def test_dollars_need_a_price():
    """They are divided by it."""
    assert parse_amount("5usd", 0.02) == 250
    assert parse_amount("$5", 0.02) == 250
    with pytest.raises(BadArgument, match="usd_per_credit"):
        parse_amount("5usd", 0.0)


def test_a_balance_that_cannot_be_read_is_never_enough(shell, api, monkeypatch, capsys):
    """It is an error of its own class, or a warning with --fail-open."""
    line = "%stability_balance --require 1"

    def assert_fails_unless_open(error_class: type[Exception]) -> None:
        assert isinstance(magic_error(shell, line), error_class)
        capsys.readouterr()
        assert magic_error(shell, f"{line} --fail-open") is None
        captured = capsys.readouterr()
        assert f"{error_class.__name__}: " in captured.err
        assert "without knowing what is left" in captured.err
        assert captured.err.count("\n") == 1

    for _ in range(2):
        api.fail(FAULTS["500"], path="/user/balance")
    assert_fails_unless_open(StatusError)
    api.stop()
    assert_fails_unless_open(TransportError)
    api.start()
    monkeypatch.setenv("STABILITY_API_KEY", "sk-another")
    assert_fails_unless_open(AuthenticationError)
    monkeypatch.delenv("STABILITY_API_KEY")
    assert_fails_unless_open(SettingsError)


def test_failing_open_lets_no_low_balance_through(shell, api):
    """It concerns unknown balances only, and is refused without a requirement."""
    answer_with_balances(api, 5.0)
    line = "%stability_balance --require 500 --fail-open"
    assert isinstance(magic_error(shell, line), LowBalanceError)
    assert isinstance(magic_error(shell, "%stability_balance --fail-open"), UsageError)
    assert isinstance(magic_error(shell, "%stability_balance --require x --fail-open"), UsageError)


def test_the_exit_code_tells_the_result(api):
    """0 enough, 1 unknown, 2 mistyped, 3 too little; with 3 the data are printed too."""
    assert run_balance("--require", "1").returncode == 0
    low = run_balance("--require", "1000000")
    assert low.returncode == 3
    assert low.stderr.splitlines()[-1].startswith("LowBalanceError: ")
    assert low.stdout.startswith("read_at,")
    assert run_balance("--require", "much").returncode == 2
    assert run_balance("--fail-open").returncode == 2
    api.stop()
    assert run_balance("--require", "1").returncode == 1
    assert run_balance("--require", "1", "--fail-open").returncode == 0


def readings_ending_at(**last_balances: float) -> pd.DataFrame:
    """Two days of hourly readings of organizations, ending at these balances."""
    index = pd.date_range("2026-11-01", periods=48, freq="h", tz="UTC")
    frames = [
        pd.DataFrame({"organization": name, "credits": last + np.arange(47.0, -1, -1)}, index=index)
        for name, last in last_balances.items()
    ]
    return pd.concat(frames)


def warning_levels(axes) -> list[float]:
    """The heights of the lines in the colour of a warning."""
    return [each.get_ydata()[0] for each in axes.lines if to_hex(each.get_color()) == "#db3a34"]


def test_a_picture_says_that_a_balance_is_low():
    """With a line at the level, and first of all in its title."""
    figure = plot_usage(readings_ending_at(one=80.0), low_balance=100.0)
    assert warning_levels(figure.axes[0]) == [100.0]
    assert figure.texts[0].get_text().startswith("one: LOW, 80.00 credits ($0.80) left")
    assert "under the low balance of 100 ($1)" in figure.texts[1].get_text()


def test_a_picture_of_enough_credits_has_no_warning():
    """A balance at the level is not under it."""
    for figure in (
        plot_usage(readings_ending_at(one=100.0), low_balance=100.0),
        plot_usage(readings_ending_at(one=80.0)),
        plot_balance(readings_ending_at(one=100.0), low_balance=None).figure,
    ):
        assert warning_levels(figure.axes[0]) == []
        assert not [each for each in figure.texts if "LOW" in each.get_text()]


def test_a_level_far_above_does_not_flatten_the_balance():
    """Only the words show it then."""
    figure = plot_usage(readings_ending_at(one=80.0), low_balance=1e6)
    assert figure.axes[0].get_ylim()[1] < 200
    assert "under the low balance of 1,000,000 ($10,000)" in figure.texts[1].get_text()


def test_the_plot_takes_the_level_of_the_settings(shell, api):
    """As the lines above the frames do."""
    answer_with_balances(api, 400.0)
    shell.run_cell("%config StabilityMagic.low_balance = 500").raise_error()
    shell.run_cell("%stability_balance;").raise_error()
    result = shell.run_cell("%stability_plot --since 1h")
    assert "LOW, 400 credits" in result.result.texts[0].get_text()
