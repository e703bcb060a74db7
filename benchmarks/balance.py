"""``%stability_balance`` beside the bare minimum: one GET, one durable insert, one frame."""

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

from stability_magic.simulator.simulator import SimulatedClock, Simulator

from .logs import create_log
from .timing import print_timing, time_side_by_side

__all__ = ["run", "shell"]

_ROWS = 200


def run(root: Path, count: int) -> None:
    """Measures it with a log of a few hundred readings, and of ``count`` readings."""
    with (
        Simulator(clock=SimulatedClock(speed=0), rate_limit=10**9) as simulator,
        shell(simulator) as ipython,
        contextlib.closing(requests.Session()) as session,
    ):
        bare_path = root / "bare.db"
        with contextlib.closing(sqlite3.connect(bare_path)) as connection, connection:
            connection.execute("CREATE TABLE readings (read_at INTEGER, credits REAL)")
        session.headers["Authorization"] = simulator.api_key
        organization = next(iter(simulator.ledgers))
        create_log(root / "large.db", count, organization)

        def run_bare() -> pd.DataFrame:
            return _run_bare(session, simulator.url, bare_path)

        def run_magic(file_name: str, line: str) -> None:
            os.environ["STABILITY_MAGIC_LOG"] = str(root / file_name)
            with contextlib.redirect_stdout(io.StringIO()):
                ipython.run_line_magic("stability_balance", line)

        for _ in range(_ROWS):
            run_bare(), run_magic("small.db", "")
        last_day = f"-o {organization} --since 1d"
        times = time_side_by_side(
            {
                "bare": run_bare,
                "small": lambda: run_magic("small.db", ""),
                "empty": lambda: run_magic("empty.db", last_day),
                "large": lambda: run_magic("large.db", last_day),
            },
            rounds=60,
        )
    print_timing("requests GET + durable sqlite3 insert + DataFrame", times["bare"])
    print_timing(
        f"`%stability_balance`, {_ROWS} readings and more", times["small"], times["bare"], 3
    )
    print_timing("`%stability_balance --since 1d`, a log begun empty", times["empty"])
    what = f"`%stability_balance --since 1d`, {count:,} readings"
    print_timing(what, times["large"], times["empty"], 1.5)


def _run_bare(session: requests.Session, url: str, log: Path) -> pd.DataFrame:
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
    """An IPython shell with the extension loaded, which talks to the simulator."""
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
