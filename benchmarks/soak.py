"""Prints what eight hours of a notebook do to memory, threads, handles and the log.

``python -m benchmarks.soak [--hours 8] [--minutes 3] [--shared]``

A real kernel talks over HTTP to the simulator, which runs in this process with a clock so fast
that the hours pass in a few minutes. A watch reads every 30 seconds, every 20 minutes there is a
round of cells, and in every other round something happens: the network or the shared log is lost,
the laptop sleeps, the key changes, another process holds the log, the disk is full, the extension
is loaded anew, or the service answers wrongly.

The service tells its fast clock in its answers, so that readings lie hours apart in the log. Each
answer also takes a little off the balance: no two are alike, and what is lost or doubled shows.
Times are counted in milliseconds of the machine's clock, everything else in simulated time.

``--shared`` adds a shared log on a PostgreSQL server of its own, which can be stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil  # type: ignore[import-untyped]
from jupyter_client.manager import KernelManager

from stability_magic.simulator.simulator import FAULTS, Fault, Request, SimulatedClock, Simulator
from tests.helpers.postgres import Server

ROUND = timedelta(minutes=20)
CELLS = (
    "%stability_balance",
    "%%stability_cost render --settle 0.1\nimport time; time.sleep(0.1)",
    "%stability_usage --by hour",
    "%stability_plot",
    "%stability_forecast",
    "%stability_costs",
    "%stability_history --since 1d",
    "%stability",
    "%stability_watch --status",
)
BEGIN_WATCH = "%stability_watch --every 30s --plot"
WRONG_ANSWERS = ("503", "html", "broken-json", "credits-nan", "hang-up", "empty", "401", "403")

# Less than what counts as a change of the balance (analysis.changes.SMALLEST_CHANGE).
CREDITS_PER_ANSWER = 1e-7

# What the package counts on the machine's own clock passes as fast as the simulator's. Waiting for
# other processes does not: writing takes real time.
_SPEED_UP = """
from stability_magic.commands import service_commands
from stability_magic.log import waiting
from stability_magic.session import shared_link, watch_schedule
parse_interval = service_commands.parse_interval
service_commands.parse_interval = lambda text: parse_interval(text) / {speed}
watch_schedule._LONGEST_PAUSE /= {speed}
shared_link._RETRY_PAUSE /= {speed}
waiting.BUSY_SECONDS = 1.0
"""
_FORGET_OUTPUTS = "get_ipython().history_manager.outputs.clear()"
_COUNT_OBJECTS = "(__import__('gc').collect(), len(__import__('gc').get_objects()))[1]"


class Answer(NamedTuple):
    """A balance that the service told."""

    at: datetime
    credits: float


class Service(Simulator):
    """The simulator with a network that can be lost, and a memory of the balances it told.

    Attributes:
        is_reachable: Whether requests are answered.
        answers: The balances that were told, oldest first.
    """

    is_reachable = True

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock=clock, rate_limit=10**9)
        self.answers: list[Answer] = []

    def _date(self) -> datetime:
        return self.clock.now()

    def _correct_answer(self, request: Request, path: str) -> Fault:
        if not self.is_reachable:
            return FAULTS["hang-up-at-once"]
        answer = super()._correct_answer(request, path)
        if path.endswith("/user/balance") and answer.status == 200:
            self.answers.append(Answer(request.at, float(json.loads(answer.body)["credits"])))
            self.spend(CREDITS_PER_ANSWER)
        return answer


class Sample(NamedTuple):
    """What the kernel's process holds."""

    megabytes: float
    objects: int
    threads: int
    handles: int


class Kernel:
    """A kernel that runs cells.

    Attributes:
        meanwhile: What happens while its cells run.
        warnings: The warnings and errors that cells showed, with what happened meanwhile.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._manager = KernelManager()
        # Whoever runs this may have set a key, an organization, and people who are told.
        others = {
            name: value for name, value in os.environ.items() if not name.startswith("STABILITY_")
        }
        # IPython keeps what each cell returns and shows; that is not what is measured.
        self._manager.start_kernel(
            env=others | environment,
            extra_arguments=[
                "--HistoryManager.enabled=False",
                "--InteractiveShell.cache_size=0",
                "--IPKernelApp.log_level=40",
            ],
        )
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.meanwhile = ""
        self.warnings: Counter[tuple[str, str]] = Counter()
        self.process = psutil.Process(self.evaluate("__import__('os').getpid()"))

    def run(self, cell: str, expression: str = "0") -> dict[str, Any]:
        """Runs a cell, and returns the reply with the value of an expression."""
        request = self._client.execute(cell, user_expressions={"value": expression})
        is_idle = False
        while not is_idle:
            message = self._client.get_iopub_msg(timeout=120)
            self._count_warnings(message["msg_type"], message["content"])
            is_own = message["parent_header"].get("msg_id") == request
            is_idle = is_own and message["content"].get("execution_state") == "idle"
        return dict(self._client.get_shell_msg(timeout=120)["content"])

    def _count_warnings(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "error":
            self.warnings[self.meanwhile, content["ename"]] += 1
        elif kind == "stream" and content["name"] == "stderr":
            # What else is printed there is the rest of a warning of several lines.
            for line in content["text"].splitlines():
                if line.startswith("stability_magic: "):
                    self.warnings[self.meanwhile, _kind_of_warning(line)] += 1

    def evaluate(self, expression: str) -> int:
        """The value of an expression there, a whole number."""
        return int(self.run("", expression)["user_expressions"]["value"]["data"]["text/plain"])

    def sample(self) -> Sample:
        """What its process holds now."""
        self.run(_FORGET_OUTPUTS)
        objects = self.evaluate(_COUNT_OBJECTS)
        memory = self.process.memory_info().rss / 1e6
        return Sample(memory, objects, self.process.num_threads(), self.process.num_fds())

    def close(self) -> None:
        """Ends it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel()


def _kind_of_warning(line: str) -> str:
    """The first words of a warning, without the paths and figures that differ."""
    words = line.removeprefix("stability_magic: ").split()
    return " ".join([each for each in words if re.fullmatch(r"[A-Za-z_]+\W?", each)][:8])


class Soak:
    """A kernel and a service, and what can happen to them.

    Args:
        folder: Where the log is, and the kernel's home.
        speed: Simulated seconds per real second.
        length: How long it lasts.
        server: The server of the shared log; None for none.
    """

    def __init__(
        self, folder: Path, speed: float, length: timedelta, server: Server | None
    ) -> None:
        self.log = folder / "log.db"
        # It ends at the present: nothing in the log lies in the machine's future.
        self.service = Service(SimulatedClock(datetime.now(UTC) - length, speed)).start()
        self.kernel = Kernel(
            {
                "HOME": str(folder),
                "XDG_DATA_HOME": str(folder),
                "IPYTHONDIR": str(folder),
                "STABILITY_API_HOST": self.service.url,
                "STABILITY_API_KEY": self.service.api_key,
                "STABILITY_MAGIC_LOG": str(self.log),
                "STABILITY_MAGIC_SHARED_LOG": server.address() if server else "",
            }
        )
        self._server = server
        self._speed = speed
        self._length = length

    def run(self) -> list[Sample]:
        """Lets the time pass, and returns a sample of each round."""
        happenings = itertools.cycle(self._happenings())
        self._run_cells(
            (_SPEED_UP.format(speed=self._speed), "%load_ext stability_magic", BEGIN_WATCH)
        )
        samples = []
        start = self.service.clock.now()
        for number in range(self._length // ROUND):
            begin = start + number * ROUND
            if number > 2 and number % 2:
                happening = next(happenings)
                self.kernel.meanwhile = happening.__name__.strip("_").replace("_", " ")
                with happening():
                    self._run_cells(CELLS)
                    self._wait_until(begin + ROUND / 2)
                self.kernel.meanwhile = ""
            self._run_cells(CELLS)
            self._wait_until(begin + ROUND)
            samples.append(self.kernel.sample())
        self._run_cells(("%stability_watch --stop", "%stability_balance", *self._last_cells()))
        return samples

    def _last_cells(self) -> Sequence[str]:
        return ("%stability_sync",) if self._server else ()

    def close(self) -> None:
        """Ends the kernel, then the service."""
        self.kernel.close()
        self.service.stop()

    def _run_cells(self, cells: Sequence[str]) -> None:
        for each in cells:
            self.kernel.run(each)

    def _wait_until(self, at: datetime) -> None:
        seconds = (at - self.service.clock.now()).total_seconds() / self._speed
        time.sleep(max(0.0, seconds))

    def _happenings(self) -> list[Callable[[], AbstractContextManager[None]]]:
        shared: list[Callable[[], AbstractContextManager[None]]] = [self._shared_log_lost]
        return [
            self._network_lost,
            self._asleep,
            self._key_changed,
            self._log_held,
            self._disk_full,
            self._loaded_anew,
            self._wrong_answers,
            *(shared if self._server else []),
        ]

    @contextlib.contextmanager
    def _network_lost(self) -> Iterator[None]:
        self.service.is_reachable = False
        # What was answered before is on its way.
        time.sleep(0.2)
        self.service.stop()
        try:
            yield
        finally:
            self.service.is_reachable = True
            self.service.start()

    @contextlib.contextmanager
    def _asleep(self) -> Iterator[None]:
        self.service.clock.set(self.service.clock.now() + ROUND / 2)
        yield

    @contextlib.contextmanager
    def _key_changed(self) -> Iterator[None]:
        key = self.service.api_key = f"{self.service.api_key[:-1]}{time.time_ns()}"
        yield
        self.kernel.run(f"import os; os.environ['STABILITY_API_KEY'] = {key!r}")

    @contextlib.contextmanager
    def _log_held(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.log, timeout=60)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield

    @contextlib.contextmanager
    def _disk_full(self) -> Iterator[None]:
        import resource

        if not hasattr(resource, "prlimit"):
            print("The disk was never full: only Linux can limit another process's files.")
            yield
            return
        pid = self.kernel.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[1]))
        yield
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

    @contextlib.contextmanager
    def _loaded_anew(self) -> Iterator[None]:
        self._run_cells(("%reload_ext stability_magic", BEGIN_WATCH))
        yield

    @contextlib.contextmanager
    def _wrong_answers(self) -> Iterator[None]:
        for each in WRONG_ANSWERS:
            self.service.fail(FAULTS[each], path="/user/balance")
        yield

    @contextlib.contextmanager
    def _shared_log_lost(self) -> Iterator[None]:
        assert self._server is not None
        self._server.stop()
        yield
        self._server.start()


def print_row(what: str, *figures: object) -> None:
    print(f"| {what:44} | {' | '.join(f'{each!s:>12}' for each in figures)} |", flush=True)


def print_samples(samples: Sequence[Sample]) -> None:
    """Prints what the process held after the first tenth, half and all of the time."""
    count = len(samples)
    chosen = [samples[count // 10], samples[count // 2], samples[-1]]
    print_row("the kernel", "first tenth", "half", "end")
    print(f"|---|{'---:|' * 3}")
    print_row("resident memory, MB", *(f"{each.megabytes:.1f}" for each in chosen))
    print_row("objects that garbage collection tracks", *(f"{each.objects:,}" for each in chosen))
    print_row("threads", *(each.threads for each in chosen))
    print_row("open files and sockets", *(each.handles for each in chosen))


def print_readings(
    where: str, answers: Sequence[Answer], readings: Sequence[tuple[int, float]], speed: float
) -> None:
    """Prints how the readings of a log compare with what the service told.

    Args:
        where: The log.
        answers: What the service told.
        readings: Times in microseconds since 1970 UTC, and credits.
        speed: Simulated seconds per real second.
    """
    told, logged = Counter(each.credits for each in answers), Counter(each for _, each in readings)
    times = {each.credits: each.at.timestamp() for each in answers}
    late = [abs(at / 1e6 - times[credits]) for at, credits in readings if credits in times]
    milliseconds = np.array(late) / speed * 1000
    print(f"\n| {where} | |\n|---|---:|")
    print_row("balances that the service told", len(answers))
    print_row("readings in the log", len(readings))
    print_row("lost", (told - logged).total())
    print_row("doubled", sum(count - 1 for count in logged.values()))
    print_row("of a balance that was not told", sum(each not in told for each in logged))
    print_row("milliseconds that times are off, median", f"{np.median(milliseconds):.0f}")
    print_row("milliseconds that times are off, at most", f"{np.max(milliseconds):.0f}")


def main() -> None:
    """Runs it and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    # The package takes a clock that is more than a day off for a fault.
    parser.add_argument("--hours", type=float, default=8, help="simulated, 1 to 23")
    parser.add_argument("--minutes", type=float, default=3, help="real")
    parser.add_argument("--shared", action="store_true", help="with a PostgreSQL server")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        server = Server() if arguments.shared else None
        if server is not None:
            stack.callback(server.remove)
        length = timedelta(hours=arguments.hours)
        speed = 60 * arguments.hours / arguments.minutes
        soak = Soak(Path(folder), speed, length, server)
        try:
            print_samples(soak.run())
        finally:
            soak.close()
        with contextlib.closing(sqlite3.connect(soak.log)) as connection:
            readings = connection.execute("SELECT read_at, credits FROM readings").fetchall()
            (damage,) = connection.execute("PRAGMA integrity_check").fetchone()
        print_readings("the log", soak.service.answers, readings, speed)
        print_row("what SQLite finds wrong with the file", damage)
        print_row("files that stayed beside it", len(list(soak.log.parent.glob("log.db?*"))))
        if server is not None:
            shared: Any = server.sql("SELECT read_at, credits FROM stability_magic.readings")
            print_readings("the shared log", soak.service.answers, shared, speed)
        print("\n| warnings and errors shown | |\n|---|---:|")
        for (meanwhile, warning), count in sorted(soak.kernel.warnings.items()):
            print_row(f"{meanwhile or 'nothing happens'}: {warning}", count)


if __name__ == "__main__":
    main()
