"""What becomes of the output: readers that go, disks that are full, terminals that obey."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog
from stability_magic.simulator.simulator import Fault
from stability_magic.terminal.command_line import main
from stability_magic.text import clean_line, clean_text

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="for systems with bash")
needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")

HOSTILE = "a\x1b[31mb\x9b31mc\u202ed\u2066e\x07\u2028f\nSettingsError: g"
LABEL = "Zürich 中文 \N{SLIGHTLY SMILING FACE} € \u0161"


def run_in_bash(
    line: str, *, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a line in which ``$it`` is the program; a pipe fails with any part of it."""
    program = f"{shlex.quote(sys.executable)} -m stability_magic"
    return subprocess.run(
        [str(BASH), "-c", f"set -o pipefail; it={shlex.quote(program)}; {line}"],
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def is_sound(log_path: Path) -> bool:
    with sqlite3.connect(log_path) as database:
        (answer,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    return bool(answer == "ok")


def controls(text: str) -> list[str]:
    """The characters that a terminal obeys, but for line breaks."""
    return [each for each in text if each not in "\r\n" and clean_text(each) != each]


ALEF = "\N{HEBREW LETTER ALEF}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", "plain"),
        ("é 中 \N{SLIGHTLY SMILING FACE}", "é 中 \N{SLIGHTLY SMILING FACE}"),
        (f"\u2068{ALEF} Ltd\u2069 has 1", f"\u2068{ALEF} Ltd\u2069 has 1"),
        (f"\u2068{ALEF}\u202e\u2069", f"\ufffd{ALEF}\ufffd\ufffd"),
        (f"\u2068{ALEF}", f"\ufffd{ALEF}"),
        (f"{ALEF}\u2069", f"{ALEF}\ufffd"),
        ("\u2068abc\u2069", "\ufffdabc\ufffd"),
        (f"\u2067{ALEF}\u2069", f"\ufffd{ALEF}\ufffd"),
        ("a\nb\rc\u2028d\x85e\x1b[2J\x9b1m", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd[2J\ufffd1m"),
    ],
)
def test_a_line_is_clean_but_for_the_isolation_of_a_name(line, expected):
    """Which keeps a name of another direction from reordering what follows it."""
    assert clean_line(line) == expected


@given(st.text(st.characters(), max_size=30))
@settings(settings.get_profile("hostile"))
def test_nothing_but_isolated_names_is_left_of_any_text(text):
    """And cleaning again changes nothing."""
    line = clean_line(text)
    assert clean_line(line) == line
    assert len(line) == len(text)
    assert not set(controls(line)) - {"\u2068", "\u2069"}
    assert line.count("\u2068") == line.count("\u2069")


REDIRECTIONS = [
    "| head -c0",
    "2>&1 | head -c0",
    ">&-",
    "2>&-",
    ">&- 2>&-",
    "<&-",
    "<&- >&- 2>&-",
    pytest.param(">/dev/full", marks=needs_full_device),
    pytest.param("2>/dev/full", marks=needs_full_device),
    pytest.param(">/dev/full 2>&1", marks=needs_full_device),
]


@pytest.mark.once
@needs_bash
@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_output_that_fails_does_not_decide_the_exit_code(log_path, redirection):
    """The readings are taken and logged, and nothing is written into the log by mistake."""
    for arguments, code in (("balance", 0), ("balance --require 999999", 3), ("history", 0)):
        process = run_in_bash(f"$it {arguments} {redirection}")
        assert process.returncode == code, (arguments, process.stderr)
        assert "Traceback" not in process.stdout + process.stderr
        assert "Exception" not in process.stdout + process.stderr
    assert len(BalanceLog(log_path).readings()) == 2
    assert is_sound(log_path)


@pytest.mark.once
@needs_bash
@pytest.mark.parametrize("redirection", REDIRECTIONS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [("--help", 0), ("--version", 0), ("usage --help", 0), ("burn", 2), ("usage --since soon", 2)],
)
def test_what_argparse_writes_may_fail_too(arguments, code, redirection):
    """Help texts, the version and errors."""
    process = run_in_bash(f"$it {arguments} {redirection}")
    assert process.returncode == code
    assert "Traceback" not in process.stdout + process.stderr


@pytest.mark.once
@needs_bash
@pytest.mark.parametrize("redirection", ["| head -1", "2>&1 | head -1", ">&- 2>&-"])
def test_the_demo_goes_on_without_a_reader(tmp_path, redirection):
    """To its picture."""
    process = run_in_bash(f"$it demo --folder {shlex.quote(str(tmp_path / 'demo'))} {redirection}")
    assert process.returncode == 0
    assert "Traceback" not in process.stdout + process.stderr
    assert (tmp_path / "demo" / "usage.png").exists()


@needs_bash
@needs_full_device
@pytest.mark.usefixtures("api", "log_path")
def test_a_full_disk_is_told_once():
    """On the other stream."""
    process = run_in_bash("$it balance >/dev/full")
    assert process.stderr.count("Standard output could not be written (No space left") == 1


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended after the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for each in processes:
        each.kill()
        each.communicate()


def start_watch(
    processes: list[subprocess.Popen[bytes]], *arguments: str
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "stability_magic", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    processes.append(process)
    return process


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="for systems with POSIX signals")
@pytest.mark.usefixtures("api")
def test_a_watch_goes_on_when_its_reader_has_gone(processes, log_path):
    """It logs the next reading, and ends with 0."""
    process = start_watch(processes, "--every", "10s")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    process.stdout.close()
    deadline = time.monotonic() + 60
    while len(BalanceLog(log_path).readings()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert len(BalanceLog(log_path).readings()) >= 2


@pytest.mark.skipif(os.name == "nt", reason="for systems with POSIX signals")
@pytest.mark.parametrize("arguments", [(), ("-a",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_whose_first_request_hangs_ends_at_once(
    processes, log_path, api, arguments, number
):
    """It does not wait for the answer, which would take longer than anybody does."""
    api.fail(Fault(delay=20.0), times=9)
    process = start_watch(processes, *arguments)
    deadline = time.monotonic() + 60
    while not api.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    start = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - start < 6
    assert b"Traceback" not in process.communicate()[1]


@pytest.fixture
def labelled_log(log_path) -> BalanceLog:
    """A log with a label in several scripts."""
    log = BalanceLog(log_path)
    log.append(Balance("org-one", 1.0, datetime.now(UTC)), label=LABEL)
    return log


@pytest.mark.once
@pytest.mark.usefixtures("labelled_log")
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "latin-1", "cp1252:strict"])
def test_data_are_exact_in_any_encoding(encoding):
    """JSON escapes what the encoding lacks, CSV is UTF-8, and a table is approximate."""
    outputs = {}
    for style in ("json", "csv", "table"):
        process = subprocess.run(
            [sys.executable, "-m", "stability_magic", "history", "--format", style],
            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            capture_output=True,
            timeout=60,
            check=True,
        )
        outputs[style] = process.stdout
    name = encoding.partition(":")[0]
    assert json.loads(outputs["json"].decode(name))[0]["label"] == LABEL
    (row,) = csv.DictReader(io.StringIO(outputs["csv"].decode("utf-8"), newline=""))
    assert row["label"] == LABEL
    assert "rich" in outputs["table"].decode(name)


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "-o", HOSTILE],
        ["history", HOSTILE],
        ["usage", "--by", HOSTILE],
        ["usage", f"--{HOSTILE}"],
        [HOSTILE],
        ["merge", f"/none/{HOSTILE}.db"],
        ["plot", "--output", f"/none/{HOSTILE}.png"],
        ["plot", "--output", f"{HOSTILE}.bmp"],
        ["balance", "--require", HOSTILE],
        ["balance", "-o", HOSTILE],
        ["demo", "--folder", f"/dev/null/{HOSTILE}"],
    ],
)
@pytest.mark.usefixtures("api", "log_path")
def test_no_message_controls_the_terminal(capsys, arguments):
    """Nor pretends to be another message: a line break in an argument is not one of ours."""
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    assert code in (1, 2)
    captured = capsys.readouterr()
    assert captured.err
    assert not controls(captured.out + captured.err)
    assert not [line for line in captured.err.splitlines() if line.startswith("SettingsError: g")]


def test_a_label_controls_no_terminal(log_path, capsys):
    """Whatever the log holds: a table is clean, and CSV and JSON are exact for programs."""
    label = "a\x1b[31mb\u202ec"
    BalanceLog(log_path).append(Balance("org-one", 1.0, datetime.now(UTC)))
    with sqlite3.connect(log_path) as database:
        database.execute("UPDATE readings SET label = ?", [label])
    database.close()
    outputs = {}
    for style in ("table", "csv", "json"):
        assert main(["history", "--format", style]) == 0
        outputs[style] = capsys.readouterr().out
    assert not controls(outputs["table"])
    if label in outputs["csv"]:
        assert json.loads(outputs["json"])[0]["label"] == label
    pexpect = pytest.importorskip("pexpect")
    for style in ("csv", "json", "table"):
        command = ["-m", "stability_magic", "history", "--format", style]
        terminal = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60)
        output = terminal.read()
        terminal.close()
        assert terminal.exitstatus == 0
        assert not controls(output)
        assert "org-one" in output
