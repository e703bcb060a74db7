"""Addresses of shared logs: what they mean, and that the password in them is never shown."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from datetime import UTC

import pytest

pytest.importorskip("psycopg")

from psycopg.conninfo import conninfo_to_dict

from stability_magic import LogError, SettingsError
from stability_magic.settings import StabilityMagic
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.text import DatabaseAddress

from ..helpers.errors import assert_is_clear_error
from ..helpers.postgres import Server

PASSWORD = "hunter2-hunter2"
WITH_PASSWORD = [
    f"postgresql://me:{PASSWORD}@db.example.org:5433/credits?sslmode=verify-full",
    f"postgres://me:{PASSWORD}@db.example.org/credits",
    f"postgresql://me:{PASSWORD}@@odd/credits",
    f"postgresql://me:a?{PASSWORD}@odd/credits",
    f"postgresql://db.example.org/credits?password={PASSWORD}&user=me@home",
    f"host=db.example.org user=me password={PASSWORD}",
    f"postgresql://me:%zz{PASSWORD}@db.example.org/credits",
    f"nonsense {PASSWORD}",
]


@pytest.fixture(autouse=True)
def no_libpq_variables(monkeypatch):
    for name in ("PGHOST", "PGUSER", "PGPASSWORD", "PGSSLMODE", "PGSERVICE", "PGPORT"):
        monkeypatch.delenv(name, raising=False)


def libpq_parameters(address):
    """The parameters that libpq connects with."""
    return conninfo_to_dict(
        str.__str__(target_from_address(DatabaseAddress(address), "s").conninfo)
    )


@pytest.mark.parametrize(
    ("address", "mode"),
    [
        ("postgresql://db.example.org/credits", "require"),
        ("postgresql://10.0.0.7/credits", "require"),
        ("postgresql://127.0.0.1,db.example.org/credits", "require"),
        ("postgresql://localhost/credits?hostaddr=10.0.0.7", "require"),
        ("postgresql:///credits?service=work", "require"),
        ("postgresql://db.example.org/credits?sslmode=verify-full", "verify-full"),
        ("postgresql://db.example.org/credits?sslmode=disable", "disable"),
        ("postgresql://localhost/credits", None),
        ("postgresql://127.0.0.1:5433/credits", None),
        ("postgresql://[::1]/credits", None),
        ("postgresql:///credits?host=/run/postgresql", None),
        ("postgresql:///credits", None),
    ],
)
def test_what_goes_over_a_network_is_encrypted_unless_the_user_says_otherwise(address, mode):
    """Sockets and loopback addresses need no encryption."""
    assert libpq_parameters(address).get("sslmode") == mode


def test_variables_of_the_library_count(monkeypatch):
    """The host and the encryption may be set in environment variables of libpq."""
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert libpq_parameters("postgresql:///credits")["sslmode"] == "require"
    monkeypatch.setenv("PGSSLMODE", "verify-ca")
    assert "sslmode" not in libpq_parameters("postgresql:///credits")


def test_a_service_does_not_hide_where_it_leads(monkeypatch):
    """It is unknown beforehand which host a service stands for."""
    monkeypatch.setenv("PGSERVICE", "work")
    assert libpq_parameters("postgresql:///credits")["sslmode"] == "require"


@pytest.mark.parametrize("address", WITH_PASSWORD)
def test_a_password_is_shown_nowhere(address, shell, capsys):
    """Neither in a list of settings nor in an error, a frame or a repr."""
    shell.run_cell(f"%config StabilityMagic.shared_log = {address!r}").raise_error()
    for line in (
        "%config StabilityMagic",
        "%config StabilityMagic.shared_log",
        "%stability_sync",
        "%stability_history",
    ):
        result = shell.run_cell(line)
        assert PASSWORD not in repr(result.result)
        assert PASSWORD not in str(result.error_in_exec)
    settings = StabilityMagic(shared_log=address)
    assert (
        PASSWORD not in f"{settings.shared_log} {settings.shared_log!r} {settings.trait_values()}"
    )
    output = capsys.readouterr()
    assert PASSWORD not in output.out + output.err
    assert settings.shared_log.reveal() == address


@pytest.mark.parametrize("address", ["nonsense", "postgresql://u:%zz@h/d", "\0"])
def test_what_is_no_address_is_told_before_anything_is_sent(api, log_path, monkeypatch, address):
    """No reading is taken if the shared log could not receive it."""
    from stability_magic.session.session import Session

    session = Session(StabilityMagic(shared_log=address), source="magic")
    with pytest.raises(SettingsError, match="is no address of a PostgreSQL database") as caught:
        session.take_readings([None])
    assert_is_clear_error(caught.value, address)
    assert not api.requests
    assert not log_path.exists()


def test_an_unreachable_address_is_told_without_its_password(schema):
    """The password is not in a variable of the traceback either."""
    with closing(socket.socket()) as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        port = unused_socket.getsockname()[1]
        address = f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/credits"
        with pytest.raises(LogError, match="could not be reached") as caught:
            SharedLog(target_from_address(DatabaseAddress(address), schema), UTC)
    assert_is_clear_error(caught.value, PASSWORD)
    assert caught.value.path.startswith("postgresql://me@127.0.0.1:")


PSYCOPG_NEEDED = (
    "SettingsError: A shared log needs psycopg; install stability_magic[postgres], or unset"
    " STABILITY_MAGIC_SHARED_LOG.\n"
)


@pytest.mark.parametrize(
    ("command", "address", "exit_code", "message"),
    [
        ("balance", "", 0, "Fernhill Studio (simulated): "),
        ("balance", "postgresql://h/d", 1, PSYCOPG_NEEDED),
        ("sync", "", 1, "SettingsError: No shared log is set; set "),
        ("sync", "postgresql://h/d", 1, PSYCOPG_NEEDED),
    ],
)
def test_without_psycopg_the_setting_says_what_to_install(
    log_path, api, command, address, exit_code, message
):
    """A session without a shared log does not need psycopg."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from stability_magic.terminal.command_line import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, command],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"STABILITY_MAGIC_SHARED_LOG": address},
    )
    assert result.returncode == exit_code
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_an_encrypted_connection_works_and_one_in_clear_is_refused(
    own_postgres, tmp_path, schema, monkeypatch
):
    """With a real certificate, over TCP."""
    with closing(socket.socket()) as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        port = unused_socket.getsockname()[1]
    own_postgres.configure(listen_addresses="127.0.0.1", port=str(port))
    address = f"postgresql://owner@127.0.0.1:{port}/postgres"
    with pytest.raises(LogError, match="does not support SSL"):
        SharedLog(target_from_address(DatabaseAddress(f"{address}?sslmode=require"), schema), UTC)
    SharedLog(target_from_address(DatabaseAddress(address), schema), UTC).close()
    # A server that seems to be on another machine is refused if it answers without encryption.
    target = target_from_address(DatabaseAddress(address), schema)
    with monkeypatch.context() as patch:
        patch.setattr("stability_magic.shared_log.connection._is_loopback", lambda host: False)
        with pytest.raises(LogError, match="answers without encryption") as caught:
            SharedLog(target, UTC)
        assert_is_clear_error(caught.value)
    own_postgres.encrypt()
    with closing(
        SharedLog(target_from_address(DatabaseAddress(f"{address}?sslmode=require"), schema), UTC)
    ) as log:
        (is_encrypted,) = log._connection.execute(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
        assert is_encrypted
    assert isinstance(own_postgres, Server)
