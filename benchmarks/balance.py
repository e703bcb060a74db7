"""``%stability_balance`` beside its bare parts: one GET, one durable insert, one frame."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import requests
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from stability_magic._simulator import SimulatedClock, Simulator

from ._logs import made
from ._timing import report, side_by_side

__all__ = ["run", "shell"]

_ROWS = 200


def run(root: Path, count: int) -> None:
    """With a log of some hundred readings, and of a million."""
    with (
        Simulator(clock=SimulatedClock(speed=0), rate_limit=10**9) as simulator,
        shell(simulator) as ipython,
        contextlib.closing(requests.Session()) as session,
    ):
        bare_log = root / "bare.db"
        with contextlib.closing(sqlite3.connect(bare_log)) as connection, connection:
            connection.execute("CREATE TABLE readings (read_at INTEGER, credits REAL)")
        session.headers["Authorization"] = simulator.api_key
        organization = next(iter(simulator.ledgers))
        made(root / "large.db", count, organization)

        def bare() -> pd.DataFrame:
            return _bare(session, simulator.url, bare_log)

        def magic(log: str, line: str) -> None:
            os.environ["STABILITY_MAGIC_LOG"] = str(root / log)
            with contextlib.redirect_stdout(io.StringIO()):
                ipython.run_line_magic("stability_balance", line)

        for _ in range(_ROWS):
            bare(), magic("small.db", "")
        day = f"-o {organization} --since 1d"
        times = side_by_side(
            {
                "bare": bare,
                "small": lambda: magic("small.db", ""),
                "empty": lambda: magic("empty.db", day),
                "large": lambda: magic("large.db", day),
            },
            rounds=60,
        )
    report("requests GET + durable sqlite3 insert + DataFrame", times["bare"])
    report(f"`%stability_balance`, {_ROWS} readings and more", times["small"], times["bare"], 3)
    report("`%stability_balance --since 1d`, a log begun empty", times["empty"])
    large = f"`%stability_balance --since 1d`, {count:,} readings"
    report(large, times["large"], times["empty"], 1.5)


def _bare(session: requests.Session, url: str, log: Path) -> pd.DataFrame:
    answer = session.get(f"{url}/v1alpha/user/balance", timeout=10)
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("INSERT INTO readings VALUES (0, ?)", [answer.json()["credits"]])
        connection.commit()
        return pd.read_sql_query(
            f"SELECT * FROM readings ORDER BY rowid DESC LIMIT {_ROWS}", connection
        )


@contextlib.contextmanager
def shell(simulator: Simulator) -> Iterator[InteractiveShell]:
    """A shell with the extension, pointed at a simulator."""
    os.environ |= {"STABILITY_API_HOST": simulator.url, "STABILITY_API_KEY": simulator.api_key}
    config = Config()
    config.HistoryManager.enabled = False
    ipython = InteractiveShell.instance(config=config)
    ipython.run_line_magic("load_ext", "stability_magic")
    try:
        yield ipython
    finally:
        ipython.run_line_magic("unload_ext", "stability_magic")
        InteractiveShell.clear_instance()
