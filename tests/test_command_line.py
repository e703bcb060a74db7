"""The command line: what goes where, the formats, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog, __version__
from stability_magic.__main__ import main
from stability_magic._commands import COMMANDS
from stability_magic._simulator import FAULTS

BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(log_path) -> BalanceLog:
    """A log of two organizations, ten readings each, with a top-up."""
    log = BalanceLog(log_path)
    for hour in range(10):
        at = BEGIN + timedelta(hours=hour)
        log.append(Balance("org-one", 100.125 - hour, at))
        log.append(Balance("org-two", 50.0 + (1000.0 if hour > 4 else 0.0), at))
    return log


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A real process of the command line."""
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
    """In a pipe the data are CSV, and the line that answers is not among them."""
    done = run("balance")
    assert done.returncode == 0
    assert done.stderr.startswith("Fernhill Studio (simulated): ")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 1
    assert float(rows[0]["credits"]) == BalanceLog(log_path).readings()["credits"].iloc[0]
    assert rows[0]["source"] == "cli"


@pytest.mark.usefixtures("log")
def test_json_is_exact_and_has_times_in_iso_8601(capsys):
    """Missing values are null, numbers are not rounded, times bear their zone."""
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
    }
    assert rows[1]["spent"] == 1.0


@pytest.mark.usefixtures("log")
def test_a_table_fits_eighty_columns(capsys, monkeypatch):
    """Numbers are rounded, lower bounds are marked, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    for line in (["forecast"], ["history", "--since", "all"], ["usage", "--since", "all"]):
        assert main([*line, "--format", "table"]) == 0
        shown = capsys.readouterr().out
        assert max(map(len, shown.splitlines())) <= 80
    assert "≥ 0.00" in shown
    assert "1,050.00" in shown


@pytest.mark.usefixtures("log")
def test_a_long_table_says_how_much_is_left_out(capsys, log):
    """Only the last rows are shown on a terminal; CSV has them all."""
    for minute in range(50):
        log.append(Balance("org-one", 1.0, BEGIN + timedelta(days=1, minutes=minute)))
    assert main(["history", "--since", "all", "--format", "table"]) == 0
    assert capsys.readouterr().out.startswith("… 30 earlier rows\n")
    assert main(["history", "--since", "all", "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 71


@pytest.mark.parametrize("style", ["table", "csv", "json"])
@pytest.mark.usefixtures("log_path")
def test_an_empty_log_is_no_error(capsys, style):
    """Each format says that there is nothing, in its way."""
    assert main(["usage", "--format", style]) == 0
    shown = capsys.readouterr()
    assert "%stability_balance takes one" in shown.err
    empty = {"table": "(nothing)\n", "json": "[]\n"}
    assert shown.out == empty.get(style, shown.out)
    assert shown.out


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_writes_a_picture(capsys, tmp_path, suffix):
    """Its kind follows from the file's name."""
    target = tmp_path / f"credits.{suffix}"
    assert main(["plot", "--since", "all", "--output", str(target)]) == 0
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert target.read_bytes().startswith(begins)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert str(target) in shown.err


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "window",
    [
        ["--since", "2026-11-01", "--until", "2100-01-01"],
        ["--since", "2100-01-01", "--until", "2101-01-01"],
        ["--until", "2026-01-01"],
        ["--until", "2026-11-01"],
        ["--since", "all", "--by", "month"],
    ],
)
def test_a_picture_of_any_window_can_be_drawn(tmp_path, window):
    """Of one in the future or before the first reading as well."""
    assert main(["plot", *window, "--output", str(tmp_path / "credits.png")]) == 0


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["none/credits.png", "\0.png", "~nobody-of-that-name/x.png"])
def test_a_picture_that_cannot_be_written_is_a_failure(capsys, monkeypatch, tmp_path, name):
    """A folder that is not there, and a name that cannot be, are told in one line."""
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "--output", name]) == 1
    told = capsys.readouterr().err
    assert "could not be written" in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "arguments",
    [
        ["plot"],
        ["plot", "--output", "credits.gif"],
        ["history", "--since", "soon"],
        ["history", "-o", "org-three"],
        ["usage", "--since", "2026-11-02", "--until", "2026-11-01"],
        ["login"],
    ],
)
def test_a_wrong_argument_exits_with_two(capsys, arguments):
    """It is told in one line, and nothing goes to standard output."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"stability-magic {arguments[0]}: error: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["burn"], ["balance", "--sinc", "7d"], ["usage", "--by"]]
)
def test_what_argparse_refuses_exits_with_two(capsys, arguments):
    """Abbreviated and unknown options are refused."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: stability-magic" in capsys.readouterr().err


def test_a_failure_exits_with_one(capsys, api, log_path):
    """The service, the log, the settings: one line, with the name of the error."""
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
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("SettingsError: No API key was found.")


@pytest.mark.usefixtures("log_path")
def test_what_could_be_read_is_printed_before_the_failure(capsys, api):
    """-a prints the organizations that answered, and exits with one."""
    api.fail(FAULTS["500"], path="/user/balance")
    assert main(["balance", "-a", "--format", "csv"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 3
    assert shown.err.splitlines()[-1].startswith("StatusError: ")


@pytest.mark.usefixtures("log")
def test_a_reader_that_has_seen_enough_is_no_error():
    """As with ``| head -1``: no traceback, exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stability_magic", "history", "--since", "all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in told


def test_demo_is_the_main_job_without_a_key(tmp_path):
    """It prints account, balance and usage, draws the picture, and leaves nothing running."""
    folder = tmp_path / "a demo"
    done = run("demo", "--folder", str(folder))
    assert done.returncode == 0
    assert done.stderr.startswith("SIMULATED")
    for each in ("account", "balance", "usage", "forecast", "plot"):
        assert f"$ stability-magic {each}" in done.stdout
    assert "%load_ext stability_magic" in done.stdout
    assert (folder / "usage.png").read_bytes().startswith(b"\x89PNG")
    first = len(BalanceLog(folder / "demo.db").readings())
    assert first > 400
    assert run("demo", "--folder", str(folder)).returncode == 0
    assert first < len(BalanceLog(folder / "demo.db").readings()) < first + 20


def test_a_demo_that_cannot_be_written_says_so(tmp_path):
    """One line, exit code 1, nothing left running."""
    (tmp_path / "file").write_text("")
    done = run("demo", "--folder", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("LogError: ")
    assert done.stderr.count("\n") == 1


def test_the_version_is_the_package_s(capsys):
    """--version prints it."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"stability-magic {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [each for each in COMMANDS if each.place != "magic"],
    ids=lambda each: each.name,
)
def test_every_command_explains_itself(capsys, monkeypatch, command):
    """--help shows what it does, every option and examples, in eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    text = " ".join(shown.split())
    assert command.summary in text
    assert f"examples: stability-magic {command.name}" in text
    for each in command.arguments:
        # A positional argument goes by what stands for it.
        names = each.flags if each.flags[0].startswith("-") else [each.options["metavar"]]
        assert all((name in text) == (each.place != "magic") for name in names)


@pytest.mark.usefixtures("log")
def test_a_terminal_that_knows_few_characters_gets_an_answer():
    """What it cannot show is replaced."""
    done = subprocess.run(
        [sys.executable, "-m", "stability_magic", "usage", "--since", "all", "--format", "table"],
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert b"? 0.00" in done.stdout


def test_login_saves_the_key_in_the_keyring(capsys, monkeypatch, tmp_path, api, log_path):
    """A later command finds it there; it is printed nowhere."""
    backend = tmp_path / "plain.py"
    backend.write_text(KEYRING)
    monkeypatch.syspath_prepend(tmp_path)
    import keyring

    monkeypatch.setattr("getpass.getpass", lambda prompt: key)
    key = api.api_key
    monkeypatch.delenv("STABILITY_API_KEY")
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.core.load_keyring("plain.InMemory"))
    try:
        assert main(["login", "--save"]) == 0
        assert main(["balance", "--format", "csv"]) == 0
    finally:
        keyring.set_keyring(before)
    shown = capsys.readouterr()
    assert "saved in the keyring" in shown.err
    assert key not in shown.out + shown.err


KEYRING = """
from keyring.backend import KeyringBackend

class InMemory(KeyringBackend):
    priority = 1
    kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password
"""


def test_login_without_a_keyring_says_what_to_do(capsys, monkeypatch):
    """The null keyring of the tests keeps nothing, and is told about by no traceback."""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-a-key-to-save")
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert main(["login", "--save"]) == 1
    told = capsys.readouterr().err
    assert "stability_magic[keyring]" in told
    assert "sk-a-key" not in told


def test_what_a_top_up_hid_is_judged_by_the_weeks_around(log_path, capsys):
    """The same figures for a day, whether it is asked for alone or with the days around it."""
    log = BalanceLog(log_path)
    begin = datetime(2026, 10, 1, tzinfo=UTC)
    for hour in range(24 * 30):
        bought = 1000.0 if hour >= 24 * 20 + 13 else 0.0
        log.append(Balance("org-one", 9000.0 - 5.0 * hour + bought, begin + timedelta(hours=hour)))
    day = ["--since", "2026-10-21", "--until", "2026-10-21", "--format", "json"]
    assert main(["usage", *day]) == 0
    (alone,) = json.loads(capsys.readouterr().out)
    assert main(["usage", "--since", "all", "--format", "json"]) == 0
    (among,) = (
        each
        for each in json.loads(capsys.readouterr().out)
        if each["period"].startswith("2026-10-21")
    )
    assert alone["likely_topped_up"] == among["likely_topped_up"] == 1000.0
    assert alone["likely_spent"] == pytest.approx(among["likely_spent"]) == pytest.approx(120.0)
    for when in ("0001-01-02", "9998-12-31"):
        assert main(["usage", "--since", "0001-01-02", "--until", when, "--format", "csv"]) == 0
