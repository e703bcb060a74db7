"""A real PostgreSQL server for the tests, on its own socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

__all__ = ["Server", "find_binaries"]

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    # Durability is not needed: the tests kill the server and its clients, not the machine.
    "fsync": "off",
    "max_connections": "50",
    "shared_buffers": "64MB",
}


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's programs; None if it is not installed."""
    program = shutil.which("postgres")
    folders = [Path(program).parent] if program else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parent.name)
    folders += sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"))
    return next((each for each in reversed(folders) if (each / "initdb").exists()), None)


def _ordinary_user() -> str:
    import pwd

    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A server with its own database, which can be stopped, started and killed."""

    def __init__(self) -> None:
        folder = find_binaries()
        assert folder is not None
        self._programs = folder
        # Other users may not enter pytest's folders, and their paths are too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="smpg-"))
        self.folder.chmod(0o755)
        self._data = self.folder / "data"
        self._data.mkdir()
        # PostgreSQL does not run as root.
        self._user = _ordinary_user() if os.getuid() == 0 else None
        if self._user:
            for each in (self.folder, self._data):
                shutil.chown(each, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "owner", "-N", "-E", "UTF8")
        self._port = 5432
        self._write({"unix_socket_directories": str(self.folder), **_SETTINGS})
        self.start()

    def _write(self, settings: dict[str, str]) -> None:
        self._port = int(settings.get("port", self._port))
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def configure(self, **settings: str) -> None:
        """Changes settings, and restarts the server."""
        self.stop()
        self._write(settings)
        self.start()

    def encrypt(self) -> None:
        """Makes a certificate for the server, and restarts it with TLS."""
        certificate, key = self._data / "server.crt", self._data / "server.key"
        subprocess.run(
            [
                *("openssl", "req", "-new", "-x509", "-nodes", "-subj", "/CN=localhost"),
                *("-out", str(certificate), "-keyout", str(key)),
            ],
            check=True,
            capture_output=True,
        )
        key.chmod(0o600)
        for each in (certificate, key):
            if self._user:
                shutil.chown(each, self._user)
        self.configure(ssl="on")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data)],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        for _ in range(600):
            with contextlib.suppress(Exception):
                self.sql("SELECT 1")
                return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self, stop_signal: signal.Signals = signal.SIGINT) -> None:
        """Ends the server and cuts all connections; SIGQUIT skips the orderly shutdown."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(stop_signal)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Ends the server and deletes its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, user: str = "owner", password: str = "") -> str:
        """The address that a user connects to."""
        password_part = f":{password}" if password else ""
        return f"postgresql://{user}{password_part}@/postgres?host={self.folder}&port={self._port}"

    def sql(self, statement: str, *values: object, user: str = "owner") -> list[tuple[object, ...]]:
        """Runs a statement, and returns its rows."""
        import psycopg

        with psycopg.connect(self.address(user), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def allow(self, line: str) -> None:
        """Adds a line at the top of pg_hba.conf, which says who may connect and how."""
        path = self._data / "pg_hba.conf"
        path.write_text(f"{line}\n{path.read_text()}")
        self.sql("SELECT pg_reload_conf()")
