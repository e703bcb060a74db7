"""The command line: its output streams, formats and exit codes."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog, __version__
from stability_magic.commands.declarations import COMMANDS
from stability_magic.simulator.simulator import FAULTS
from stability_magic.terminal.command_line import main

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(log_path) -> BalanceLog:
    """A log of two organizations, ten readings each, with a top-up."""
    log = BalanceLog(log_path)
    for hour in range(10):
        at = START + timedelta(hours=hour)
        log.append(Balance("org-one", 100.125 - hour, at))
        log.append(Balance("org-two", 50.0 + (1000.0 if hour > 4 else 0.0), at))
    return log


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process."""
    return subprocess.run(
        [sys.executable, "-m", "stability_magic", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        **options,
    )


@pytest.mark.usefixtures("log_path")
def test_data_go_to_standard_output_and_the_rest_to_standard_error(api, log_path):
    """In a pipe the data are CSV, and the line with the answer is not among them."""
    process = run("balance")
    assert process.returncode == 0
    assert process.stderr.startswith("Fernhill Studio (simulated): ")
    rows = list(csv.DictReader(io.StringIO(process.stdout)))
    assert len(rows) == 1
    assert float(rows[0]["credits"]) == BalanceLog(log_path).readings()["credits"].iloc[0]
    assert rows[0]["source"] == "cli"


@pytest.mark.usefixtures("log")
def test_json_is_exact_and_has_times_in_iso_8601(capsys):
    """Missing values are null, numbers are not rounded, times have their zone."""
    assert main(["history", "--since", "all", "-o", "org-one", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {
        "read_at": "2026-11-01T12:00:00+00:00",
        "organization": "org-one",
        "name": "org-one",
        "credits": 100.125,
        "spent": None,
        "topped_up": None,
        "source": "library",
        "label": None,
        "doubtful": None,
    }
    assert rows[1]["spent"] == 1.0


@pytest.mark.usefixtures("log")
def test_a_table_fits_eighty_columns(capsys, monkeypatch):
    """Numbers are rounded, lower bounds are marked, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    for line in (["forecast"], ["history", "--since", "all"], ["usage", "--since", "all"]):
        assert main([*line, "--format", "table"]) == 0
        output = capsys.readouterr().out
        assert max(map(len, output.splitlines())) <= 80
    assert "≥ 0.00" in output
    assert "≥ $0.09" in output


@pytest.mark.usefixtures("log")
def test_a_long_table_says_how_much_is_left_out(capsys, log):
    """Only the last rows are shown on a terminal; CSV has them all."""
    for minute in range(50):
        log.append(Balance("org-one", 90.0 - minute, START + timedelta(days=1, minutes=minute)))
    assert main(["history", "--since", "all", "--format", "table"]) == 0
    assert capsys.readouterr().out.startswith("… 30 earlier rows\n")
    assert main(["history", "--since", "all", "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 71


@pytest.mark.parametrize("style", ["table", "csv", "json"])
@pytest.mark.usefixtures("log_path")
def test_an_empty_log_is_no_error(capsys, style):
    """Each format shows in its own way that there are no rows."""
    assert main(["usage", "--format", style]) == 0
    captured = capsys.readouterr()
    assert "stability-magic balance takes one" in captured.err
    empty = {"table": "(nothing)\n", "json": "[]\n"}
    assert captured.out == empty.get(style, captured.out)
    assert captured.out


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_writes_a_picture(capsys, tmp_path, suffix):
    """In the format that the suffix names."""
    path = tmp_path / f"credits.{suffix}"
    assert main(["plot", "--since", "all", "--output", str(path)]) == 0
    first_bytes = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(first_bytes)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(path) in captured.err


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "window",
    [
        ["--since", "2026-11-01", "--until", "2100-01-01"],
        ["--since", "2100-01-01", "--until", "2101-01-01"],
        ["--until", "2026-01-01"],
        ["--until", "2026-11-01"],
        ["--since", "all", "--by", "month"],
        ["--on", "2026-11-01"],
        ["--on", "2026-11-01", "--by", "month"],
        ["--on", "2025"],
        ["--on", "2100"],
    ],
)
def test_a_picture_of_any_window_can_be_drawn(tmp_path, window):
    """Even of one in the future or before the first reading."""
    assert main(["plot", *window, "--output", str(tmp_path / "credits.png")]) == 0


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["none/credits.png", "\0.png", "~nobody-of-that-name/x.png"])
def test_a_picture_that_cannot_be_written_is_a_failure(capsys, monkeypatch, tmp_path, name):
    """One line says so, for a missing folder and for an impossible file name."""
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "--output", name]) == 1
    error_text = capsys.readouterr().err
    assert "could not be written" in error_text
    assert error_text.count("\n") == 1


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "arguments",
    [
        ["plot"],
        ["plot", "--output", "credits.gif"],
        ["history", "--since", "soon"],
        ["history", "-o", "org-three"],
        ["usage", "--since", "2026-11-02", "--until", "2026-11-01"],
        ["usage", "--on", "soon"],
        ["history", "--on", "7d"],
        ["usage", "--on", "today", "--since", "1d"],
        ["history", "--on", "today", "--until", "today"],
        ["costs", "--on", "today", "--since", "1d"],
        ["login"],
        ["login", "--plain-file"],
    ],
)
def test_a_wrong_argument_exits_with_two(capsys, arguments):
    """One line says what is wrong, and nothing goes to standard output."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"stability-magic {arguments[0]}: error: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["burn"], ["balance", "--sinc", "7d"], ["usage", "--by"], ["--jsn"]]
)
def test_what_argparse_refuses_exits_with_two(capsys, arguments):
    """Abbreviated and unknown options are refused."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "usage: stability-magic" in capsys.readouterr().err


def test_a_failure_exits_with_one(capsys, api, log_path):
    """With one line that begins with the name of the error."""
    api.fail(FAULTS["500"], path="/user/balance")
    assert main(["balance"]) == 1
    assert capsys.readouterr().err.startswith("StatusError: ")
    log_path.parent.mkdir()
    log_path.write_bytes(b"no database" * 1000)
    assert main(["history"]) == 1
    assert capsys.readouterr().err.startswith("LogError: ")


def test_without_a_key_the_exit_code_is_one(capsys):
    """The line says what to do."""
    assert main(["balance"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("SettingsError: No API key was found.")


@pytest.mark.usefixtures("log_path")
def test_the_readings_that_succeeded_are_printed_before_the_failure(capsys, api):
    """-a prints the other organizations, and exits with one."""
    api.fail(FAULTS["500"], path="/user/balance")
    assert main(["balance", "-a", "--format", "csv"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 3
    assert captured.err.splitlines()[-1].startswith("StatusError: ")


@pytest.mark.usefixtures("log")
def test_a_reader_that_closes_the_pipe_early_is_no_error():
    """As with ``| head -1``: no traceback, exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stability_magic", "history", "--since", "all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error_output = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in error_output


@pytest.mark.once
def test_the_demo_shows_the_main_commands_without_a_key(tmp_path):
    """It prints account, balance and usage, draws the picture, and leaves nothing running."""
    folder = tmp_path / "a demo"
    process = run("demo", "--folder", str(folder))
    assert process.returncode == 0
    assert process.stderr.startswith("SIMULATED")
    for each in ("account", "balance", "status", "usage", "forecast", "plot"):
        assert f"$ stability-magic {each}" in process.stdout
    assert "%load_ext stability_magic" in process.stdout
    assert (folder / "usage.png").read_bytes().startswith(b"\x89PNG")
    first_count = len(BalanceLog(folder / "demo.db").readings())
    assert first_count > 400
    assert run("demo", "--folder", str(folder)).returncode == 0
    second_count = len(BalanceLog(folder / "demo.db").readings())
    assert first_count < second_count < first_count + 20


def test_a_demo_that_cannot_be_written_says_so(tmp_path):
    """One line, exit code 1, nothing left running."""
    (tmp_path / "file").write_text("")
    process = run("demo", "--folder", str(tmp_path / "file"))
    assert process.returncode == 1
    assert process.stderr.startswith("LogError: ")
    assert process.stderr.count("\n") == 1


def test_the_version_is_the_package_s(capsys):
    """--version prints it."""
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"stability-magic {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [each for each in COMMANDS if each.is_offered_in("command line")],
    ids=lambda each: each.name,
)
def test_every_command_explains_itself(capsys, monkeypatch, command):
    """--help shows what it does, every option and examples, in eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_info:
        main([command.name, "--help"])
    assert exit_info.value.code == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    text = " ".join(output.split())
    assert command.summary in text
    assert f"examples: stability-magic {command.name}" in text
    for each in command.arguments:
        if each.options["help"] is argparse.SUPPRESS:
            # Taken only to be refused.
            continue
        # The help shows a positional argument by its metavar.
        names = each.flags if each.flags[0].startswith("-") else [each.options["metavar"]]
        assert all((name in text) == each.is_offered_in("command line") for name in names)


@pytest.mark.usefixtures("log")
def test_a_terminal_without_unicode_gets_an_answer():
    """Signs that it cannot show are replaced by such as it can."""
    process = subprocess.run(
        [sys.executable, "-m", "stability_magic", "usage", "--since", "all", "--format", "table"],
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert process.returncode == 0
    assert b">= 0.00" in process.stdout


def test_login_saves_the_key_in_the_keyring(capsys, monkeypatch, tmp_path, api, log_path):
    """A later command finds it there, and it is never printed."""
    backend = tmp_path / "plain.py"
    backend.write_text(KEYRING_BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    import keyring

    monkeypatch.setattr("getpass.getpass", lambda prompt: key)
    key = api.api_key
    monkeypatch.delenv("STABILITY_API_KEY")
    original_keyring = keyring.get_keyring()
    keyring.set_keyring(keyring.core.load_keyring("plain.InMemory"))
    try:
        assert main(["login", "--save"]) == 0
        assert main(["balance", "--format", "csv"]) == 0
    finally:
        keyring.set_keyring(original_keyring)
    captured = capsys.readouterr()
    assert "the key is saved in the keyring (plain InMemory)" in captured.err
    assert key not in captured.out + captured.err


KEYRING_BACKEND = """
from keyring.backend import KeyringBackend

class InMemory(KeyringBackend):
    priority = 1
    passwords = {}

    def get_password(self, service, username):
        return self.passwords.get((service, username))

    def set_password(self, service, username, password):
        self.passwords[service, username] = password
"""


def test_login_without_a_keyring_says_what_to_do(capsys, monkeypatch):
    """In a message without a traceback and without the key."""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-a-key-to-save")
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert main(["login", "--save"]) == 1
    error_text = capsys.readouterr().err
    assert "stability_magic[keyring]" in error_text
    assert "sk-a-key" not in error_text


def test_spending_hidden_by_a_top_up_is_estimated_from_the_weeks_around_it(log_path, capsys):
    """The figures for a day are the same alone and among the days around it."""
    log = BalanceLog(log_path)
    start = datetime(2026, 10, 1, tzinfo=UTC)
    for hour in range(24 * 30):
        top_up = 1000.0 if hour >= 24 * 20 + 13 else 0.0
        log.append(Balance("org-one", 9000.0 - 5.0 * hour + top_up, start + timedelta(hours=hour)))
    window = ["--since", "2026-10-21", "--until", "2026-10-21", "--format", "json"]
    assert main(["usage", *window]) == 0
    (day_alone,) = json.loads(capsys.readouterr().out)
    assert main(["usage", "--since", "all", "--format", "json"]) == 0
    (day_among_others,) = (
        each
        for each in json.loads(capsys.readouterr().out)
        if each["period"].startswith("2026-10-21")
    )
    assert day_alone["likely_topped_up"] == day_among_others["likely_topped_up"] == 1000.0
    assert day_alone["likely_spent"] == pytest.approx(day_among_others["likely_spent"])
    assert day_alone["likely_spent"] == pytest.approx(120.0)
    for when in ("0001-01-02", "9998-12-31"):
        assert main(["usage", "--since", "0001-01-02", "--until", when, "--format", "csv"]) == 0
