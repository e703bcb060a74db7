"""Where a shared log is: what its address means, and that nobody sees the password in it."""

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
from stability_magic._settings import StabilityMagic
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._text import Address

from ._postgres import Server
from ._support import assert_is_told_well

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
def no_variables(monkeypatch):
    for name in ("PGHOST", "PGUSER", "PGPASSWORD", "PGSSLMODE", "PGSERVICE", "PGPORT"):
        monkeypatch.delenv(name, raising=False)


def parameters(address):
    """What the database's library is told."""
    return conninfo_to_dict(str.__str__(target_of(Address(address), "s").conninfo))


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
    """A socket and loopback need no encryption."""
    assert parameters(address).get("sslmode") == mode


def test_variables_of_the_library_count(monkeypatch):
    """Host and encryption may be said there."""
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert parameters("postgresql:///credits")["sslmode"] == "require"
    monkeypatch.setenv("PGSSLMODE", "verify-ca")
    assert "sslmode" not in parameters("postgresql:///credits")


def test_a_service_does_not_hide_where_it_leads(monkeypatch):
    """Of a service nothing is known beforehand."""
    monkeypatch.setenv("PGSERVICE", "work")
    assert parameters("postgresql:///credits")["sslmode"] == "require"


@pytest.mark.parametrize("address", WITH_PASSWORD)
def test_a_password_is_shown_nowhere(address, shell, capsys):
    """Not in a listing of settings, an error, a frame or a representation."""
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
    told = capsys.readouterr()
    assert PASSWORD not in told.out + told.err
    assert settings.shared_log.revealed() == address


@pytest.mark.parametrize("address", ["nonsense", "postgresql://u:%zz@h/d", "\0"])
def test_what_is_no_address_is_told_before_anything_is_sent(api, log_path, monkeypatch, address):
    """No reading is taken that could not go where it should."""
    from stability_magic._session import Session

    session = Session(StabilityMagic(shared_log=address), source="magic")
    with pytest.raises(SettingsError, match="is no address of a PostgreSQL database") as caught:
        session.take([None])
    assert_is_told_well(caught.value, address)
    assert not api.requests
    assert not log_path.exists()


def test_an_unreachable_address_is_told_without_its_password(schema):
    """Nor is it in a variable of the traceback."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"postgresql://me:{PASSWORD}@127.0.0.1:{free.getsockname()[1]}/credits"
        with pytest.raises(LogError, match="could not be reached") as caught:
            SharedLog(target_of(Address(address), schema), UTC)
    assert_is_told_well(caught.value, PASSWORD)
    assert caught.value.path.startswith("postgresql://me@127.0.0.1:")


NEEDED = (
    "SettingsError: A shared log needs psycopg; install stability_magic[postgres], or unset"
    " StabilityMagic.shared_log.\n"
)


@pytest.mark.parametrize(
    ("command", "address", "code", "told"),
    [
        ("balance", "", 0, "Fernhill Studio (simulated): "),
        ("balance", "postgresql://h/d", 1, NEEDED),
        ("sync", "", 1, "SettingsError: No shared log is set; set "),
        ("sync", "postgresql://h/d", 1, NEEDED),
    ],
)
def test_without_psycopg_the_setting_says_what_to_install(
    log_path, api, command, address, code, told
):
    """And a session without a shared log does not need it."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from stability_magic.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"STABILITY_MAGIC_SHARED_LOG": address},
    )
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_an_encrypted_connection_works_and_one_in_clear_is_refused(
    own_postgres, tmp_path, schema, monkeypatch
):
    """With a real certificate, over TCP."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own_postgres.configure(listen_addresses="127.0.0.1", port=str(port))
    in_clear = f"postgresql://owner@127.0.0.1:{port}/postgres"
    with pytest.raises(LogError, match="does not support SSL"):
        SharedLog(target_of(Address(f"{in_clear}?sslmode=require"), schema), UTC)
    SharedLog(target_of(Address(in_clear), schema), UTC).close()
    # What was meant to be a service elsewhere, and answers without encryption, is not spoken to.
    target = target_of(Address(in_clear), schema)
    with monkeypatch.context() as patch:
        patch.setattr("stability_magic._shared_connection._is_loopback", lambda host: False)
        with pytest.raises(LogError, match="answers without encryption") as caught:
            SharedLog(target, UTC)
        assert_is_told_well(caught.value)
    own_postgres.encrypt()
    with closing(SharedLog(target_of(Address(f"{in_clear}?sslmode=require"), schema), UTC)) as log:
        (used,) = log._connection.execute(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
        assert used
    assert isinstance(own_postgres, Server)
