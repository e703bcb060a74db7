"""Gives every test a clean environment, and on request a service, a log and a shell."""

from __future__ import annotations

import atexit
import gc
import os
import secrets
import signal
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from stability_magic.simulator.simulator import SimulatedClock, Simulator

from .helpers.leaks import assert_no_key, search_files, watch_outputs
from .helpers.postgres import Server, find_binaries

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

CLEARED_VARIABLES = (
    "STABILITY_API_HOST",
    "STABILITY_API_KEY",
    "STABILITY_API_VERSION",
    "STABILITY_KEY",
    "STABILITY_LOW_BALANCE",
    "STABILITY_MAGIC_HOST",
    "STABILITY_MAGIC_LOG",
    "STABILITY_MAGIC_MEMBER",
    "STABILITY_MAGIC_NOTIFY",
    "STABILITY_MAGIC_SHARED_LOG",
    "STABILITY_MAGIC_SHARED_SCHEMA",
    "STABILITY_NEXT_OPERATION",
    "STABILITY_ORGANIZATION",
    "KAGGLE_USER_SECRETS_TOKEN",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)

# A shell that starts the tests in the background has Ctrl-C ignored, and every process that a test
# starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides the developer's key, log, proxy and home, and those of other tests."""
    for name in CLEARED_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "IPYTHONDIR", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture(autouse=True)
def no_key_leaks(environment: None, tmp_path: Path) -> Iterator[None]:
    """Checks that nothing a test prints or writes contains the key."""
    with pytest.MonkeyPatch.context() as patch:
        watch_outputs(patch)
        yield
    search_files(tmp_path)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator that the environment points at, in a minute in which nothing is spent.

    At the present one, a job could begin just then, and what a test spends would be part of a sum.
    """
    clock = SimulatedClock(datetime(2026, 11, 24, 2, 30, tzinfo=UTC), speed=0)
    with Simulator(clock=clock, rate_limit=100_000) as simulator:
        monkeypatch.setenv("STABILITY_API_HOST", simulator.url)
        monkeypatch.setenv("STABILITY_API_KEY", simulator.api_key)
        yield simulator


@pytest.fixture
def log_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of the log that the environment names; there is no file yet."""
    path = tmp_path / "data" / "log.db"
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(path))
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server that the tests of this process share."""
    yield from _running_server()


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """A PostgreSQL server that a test may stop."""
    yield from _running_server()


def _running_server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    if find_binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    server = Server()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a schema that no other test uses, set in the environment."""
    name = f"log {secrets.token_hex(4)}"
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_SCHEMA", name)
    return name


@pytest.fixture
def shared(postgres: Server, schema: str, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A PostgreSQL server for an empty shared log that the environment points at."""
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", postgres.address())
    return postgres


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A real IPython shell with the extension loaded."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    shell.extension_manager.load_extension("stability_magic")
    yield shell
    shell.extension_manager.unload_extension("stability_magic")
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()


# The environment variable with the default of --examples.
EXAMPLES_VARIABLE = "STABILITY_MAGIC_TEST_EXAMPLES"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--examples N``."""
    parser.addoption(
        "--examples",
        type=int,
        default=int(os.environ.get(EXAMPLES_VARIABLE, "60")),
        help="how many examples of each kind of hostile input to try (60)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the profile before the tests that use it are imported."""
    # A busy machine is no fault of what is tested.
    examples = config.getoption("--examples")
    settings.register_profile("hostile", max_examples=examples, deadline=None)


def pytest_collection_finish() -> None:
    """Takes what has been imported by now out of the garbage collector's rounds.

    A shell that ends collects all garbage, which takes a third of a second among the objects of so
    many modules and tests: more than most tests.
    """
    gc.collect()
    gc.freeze()


# If this environment variable is set, a skipped test is a failure.
NO_SKIP_VARIABLE = "STABILITY_MAGIC_TEST_EVERYTHING"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a skipped test if skipping is not allowed, and one whose output holds a key."""
    report = _fail_if_skipped((yield))
    for name, content in report.sections:
        try:
            assert_no_key(name, content)
        except AssertionError as error:
            report.outcome, report.longrepr = "failed", str(error)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fails a skipped file if skipping is not allowed."""
    return _fail_if_skipped((yield))


def _fail_if_skipped(report: Report) -> Report:
    if report.skipped and os.environ.get(NO_SKIP_VARIABLE):
        report.outcome = "failed"
        report.longrepr = f"cannot be skipped here: {report.longrepr}"
    return report
