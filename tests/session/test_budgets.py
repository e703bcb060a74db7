"""Budgets as people set, see and check them, in notebooks and on the command line."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, BudgetError, LogError
from stability_magic.analysis.budgets import BudgetChange
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.models import to_microseconds
from stability_magic.session.budgets import change_budget
from stability_magic.session.session import Session
from stability_magic.session.watch import Watch
from stability_magic.settings import StabilityMagic
from stability_magic.terminal.command_line import main

from ..helpers.errors import assert_is_clear_error
from ..notebook.magic_calls import magic_error, run_magic
from .service import answer_with_balances

pytestmark = pytest.mark.usefixtures("log_path")

ORGANIZATIONS = ("org-1", "org-2")


def write_log(path, *, organizations=ORGANIZATIONS, per_hour=10.0, hours=5 * 24, zone=UTC):
    """Readings each hour up to now; what was spent in a period depends on when it is now."""
    log = BalanceLog(path, timezone=zone)
    now = datetime.now(UTC)
    log.write(
        entry_from_balance(Balance(each, 50_000.0 - per_hour * n, now - timedelta(hours=hours - n)))
        for each in organizations
        for n in range(hours + 1)
    )
    return log


@pytest.fixture
def log(log_path) -> BalanceLog:
    """Five days of readings of two organizations."""
    return write_log(log_path)


def budget_rows(capsys, *arguments):
    """What ``stability-magic budget --json`` writes, and the exit code."""
    capsys.readouterr()
    code = main(["budget", "--json", *arguments])
    return json.loads(capsys.readouterr().out), code


@pytest.mark.parametrize(
    ("amount", "credits"),
    [("500", 500.0), ("20usd", 2000.0), ("$20", 2000.0), ("'$ 2.50'", 250.0), ("5credits", 5.0)],
)
def test_a_budget_is_kept_in_the_log(log, shell, capsys, amount, credits):
    """In credits, or in dollars, which IPython must not take for a variable."""
    frame = run_magic(shell, f"%stability_budget {amount} --every month -o org-1")
    assert frame["budget"].tolist() == [credits]
    assert frame["every"].tolist() == ["month"]
    (change,) = log.budgets()
    assert (change.organization, change.credits) == ("org-1", credits)
    assert "for each month" in capsys.readouterr().out


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_what_was_spent_is_what_usage_tells(log, capsys, every, monkeypatch):
    """The command of that name, for the same period; also in a zone whose clocks change."""
    for zone in ("UTC", "Europe/Berlin", "Australia/Lord_Howe"):
        monkeypatch.setenv("TZ", zone)
        (row,), code = budget_rows(capsys, "500", "--every", every, "-o", "org-1")
        assert code == 0
        main(["usage", "--by", every, "-o", "org-1", "--json"])
        rows = json.loads(capsys.readouterr().out)
        (last,) = (each for each in rows if each["period"] == row["period"])
        for mine, theirs in (("spent", "spent"), ("usd", "usd"), ("estimated", "estimated")):
            assert row[mine] == pytest.approx(last[theirs], abs=1e-9)
        assert row["left"] == pytest.approx(500.0 - last["spent"])
        assert row["projected"] >= row["spent"]


def test_changing_it_keeps_what_was(log, shell, capsys):
    """The same again is no change; a line says what it was before."""
    for amount in (500, 500, 700):
        run_magic(shell, f"%stability_budget {amount} --every week -o org-1")
    first, _, second, _, third, *_ = capsys.readouterr().out.splitlines()
    assert first == "org-1: a budget of 500.00 credits ($5.00) for each week"
    assert second.endswith(", as before")
    assert third.endswith("; before it was 500.00")
    assert sorted(each.credits for each in log.budgets()) == [500.0, 700.0]
    assert run_magic(shell, "%stability_budget -o org-1")["budget"].tolist() == [700.0]


def test_a_clock_that_was_ahead_does_not_win_for_ever(log, shell):
    """What is said last holds, also after a change with the time of tomorrow."""
    tomorrow = to_microseconds(datetime.now(UTC) + timedelta(days=1))
    log.write([], budgets=[BudgetChange("org-1", "week", tomorrow, 5.0, bytes(16))])
    run_magic(shell, "%stability_budget 700 --every week -o org-1")
    assert run_magic(shell, "%stability_budget -o org-1")["budget"].tolist() == [700.0]
    session = Session(StabilityMagic(), source="magic")
    with session.command():
        now = datetime.now(UTC)
        before = change_budget(session.journal, "org-1", "week", None, now)
    assert before.credits == 700.0
    assert run_magic(shell, "%stability_budget -o org-1").empty


def test_each_period_and_organization_has_its_own(log, shell, capsys):
    """Without saying whose, it is the organization of the settings, or the key's."""
    for line in ("50 --every day -o org-1", "500 --every week -o org-1", "70 --every day -o org-2"):
        run_magic(shell, f"%stability_budget {line}")
    both = run_magic(shell, "%stability_budget -a")
    assert list(zip(both["organization"], both["every"], both["budget"], strict=True)) == [
        ("org-1", "day", 50.0),
        ("org-1", "week", 500.0),
        ("org-2", "day", 70.0),
    ]
    assert len(run_magic(shell, "%stability_budget -a --every day")) == 2
    run_magic(shell, "%config StabilityMagic.organization = 'org-2'")
    assert run_magic(shell, "%stability_budget")["budget"].tolist() == [70.0]
    run_magic(shell, "%stability_budget 80 --every day")
    assert run_magic(shell, "%stability_budget")["budget"].tolist() == [80.0]


def test_it_can_be_removed(log, shell, capsys):
    """Which one need not be said where there is one."""
    run_magic(shell, "%stability_budget 500 --every week -o org-1")
    run_magic(shell, "%stability_budget 50 --every day -o org-1")
    error = magic_error(shell, "%stability_budget --remove -o org-1")
    assert isinstance(error, UsageError)
    assert "--every day or week" in str(error)
    run_magic(shell, "%stability_budget --remove --every day -o org-1")
    assert run_magic(shell, "%stability_budget --remove -o org-1").empty
    assert "the budget for each week is removed; it was 500.00" in capsys.readouterr().out
    assert "has no budget to remove" in str(
        magic_error(shell, "%stability_budget --remove -o org-1")
    )
    assert len(log.budgets()) == 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 --every week", "more than 0"),
        ("0 --every week", "--remove"),
        ("0.000 --every week", "--remove"),
        ("-5 --every week", "--remove"),
        ("nan --every week", "no amount of credits"),
        ("inf --every week", "no amount of credits"),
        ("lots --every week", "no amount of credits"),
        ("1e9 --every week", "no amount of credits"),
        ("'' --every week", "no amount of credits"),
        ("'$' --every week", "no amount of credits"),
        ("$5credits --every week", "no amount of credits"),
        ("9" * 400 + " --every week", "no amount of credits"),
        ("500 --every fortnight", "choose from day, week, month"),
        ("500 --every hour", "choose from day, week, month"),
        ("500 --every wek", "did you mean week?"),
        ("500", "--every day, week or month"),
        ("500 --every week --remove", "leave out the amount, or --remove"),
        ("500 --every week -a", "-o ID"),
        ("500 --every week --local", "--local"),
        ("-a -o org-1", "leave out -o, or -a"),
        ("500 --every week -o org-3", "no organization 'org-3'"),
        ("-o org-3", "no organization 'org-3'"),
        ("--check", "no budget to check"),
        ("500 600 --every week", "unrecognized arguments"),
    ],
)
def test_what_is_no_budget_is_refused(log, shell, capsys, line, reason):
    """In one line, as a wrong argument; the log stays as it is."""
    owner = "" if "-o" in line or "-a" in line else " -o org-1"
    error = magic_error(shell, f"%stability_budget {line}{owner}")
    assert isinstance(error, UsageError)
    assert len(str(error).splitlines()) == 1
    assert reason in str(error)
    assert log.budgets() == []


def test_a_budget_nobody_reaches_is_one(log, capsys):
    """A number that is too long for a table is still right for programs."""
    (row,), code = budget_rows(capsys, "1000000000", "--every", "week", "-o", "org-1", "--check")
    assert code == 0
    assert row["budget"] == 1e9
    assert row["share"] < 1e-4


def test_dollars_without_a_price_are_refused(log, shell):
    """They cannot be told in credits."""
    run_magic(shell, "%config StabilityMagic.usd_per_credit = 0.0")
    error = magic_error(shell, "%stability_budget $20 --every week -o org-1")
    assert "usd_per_credit is 0" in str(error)
    run_magic(shell, "%stability_budget 20 --every week -o org-1")


def test_whose_budget_it_is_must_be_known(log, log_path, shell):
    """With several organizations and no key, the line lists them; without any, it says so."""
    error = magic_error(shell, "%stability_budget 500 --every week")
    assert "say whose budget it is: -o ID; the log has: org-1, org-2" in str(error)
    log_path.unlink()
    error = magic_error(shell, "%stability_budget 500 --every week")
    assert "%stability_balance takes one" in str(error)


def test_a_check_raises_once_it_is_passed(shell, capsys, log_path):
    """With what was spent and what might be; before that it lets everything go on."""
    write_log(log_path, organizations=["org-1"], per_hour=0.0, hours=80)
    now = datetime.now(UTC)
    run_magic(shell, "%stability_budget 100 --every month --check")
    BalanceLog(log_path).append(Balance("org-1", 49_900.0, now + timedelta(seconds=1)))
    frame = run_magic(shell, "%stability_budget --check")
    assert frame["spent"].iloc[0] <= 100.0
    BalanceLog(log_path).append(Balance("org-1", 49_700.0, now + timedelta(seconds=2)))
    error = magic_error(shell, "%stability_budget --check")
    assert isinstance(error, BudgetError)
    assert error.budget == 100.0
    assert error.spent > 100.0
    assert_is_clear_error(error)
    message = str(error)
    assert "the budget is 100.00. It begins anew on" in message
    assert message.endswith("raise it: %stability_budget N --every month.")
    assert "BudgetError: org-1 has spent" in capsys.readouterr().out


def test_a_check_on_the_command_line_exits_with_3(log, capsys):
    """Programs still get their rows; a person is told once."""
    assert main(["budget", "0.0001", "--every", "month", "-o", "org-1"]) == 0
    capsys.readouterr()
    rows, code = budget_rows(capsys, "-o", "org-1", "--check")
    assert code == 3
    assert rows[0]["left"] < 0
    assert main(["budget", "-o", "org-1", "--check", "--format", "table"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("BudgetError: org-1 has spent ")
    assert line.endswith("stability-magic budget N --every month.")
    assert main(["budget", "-a", "--every", "month"]) == 0
    assert main(["budget", "-o", "org-2", "--check"]) == 2


def test_a_period_without_readings_is_told_and_not_passed(log_path, shell, capsys):
    """What is not known is missing, and no zero; the check lets go on, and says why."""
    log = BalanceLog(log_path)
    for days in range(80, 40, -1):
        at = datetime.now(UTC) - timedelta(days=days)
        log.append(Balance("org-1", 1000.0 + days, at))
    frame = run_magic(shell, "%stability_budget 1 --every month --check")
    assert math.isnan(frame["spent"].iloc[0])
    assert math.isnan(frame["projected_high"].iloc[0])
    assert "no readings in it yet, last read" in capsys.readouterr().out
    shell.run_cell("%stability;").raise_error()
    assert "budget: 1 this month, no readings yet" in " ".join(capsys.readouterr().out.split())


def test_a_log_of_an_older_version_has_none(log, log_path, shell, capsys):
    """Nothing is written by looking."""
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("DROP TABLE budgets")
        connection.execute("DROP TABLE unsent_budgets")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007_budgets'")
    before = log_path.read_bytes()
    assert run_magic(shell, "%stability_budget -a").empty
    assert "There is no budget yet" in capsys.readouterr().err
    shell.run_cell("%stability -a").raise_error()
    assert log_path.read_bytes() == before
    run_magic(shell, "%stability_budget 500 --every week -o org-1")
    assert len(run_magic(shell, "%stability_budget -a")) == 1


def test_a_log_that_cannot_be_written_keeps_its_budget(log, log_path, shell):
    """An error of one line; nothing is set that was not kept."""
    log_path.rename(log_path.with_name("other.db"))
    log_path.mkdir()
    error = magic_error(shell, "%stability_budget 500 --every week -o org-1")
    assert isinstance(error, LogError)
    assert "is a folder, not a file" in str(error)


def test_the_balance_says_how_its_budgets_stand(shell, api, capsys, log_path):
    """In few words, also for a reading that is not logged."""
    answer_with_balances(api, 1000.0, 900.0, 300.0, 200.0)
    run_magic(shell, "%stability_balance")
    run_magic(shell, "%stability_budget 500 --every month")
    assert "known from" in capsys.readouterr().out
    run_magic(shell, "%stability_balance")
    assert " · budget: 100 of 500 this month" in capsys.readouterr().out
    run_magic(shell, "%stability_balance --no-log")
    assert " · OVER BUDGET: 700 of 500 this month" in capsys.readouterr().out
    assert "700" not in str(run_magic(shell, "%stability_budget")["spent"].iloc[0])
    run_magic(shell, "%stability_balance")
    assert " · OVER BUDGET: 800 of 500 this month" in capsys.readouterr().out


def test_the_summary_says_so_too(log, capsys):
    """In words, in a table of several organizations, and for programs."""
    main(["budget", "0.0001", "--every", "month", "-o", "org-1"])
    main(["budget", "900000", "--every", "month", "-o", "org-2"])
    capsys.readouterr()
    main(["status", "-o", "org-1"])
    out = capsys.readouterr().out
    assert re.search(r"^OVER BUDGET: .* of 0\.0001 this month", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
    main(["status", "-a"])
    out = capsys.readouterr().out
    assert "\nOVER BUDGET: org-1\n" in out
    assert " of 900,000 this month" in out
    assert max(map(len, out.splitlines())) <= 80
    main(["status", "-a", "--json"])
    first, second = json.loads(capsys.readouterr().out)["organizations"]
    assert [each["passed"] for each in first["budgets"] + second["budgets"]] == [True, False]
    assert first["budgets"][0]["credits"] == first["spent"]["this_month"]["credits"]


def test_the_watch_says_so_too(api, log_path):
    """At each reading."""
    answer_with_balances(api, 1000.0, 300.0)
    session = Session(StabilityMagic(), source="magic")
    with session.command():
        (entry,), _ = session.take_readings([None])
        change_budget(session.journal, entry.organization, "month", 500.0, datetime.now(UTC))
    watch = Watch(session, [None], timedelta(hours=1))
    watch.start(lambda _: None)
    try:
        assert " · OVER BUDGET: 700 of 500 this month · read " in watch.lines()[0]
    finally:
        watch.stop()
        session.close()


def test_the_demo_has_budgets_of_its_own(shell, log, capsys):
    """None of the real log, and the other way round."""
    run_magic(shell, "%stability_budget 500 --every week -o org-1")
    run_magic(shell, "%stability_demo")
    assert run_magic(shell, "%stability_budget -a").empty
    frame = run_magic(shell, "%stability_budget 40usd --every month")
    assert frame["organization"].tolist() == ["org-sim-studio"]
    run_magic(shell, "%stability_demo --stop")
    assert run_magic(shell, "%stability_budget -a")["budget"].tolist() == [500.0]


def test_a_zone_decides_when_a_week_begins(log_path, shell):
    """Monday's midnight there."""
    write_log(log_path, organizations=["org-1"], hours=48)
    run_magic(shell, "%config StabilityMagic.timezone = 'Pacific/Kiritimati'")
    frame = run_magic(shell, "%stability_budget 500 --every week")
    start = frame["period"].iloc[0]
    assert (start.weekday(), start.hour) == (0, 0)
    assert start.tzinfo.utcoffset(start) == datetime.now(ZoneInfo("Pacific/Kiritimati")).utcoffset()
