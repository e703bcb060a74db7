"""The magics in a real shell, on real HTTP and a real log."""

from __future__ import annotations

import threading

import pandas as pd
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from stability_magic import AuthenticationError, BalanceLog, LogError, SettingsError
from stability_magic._frames import COLUMNS
from stability_magic._simulator import FAULTS

MAGICS = (
    "account",
    "balance",
    "cost",
    "costs",
    "demo",
    "forecast",
    "history",
    "login",
    "merge",
    "plot",
    "sync",
    "usage",
    "watch",
)


def magic(shell: InteractiveShell, line: str) -> object:
    """What the magic answers; what it raises is raised."""
    result = shell.run_cell(f"_answer = {line}")
    result.raise_error()
    return shell.user_ns["_answer"]


def failure(shell: InteractiveShell, line: str) -> BaseException:
    """What the magic raises."""
    result = shell.run_cell(line)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error


@pytest.mark.usefixtures("api", "log_path")
def test_balance_prints_one_line_and_returns_the_readings(shell, capsys, log_path):
    """The answer stands in one line above the frame, and the reading is in the log."""
    frame = magic(shell, "%stability_balance")
    shown = capsys.readouterr()
    assert shown.out.startswith("Fernhill Studio (simulated): ")
    assert shown.out.endswith("· first reading\n")
    assert shown.out.count("\n") == 1
    assert shown.err == ""
    assert list(frame.columns) == list(COLUMNS["readings"])
    assert len(frame) == 1
    assert frame["source"].tolist() == ["magic"]
    assert BalanceLog(log_path).readings().equals(frame)


@pytest.mark.usefixtures("log_path")
def test_a_second_reading_tells_what_was_spent_since(shell, api, capsys):
    """Spending between two readings is what the simulator really spent."""
    before = magic(shell, "%stability_balance")["credits"].iloc[-1]
    organization = next(each for each in api.organizations if each.is_default)
    start = api.clock.now()
    ledger = api.ledgers[organization.id]
    later = start
    while ledger.spent(start, later) == 0 or ledger.topped_up(start, later) > 0:
        start, later = later, later + pd.Timedelta(hours=6)
        before = ledger.balance(start)
    api.clock.set(start)
    magic(shell, "%stability_balance")
    api.clock.set(later)
    capsys.readouterr()
    frame = magic(shell, "%stability_balance")
    spent = ledger.spent(start, later)
    assert frame["spent"].iloc[-1] == pytest.approx(spent)
    assert frame["credits"].iloc[-1] == pytest.approx(before - spent)
    assert f"{spent:,.2f} spent since " in capsys.readouterr().out


@pytest.mark.usefixtures("api", "log_path")
def test_the_organization_is_looked_up_once_a_session(shell, api):
    """The account is asked once, after the first balance; later readings ask one question."""
    for _ in range(3):
        magic(shell, "%stability_balance")
    paths = [each.path for each in api.requests]
    assert paths == [
        "/v1alpha/user/balance",
        "/v1alpha/user/account",
        "/v1alpha/user/balance",
        "/v1alpha/user/balance",
    ]


@pytest.mark.usefixtures("log_path")
def test_a_balance_is_logged_when_its_organization_cannot_be_looked_up(shell, api, capsys):
    """It goes by the key's fingerprint, and by its organization as soon as that is known."""
    api.fail(FAULTS["500"], path="/user/account")
    frame = magic(shell, "%stability_balance")
    assert frame["organization"].iloc[0].startswith("key:")
    assert "could not be looked up" in capsys.readouterr().err
    frame = magic(shell, "%stability_balance")
    assert frame["organization"].nunique() == 1
    assert frame["name"].tolist() == ["Fernhill Studio (simulated)"] * 2
    assert len(frame) == 2


@pytest.mark.usefixtures("log_path")
def test_the_log_remembers_the_default_organization_of_a_key(shell, api, capsys):
    """In a later session a look-up that fails does no harm."""
    magic(shell, "%stability_balance")
    shell.run_cell("%reload_ext stability_magic").raise_error()
    api.fail(FAULTS["500"], path="/user/account")
    frame = magic(shell, "%stability_balance")
    assert frame["name"].unique().tolist() == ["Fernhill Studio (simulated)"]


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize(
    "fault", ["account-no-organizations", "account-two-defaults", "account-no-default"]
)
def test_an_account_without_one_default_costs_no_reading(shell, api, fault):
    """The balance is logged under the key's fingerprint then, and nobody guesses."""
    api.fail(FAULTS[fault], path="/user/account")
    frame = magic(shell, "%stability_balance")
    assert len(frame) == 1
    assert frame["organization"].iloc[0].startswith("key:")


@pytest.mark.usefixtures("api", "log_path")
def test_all_organizations_have_a_line_each(shell, api, capsys):
    """-a reads every organization of the account, the default among them."""
    frame = magic(shell, "%stability_balance -a")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(api.organizations) == 3
    assert set(frame["organization"]) == {each.id for each in api.organizations}


@pytest.mark.usefixtures("log_path")
def test_one_organization_that_fails_does_not_cost_the_others(shell, api, capsys, log_path):
    """The others are logged and shown; the error at the end names the one that failed."""
    failing = api.organizations[0].id
    api.fail(FAULTS["500"], path="/user/balance")
    error = failure(shell, "%stability_balance -a")
    shown = capsys.readouterr().out
    assert failing in str(error)
    assert "HTTP 500" in str(error)
    logged = BalanceLog(log_path).readings()
    assert set(logged["organization"]) == {each.id for each in api.organizations[1:]}
    for each in api.organizations[1:]:
        assert f"{each.name}: " in shown
    assert "read_at" in shown


@pytest.mark.usefixtures("log_path")
def test_several_failures_are_all_named(shell, api):
    """The one error tells of each organization that could not be read."""
    api.fail(FAULTS["500"], path="/user/balance", times=2)
    error = failure(shell, "%stability_balance -a")
    assert str(error).startswith("2 of 3 organizations could not be read.")
    for each in api.organizations[:2]:
        assert each.id in str(error)


@pytest.mark.usefixtures("log_path")
def test_named_organizations_are_read_once_each(shell, api):
    """-o may be given more than once; the same id twice is one reading."""
    first, second = (each.id for each in api.organizations[:2])
    frame = magic(shell, f"%stability_balance -o {first} -o {second} -o {first}")
    assert sorted(frame["organization"]) == sorted([first, second])


@pytest.mark.usefixtures("api")
def test_a_reading_is_shown_though_it_cannot_be_logged(shell, capsys, monkeypatch, tmp_path):
    """One warning says why; the next reading that can be logged brings it into the log."""
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(blocked / "log.db"))
    frame = magic(shell, "%stability_balance")
    shown = capsys.readouterr()
    assert len(frame) == 1
    assert "credits (" in shown.out
    assert shown.err.count("\n") == 1
    assert "1 reading is not in the log yet" in shown.err
    assert len(magic(shell, "%stability_balance")) == 2
    assert "2 readings are not in the log yet" in capsys.readouterr().err
    good = tmp_path / "log.db"
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(good))
    frame = magic(shell, "%stability_balance")
    assert capsys.readouterr().err == ""
    assert len(frame) == len(BalanceLog(good).readings()) == 3


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("~nobody-of-that-name/log.db", "is in a home folder that is not known"),
        ("log\0.db", "cannot be the name of a file"),
        (".", "is a folder, not a file"),
    ],
)
def test_a_reading_is_shown_though_the_log_cannot_be_there(
    shell, capsys, monkeypatch, tmp_path, name, why
):
    """What reads the log says the same, and no file of such a name is made."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    shell.run_line_magic("config", f"StabilityMagic.log = {name!r}")
    assert len(magic(shell, "%stability_balance")) == 1
    shown = capsys.readouterr()
    assert "credits (" in shown.out
    assert shown.err.count("\n") == 1
    assert why in shown.err
    with pytest.raises(LogError, match=why):
        magic(shell, "%stability_history")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("api")
def test_a_reading_is_shown_though_the_log_is_no_database(shell, capsys, log_path):
    """The file is left as it is, and both the reading and the reason are shown."""
    log_path.parent.mkdir()
    log_path.write_bytes(b"these are my notes, not a database" * 200)
    before = log_path.read_bytes()
    assert len(magic(shell, "%stability_balance")) == 1
    assert "is not an SQLite file" in capsys.readouterr().err
    assert isinstance(failure(shell, "%stability_history"), LogError)
    assert log_path.read_bytes() == before


@pytest.mark.usefixtures("api")
def test_no_log_leaves_no_trace(shell, log_path):
    """--no-log shows the reading and writes nothing."""
    assert len(magic(shell, "%stability_balance --no-log")) == 1
    assert not log_path.exists()


@pytest.mark.usefixtures("api", "log_path")
def test_a_label_stays_with_its_reading(shell):
    """Quotes hold a label of several words together, and variables are filled in."""
    shell.user_ns["batch"] = 7
    magic(shell, "%stability_balance --label 'before the batch'")
    magic(shell, "%stability_balance --label batch-{batch + 1}")
    frame = magic(shell, "%stability_balance --label $batch")
    assert frame["label"].tolist() == ["before the batch", "batch-8", "7"]


@pytest.mark.usefixtures("api", "log_path")
def test_quiet_leaves_out_the_line(shell, capsys):
    """-q for once, the setting for good."""
    magic(shell, "%stability_balance -q")
    shell.run_cell("%config StabilityMagic.quiet = True")
    magic(shell, "%stability_balance")
    magic(shell, "%stability_account")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    "line",
    ["%stability_balance --since 7d;", "%stability_balance;", "  %stability_balance --label a ; "],
)
def test_a_semicolon_silences_the_frame(shell, capsys, line):
    """The line is still printed, and the semicolon is no part of a name or an argument."""
    result = shell.run_cell(line)
    result.raise_error()
    assert result.result is None
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize("line", ["df = %stability_balance;", "df = %stability_balance -q ;\n"])
def test_a_semicolon_behind_an_assignment_costs_no_answer(shell, line):
    """Nothing would be shown anyway; the name holds the frame, not None."""
    shell.run_cell(line).raise_error()
    assert isinstance(shell.user_ns["df"], pd.DataFrame)


@pytest.mark.usefixtures("api", "log_path")
def test_low_balance_is_said_in_the_line(shell, capsys):
    """Under the level of the settings every line says so."""
    shell.run_cell("%config StabilityMagic.low_balance = 1e9")
    magic(shell, "%stability_balance")
    assert "LOW: under 1,000,000,000.00" in capsys.readouterr().out


@pytest.mark.usefixtures("log_path")
def test_account_masks_the_address_unless_asked(shell, api):
    """The e-mail address is shown in clear on request alone."""
    frame = magic(shell, "%stability_account")
    assert list(frame.columns) == list(COLUMNS["organizations"])
    assert frame["is_default"].sum() == 1
    assert all("***@" in each for each in frame["email"])
    assert not any("***" in each for each in magic(shell, "%stability_account --show-email").email)


@pytest.mark.usefixtures("api", "log_path")
def test_history_and_usage_ask_nobody(shell, api):
    """What the log knows is told from the log."""
    magic(shell, "%stability_balance -a")
    asked = len(api.requests)
    history = magic(shell, "%stability_history")
    usage = magic(shell, "%stability_usage --by hour")
    figure = magic(shell, "%stability_plot")
    assert len(api.requests) == asked
    assert len(history) == 3
    assert usage.index.name == "period"
    assert list(usage.columns) == list(COLUMNS["usage"])
    assert isinstance(figure, Figure)


@pytest.mark.usefixtures("api")
def test_an_empty_log_gives_empty_frames_of_the_same_shape(shell, capsys, log_path):
    """Reading makes no file; the answer says how to take a reading."""
    empty = magic(shell, "%stability_history")
    assert "no readings in" in capsys.readouterr().err.lower()
    assert not log_path.exists()
    magic(shell, "%stability_balance")
    filled = magic(shell, "%stability_history")
    assert empty.empty
    assert empty.dtypes.to_dict() == filled.dtypes.to_dict()
    assert empty.index.dtype == filled.index.dtype
    assert isinstance(magic(shell, "%stability_plot"), Figure)


@pytest.mark.usefixtures("api", "log_path")
def test_an_unknown_organization_in_the_log_says_which_there_are(shell, capsys):
    """A wrong id is a wrong argument, and the right ones are named."""
    known = magic(shell, "%stability_balance")["organization"].iloc[0]
    capsys.readouterr()
    for each in ("history", "usage", "plot", "forecast"):
        assert isinstance(failure(shell, f"%stability_{each} -o org-none"), UsageError)
        told = capsys.readouterr().err
        assert "'org-none'" in told
        assert known in told


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%stability_balance --sinc 7d", "--sinc"),
        ("%stability_balance --help", "See %stability_balance?"),
        ("%stability_balance --since soon", "'soon' is no time"),
        ("%stability_balance --label 'open", "No closing quotation"),
        ("%stability_balance -a -o org-1", "leave out -o, or -a"),
        ("%stability_history --since 2026-02-01 --until 2026-01-01", "is not before until"),
        ("%stability_usage --by year", "invalid choice: 'year'"),
        ("%stability_plot --output picture.bmp", ".png, .svg, .pdf"),
        ("%stability_history now", "now"),
    ],
)
def test_a_wrong_argument_is_one_line_that_says_what_to_do(shell, capsys, line, told, api):
    """It is IPython's UsageError, and the service is not asked."""
    assert type(failure(shell, line)) is UsageError
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.err.startswith("UsageError: %stability_")
    assert shown.err.count("\n") == 1
    assert not api.requests


@pytest.mark.usefixtures("log_path")
def test_an_error_is_one_line_for_who_types_a_magic(shell, api, capsys, monkeypatch):
    """It keeps its class, and the key is not in it."""
    monkeypatch.setenv("STABILITY_API_KEY", "sk-wrong-but-secret")
    error = failure(shell, "%stability_balance")
    shown = capsys.readouterr().out
    assert type(error) is AuthenticationError
    assert shown.startswith("AuthenticationError: ")
    assert shown.count("\n") == 1
    assert "sk-wrong" not in shown


def test_without_a_key_the_error_says_how_to_go_on(shell, capsys):
    """It names the variable, the login and the demo."""
    assert type(failure(shell, "%stability_balance")) is SettingsError
    shown = capsys.readouterr().out
    for each in ("STABILITY_API_KEY", "%stability_login", "%stability_demo"):
        assert each in shown


@pytest.mark.usefixtures("api")
def test_settings_that_cannot_be_used_are_told_before_anything_is_sent(shell, api, monkeypatch):
    """A time zone that nobody knows costs no request."""
    monkeypatch.setenv("TZ", "Mars/Olympus")
    assert type(failure(shell, "%stability_balance")) is SettingsError
    assert not api.requests


@pytest.mark.usefixtures("log_path")
def test_login_holds_the_key_for_the_session(shell, api, monkeypatch, capsys):
    """The key is asked for without echo, and printed nowhere."""
    key = api.api_key
    monkeypatch.delenv("STABILITY_API_KEY")
    monkeypatch.setattr("getpass.getpass", lambda prompt: f" Bearer {key}\n")
    shell.run_cell("%stability_login").raise_error()
    magic(shell, "%stability_balance")
    shown = capsys.readouterr()
    assert "the key is held" in shown.out
    assert key not in shown.out + shown.err
    shell.run_cell("%reload_ext stability_magic").raise_error()
    assert type(failure(shell, "%stability_balance")) is SettingsError


def test_login_refuses_what_is_no_key(shell, monkeypatch):
    """A line break inside is told, and nothing is held."""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-one two")
    assert type(failure(shell, "%stability_login")) is SettingsError
    assert "No API key" in str(failure(shell, "%stability_balance"))


def test_login_where_nothing_can_be_asked(shell, monkeypatch):
    """A front end without input is told to use the variable."""

    def nobody_there(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody_there)
    assert "STABILITY_API_KEY" in str(failure(shell, "%stability_login"))


def test_the_demo_has_a_log_of_its_own_and_ends_without_a_trace(
    shell, capsys, log_path, monkeypatch, tmp_path
):
    """Sixty days of readings, no request to the real service, and nothing left behind."""
    before = set(threading.enumerate())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shell.run_cell("%stability_demo").raise_error()
    assert capsys.readouterr().out.startswith("SIMULATED")
    assert len(list(tmp_path.glob("stability-magic-demo-*/demo.db"))) == 1
    frame = magic(shell, "%stability_balance --since all")
    assert len(frame) > 200
    assert "(simulated)" in capsys.readouterr().out
    assert frame.index[-1] - frame.index[0] > pd.Timedelta(days=58)
    assert not log_path.exists()
    shell.run_cell("%stability_demo --stop").raise_error()
    assert not list(tmp_path.glob("stability-magic-demo-*"))
    assert type(failure(shell, "%stability_balance")) is SettingsError
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("api", "log_path")
def test_reloading_and_unloading_leave_nothing_behind(shell):
    """Magics, settings and completions are there once, and then not at all."""

    def traces() -> tuple[int, ...]:
        magics = [*shell.magics_manager.magics["line"], *shell.magics_manager.magics["cell"]]
        return (
            sum(each.startswith("stability_") for each in magics),
            sum(type(each).__name__ == "StabilityMagic" for each in shell.configurables),
            len(shell.Completer.custom_matchers),
            sum(
                each.__module__.startswith("stability_magic")
                for each in shell.input_transformers_cleanup
                if hasattr(each, "__module__")
            ),
            sum(
                each.__module__.startswith("stability_magic")
                for callbacks in shell.events.callbacks.values()
                for each in callbacks
            ),
        )

    assert traces() == (len(MAGICS) + 1, 1, 1, 2, 2)
    shell.run_cell("%reload_ext stability_magic").raise_error()
    shell.extension_manager.load_extension("stability_magic")
    assert traces() == (len(MAGICS) + 1, 1, 1, 2, 2)
    shell.run_cell("%unload_ext stability_magic").raise_error()
    assert traces() == (0, 0, 0, 0, 0)
    shell.run_cell("%load_ext stability_magic").raise_error()
    assert traces() == (len(MAGICS) + 1, 1, 1, 2, 2)


def test_config_lists_the_settings_without_the_key(shell, capsys, api):
    """Every documented setting is there; the key is none."""
    shell.run_cell("%config StabilityMagic").raise_error()
    listed = capsys.readouterr().out
    for each in ("api_url", "api_version", "organization", "log", "timezone", "low_balance"):
        assert f"StabilityMagic.{each}=" in listed
    for each in ("usd_per_credit", "timeout", "quiet"):
        assert f"StabilityMagic.{each}=" in listed
    assert api.api_key not in listed
    assert api.url in listed


@pytest.mark.parametrize("name", MAGICS)
def test_help_shows_options_and_examples(shell, name):
    """What the question mark shows names every option and something to try."""
    text = shell.find_line_magic(f"stability_{name}").__doc__
    assert "examples:" in text
    assert f"%stability_{name}" in text


@pytest.mark.usefixtures("api", "log_path")
def test_a_price_of_the_settings_is_used(shell, capsys):
    """usd_per_credit prices the line and the usage frame."""
    shell.run_cell("%config StabilityMagic.usd_per_credit = 1.0")
    frame = magic(shell, "%stability_balance")
    assert f"(${frame['credits'].iloc[-1]:,.2f})" in capsys.readouterr().out


@pytest.mark.usefixtures("log_path")
def test_after_a_429_nothing_is_sent(shell, api):
    """The wait outlives the command that met it."""
    api.fail(FAULTS["429-retry-after"], path="/user/balance")
    assert "ask again in 7 s" in str(failure(shell, "%stability_balance"))
    sent = len(api.requests)
    assert "nothing was sent" in str(failure(shell, "%stability_balance"))
    assert len(api.requests) == sent


@pytest.mark.usefixtures("log_path")
def test_times_are_in_the_zone_of_the_settings(shell, api, monkeypatch):
    """One zone for the index of every frame."""
    shell.run_cell("%config StabilityMagic.timezone = 'Asia/Kolkata'")
    assert str(magic(shell, "%stability_balance").index.tz) == "Asia/Kolkata"
    assert str(magic(shell, "%stability_usage").index.tz) == "Asia/Kolkata"


@pytest.mark.usefixtures("log_path")
def test_the_demo_spends_on_request(shell, capsys):
    """So that what a cell cost can be tried without a key; without a demo nothing is spent."""
    assert isinstance(failure(shell, "%stability_demo --spend 5"), UsageError)
    shell.run_cell("%stability_demo").raise_error()
    before = magic(shell, "%stability_balance")["credits"].iloc[-1]
    capsys.readouterr()
    shell.run_cell("%stability_demo --spend 24").raise_error()
    assert capsys.readouterr().out == "SIMULATED: 24.00 credits spent\n"
    assert magic(shell, "%stability_balance")["credits"].iloc[-1] <= before - 24
    for wrong in ("lots", "-1", "1e9", "nan"):
        assert isinstance(failure(shell, f"%stability_demo --spend {wrong}"), UsageError)
