"""Looks at everything that a reading depends on; a fault stops none of the rest."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from importlib import metadata
from typing import TYPE_CHECKING

from ..api.transport import network_route
from ..api.validation import validate_key, validate_url
from ..display.check_text import FAULT, OK, UNKNOWN, Check, without_secrets
from ..display.lines import clock_line
from ..display.wording import count_text, credits_text, organization_choice
from ..errors import (
    AuthenticationError,
    LogError,
    PermissionDeniedError,
    RateLimitError,
    SettingsError,
    StabilityMagicError,
    TransportError,
)
from ..settings import StabilityMagic, expand_path
from ..text import DatabaseAddress, Secret, mask_email
from ..version import __version__

if TYPE_CHECKING:
    from ..log.balance_log import Entry
    from ..models import Account
    from .session import Session

__all__ = ["run_checks"]

_SOURCE = "check"

# A clock that is off by more is told as a fault: certificates, and what is today, depend on it.
_MOST_CLOCK_OFFSET = timedelta(minutes=1)

# What else a fault may lie in, by the names that pip knows them by.
_PACKAGES = ("ipython", "pandas", "numpy", "requests", "urllib3", "sqlite-utils", "psycopg")


def run_checks(session: Session) -> list[Check]:
    """Looks at everything that a reading depends on, and takes one, which is logged as always.

    No text holds a key, a password, a whole e-mail address or id, or the name of an organization.
    """
    earlier_notes = session.take_notes()
    key = _check_key(session)
    settings = _check_settings(session)
    service, account, can_ask = _ask_account(session, has_key=key.state == OK)
    balance, entries = _read_balance(session, can_ask=can_ask)
    checks = [
        key,
        settings,
        service,
        account,
        balance,
        _check_clock(session),
        _check_network(session),
        _check_log(session, entries),
        _check_shared_log(session),
        _versions(session),
    ]
    # Each is in one of the lines.
    session.take_notes()
    session.notes.extend(earlier_notes)
    home, secrets = str(expand_path("~")), _known_keys(session)
    return [
        each._replace(text=without_secrets(each.text, home=home, secrets=secrets))
        for each in checks
    ]


def _known_keys(session: Session) -> list[Secret]:
    keys = list(session.keys.environment_keys().values())
    with suppress(SettingsError):
        keys.append(session.keys.find())
    return keys


def _check_key(session: Session) -> Check:
    if session.demo is not None:
        return Check("key", OK, "the demo's own: all figures are SIMULATED")
    try:
        found = session.locate_key()
        key = validate_key(found.key)
    except SettingsError as error:
        return Check("key", FAULT, str(error))
    text = found.source
    for name, other in list(session.keys.environment_keys().items())[1:]:
        with suppress(SettingsError):
            if validate_key(other) != key:
                text += f"; {name} is set too, holds another key, and is not used"
    return Check("key", OK, text)


def _check_settings(session: Session) -> Check:
    """The time zone, and which settings differ from their defaults; values may be secrets."""
    settings = session.settings
    changed, problems = [], []
    for name, trait in StabilityMagic.class_traits(config=True).items():
        try:
            if getattr(settings, name) != trait.default(settings):
                changed.append(name)
        except SettingsError as error:
            problems.append(str(error))
    for each in (
        settings.zone,
        settings.price_list,
        settings.next_job,
        settings.member_name,
        settings.channels,
    ):
        try:
            each()
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        return Check("settings", FAULT, " ".join(dict.fromkeys(problems)))
    text = f"times are in {settings.zone()}; set: {', '.join(sorted(changed)) or 'none'}"
    return Check("settings", OK, f"{text}. {settings.zone_note()}".rstrip(". "))


def _ask_account(session: Session, *, has_key: bool) -> tuple[Check, Check, bool]:
    """The service, the account, and whether the service may be asked for more."""
    unknown = Check("account", UNKNOWN, "not known, as the service did not tell it")
    if not has_key:
        return Check("service", UNKNOWN, "not asked, for want of a key"), unknown, False
    begin = time.perf_counter()
    try:
        account = session.account()
        client = session.client()
    except (AuthenticationError, PermissionDeniedError) as error:
        service = Check("service", OK, f"{session.client().api_url} answers")
        return service, Check("account", FAULT, str(error)), False
    except StabilityMagicError as error:
        can_ask = not isinstance(error, (RateLimitError, SettingsError, TransportError))
        return Check("service", FAULT, str(error)), unknown, can_ask
    seconds = time.perf_counter() - begin
    text = f"{client.api_url} answered in {seconds:.2f} s, version {client.served_version}"
    return Check("service", OK, text), _account_check(session, account), True


def _account_check(session: Session, account: Account) -> Check:
    count = len(account.organizations)
    if not count:
        return Check("account", FAULT, "it has no organizations, so there is no balance to read")
    text = f"{mask_email(account.email)}, {count_text(count, 'organization')}"
    if account.default_organization is None:
        text += ", none of which is the one default"
    # What is new about the account is that it has another default; its name is nobody's business.
    if [each for each in session.take_news() if each != session.settings.zone_note()]:
        text += ", with another default than before"
    return Check("account", OK, text)


def _read_balance(session: Session, *, can_ask: bool) -> tuple[Check, list[Entry]]:
    if not can_ask:
        return Check("balance", UNKNOWN, "not asked for, as the account cannot be had"), []
    session.take_notes()
    try:
        entries, errors = session.take_readings(
            [session.organization], should_log=False, source=_SOURCE
        )
    except StabilityMagicError as error:
        return Check("balance", FAULT, _error_text(session, error)), []
    notes = " ".join(session.take_notes())
    if errors:
        return Check("balance", FAULT, _error_text(session, errors[0])), entries
    whose = "the organization of the settings" if session.organization else "the default"
    text = f"{credits_text(entries[0].credits)} credits, of {whose}"
    return Check("balance", OK, f"{text}. {notes}" if notes else text), entries


def _error_text(session: Session, error: StabilityMagicError) -> str:
    """What went wrong, without names of organizations: those listed, and one given for an id."""
    names, requested = session.organization_names, session.organization or ""
    text = str(error).replace(f": {organization_choice(requested, names)}", ".")
    return text.replace(f"'{requested}'", "What the setting organization holds")


def _check_clock(session: Session) -> Check:
    offset = None
    with suppress(StabilityMagicError):
        offset = session.client().clock_offset
    if offset is None:
        return Check("clock", UNKNOWN, "no answer tells the time, or it is off by more than a day")
    if not offset:
        return Check("clock", OK, "agrees with the service's")
    state = OK if abs(offset) <= _MOST_CLOCK_OFFSET else FAULT
    return Check("clock", state, clock_line("this machine", offset))


def _check_network(session: Session) -> Check:
    try:
        api_url = session.demo.api_url if session.demo else validate_url(session.settings.api_url)
    except SettingsError as error:
        return Check("network", FAULT, str(error))
    route = network_route(api_url)
    proxy = "no proxy"
    if route.proxy:
        # requests takes one without a scheme for one of http; a password is not shown.
        has_scheme = "://" in route.proxy
        proxy = f"proxy {DatabaseAddress(route.proxy if has_scheme else f'http://{route.proxy}')}"
    if not route.bundle_variable:
        return Check("network", OK, f"{proxy}; the usual CA certificates")
    bundle = f"{proxy}; CA certificates of {route.bundle} ({route.bundle_variable})"
    if route.bundle_problem:
        return Check("network", FAULT, f"{bundle}, which {route.bundle_problem}")
    return Check("network", OK, bundle)


def _check_log(session: Session, entries: Sequence[Entry]) -> Check:
    """Writes the reading, or tries whether one could be written, and looks at the file."""
    from ..log.condition import log_condition
    from ..log.file import check_writable

    session.take_notes()
    try:
        path = session.log().path
        if not entries:
            check_writable(path)
        elif not session.log_readings(entries):
            # Where it is kept meanwhile is told, too; there is no frame here.
            note = " ".join(session.take_notes())
            return Check("log", FAULT, note.replace("in the frame, and ", ""))
        condition = log_condition(path)
    except StabilityMagicError as error:
        return Check("log", FAULT, str(error))
    if condition is None:
        return Check("log", OK, f"{path} is not there yet; the first reading makes it")
    facts = [f"{path}, {_size_text(condition.size)}, {count_text(condition.readings, 'reading')}"]
    if condition.first is not None and condition.last is not None:
        zone = session.settings.zone()
        first, last = (
            f"{each.astimezone(zone):%Y-%m-%d %H:%M}" for each in (condition.first, condition.last)
        )
        facts.append(f"{first} to {last}")
    if entries:
        facts.append("this check's among them")
    return Check("log", OK, ", ".join(facts))


def _size_text(size: int) -> str:
    return f"{size / 1024:,.0f} KiB" if size < 1024**2 else f"{size / 1024**2:,.1f} MiB"


def _check_shared_log(session: Session) -> Check:
    name = "shared log"
    address = session.settings.shared_log
    if not address:
        return Check(name, UNKNOWN, "none is set")
    if session.demo is not None:
        return Check(name, UNKNOWN, "not used by the demo")
    try:
        waiting = session.reach_shared_log()
    except (LogError, SettingsError) as error:
        return Check(name, FAULT, str(error))
    wait = "nothing waits" if not waiting else f"{count_text(waiting, 'reading')} still to be sent"
    return Check(name, OK, f"{address} answers; {wait}")


def _versions(session: Session) -> Check:
    from ..log.condition import SQLITE_VERSION

    parts = [f"stability_magic {__version__}", f"Python {platform.python_version()}"]
    for each in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            parts.append(f"{each} {metadata.version(each)}")
    parts += [f"SQLite {SQLITE_VERSION}", platform.platform()]
    parts.append("a notebook" if session.source == "magic" else "the command line")
    return Check("versions", OK, ", ".join(parts))
