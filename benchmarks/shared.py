"""How fast the shared log is, on a PostgreSQL server that is started for it.

``python -m benchmarks.shared [--readings 10000000] [--organizations 50]``

The server is one of Debian's package, with its defaults but for ``fsync``; it shares the machine's
cores with the client. Times are medians, ratios are to the line above them that has none.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import psycopg

from stability_magic import BalanceLog
from stability_magic.analysis.spend import usage_cut_points, usage_of
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.sync import send
from stability_magic.simulator.simulator import SimulatedClock, Simulator
from stability_magic.text import DatabaseAddress
from tests.helpers.postgres import Server

from .balance import shell
from .logs import BEGIN, ORGANIZATION, entries
from .timing import print_timing, time_side_by_side

# Each organization has a reading every ten minutes, and a top-up of a thousand credits every
# nineteen days.
_INSERT_READINGS = """
    INSERT INTO {schema}.readings
    SELECT 'org-' || lpad(o::TEXT, 20, '0'), {begin} + n * 600000000::BIGINT + o,
        gen_random_uuid(), 1000 - ((n * 37 + o * 1000) % 100000) / 100.0,
        'https://api.stability.ai', 'watch', NULL, 'hub'
    FROM generate_series(1, {organizations}) AS o, generate_series(0, {count} - 1) AS n
"""


def main() -> None:
    """Runs everything and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--organizations", type=int, default=50)
    arguments = parser.parse_args()
    server = Server()
    try:
        ((version,),) = server.sql("SHOW server_version")
        print(
            f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()},"
            f" PostgreSQL {version}, psycopg {psycopg.__version__}\n"
        )
        print(f"{'what':58} {'seconds':>9} {'ratio':>7}")
        with tempfile.TemporaryDirectory() as folder:
            measure_balance(server, Path(folder))
            measure_sending(server, Path(folder))
        measure_large_log(server, arguments.readings, arguments.organizations)
    finally:
        server.remove()


@contextlib.contextmanager
def open_shared_log(server: Server, schema: str) -> Iterator[SharedLog]:
    """A shared log on the server, closed at the end."""
    with contextlib.closing(
        SharedLog(target_from_address(DatabaseAddress(server.address()), schema), UTC)
    ) as log:
        yield log


def measure_balance(server: Server, root: Path) -> None:
    """``%stability_balance`` with and without a shared log."""
    os.environ["STABILITY_MAGIC_LOG"] = str(root / "small.db")
    with (
        Simulator(clock=SimulatedClock(speed=0), rate_limit=10**9) as simulator,
        shell(simulator) as ipython,
    ):

        def run_magic(address: str) -> None:
            os.environ["STABILITY_MAGIC_SHARED_LOG"] = address
            with contextlib.redirect_stdout(io.StringIO()):
                ipython.run_line_magic("stability_balance", "")

        times = time_side_by_side(
            {"alone": lambda: run_magic(""), "shared": lambda: run_magic(server.address())},
            rounds=100,
        )
        os.environ["STABILITY_MAGIC_SHARED_LOG"] = ""
    print_timing("%stability_balance without a shared log", times["alone"])
    print_timing("the same with one, on a socket", times["shared"], times["alone"])


def measure_sending(server: Server, root: Path, count: int = 1_000_000) -> None:
    """Sends a local log of ``count`` readings in bulk."""
    log = BalanceLog(root / "large.db")
    log.write(entries(count, ORGANIZATION))
    schemas = iter(f"bulk{number}" for number in range(10))

    def ignore_progress(_: int) -> None:
        pass

    def send_all() -> None:
        with open_shared_log(server, next(schemas)) as shared:
            assert send(Outbox(log.path), shared, ignore_progress).readings == count

    seconds = time_side_by_side({"send": send_all}, rounds=3)["send"]
    print_timing(f"sending {count:,} readings", seconds)
    print(f"{'  readings a second':58} {count / seconds:9,.0f}", flush=True)


def measure_large_log(server: Server, count: int, organizations: int) -> None:
    """Measures usage by day, added up in the database, and the memory that the client needs."""
    with open_shared_log(server, "large"):
        server.sql(
            _INSERT_READINGS.format(
                schema="large",
                begin=BEGIN,
                organizations=organizations,
                count=count // organizations,
            )
        )
        server.sql(
            "INSERT INTO large.organizations SELECT DISTINCT organization, 0, organization"
            " FROM large.readings"
        )
        server.sql("VACUUM ANALYZE large.readings")
        ((table_size, index_size),) = server.sql(
            "SELECT pg_table_size('large.readings'), pg_indexes_size('large.readings')"
        )
    sizes = f"{table_size / count:9.0f} {index_size / count:7.0f}"
    print(f"{'bytes a reading: table, index':58} {sizes}")

    def compute_usage() -> object:
        with open_shared_log(server, "large") as shared:
            cut_points = usage_cut_points("day", UTC, None, None)
            return usage_of(shared.histories(None, None, None, cut_points), "day")

    print_timing(
        f"usage by day of {count:,} readings, {organizations} organizations",
        time_side_by_side({"usage": compute_usage}, rounds=3)["usage"],
    )
    peaks = {
        what: int(
            subprocess.run(
                [sys.executable, "-c", code, server.address()],
                check=True,
                capture_output=True,
                encoding="utf-8",
            ).stdout
        )
        for what, code in {"imports alone": _IMPORTS_CODE, "usage by day": _USAGE_CODE}.items()
    }
    for what, peak in peaks.items():
        print(f"{f'  peak memory of a client, MB: {what}':58} {peak / 1024:9.0f}")


# Linux counts the peak memory (VmHWM) from the start of the program.
_IMPORTS_CODE = """
import re, sys
from contextlib import closing
from datetime import UTC
import stability_magic.log.outbox
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.connection import target_from_address
from stability_magic.analysis.spend import usage_cut_points, usage_of
from stability_magic.text import DatabaseAddress
with closing(SharedLog(target_from_address(DatabaseAddress(sys.argv[1]), "large"), UTC)) as shared:
    pass
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
_USAGE_CODE = _IMPORTS_CODE.replace(
    "    pass",
    """\
    cut_points = usage_cut_points("day", UTC, None, None)
    usage_of(shared.histories(None, None, None, cut_points), "day")
""",
)


if __name__ == "__main__":
    main()
