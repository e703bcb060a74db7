"""``%stability_balance`` in a real shell, on real HTTP and a real log."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from stability_magic import BalanceLog, LogError
from stability_magic.analysis.frames import COLUMNS
from stability_magic.simulator.simulator import FAULTS

from .magic_calls import magic_error, run_magic


@pytest.mark.usefixtures("api", "log_path")
def test_balance_prints_one_line_and_returns_the_readings(shell, capsys, log_path):
    """The line is printed above the frame, and the reading is in the log."""
    frame = run_magic(shell, "%stability_balance")
    captured = capsys.readouterr()
    assert captured.out.startswith("Fernhill Studio (simulated): ")
    assert captured.out.endswith("· first reading\n")
    assert captured.out.count("\n") == 1
    assert captured.err == ""
    assert list(frame.columns) == list(COLUMNS["readings"])
    assert len(frame) == 1
    assert frame["source"].tolist() == ["magic"]
    assert BalanceLog(log_path).readings().equals(frame)


@pytest.mark.usefixtures("log_path")
def test_a_second_reading_shows_what_was_spent_since(shell, api, capsys):
    """It is what the simulator really spent between the two readings."""
    credits_before = run_magic(shell, "%stability_balance")["credits"].iloc[-1]
    organization = next(each for each in api.organizations if each.is_default)
    start = api.clock.now()
    ledger = api.ledgers[organization.id]
    later = start
    while ledger.spent(start, later) == 0 or ledger.topped_up(start, later) > 0:
        start, later = later, later + pd.Timedelta(hours=6)
        credits_before = ledger.balance(start)
    api.clock.set(start)
    run_magic(shell, "%stability_balance")
    api.clock.set(later)
    capsys.readouterr()
    frame = run_magic(shell, "%stability_balance")
    spent = ledger.spent(start, later)
    assert frame["spent"].iloc[-1] == pytest.approx(spent)
    assert frame["credits"].iloc[-1] == pytest.approx(credits_before - spent)
    assert f"{spent:,.2f} spent since " in capsys.readouterr().out


@pytest.mark.usefixtures("api", "log_path")
def test_the_organization_is_looked_up_once_a_session(shell, api):
    """The account is fetched after the first balance; later readings take one request."""
    for _ in range(3):
        run_magic(shell, "%stability_balance")
    paths = [each.path for each in api.requests]
    assert paths == [
        "/v1alpha/user/balance",
        "/v1alpha/user/account",
        "/v1alpha/user/balance",
        "/v1alpha/user/balance",
    ]


@pytest.mark.usefixtures("log_path")
def test_a_balance_is_logged_when_its_organization_cannot_be_looked_up(shell, api, capsys):
    """It is logged by the key's fingerprint until its organization is known."""
    api.fail(FAULTS["500"], path="/user/account")
    frame = run_magic(shell, "%stability_balance")
    assert frame["organization"].iloc[0].startswith("key:")
    assert "could not be looked up" in capsys.readouterr().err
    frame = run_magic(shell, "%stability_balance")
    assert frame["organization"].nunique() == 1
    assert frame["name"].tolist() == ["Fernhill Studio (simulated)"] * 2
    assert len(frame) == 2


@pytest.mark.usefixtures("log_path")
def test_the_log_remembers_the_default_organization_of_a_key(shell, api, capsys):
    """In a later session a failed look-up does no harm."""
    run_magic(shell, "%stability_balance")
    shell.run_cell("%reload_ext stability_magic").raise_error()
    api.fail(FAULTS["500"], path="/user/account")
    frame = run_magic(shell, "%stability_balance")
    assert frame["name"].unique().tolist() == ["Fernhill Studio (simulated)"]


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize(
    "fault", ["account-no-organizations", "account-two-defaults", "account-no-default"]
)
def test_an_account_without_one_default_costs_no_reading(shell, api, fault):
    """The balance is logged under the key's fingerprint, without a guess."""
    api.fail(FAULTS[fault], path="/user/account")
    frame = run_magic(shell, "%stability_balance")
    assert len(frame) == 1
    assert frame["organization"].iloc[0].startswith("key:")


@pytest.mark.usefixtures("api", "log_path")
def test_all_organizations_have_a_line_each(shell, api, capsys):
    """-a reads every organization of the account, including the default."""
    frame = run_magic(shell, "%stability_balance -a")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(api.organizations) == 3
    assert set(frame["organization"]) == {each.id for each in api.organizations}


@pytest.mark.usefixtures("log_path")
def test_one_organization_that_fails_does_not_stop_the_others(shell, api, capsys, log_path):
    """The others are logged and shown; the error at the end names the one that failed."""
    failing_id = api.organizations[0].id
    api.fail(FAULTS["500"], path="/user/balance")
    error = magic_error(shell, "%stability_balance -a")
    output = capsys.readouterr().out
    assert failing_id in str(error)
    assert "HTTP 500" in str(error)
    logged = BalanceLog(log_path).readings()
    assert set(logged["organization"]) == {each.id for each in api.organizations[1:]}
    for each in api.organizations[1:]:
        assert f"{each.name}: " in output
    assert "read_at" in output


@pytest.mark.usefixtures("log_path")
def test_several_failures_are_all_named(shell, api):
    """One error names each organization that could not be read."""
    api.fail(FAULTS["500"], path="/user/balance", times=2)
    error = magic_error(shell, "%stability_balance -a")
    assert str(error).startswith("2 of 3 organizations could not be read.")
    for each in api.organizations[:2]:
        assert each.id in str(error)


@pytest.mark.usefixtures("log_path")
def test_each_organization_in_the_arguments_is_read_once(shell, api):
    """-o may be given more than once; the same id twice is one reading."""
    first, second = (each.id for each in api.organizations[:2])
    frame = run_magic(shell, f"%stability_balance -o {first} -o {second} -o {first}")
    assert sorted(frame["organization"]) == sorted([first, second])


@pytest.mark.usefixtures("api")
def test_a_reading_is_shown_even_if_it_cannot_be_logged(shell, capsys, monkeypatch, tmp_path):
    """One warning says why, and the next reading that can be logged takes it along."""
    plain_file = tmp_path / "a file"
    plain_file.write_text("not a folder")
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(plain_file / "log.db"))
    frame = run_magic(shell, "%stability_balance")
    captured = capsys.readouterr()
    assert len(frame) == 1
    assert "credits (" in captured.out
    assert captured.err.count("\n") == 1
    assert "1 reading is not in the log yet" in captured.err
    assert len(run_magic(shell, "%stability_balance")) == 2
    assert "2 readings are not in the log yet" in capsys.readouterr().err
    good_path = tmp_path / "log.db"
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(good_path))
    frame = run_magic(shell, "%stability_balance")
    assert capsys.readouterr().err == ""
    assert len(frame) == len(BalanceLog(good_path).readings()) == 3


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~nobody-of-that-name/log.db", "is in a home folder that is not known"),
        ("log\0.db", "cannot be the name of a file"),
        (".", "is a folder, not a file"),
    ],
)
def test_a_reading_is_shown_even_if_the_log_has_an_impossible_name(
    shell, capsys, monkeypatch, tmp_path, name, reason
):
    """Reading the log gives the same reason, and no file is created where it points.

    The reading is kept in the user's data folder.
    """
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shell.run_line_magic("config", f"StabilityMagic.log = {name!r}")
    assert len(run_magic(shell, "%stability_balance")) == 1
    captured = capsys.readouterr()
    assert "credits (" in captured.out
    assert captured.err.count("\n") == 1
    assert reason in captured.err
    with pytest.raises(LogError, match=reason):
        run_magic(shell, "%stability_history")
    assert not list(folder.iterdir())
    (spill,) = Path(os.environ["HOME"]).rglob("*.unlogged")
    assert str(spill.parent) in captured.err


@pytest.mark.usefixtures("api")
def test_a_reading_is_shown_even_if_the_log_is_no_database(shell, capsys, log_path):
    """The file is left as it is, and both the reading and the reason are shown."""
    log_path.parent.mkdir()
    log_path.write_bytes(b"these are my notes, not a database" * 200)
    bytes_before = log_path.read_bytes()
    assert len(run_magic(shell, "%stability_balance")) == 1
    assert "is not an SQLite file" in capsys.readouterr().err
    assert isinstance(magic_error(shell, "%stability_history"), LogError)
    assert log_path.read_bytes() == bytes_before


@pytest.mark.usefixtures("api")
def test_no_log_leaves_no_trace(shell, log_path):
    """--no-log shows the reading and writes nothing."""
    assert len(run_magic(shell, "%stability_balance --no-log")) == 1
    assert not log_path.exists()


@pytest.mark.usefixtures("api", "log_path")
def test_a_label_stays_with_its_reading(shell):
    """A label of several words stands in quotes, and variables are expanded."""
    shell.user_ns["batch"] = 7
    run_magic(shell, "%stability_balance --label 'before the batch'")
    run_magic(shell, "%stability_balance --label batch-{batch + 1}")
    frame = run_magic(shell, "%stability_balance --label $batch")
    assert frame["label"].tolist() == ["before the batch", "batch-8", "7"]


@pytest.mark.usefixtures("api", "log_path")
def test_quiet_leaves_out_the_line(shell, capsys):
    """-q for one command, the setting for all."""
    run_magic(shell, "%stability_balance -q")
    shell.run_cell("%config StabilityMagic.quiet = True")
    run_magic(shell, "%stability_balance")
    run_magic(shell, "%stability_account")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("api", "log_path")
def test_the_line_says_that_the_balance_is_low(shell, capsys):
    """If it is under the level of the settings."""
    shell.run_cell("%config StabilityMagic.low_balance = 1e9")
    run_magic(shell, "%stability_balance")
    assert "LOW: under 1,000,000,000.00" in capsys.readouterr().out


@pytest.mark.usefixtures("api", "log_path")
def test_the_price_of_the_settings_is_used(shell, capsys):
    """usd_per_credit gives the dollars in the line."""
    shell.run_cell("%config StabilityMagic.usd_per_credit = 1.0")
    frame = run_magic(shell, "%stability_balance")
    assert f"(${frame['credits'].iloc[-1]:,.2f})" in capsys.readouterr().out


@pytest.mark.usefixtures("log_path")
def test_after_a_429_nothing_is_sent(shell, api):
    """The pause applies to later commands too."""
    api.fail(FAULTS["429-retry-after"], path="/user/balance")
    assert "ask again in 7 s" in str(magic_error(shell, "%stability_balance"))
    request_count = len(api.requests)
    assert "nothing was sent" in str(magic_error(shell, "%stability_balance"))
    assert len(api.requests) == request_count
