"""``%stability_check`` and ``stability-magic check``: the cause of a fault, safe to paste."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import ssl
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog
from stability_magic.simulator.simulator import FAULTS, Fault
from stability_magic.terminal.command_line import main

from ..api.keep_alive import KeepAliveServer, balance_answer
from ..helpers.errors import KEY

NAMES = (
    "key",
    "settings",
    "service",
    "account",
    "balance",
    "clock",
    "network",
    "log",
    "shared log",
    "versions",
)
LINE = re.compile(rf"(ok|FAULT|-) +({'|'.join(NAMES)}) +(\S.*)")


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check(capsys):
    """Runs ``stability-magic check``; its exit code and, by name, the state and the text."""

    def check(*arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
        capsys.readouterr()
        code = main(["check", *arguments])
        captured = capsys.readouterr()
        assert captured.err == ""
        matches = [LINE.fullmatch(each) for each in captured.out.splitlines()]
        assert all(matches), captured.out
        assert tuple(match[2] for match in matches) == NAMES
        return code, {match[2]: (match[1], match[3]) for match in matches}

    return check


@pytest.mark.usefixtures("log_path")
def test_where_all_is_well_each_line_says_so(check, api):
    """And the exit code is 0."""
    code, lines = check()
    assert code == 0
    assert {state for state, _ in lines.values()} == {"ok", "-"}
    assert lines["key"] == ("ok", "STABILITY_API_KEY in the environment")
    assert re.fullmatch(rf"{api.url} answered in \d+\.\d\d s, version v1alpha", lines["service"][1])
    assert lines["account"][1] == "d***@example.com, 3 organizations"
    assert re.fullmatch(r"[\d,.]+ credits, of the default", lines["balance"][1])
    assert lines["clock"][1] == "agrees with the service's"
    assert lines["shared log"] == ("-", "none is set")
    for each in ("stability_magic ", "Python 3.", "pandas ", "ipython ", "requests ", "SQLite 3."):
        assert each in lines["versions"][1]


def test_the_reading_is_logged_as_every_reading_is(check, api, log_path):
    """With what took it; the log's line counts it."""
    BalanceLog(log_path).append(Balance("org-1", 5.0, datetime(2026, 1, 5, 12, tzinfo=UTC)))
    _, lines = check()
    readings = BalanceLog(log_path).readings()
    assert readings["source"].tolist() == ["library", "check"]
    newest = f"{readings.index[-1]:%Y-%m-%d %H:%M}"
    assert f", 2 readings, 2026-01-05 12:00 to {newest}, this check's among" in lines["log"][1]
    assert f"{log_path}, {log_path.stat().st_size / 1024:,.0f} KiB, " in lines["log"][1]


@pytest.mark.usefixtures("log_path")
def test_the_version_that_answers_is_told(check, api):
    """Where the first one was switched off."""
    api.versions = ("v1",)
    _, lines = check()
    assert lines["service"][1].endswith("version v1")


# The faults. Each is put in by a function; what it returns is closed at the end.


def no_key(world):
    world.delenv("STABILITY_API_KEY")


def key_with_a_space(world):
    world.setenv("STABILITY_API_KEY", "sk-one two")


def wrong_key(world):
    world.setenv("STABILITY_API_KEY", "sk-of-somebody-else-0123456789")


def foreign_organization(world):
    world.setenv("STABILITY_ORGANIZATION", "org-of-somebody-else")


def name_for_an_id(world):
    world.setenv("STABILITY_ORGANIZATION", world.api.organizations[0].name)


def rate_limit(world):
    world.api.fail(FAULTS["429"])


def server_error(world):
    world.api.fail(FAULTS["500"], times=9)


def unknown_host(world):
    world.setenv("STABILITY_API_HOST", "https://api.example.invalid")


def nobody_listens(world):
    world.setenv("STABILITY_API_HOST", "http://127.0.0.1:9")


def no_https(world):
    world.setenv("STABILITY_API_HOST", "http://api.example.invalid")


def missing_bundle(world):
    world.setenv("STABILITY_API_HOST", "https://127.0.0.1:9")
    world.setenv("SSL_CERT_FILE", str(world.folder / "missing.pem"))


def dead_proxy(world):
    world.setenv("STABILITY_API_HOST", "https://api.example.invalid")
    world.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")


def nonsense_for_a_proxy(world):
    world.setenv("STABILITY_API_HOST", "https://api.example.invalid")
    world.setenv("HTTPS_PROXY", "http://me:se/cret@127.0.0.1:9")


def login_page(world):
    world.api.fail(FAULTS["html"], times=9)


def other_json(world):
    world.api.fail(FAULTS["list"], times=9)


def wrong_clock(world):
    world.api.clock_offset = 3600.0


def fast_clock(world):
    world.api.clock_offset = -5400.0


def no_organizations(world):
    world.api.fail(
        Fault(200, json.dumps({"id": "u", "email": "a@b.c", "organizations": []}).encode())
    )


def unwritable_log(world):
    (world.folder / "file").write_text("")
    world.setenv("STABILITY_MAGIC_LOG", str(world.folder / "file" / "log.db"))


def unwritable_log_without_a_key(world):
    no_key(world)
    unwritable_log(world)


def damaged_log(world):
    log = BalanceLog(world.log_path)
    for each in range(200):
        log.append(Balance(f"org-{each:030}", 5.0, datetime(2026, 1, 5, 12, tzinfo=UTC)))
    content = world.log_path.read_bytes()
    world.log_path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def text_for_a_log(world):
    world.log_path.parent.mkdir()
    world.log_path.write_text("not a database\n" * 100)


def newer_log(world):
    BalanceLog(world.log_path).append(Balance("org-1", 5.0, datetime(2026, 1, 5, tzinfo=UTC)))
    with closing(sqlite3.connect(world.log_path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " SELECT migration_set, 'm999_of_tomorrow', applied_at FROM _sqlite_migrations LIMIT 1"
        )


def log_in_memory(world):
    world.setenv("STABILITY_MAGIC_LOG", ":memory:")


def unreachable_shared_log(world):
    pytest.importorskip("psycopg")
    world.setenv("STABILITY_MAGIC_SHARED_LOG", "postgresql://me:secret@127.0.0.1:9/credits")


def no_shared_log(world):
    world.setenv("STABILITY_MAGIC_SHARED_LOG", "mysql://me:secret@example.org/credits")


def unknown_zone(world):
    world.setenv("TZ", "Europe/Nowhere")


def wrong_number(world):
    world.setenv("STABILITY_LOW_BALANCE", "plenty")


def unknown_operation(world):
    world.setenv("STABILITY_NEXT_OPERATION", "utlra")


def odd_member(world):
    world.setenv("STABILITY_MAGIC_MEMBER", "(elsewhere)")


def odd_channels(world):
    world.setenv("STABILITY_MAGIC_NOTIFY", "[1")


CAUSES = (
    (no_key, "key", "No API key was found"),
    (key_with_a_space, "key", "holds a space"),
    (wrong_key, "account", "rejected the API key (HTTP 401"),
    (foreign_organization, "balance", "for org-…else is not shown to this key (HTTP 403"),
    (name_for_an_id, "balance", "What the setting organization holds is no organization id"),
    (rate_limit, "service", "asked too often (HTTP 429"),
    (server_error, "service", "HTTP 500"),
    (unknown_host, "service", "its name was not found"),
    (nobody_listens, "service", "the connection was refused"),
    (no_https, "service", "use https"),
    (missing_bundle, "network", "(SSL_CERT_FILE), which does not exist"),
    (dead_proxy, "service", "the proxy did not let the request through; check HTTPS_PROXY"),
    (nonsense_for_a_proxy, "service", "or that of a proxy cannot be used"),
    (login_page, "service", "A proxy or CDN answered in place of the API"),
    (other_json, "service", "it is not a JSON object"),
    (wrong_clock, "clock", "1 h 0 min behind the service's"),
    (fast_clock, "clock", "1 h 30 min ahead of the service's"),
    (no_organizations, "account", "it has no organizations"),
    (unwritable_log, "log", "cannot be used as a log: Not a directory"),
    (unwritable_log_without_a_key, "log", "cannot be used as a log: Not a directory"),
    (damaged_log, "log", "is damaged"),
    (text_for_a_log, "log", "is not an SQLite file"),
    (newer_log, "log", "was written by a newer version"),
    (log_in_memory, "log", "A log in memory would keep nothing"),
    (unreachable_shared_log, "shared log", "could not be reached (connection refused)"),
    (no_shared_log, "shared log", "is no address of a PostgreSQL database"),
    (unknown_zone, "settings", "Europe/Nowhere"),
    (wrong_number, "settings", "STABILITY_LOW_BALANCE is 'plenty', which is no number"),
    (unknown_operation, "settings", "'utlra' is no operation that is known; did you mean ultra?"),
    (odd_member, "settings", "The member '(elsewhere)' is no name"),
    (
        odd_channels,
        "settings",
        "or an address of Apprise, such as mailto://me:password@example.org",
    ),
)


class World:
    """What a fault can be put into."""

    def __init__(self, api, patch, folder, log_path):
        self.api, self.folder, self.log_path = api, folder, log_path
        self.setenv, self.delenv = patch.setenv, patch.delenv


@pytest.fixture
def world(api, monkeypatch, tmp_path, log_path):
    return World(api, monkeypatch, tmp_path, log_path)


@pytest.mark.parametrize(
    ("fault", "name", "cause"), CAUSES, ids=[each[0].__name__ for each in CAUSES]
)
def test_the_cause_of_a_fault_is_named(check, world, fault, name, cause):
    """In its own line, without stopping those after it; the exit code is 1."""
    fault(world)
    code, lines = check()
    assert code == 1
    state, text = lines[name]
    assert (state, cause in text) == ("FAULT", True), text
    assert "secret" not in str(lines)
    assert "se/cret" not in str(lines)
    assert not [each for each in world.api.organizations if each.name in str(lines)]
    # What has nothing to do with it is looked at all the same.
    assert lines["versions"][0] == "ok"
    if name in ("key", "service", "account", "balance", "clock"):
        assert lines["log"][0] in ("ok", "FAULT" if fault is unwritable_log_without_a_key else "ok")


def test_prices_that_cannot_be_used_are_a_fault(shell, api, capsys):
    """As what nothing can be estimated with."""
    shell.run_cell("%config StabilityMagic.prices = {'ultra': -1}")
    shell.run_cell("%stability_check").raise_error()
    assert "FAULT  settings    StabilityMagic.prices has -1 for ultra" in capsys.readouterr().out


def test_an_example_in_a_fault_is_shown_whole(check, world):
    """A user and a password are masked only where they are somebody's."""
    world.setenv("STABILITY_MAGIC_SHARED_LOG", "mysql://me:secret@db.example/x")
    _, lines = check()
    assert "such as postgresql://user@host/database, in which" in lines["shared log"][1]
    assert "secret" not in str(lines)
    world.setenv("STABILITY_MAGIC_SHARED_LOG", "postgresql://user@host/database@secret@127.0.0.1:9")
    _, lines = check()
    assert "host/database@" not in str(lines)


def test_a_service_that_is_silent_is_named(shell, world, capsys):
    """With how long it was waited for; it is not waited for again."""
    world.api.fail(Fault(hang_up=True, delay=2.0), times=9)
    shell.run_cell("%config StabilityMagic.timeout = 0.3")
    shell.run_cell("%stability_check").raise_error()
    out = capsys.readouterr().out
    assert re.search(r"^FAULT +service .*no answer within 0\.3 s", out, re.M)
    assert re.search(r"^- +balance +not asked for", out, re.M)
    assert {each.path for each in world.api.requests} == {"/v1alpha/user/account"}


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_certificate_that_nobody_vouches_for_is_named(check, world, tmp_path):
    """As on a network with a CA of its own."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=x"
    subprocess.run(
        shlex.split(command),
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def reply(connection, head):
        connection.sendall(balance_answer(""))

    with KeepAliveServer(reply, context) as server:
        world.setenv("STABILITY_API_HOST", server.url)
        code, lines = check()
    assert code == 1
    assert "its TLS certificate or connection is not valid" in lines["service"][1]
    assert "set SSL_CERT_FILE to its bundle" in lines["service"][1]


def test_two_keys_that_differ_are_told_and_the_first_one_is_used(check, api, log_path, monkeypatch):
    """By the names of their variables; without the one or the other key."""
    other = "sk-made-up-of-the-vendor-9876543210"
    monkeypatch.setenv("STABILITY_KEY", other)
    code, lines = check()
    assert code == 0
    assert lines["key"][1] == (
        "STABILITY_API_KEY in the environment; STABILITY_KEY is set too, holds another key, and is"
        " not used"
    )
    assert other not in str(lines)
    assert {each.header("Authorization") for each in api.requests} == {api.api_key}
    monkeypatch.setenv("STABILITY_KEY", f"Bearer {api.api_key}")
    assert check()[1]["key"][1] == "STABILITY_API_KEY in the environment"
    monkeypatch.delenv("STABILITY_API_KEY")
    assert check()[1]["key"][1] == "STABILITY_KEY in the environment"


def test_nothing_in_it_is_anybodys_secret(check, api, monkeypatch):
    """Home folder, addresses, ids and names of the account."""
    monkeypatch.setenv("STABILITY_MAGIC_LOG", "~/my log/log.db")
    monkeypatch.setenv("HTTPS_PROXY", "me:secret@proxy.example:3128")
    monkeypatch.setenv("STABILITY_ORGANIZATION", api.organizations[1].id)
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "123456")
    _, lines = check()
    told = str(lines)
    assert lines["log"][1].startswith(f"~{os.sep}my log{os.sep}log.db, ")
    assert "set: STABILITY_API_HOST, log, STABILITY_LOW_BALANCE, STABILITY_ORG" not in told
    assert re.search(r"set: .*low_balance.*organization", lines["settings"][1].lower())
    for each in ("secret", "demo.person", str(Path.home()), "123456", "user-sim"):
        assert each not in told
    for each in api.organizations:
        assert each.id not in told
        assert each.name not in told


@pytest.mark.parametrize("fault", ["403", "401"])
def test_what_the_service_says_is_no_secret_either(check, world, fault):
    """Its own words may repeat who somebody is."""
    body = {"id": "x", "name": "no", "message": "org-0123456789abcdef of jane.doe@example.org"}
    world.api.fail(Fault(int(fault), json.dumps(body).encode()), times=9)
    _, lines = check()
    assert "org-…cdef of j***@example.org" in lines["account"][1]


@pytest.mark.usefixtures("log_path")
def test_the_proxy_is_told_without_its_password(check, monkeypatch):
    """That of the environment, as requests chooses it."""
    monkeypatch.setenv("STABILITY_API_HOST", "https://api.example.invalid")
    for address, told in (
        ("http://me:secret@proxy.example:3128", "proxy http://***@proxy.example:3128"),
        ("me:secret@proxy.example:3128", "proxy http://***@proxy.example:3128"),
        ("http://me:a/b@c@proxy.example:3128", "proxy http://***@proxy.example:3128"),
    ):
        monkeypatch.setenv("HTTPS_PROXY", address)
        assert check()[1]["network"] == ("ok", f"{told}; the usual CA certificates")
    monkeypatch.setenv("NO_PROXY", "example.invalid")
    assert check()[1]["network"] == ("ok", "no proxy; the usual CA certificates")


def test_a_check_without_a_key_makes_no_log(check, log_path):
    """It tells where the log will be."""
    _, lines = check()
    assert lines["log"] == ("ok", f"{log_path} is not there yet; the first reading makes it")
    assert not log_path.parent.exists()


def test_a_log_that_is_tried_stays_as_it_is(check, log_path):
    """Byte by byte, where there is no reading to log."""
    BalanceLog(log_path).append(Balance("org-1", 5.0, datetime(2026, 1, 5, 12, tzinfo=UTC)))
    content = log_path.read_bytes()
    assert check()[1]["log"][0] == "ok"
    assert log_path.read_bytes() == content
    assert [each.name for each in log_path.parent.iterdir()] == [log_path.name]


def test_an_unwritable_log_keeps_the_reading(check, world):
    """It says where; the next command that can logs it."""
    unwritable_log(world)
    _, lines = check()
    assert "1 reading is not in the log yet but kept in ~" in lines["log"][1]
    (world.folder / "file").unlink()
    assert main(["history", "--format", "csv"]) == 0
    assert BalanceLog(world.folder / "file" / "log.db").readings()["source"].tolist() == ["check"]


def test_the_shared_log_is_reached(check, api, log_path, shared):
    """What it lacks is sent, and its user is not told."""
    code, lines = check()
    assert code == 0
    assert re.fullmatch(r"postgresql://\S+ answers; nothing waits", lines["shared log"][1])
    assert not re.search(r"//(?!\*\*\*)[^/ ]*@", str(lines))


def test_a_notebook_shows_the_same_lines_and_goes_on(shell, api, log_path, capsys):
    """A fault is told and not raised; with the demo, all is simulated."""
    api.clock_offset = 3600.0
    shell.run_cell("%config StabilityMagic.quiet = True")
    shell.run_cell("_answer = %stability_check").raise_error()
    assert shell.user_ns["_answer"] is None
    out = capsys.readouterr().out
    assert [match[2] for match in LINE.finditer(out)] == list(NAMES)
    assert "FAULT  clock" in out
    assert out.rstrip().endswith("a notebook")
    shell.user_ns["key"] = KEY
    shell.run_cell("%stability_login --from key\n%stability_demo\n%stability_check").raise_error()
    out = capsys.readouterr().out
    assert "ok     key         the demo's own: all figures are SIMULATED" in out
    shell.run_cell("%stability_demo --stop")


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_wraps_the_lines_under_each_other(api, monkeypatch):
    """At 80 columns, without cutting a word."""
    import pexpect

    monkeypatch.setenv("STABILITY_MAGIC_LOG", "~/log.db")
    child = pexpect.spawn(
        sys.executable, ["-m", "stability_magic", "check"], dimensions=(40, 80), timeout=60
    )
    lines = child.read().decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert [each for each in lines if each.startswith(" " * 19)]
    assert len([each for each in lines if not each.startswith(" ")]) == len(NAMES)
