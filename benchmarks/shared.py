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
from stability_magic._log_outbox import Outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._simulator import SimulatedClock, Simulator
from stability_magic._spend import usage_marks, usage_of
from stability_magic._sync import send
from stability_magic._text import Address
from tests._postgres import Server

from ._logs import BEGIN, ORGANIZATION, entries
from ._timing import report, side_by_side
from .balance import shell

# A reading of every organization each ten minutes, with a top-up of a thousand credits every
# nineteen days.
_FILL = """
    INSERT INTO {schema}.readings
    SELECT 'org-' || lpad(o::TEXT, 20, '0'), {begin} + n * 600000000::BIGINT + o,
        gen_random_uuid(), 1000 - ((n * 37 + o * 1000) % 100000) / 100.0,
        'https://api.stability.ai', 'watch', NULL, 'hub'
    FROM generate_series(1, {organizations}) AS o, generate_series(0, {each} - 1) AS n
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
            balance(server, Path(folder))
            sending(server, Path(folder))
        large(server, arguments.readings, arguments.organizations)
    finally:
        server.remove()


@contextlib.contextmanager
def opened(server: Server, schema: str) -> Iterator[SharedLog]:
    """A shared log on the server."""
    with contextlib.closing(SharedLog(target_of(Address(server.address()), schema), UTC)) as log:
        yield log


def balance(server: Server, root: Path) -> None:
    """``%stability_balance`` with and without a shared log."""
    with (
        Simulator(clock=SimulatedClock(speed=0), rate_limit=10**9) as simulator,
        shell(simulator, root / "small.db") as ipython,
    ):

        def magic(address: str) -> None:
            os.environ["STABILITY_MAGIC_SHARED_LOG"] = address
            with contextlib.redirect_stdout(io.StringIO()):
                ipython.run_line_magic("stability_balance", "")

        times = side_by_side(
            {"alone": lambda: magic(""), "shared": lambda: magic(server.address())}, rounds=100
        )
        os.environ["STABILITY_MAGIC_SHARED_LOG"] = ""
    report("%stability_balance without a shared log", times["alone"])
    report("the same with one, on a socket", times["shared"], times["alone"])


def sending(server: Server, root: Path, count: int = 1_000_000) -> None:
    """A log of a million readings, sent in bulk."""
    log = BalanceLog(root / "large.db")
    log.write(entries(count, ORGANIZATION))
    schemas = iter(f"bulk{number}" for number in range(10))

    def told(_: int) -> None:
        """Nobody looks."""

    def whole() -> None:
        with opened(server, next(schemas)) as shared:
            assert send(Outbox(log.path), shared, told).readings == count

    seconds = side_by_side({"whole": whole}, rounds=3)["whole"]
    report(f"sending {count:,} readings", seconds)
    print(f"{'  readings a second':58} {count / seconds:9,.0f}", flush=True)


def large(server: Server, count: int, organizations: int) -> None:
    """Usage by day, added up in the database, and in the client from all readings."""
    with opened(server, "large"):
        each = count // organizations
        server.sql(
            _FILL.format(schema="large", begin=BEGIN, organizations=organizations, each=each)
        )
        server.sql(
            "INSERT INTO large.organizations SELECT DISTINCT organization, 0, organization"
            " FROM large.readings"
        )
        server.sql("VACUUM ANALYZE large.readings")
        ((table, index),) = server.sql(
            "SELECT pg_table_size('large.readings'), pg_indexes_size('large.readings')"
        )
    print(f"{'bytes a reading: table, index':58} {table / count:9.0f} {index / count:7.0f}")

    def usage() -> object:
        with opened(server, "large") as shared:
            marks = usage_marks("day", UTC, None, None)
            return usage_of(shared.balances(None, None, None, marks), "day")

    report(
        f"usage by day of {count:,} readings, {organizations} organizations",
        side_by_side({"usage": usage}, rounds=3)["usage"],
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
        for what, code in {"imports alone": _IMPORTS, "usage by day": _USAGE}.items()
    }
    for what, peak in peaks.items():
        print(f"{f'  peak memory of a client, MB: {what}':58} {peak / 1024:9.0f}")


# The kernel's own account, which begins with the program.
_IMPORTS = """
import re, sys
from contextlib import closing
from datetime import UTC
import stability_magic._log_outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._spend import usage_marks, usage_of
from stability_magic._text import Address
with closing(SharedLog(target_of(Address(sys.argv[1]), "large"), UTC)) as shared:
    pass
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
_USAGE = _IMPORTS.replace(
    "    pass",
    """\
    marks = usage_marks("day", UTC, None, None)
    usage_of(shared.balances(None, None, None, marks), "day")
""",
)


if __name__ == "__main__":
    main()
