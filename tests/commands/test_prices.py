"""Prices and estimates: as magics and as commands."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.models import to_microseconds
from stability_magic.terminal.command_line import main

LEFT = 800.0


def run(shell, line: str) -> pd.DataFrame:
    """The frame of a magic; its errors are raised."""
    result = shell.run_cell(line)
    result.raise_error()
    return result.result


def error_of(shell, line: str) -> BaseException:
    """The error that a magic raises."""
    result = shell.run_cell(line)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error


@pytest.fixture
def log(log_path) -> BalanceLog:
    """Ten days in which five credits were spent each hour, up to this minute: 800 are left."""
    log, now = BalanceLog(log_path), datetime.now(UTC) - timedelta(seconds=30)
    balances = (
        Balance("org-one", LEFT + 5.0 * hour, now - timedelta(hours=hour))
        for hour in range(240, -1, -1)
    )
    log.write([entry_from_balance(each, source="library") for each in balances])
    return log


def log_runs(log: BalanceLog, label: str, start: datetime, *costs: float, credits: float) -> None:
    """Logs cells of a minute, two hours apart, each confirmed by a reading half an hour later."""
    entries, cells = [], []
    for number, spent in enumerate(costs):
        begin = start + timedelta(hours=2 * number)
        for minutes, balance in ((0, credits), (1, credits - spent), (31, credits - spent)):
            reading = Balance("org-one", balance, begin + timedelta(minutes=minutes))
            entries.append(entry_from_balance(reading, source="magic"))
        credits -= spent
        first = to_microseconds(begin)
        ids = f"{label[:8]:8}{number:8}".encode()
        minute = first + 60_000_000
        cells.append(Cost("org-one", first, minute, 60.0, spent, True, label, None, ids))
    log.write(entries, costs=cells)


# Prices


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize(
    ("day", "prices"),
    [
        ("2024-12-31", {"ultra": 8, "creative-upscale": 25, "erase": 3, "style-transfer": None}),
        ("2025-07-31", {"ultra": 8, "creative-upscale": 25, "erase": 3, "style-transfer": None}),
        ("2025-08-01", {"ultra": 8, "creative-upscale": 60, "erase": 5, "style-transfer": None}),
        ("2026-11-26", {"ultra": 8, "creative-upscale": 60, "erase": 5, "style-transfer": 8}),
        ("2024-12-30", {"ultra": None}),
    ],
)
def test_the_prices_of_a_day(shell, capsys, day, prices):
    """One row an operation; what is not known is NaN, and named in the line."""
    frame = run(shell, f"%stability_prices --on {day}")
    assert dict(frame.dtypes.astype(str)).keys() == COLUMNS["prices"].keys()
    assert len(frame) == 26
    by_name = frame.set_index("operation")
    for name, credits in prices.items():
        found = by_name["credits"][name]
        assert math.isnan(found) if credits is None else found == credits
        if credits is not None:
            assert by_name["since"][name] <= pd.Timestamp(day, tz="UTC")
            assert "202" in by_name["source"][name]
    line = capsys.readouterr().out.splitlines()[0]
    unknown = frame[frame["credits"].isna()]["operation"]
    assert line.startswith("26 operations ")
    assert ("no price is known for" in line) == bool(len(unknown))


@pytest.mark.usefixtures("log_path")
def test_all_prices_of_one_operation(shell):
    """With the days on which they hold, in the zone of the settings; nobody is asked."""
    run(shell, "%config StabilityMagic.timezone = 'Europe/Berlin'")
    frame = run(shell, "%stability_prices creative-upscale upscale/creative --since all")
    assert frame["credits"].tolist() == [25.0, 60.0]
    assert frame["until"].iloc[0] == frame["since"].iloc[1] == pd.Timestamp("2025-08-01T00+02:00")
    assert frame["until"].isna().tolist() == [False, True]
    assert str(frame["since"].dt.tz) == "Europe/Berlin"
    since = run(shell, "%stability_prices creative-upscale --since 2025-08-01")
    assert since["credits"].tolist() == [60.0]


@pytest.mark.usefixtures("log_path")
def test_prices_of_the_settings_go_first(shell):
    """And are named as their own source."""
    run(shell, "%config StabilityMagic.prices = {'ultra': 7, 'mine': 1.5}")
    frame = run(shell, "%stability_prices").set_index("operation")
    assert frame["credits"][["ultra", "mine"]].tolist() == [7.0, 1.5]
    assert set(frame["source"][["ultra", "mine"]]) == {"StabilityMagic.prices"}
    run(shell, "%config StabilityMagic.prices = {'ultra': [7, 8]}")
    assert isinstance(error_of(shell, "%stability_prices"), SettingsError)


def test_what_was_measured_is_the_median_of_own_exact_cells(shell, log, capsys):
    """Those labelled with one use of the operation, within the days of the price."""
    start = datetime(2026, 10, 20, 8, tzinfo=UTC)
    log_runs(log, "Ultra", start, 8.0, 9.0, 9.0, 24.0, credits=9000.0)
    log_runs(log, "3 ultra", start + timedelta(days=1), 24.0, credits=8900.0)
    log_runs(log, "render", start + timedelta(days=2), 100.0, credits=8800.0)
    log_runs(log, "1 core", start + timedelta(days=3), 3.0, credits=8600.0)
    log_runs(log, "erase", start - timedelta(days=500), 3.0, credits=9900.0)
    frame = run(shell, "%stability_prices").set_index("operation")
    assert frame["measured"]["ultra"] == 9.0
    assert frame["measured"]["core"] == 3.0
    assert frame["measured"].notna().sum() == 2
    line = capsys.readouterr().out.splitlines()[0]
    assert line == "26 operations today · ultra was measured as 9.00"
    then = run(shell, "%stability_prices erase --since all")
    np.testing.assert_array_equal(then["measured"], [3.0, np.nan])


@pytest.mark.usefixtures("log_path")
def test_an_unknown_operation_is_refused(shell):
    """With those that come near."""
    error = error_of(shell, "%stability_prices upscale")
    assert isinstance(error, UsageError)
    assert "fast-upscale, conservative-upscale, creative-upscale" in str(error)


# Estimates


def test_an_estimate_tells_cost_rest_and_days(shell, log, capsys):
    """Row by row in the frame, in all in the line; as the forecast has it."""
    before = run(shell, "%stability_forecast")["empty_at"].iloc[0]
    capsys.readouterr()
    frame = run(shell, "%stability_estimate 20 ultra + 4 creative-upscale")
    line = capsys.readouterr().out.splitlines()[0]
    assert list(frame.columns) == list(COLUMNS["estimate"])
    assert frame["count"].tolist() == [20, 4]
    assert frame["credits"].tolist() == [160.0, 240.0]
    assert frame["usd"].tolist() == pytest.approx([1.6, 2.4])
    assert frame["left"].tolist() == [640.0, 400.0]
    # 400 credits are those of eighty hours.
    assert frame["days_sooner"].iloc[1] == pytest.approx(80 / 24, abs=0.5)
    assert 0.0 < frame["days_sooner"].iloc[0] < frame["days_sooner"].iloc[1]
    days = frame["days_sooner"].iloc[1]
    assert line.startswith(
        "org-one: 20 ultra + 4 creative-upscale cost 400.00 credits ($4.00) · leaves 400.00 of the"
        " 800.00 read "
    )
    assert line.endswith(f" · empty {days:.1f} days sooner")
    run(shell, "%config StabilityMagic.next_operation = '50 ultra'")
    after = run(shell, "%stability_forecast")["empty_at"].iloc[0]
    assert (before - after) / pd.Timedelta(days=1) == pytest.approx(days, abs=0.01)


def test_more_than_is_left_is_not_enough(shell, log, capsys):
    """The frame has less than nothing left."""
    frame = run(shell, "%stability_estimate 1000 ultra")
    assert frame["left"].tolist() == [-7200.0]
    line = capsys.readouterr().out.splitlines()[0]
    assert "NOT ENOUGH: 7,200.00 more than the 800.00 read " in line


def test_a_balance_that_may_be_wrong_is_said_to_be(shell, log, capsys):
    """As in the balance line: a sudden zero."""
    log.append(Balance("org-one", 0.0, datetime.now(UTC)))
    run(shell, "%stability_estimate ultra;")
    out = capsys.readouterr().out
    assert "NOT ENOUGH: 8.00 more than the 0.00 read " in out
    assert "DOUBTFUL: " in out


def test_what_is_not_known_is_said(shell, log, capsys):
    """The rest of the job is a lower bound, and what is left after it is NaN."""
    run(shell, "%config StabilityMagic.prices = {'x': {'credits': 1, 'since': '2090-01-01'}}")
    frame = run(shell, "%stability_estimate 3 ultra + 2 x + 1 core")
    line = capsys.readouterr().out.splitlines()[0]
    assert "cost at least 27.00 credits ($0.27) · no price is known for x" in line
    np.testing.assert_array_equal(frame["credits"], [24.0, np.nan, 3.0])
    np.testing.assert_array_equal(frame["left"], [776.0, np.nan, np.nan])
    assert frame["days_sooner"].iloc[1:].isna().all()
    run(shell, "%stability_estimate 2 x;")
    assert capsys.readouterr().out == "org-one: no price is known for x\n"


def test_without_a_forecast_the_days_are_not_known(shell, log_path, capsys):
    """And the line says why."""
    BalanceLog(log_path).append(Balance("org-one", 100.0, datetime.now(UTC)))
    frame = run(shell, "%stability_estimate ultra")
    assert frame["left"].tolist() == [92.0]
    assert frame["days_sooner"].isna().all()
    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith("empty sooner by how much: too little to tell: 0.0 of 3 days")


@pytest.mark.usefixtures("log_path")
def test_without_readings_the_cost_is_told_all_the_same(shell, capsys):
    """What is left is not known."""
    frame = run(shell, "%stability_estimate 40 ultra + 12 creative-upscale")
    assert frame["credits"].sum() == 1040.0
    assert frame["left"].isna().all()
    assert frame["organization"].isna().all()
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].endswith("($10.40) · what is left after it is not known")
    assert "There are no readings in " in captured.err


def test_each_organization_has_its_rows(shell, log, capsys):
    """All of the log's where none is the default; an unknown one is refused."""
    log.append(Balance("org-two", 10.0, datetime.now(UTC)))
    frame = run(shell, "%stability_estimate ultra + core")
    assert frame["organization"].tolist() == ["org-one", "org-one", "org-two", "org-two"]
    assert frame["left"].iloc[[1, 3]].tolist() == [789.0, -1.0]
    assert len(capsys.readouterr().out.split("org-two: ")) == 2
    only = run(shell, "%stability_estimate 6 core -o org-two")
    assert only["left"].tolist() == [-8.0]
    assert isinstance(error_of(shell, "%stability_estimate ultra -o org-too"), UsageError)


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize(
    "job",
    ["", "''", "0 ultra", "-1 ultra", "1e9 ultra", "ultra ultra", "40 utlra", "3 kg", "5usd", "+"],
)
def test_a_bad_job_is_a_usage_error_and_exit_code_two(shell, capsys, job):
    """In one line, in a notebook and in a terminal."""
    error = error_of(shell, f"%stability_estimate {job}")
    assert isinstance(error, UsageError)
    assert len(str(error).splitlines()) == 1
    capsys.readouterr()
    try:
        code = main(["estimate", *(job.replace("''", " ").split(" ") if job else [])])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.once
def test_a_job_may_be_quoted_or_not(log):
    """The data are exact; the line goes to standard error."""
    outputs = []
    for words in (["20 ultra + 4 creative-upscale"], ["20", "ultra", "+", "4", "creative-upscale"]):
        done = subprocess.run(
            [sys.executable, "-m", "stability_magic", "estimate", *words, "--json"],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )
        rows = json.loads(done.stdout)
        outputs.append([(row["operation"], row["count"], row["left"]) for row in rows])
        assert done.stderr.startswith("org-one: 20 ultra + 4 creative-upscale cost 400.00")
    assert outputs[0] == outputs[1] == [("ultra", 20, 640.0), ("creative-upscale", 4, 400.0)]


@pytest.mark.usefixtures("log_path")
def test_the_price_list_fits_into_a_terminal(capsys, monkeypatch):
    """Whole names, and the sources below."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["prices", "--format", "table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(each.startswith("replace-background-and-relight ") for each in lines) == 1
    assert any("API pricing update, 2025-07-09" in each for each in lines)
    assert len(lines) > 27
