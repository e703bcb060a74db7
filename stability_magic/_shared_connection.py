"""Connections to the shared log's database: how they are made safe, and what can go wrong."""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ._errors import LogError, SettingsError
from ._patience import Patience
from ._text import Address, Secret, clean_text, shortened

__all__ = ["Target", "connect", "naming", "patience", "target_of"]

# psycopg also logs what it raises, or what follows from it: with nobody to take that, it would
# be one line more on the user's screen.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# Seconds: for a connection, and for the answer to whatever is sent over it.
REACHED_WITHIN = 3.0
ANSWERED_WITHIN = 30.0

# A connection that has died without a word is noticed after half a minute.
_KEEPALIVE = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}

# By PostgreSQL's codes of errors, or classes of them: what it means, and what to do.
_MEANINGS = {
    "42501": "does not let this user do that ({told}). Ask its owner for the rights that the"
    " README lists.",
    "53100": "could not be written: the disk of its server is full. Ask its owner to make room,"
    " and try again.",
    "53": "has no room left for this ({told}). Try again later.",
    "25006": "can only be read: its server is a copy. Use the address of the one that is written.",
    "08": "could not be reached ({told}). Check the network and try again.",
    "57": "could not be reached ({told}). Try again.",
}


class Target(NamedTuple):
    """Where a shared log is.

    Attributes:
        conninfo: How to connect to it.
        address: What to call it, without a password.
        schema: The schema that holds it.
        chosen: Whether the user said how it is to be encrypted.
    """

    conninfo: Secret
    address: str
    schema: str
    chosen: bool


def target_of(address: Address, schema: str) -> Target:
    """What an address means; what it leaves open is told by libpq's own variables.

    Raises:
        SettingsError: It is no such address, or the schema has no name.
    """
    parameters = _parameters(address)
    if not parameters or not schema or "\0" in schema:
        raise SettingsError(
            f"The shared log {address} is no address of a PostgreSQL database; set"
            " StabilityMagic.shared_log to one such as postgresql://user@host/database."
        )
    defaults = {
        each.keyword.decode(): each.val.decode()
        for each in psycopg.pq.Conninfo.get_defaults()
        if each.val is not None
    }
    every = defaults | parameters
    chosen = "sslmode" in parameters or defaults.get("sslmode", "prefer") != "prefer"
    if not chosen and not _is_here(every):
        parameters["sslmode"] = "require"
    conninfo = make_conninfo(
        **{"connect_timeout": "5", "application_name": "stability_magic"} | _KEEPALIVE | parameters
    )
    return Target(Secret(conninfo), _shown(every), schema, chosen)


def _parameters(address: Address) -> dict[str, Any]:
    # What libpq says of an address that it does not understand repeats a part of it.
    with suppress(psycopg.Error, ValueError):
        return dict(conninfo_to_dict(address.revealed()))
    return {}


def _is_here(parameters: dict[str, Any]) -> bool:
    """Whether all hosts are this machine, so that nothing goes over a network."""
    if "service" in parameters and "host" not in parameters:
        return False
    hosts = str(parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    return all(_is_loopback(each) for each in hosts)


def _is_loopback(host: str) -> bool:
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _shown(parameters: dict[str, Any]) -> str:
    host = str(parameters.get("host") or parameters.get("hostaddr") or "")
    port = str(parameters.get("port", ""))
    place = "" if host.startswith("/") or port in ("", "5432") or "," in port else f":{port}"
    service = parameters.get("service")
    database = parameters.get("dbname") or (f"?service={service}" if service else "")
    user = parameters.get("user")
    who = f"{user}@" if user else ""
    return clean_text(f"postgresql://{who}{host}{place}/{database}")


def connect(target: Target) -> psycopg.Connection[Any]:
    """An open connection, in which each statement is a transaction unless others are begun.

    Raises:
        LogError: The database could not be reached in time, or not safely.
    """
    found: list[psycopg.Connection[Any]] = []
    told: list[str] = []
    late = threading.Event()
    deciding = threading.Lock()

    def work() -> None:
        try:
            connection = psycopg.connect(
                str.__str__(target.conninfo), autocommit=True, prepare_threshold=None
            )
        except (psycopg.Error, OSError, UnicodeError) as error:
            told.append(_reason(error))
            return
        with deciding:
            if not late.is_set():
                found.append(connection)
                return
        connection.close()

    # Looking up a name, and each of its addresses, has a patience of its own.
    thread = threading.Thread(target=work, name="stability_shared_log", daemon=True)
    thread.start()
    thread.join(REACHED_WITHIN)
    with deciding:
        late.set()
    if not found:
        why = told[0] if told else f"no answer within {REACHED_WITHIN:g} seconds"
        # Raised out here, so that it carries no variable that holds a password.
        raise LogError(
            f"The shared log {target.address} could not be reached ({why}). Check the address,"
            " and the password in PGPASSFILE.",
            path=target.address,
        )
    _refuse_clear_text(found[0], target)
    return found[0]


def _refuse_clear_text(connection: psycopg.Connection[Any], target: Target) -> None:
    info = connection.info
    here = _is_loopback(info.hostaddr or info.host)
    if not (here or target.chosen or connection.pgconn.ssl_in_use):
        connection.close()
        raise LogError(
            f"The shared log {target.address} answers without encryption, so nothing was sent to"
            " it. Set sslmode in its address or in PGSSLMODE.",
            path=target.address,
        )


@contextmanager
def naming(address: str) -> Iterator[None]:
    """Turns what psycopg raises into one line that names the shared log."""
    try:
        yield
    except psycopg.Error as error:
        code = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
        meaning = _MEANINGS.get(code) or _MEANINGS.get(code[:2])
        meaning = meaning or "cannot be used ({told}). Check what it names."
        told = meaning.format(told=_reason(error))
        raise LogError(f"The shared log {address} {told}", path=address) from error


def _reason(error: Exception) -> str:
    """What went wrong, in one short line."""
    text = str(error).partition("\nDETAIL")[0]
    # Of several attempts, and of the way there, the last words are the reason.
    for mark in ("FATAL:", "ERROR:", "failed:"):
        text = text.rpartition(mark)[2]
    lines = [each.strip() for each in text.splitlines() if each.strip()]
    return shortened(clean_text(lines[0] if lines else type(error).__name__), 200)


def patience(connection: psycopg.Connection[Any]) -> Patience:
    """Cuts a connection off whose server does not answer, so that nobody waits for ever."""
    return Patience(connection.fileno, ANSWERED_WITHIN)
