"""What was acknowledged stays, whatever ends the process, the disk, the folder or the clock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# Rounds of processes that append, and say so when each reading is on the disk, of which all are
# killed at a moment of chance.
KILLED = """
import os, random, signal, sqlite3, sys, time
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog

path, rounds, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
noon, chance = datetime(2026, 1, 5, 12, tzinfo=timezone.utc), random.Random(20261125)
acknowledged, killed = set(), 0

def append(who, told):
    number = 0
    while True:
        BalanceLog(path).append(Balance("org-a", who + number, noon + timedelta(seconds=number)))
        os.write(told, f"{who + number}\\n".encode())
        number += 1

for number in range(rounds):
    children = []
    for each in range(many):
        listen, told = os.pipe()
        child = os.fork()
        if not child:
            os.close(listen)
            append(1e6 * (number * many + each), told)
        os.close(told)
        children.append((child, listen))
    time.sleep(chance.uniform(0, 0.06))
    for child, _ in children:
        os.kill(child, signal.SIGKILL)
    for child, listen in children:
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        with open(listen) as file:
            # The last line may be cut off: then it told of nothing.
            acknowledged |= {float(line) for line in file if line.endswith("\\n")}
    BalanceLog(path).append(Balance("org-b", number, noon))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()

frame = BalanceLog(path).readings()
assert killed == rounds * many, killed
assert acknowledged <= set(frame["credits"]), len(acknowledged - set(frame["credits"]))
assert frame["organization"].eq("org-b").sum() == rounds
print(len(acknowledged))
"""


def test_what_was_acknowledged_survives_a_hundred_rounds_of_kills(tmp_path):
    """The file stays sound, and the next append works."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "log.db"), "100", "3"],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


# A session in which something happens between two readings. It is an ordinary user's, to whom
# permissions mean something; what it imports is loaded while it may still read all of it.
SESSION = """
import contextlib, io, json, os, shutil, sys
from datetime import datetime, timedelta
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
import stability_magic._client as client
from stability_magic._simulator import SimulatedClock, Simulator

trouble, path = sys.argv[1], Path(sys.argv[2])
config = Config()
config.HistoryManager.enabled = False
config.InteractiveShell.colors = "nocolor"
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "stability_magic")
back = timedelta(0)

class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - back

client.datetime = Clock

def balance():
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()) as said:
        frame = shell.run_line_magic("stability_balance", "--since all")
    return [len(frame), said.getvalue().splitlines()[0], told.getvalue().splitlines()]

filler = path.with_name("filler")

def fill():
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass

def clock():
    global back
    back = timedelta(hours=1)

happens = {
    "full": (fill, filler.unlink),
    "read-only": (
        lambda: (path.chmod(0o444), path.parent.chmod(0o555)),
        lambda: (path.parent.chmod(0o755), path.chmod(0o644)),
    ),
    "folder": (lambda: shutil.rmtree(path.parent), lambda: None),
    "clock": (clock, lambda: None),
}
with Simulator(clock=SimulatedClock(speed=0)) as simulator:
    os.environ |= {
        "STABILITY_API_HOST": simulator.url,
        "STABILITY_API_KEY": simulator.api_key,
        "STABILITY_MAGIC_LOG": str(path),
    }
    os.environ["STABILITY_MAGIC_LOG"] = str(path.with_name("warm") / "warm.db")
    balance()
    shutil.rmtree(path.with_name("warm"))
    os.environ["STABILITY_MAGIC_LOG"] = str(path)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    begin, end = happens[trouble]
    steps = [balance(), balance()]
    begin()
    steps += [balance(), balance()]
    end()
    steps += [balance()]
print(json.dumps(steps))
"""


@pytest.fixture
def place():
    """A folder of an ordinary user's."""
    folder = Path(tempfile.mkdtemp())
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def steps(trouble, path, *before):
    """What five readings show, of which the third and fourth are taken while there is trouble."""
    done = subprocess.run(
        [*before, sys.executable, "-W", "ignore", "-c", SESSION, trouble, str(path)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("trouble", ["read-only", "clock"])
def test_a_session_goes_on_through_trouble(place, trouble):
    """Every reading is shown, and at the end all are in the log."""
    found = steps(trouble, place / "log.db")
    assert [rows for rows, *_ in found] == [1, 2, 3, 4, 5]
    assert all(said.startswith("Fernhill Studio (simulated): ") for _, said, _ in found)
    told = [lines for *_, lines in found]
    if trouble == "clock":
        # Time that ran twice is nothing that a user could mend.
        assert told == [[]] * 5
        return
    assert [len(lines) for lines in told] == [0, 0, 1, 1, 0]
    assert "cannot be written: it is read-only" in told[2][0]
    assert "2 readings are not in the log yet but in the frame" in told[3][0]


def test_a_session_goes_on_while_the_disk_is_full(place):
    """On a small file system of its own, which only some systems let a test make."""
    owner = "uid=65534,gid=65534," if os.getuid() == 0 else ""
    mount = f"mount -t tmpfs -o {owner}size=100k tmpfs {place}"
    alone = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode != 0:
        pytest.skip("no file system can be made here")
    found = steps("full", place / "log.db", *alone)
    assert [rows for rows, *_ in found] == [1, 2, 3, 4, 5]
    assert [len(lines) for *_, lines in found] == [0, 0, 1, 1, 0]
    assert "the disk is full. Make room and try again. 1 reading is not" in found[2][2][0]


def test_a_session_whose_folder_was_removed_begins_a_new_log_and_says_so(place):
    """What the user removed is gone; the reading that was taken is not."""
    (place / "data").mkdir()
    if os.getuid() == 0:
        os.chown(place / "data", 65534, 65534)
    found = steps("folder", place / "data" / "log.db")
    assert [rows for rows, *_ in found] == [1, 2, 1, 2, 3]
    assert [len(lines) for *_, lines in found] == [0, 0, 1, 0, 0]
    assert "is gone, which this session wrote to; a new log was begun." in found[2][2][0]
