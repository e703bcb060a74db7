"""No acknowledged reading is lost, whatever happens to the process, disk, folder or clock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]

# In each round, several processes append readings and acknowledge each one once it is on the disk,
# until all of them are killed at a random moment.
ROUNDS_OF_KILLS = """
import os, random, signal, sqlite3, sys, time
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog

path, rounds, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
noon, generator = datetime(2026, 1, 5, 12, tzinfo=timezone.utc), random.Random(20261125)
acknowledged_credits, kills = set(), 0

def append_forever(first_credits, write_end):
    number = 0
    while True:
        credits = first_credits + number
        BalanceLog(path).append(Balance("org-a", credits, noon + timedelta(seconds=number)))
        os.write(write_end, f"{credits}\\n".encode())
        number += 1

for number in range(rounds):
    children = []
    for each in range(processes):
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.close(read_end)
            append_forever(1e6 * (number * processes + each), write_end)
        os.close(write_end)
        children.append((child, read_end))
    time.sleep(generator.uniform(0, 0.06))
    for child, _ in children:
        os.kill(child, signal.SIGKILL)
    for child, read_end in children:
        kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        with open(read_end) as file:
            # The last line may be incomplete; then it acknowledges nothing.
            acknowledged_credits |= {float(line) for line in file if line.endswith("\\n")}
    BalanceLog(path).append(Balance("org-b", number, noon))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()

frame = BalanceLog(path).readings()
assert kills == rounds * processes, kills
lost_credits = acknowledged_credits - set(frame["credits"])
assert not lost_credits, len(lost_credits)
assert frame["organization"].eq("org-b").sum() == rounds
print(len(acknowledged_credits))
"""


def test_what_was_acknowledged_survives_a_hundred_rounds_of_kills(tmp_path):
    """The file stays intact, and the next append works."""
    arguments = [str(tmp_path / "log.db"), "100", "3"]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ROUNDS_OF_KILLS, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 100


# A session in which something goes wrong between two readings. It runs as an ordinary user, who is
# subject to permissions; modules are imported before, while they can still be read.
SESSION = """
import contextlib, io, json, os, shutil, sys
from datetime import datetime, timedelta
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
import stability_magic.api.client as client
from stability_magic.simulator.simulator import SimulatedClock, Simulator

trouble, path = sys.argv[1], Path(sys.argv[2])
config = Config()
config.HistoryManager.enabled = False
config.InteractiveShell.colors = "nocolor"
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "stability_magic")
delay = timedelta(0)

class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - delay

client.datetime = Clock

def balance():
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()) as output:
        frame = shell.run_line_magic("stability_balance", "--since all")
    return [len(frame), output.getvalue().splitlines()[0], errors.getvalue().splitlines()]

filler = path.with_name("filler")

def fill_disk():
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass

def set_clock_back():
    global delay
    delay = timedelta(hours=1)

troubles = {
    "full": (fill_disk, filler.unlink),
    "read-only": (
        lambda: (path.chmod(0o444), path.parent.chmod(0o555)),
        lambda: (path.parent.chmod(0o755), path.chmod(0o644)),
    ),
    "folder": (lambda: shutil.rmtree(path.parent), lambda: None),
    "clock": (set_clock_back, lambda: None),
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
    begin_trouble, end_trouble = troubles[trouble]
    steps = [balance(), balance()]
    begin_trouble()
    steps += [balance(), balance()]
    end_trouble()
    steps += [balance()]
print(json.dumps(steps))
"""


@pytest.fixture
def user_folder():
    """A folder that belongs to an ordinary user."""
    folder = Path(tempfile.mkdtemp())
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_session(trouble, path, *prefix):
    """Takes five readings, the third and fourth in trouble: the rows, line and warnings of each."""
    result = subprocess.run(
        [*prefix, sys.executable, "-W", "ignore", "-c", SESSION, trouble, str(path)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("trouble", ["read-only", "clock"])
def test_a_session_goes_on_through_trouble(user_folder, trouble):
    """Every reading is shown, and in the end all readings are in the log."""
    steps = run_session(trouble, user_folder / "log.db")
    assert [rows for rows, *_ in steps] == [1, 2, 3, 4, 5]
    assert all(line.startswith("Fernhill Studio (simulated): ") for _, line, _ in steps)
    warnings = [lines for *_, lines in steps]
    if trouble == "clock":
        # There is no warning, since users cannot do anything about it.
        assert warnings == [[]] * 5
        return
    assert [len(lines) for lines in warnings] == [0, 0, 1, 1, 0]
    assert "cannot be written: it is read-only" in warnings[2][0]
    assert "2 readings are not in the log yet but in the frame" in warnings[3][0]


def test_a_session_goes_on_while_the_disk_is_full(user_folder):
    """Uses a small file system of its own, which not every system lets a test create."""
    owner = "uid=65534,gid=65534," if os.getuid() == 0 else ""
    mount = f"mount -t tmpfs -o {owner}size=100k tmpfs {user_folder}"
    with_small_disk = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*with_small_disk, "true"]).returncode != 0
    ):
        pytest.skip("no file system can be made here")
    steps = run_session("full", user_folder / "log.db", *with_small_disk)
    assert [rows for rows, *_ in steps] == [1, 2, 3, 4, 5]
    assert [len(lines) for *_, lines in steps] == [0, 0, 1, 1, 0]
    assert "the disk is full. Make room and try again. 1 reading is not" in steps[2][2][0]


def test_a_session_whose_folder_was_removed_begins_a_new_log_and_says_so(user_folder):
    """The removed readings are gone, but the new reading is logged."""
    data_folder = user_folder / "data"
    data_folder.mkdir()
    if os.getuid() == 0:
        os.chown(data_folder, 65534, 65534)
    steps = run_session("folder", data_folder / "log.db")
    assert [rows for rows, *_ in steps] == [1, 2, 1, 2, 3]
    assert [len(lines) for *_, lines in steps] == [0, 0, 1, 0, 0]
    assert "is gone, which this session wrote to; a new log was begun." in steps[2][2][0]
