"""``--output``: a file is written as a whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.terminal.command_line import main
from stability_magic.terminal.file_output import write_whole

from ..helpers.errors import assert_is_clear_error


@pytest.fixture
def log(log_path):
    """A log with two readings."""
    log = BalanceLog(log_path)
    for hour in (11, 12):
        log.append(Balance("org-1", 100.0 - hour, datetime(2026, 1, 5, hour, tzinfo=UTC)))
    return log


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("words", "name", "begin"),
    [
        ("history", "a.csv", "read_at,organization,"),
        ("history", "a.txt", "read_at,organization,"),
        ("history", "a.JSON", "["),
        ("history --since all --format table", "a.csv", "read  "),
        ("usage --since all", "a.json", "["),
        ("status", "a.json", "{"),
        ("status", "a.prom", "# TYPE stability_balance_credits gauge"),
        ("status --format openmetrics", "a.txt", "# TYPE "),
        ("status", "a.csv", "org-1 "),
        ("", "a.prom", "# TYPE "),
    ],
)
def test_the_data_go_to_the_file(log, folder, capsys, words, name, begin):
    """In the format that is asked for, or that the name tells, and nothing to standard output."""
    file = folder / name
    assert main([*words.split(), "--output", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith(begin)
    assert capsys.readouterr().out == ""
    assert [each.name for each in folder.iterdir()] == [name]


def test_the_file_has_what_a_pipe_gets(log, folder, capsys):
    """Byte by byte."""
    for style in ("csv", "json"):
        assert main(["history", "--format", style]) == 0
        piped = capsys.readouterr().out
        assert main(["history", "--format", style, "--output", str(folder / "file")]) == 0
        assert (folder / "file").read_bytes().decode() == piped


def test_an_empty_log_leaves_no_old_figures(log_path, folder, capsys):
    """In none of the formats."""
    for name, text in (("a.prom", "# EOF\n"), ("a.txt", "")):
        (folder / name).write_text("stability_balance_credits 5")
        assert main(["status", "--output", str(folder / name)]) == 0
        assert (folder / name).read_text() == text
    assert main(["status", "--output", str(folder / "a.json")]) == 0
    assert json.loads((folder / "a.json").read_text())["organizations"] == []


def test_a_failure_leaves_the_file_as_it_was(log_path, folder, capsys):
    """Here the log cannot be read."""
    (folder / "a.prom").write_text("as it was")
    log_path.parent.mkdir()
    log_path.write_text("no log")
    assert main(["status", "--output", str(folder / "a.prom")]) == 1
    assert (folder / "a.prom").read_text() == "as it was"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/a.csv", "No such file or directory"),
        ("file/a.csv", "Not a directory"),
        ("", "Is a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_in_a_line(log, folder, capsys, place, reason):
    """With the exit code 1; the answer's line is told all the same."""
    (folder / "file").touch()
    assert main(["history", "--output", str(folder / place)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    *_, last = captured.err.splitlines()
    assert last.startswith("SettingsError: ")
    assert f"could not be written: {reason}. Check --output" in last
    assert [each.name for each in folder.iterdir()] == ["file"]


def test_a_balance_that_is_too_low_is_written_too(api, log_path, folder, capsys):
    """The exit code is that of the balance."""
    file = folder / "a.csv"
    assert main(["balance", "--require", "999999", "--output", str(file)]) == 3
    assert file.read_text().startswith("read_at,")


def test_a_command_without_a_table_has_no_file(log, capsys):
    """Which a wrong argument is."""
    with pytest.raises(SystemExit) as caught:
        main(["watch", "--output", "x"])
    assert caught.value.code == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_rights_are_those_that_the_file_had_or_that_new_files_get(folder):
    """So that node_exporter, another user, can read it."""
    file = folder / "a.prom"
    write_whole(file, b"1")
    plain = folder / "plain"
    plain.touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    file.chmod(0o604)
    write_whole(file, b"2")
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert file.read_bytes() == b"2"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links and pipes")
def test_a_link_stays_one_and_a_pipe_too(folder):
    """What they lead to is written."""
    target, link, pipe = folder / "target", folder / "link", folder / "pipe"
    link.symlink_to("target")
    for content in (b"new", b"newer"):
        write_whole(link, content)
        assert (link.is_symlink(), target.read_bytes()) == (True, content)
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through")
    reader.join()
    assert received == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no such name")
def test_standard_output_by_its_name_is_written_into(log, folder):
    """Where it is a file, what others have written there stays."""
    history = f"'{sys.executable}' -m stability_magic history --since all --output /dev/stdout"
    with (folder / "all").open("ab") as all_of_it:
        subprocess.run(
            f"echo before; {history}; echo after",
            shell=True,
            stdout=all_of_it,
            timeout=60,
            check=True,
        )
    lines = (folder / "all").read_text().splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("read_at,")


def test_who_reads_meanwhile_sees_the_one_or_the_other(folder):
    """Never a part, nor nothing."""
    file = folder / "a.prom"
    contents = [bytes([each]) * 100_000 for each in b"ab"]
    write_whole(file, contents[0])
    seen = set()
    is_done = threading.Event()

    def read():
        while not is_done.is_set():
            seen.add(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(50):
        write_whole(file, contents[number % 2])
    is_done.set()
    reader.join()
    assert seen
    assert seen <= set(contents)


# Writes as an ordinary user, whom rights can keep out.
WRITE = """
import os, sys
from pathlib import Path
from stability_magic import SettingsError
from stability_magic.terminal.file_output import write_whole
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1])
write_whole(folder / "a.prom", b"as it was")
folder.chmod(0o500)
for name in ("a.prom", "b.prom"):
    try:
        write_whole(folder / name, b"new")
    except SettingsError as error:
        print(error)
print((folder / "a.prom").read_text(), len(list(folder.iterdir())))
folder.chmod(0o700)
"""


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_folder_that_may_not_be_written_is_told():
    """What is in it stays as it is."""
    with tempfile.TemporaryDirectory() as name:
        if os.getuid() == 0:
            os.chown(name, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", WRITE, name], capture_output=True, encoding="utf-8", timeout=60
        )
    assert done.returncode == 0, done.stderr
    first, second, state = done.stdout.splitlines()
    for line, file in ((first, "a.prom"), (second, "b.prom")):
        assert line.startswith(f"{name}/{file} could not be written: Permission denied")
    assert state == "as it was 1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_told():
    """By the device that plays one, which is written into and not replaced."""
    with pytest.raises(SettingsError, match="No space left on device") as caught:
        write_whole(Path("/dev/full"), b"x")
    assert_is_clear_error(caught.value)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
