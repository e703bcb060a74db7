"""Connects safely to the shared log's database, and explains errors."""

from __future__ import annotations

import _thread
import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import LogError, SettingsError
from ..text import DatabaseAddress, Secret, clean_text, shorten
from .watchdog import SocketWatchdog

__all__ = ["Target", "connect", "target_from_address", "translate_errors", "watchdog"]

# psycopg also logs the errors that it raises. Without a handler they would appear on the user's
# screen as well.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# How long to wait for a connection, and for the answer to a query.
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 30.0

# A dead connection is noticed after half a minute.
_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "stability_magic",
    "client_encoding": "UTF8",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}

# What is taken from libpq's environment variables to know where the shared log is.
_SHOWN_KEYWORDS = {b"host", b"hostaddr", b"port", b"dbname", b"user", b"service", b"sslmode"}

# What PostgreSQL's errors mean and what to do, by their codes or the classes of their codes.
_MEANINGS = {
    "42501": "does not let this user do that ({reason}). Ask its owner for the rights that"
    " docs/shared-log.md lists.",
    "53100": "could not be written: the disk of its server is full. Ask its owner to make room,"
    " and try again.",
    "53": "has no room left for this ({reason}). Try again later.",
    "25006": "can only be read: its server is a copy. Use the address of the one that is written.",
    "08": "could not be reached ({reason}). Check the network and try again.",
    "57": "could not be reached ({reason}). Try again.",
}

# Why a connection failed, by words in the error of libpq or of the server. The error itself is
# never shown, as it may repeat any part of the address; nor does it bear a code.
_CONNECTION_REASONS = (
    ("no password supplied|empty password", "it asks for a password, and none is set"),
    ("password authentication failed|authentication failed for user", "password not accepted"),
    ("pg_hba.conf", "its server does not let this user in from here"),
    (r'role ".*" (does not exist|is not permitted)', "it has no such user"),
    (r'database ".*" does not exist', "there is no such database"),
    ("permission denied for database", "this user may not connect to the database"),
    ("too many|connection slots", "it has too many connections"),
    ("is (starting up|shutting down|not yet)|recovery mode|not accept", "its server is not ready"),
    ("does not support ssl", "its server does not support SSL"),
    ("certificate", "a certificate of the encryption is missing or not valid"),
    (r"\b(ssl|tls)\b", "no encrypted connection could be made"),
    ("definition of service", "no such service is defined"),
    ("host name|not known|name resolution", "the name of its host was not found"),
    ("no such file", "no server has a socket there"),
    ("refused", "connection refused"),
    ("timeout|timed out", "no answer in time"),
    ("permission denied", "this user may not use its socket"),
    ("unreachable|no route", "no network leads to it"),
    ("closed the connection|connection is closed|reset|broken pipe|eof", "the connection was cut"),
)


class Target(NamedTuple):
    """Where a shared log is, and how to connect to it.

    Attributes:
        conninfo: The connection string for libpq, which may hold a password.
        address: The address to show, without a password.
        schema: The schema that holds the log.
        has_explicit_encryption: Whether the user chose how the connection is encrypted.
    """

    conninfo: Secret
    address: str
    schema: str
    has_explicit_encryption: bool


def target_from_address(address: DatabaseAddress, schema: str) -> Target:
    """The target at an address; libpq's environment variables fill in what it leaves out.

    Raises:
        SettingsError: The address is not that of a PostgreSQL database, or the schema cannot
            be a name.
    """
    parameters = _parameters(address)
    if not parameters:
        raise SettingsError(
            f"The shared log {address} is no address of a PostgreSQL database; set"
            " StabilityMagic.shared_log to one such as postgresql://user@host/database, in which"
            " a password's / is written as %2F, its @ as %40 and its % as %25."
        )
    if not _can_be_name(schema):
        raise SettingsError(
            f"The shared log's schema {clean_text(repr(schema))} cannot be a name; set"
            " StabilityMagic.shared_schema to one such as stability_magic."
        )
    defaults = {
        each.keyword.decode(): each.val.decode(errors="replace")
        for each in psycopg.pq.Conninfo.get_defaults()
        if each.val is not None and each.keyword in _SHOWN_KEYWORDS
    }
    all_parameters = _Parameters(defaults | parameters)
    has_explicit_encryption = (
        "sslmode" in parameters or defaults.get("sslmode", "prefer") != "prefer"
    )
    if not has_explicit_encryption and not _is_local(all_parameters):
        parameters["sslmode"] = "require"
    conninfo = Secret(make_conninfo(**_Parameters(_DEFAULTS | parameters)))
    shown_address = _address_without_password(all_parameters)
    return Target(conninfo, shown_address, schema, has_explicit_encryption)


class _Parameters(dict[str, str]):
    """Parameters of libpq, of which a traceback shows nothing: a password may be among them."""

    def __repr__(self) -> str:
        return "***"


def _parameters(address: DatabaseAddress) -> _Parameters:
    """The parameters in an address; none if it is none, or if it is not certain what it means."""
    # libpq's error about an address that it cannot parse repeats a part of the address.
    with suppress(psycopg.Error, ValueError):
        parameters = _Parameters(
            (name, str(value)) for name, value in conninfo_to_dict(address.reveal()).items()
        )
        # Where a password is not encoded, libpq takes its end for a host, a port or a database.
        if address.has_certain_password and re.fullmatch(r"[\d,]*", parameters.get("port", "")):
            return parameters
    return _Parameters()


def _can_be_name(schema: str) -> bool:
    with suppress(UnicodeEncodeError):
        return bool(schema.encode()) and "\0" not in schema
    return False


def _is_local(parameters: Mapping[str, str]) -> bool:
    """Whether all hosts are this machine, so that no network is involved."""
    if "service" in parameters and "host" not in parameters:
        return False
    hosts = (parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    return all(_is_loopback(each) for each in hosts)


def _is_loopback(host: str) -> bool:
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _address_without_password(parameters: Mapping[str, str]) -> str:
    host = parameters.get("host") or parameters.get("hostaddr") or ""
    port = parameters.get("port", "")
    hides_port = host.startswith("/") or port in ("", "5432") or "," in port
    port_suffix = "" if hides_port else f":{port}"
    service = parameters.get("service")
    database = parameters.get("dbname") or (f"?service={service}" if service else "")
    user = parameters.get("user")
    user_prefix = f"{user}@" if user else ""
    return clean_text(f"postgresql://{user_prefix}{host}{port_suffix}/{database}")


def connect(target: Target) -> psycopg.Connection[Any]:
    """An open connection, in which each statement is a transaction unless one is begun.

    Raises:
        LogError: The database could not be reached in time, or not safely.
    """
    connections: list[psycopg.Connection[Any]] = []
    failures: list[str] = []
    is_done, handover = _thread.allocate_lock(), _thread.allocate_lock()
    is_awaited = True

    def open_connection() -> None:
        try:
            opened = psycopg.connect(
                str.__str__(target.conninfo), autocommit=True, prepare_threshold=None
            )
            with handover:
                connections.append(opened)
                if not is_awaited:
                    opened.close()
        except Exception as error:
            failures.append(_connection_reason(error))
        finally:
            is_done.release()

    # In a thread, since libpq's own time-out does not cover the look-up of the host's name, and
    # starts again for each address. An interrupt while one of threading's threads starts can break
    # its locks.
    is_done.acquire()
    try:
        _thread.start_new_thread(open_connection, ())
        is_done.acquire(timeout=CONNECT_SECONDS)
        with handover:
            connection = connections[0] if connections else None
            is_awaited = connection is not None
    except BaseException:
        is_awaited = False
        with handover:
            for each in connections:
                each.close()
        raise
    if connection is None:
        reason = failures[0] if failures else f"no answer within {CONNECT_SECONDS:g} seconds"
        # Raised out here, so that its traceback holds no variable with a password.
        raise LogError(
            f"The shared log {target.address} could not be reached ({reason}). Check the address,"
            " and the password in PGPASSFILE.",
            path=target.address,
        )
    _refuse_clear_text(connection, target)
    return connection


def _refuse_clear_text(connection: psycopg.Connection[Any], target: Target) -> None:
    info = connection.info
    is_local = _is_loopback(info.hostaddr or info.host)
    if not (is_local or target.has_explicit_encryption or connection.pgconn.ssl_in_use):
        connection.close()
        raise LogError(
            f"The shared log {target.address} answers without encryption, so nothing was sent to"
            " it. Set sslmode in its address or in PGSSLMODE.",
            path=target.address,
        )


@contextmanager
def translate_errors(address: str) -> Iterator[None]:
    """Turns errors of psycopg into a LogError of one line that names the shared log."""
    try:
        yield
    except (psycopg.Error, UnicodeError) as error:
        # UnicodeError: a database without an encoding may hold what is no text.
        code = getattr(error, "sqlstate", None) or ""
        is_cut = not code and isinstance(error, psycopg.OperationalError)
        reason = _connection_reason(error) if is_cut else _short_reason(error)
        code = "08" if is_cut else code
        meaning = _MEANINGS.get(code) or _MEANINGS.get(code[:2])
        meaning = meaning or "cannot be used ({reason}). Check what it names."
        message = meaning.format(reason=reason)
        raise LogError(f"The shared log {address} {message}", path=address) from error


def _connection_reason(error: Exception) -> str:
    """Why a connection failed or was cut off, in our own words."""
    text = str(error)
    for words, reason in _CONNECTION_REASONS:
        if re.search(words, text, re.IGNORECASE):
            return reason
    return "the connection failed"


def _short_reason(error: Exception) -> str:
    """What the server did not do, in one short line of its own."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    return shorten(clean_text(lines[0] if lines else type(error).__name__), 200)


def watchdog(connection: psycopg.Connection[Any]) -> SocketWatchdog:
    """Cuts off a connection whose server stops answering, so that nobody waits forever."""
    return SocketWatchdog(connection.fileno, ANSWER_SECONDS)
