"""Time zones: by name, by a rule as POSIX writes it, and what this machine's file holds."""

from __future__ import annotations

import copyreg
import functools
import io
import re
import struct
import warnings
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from .errors import SettingsError

__all__ = ["find_zone", "machine_zone"]

# The C library, and so every other program, takes the machine's zone from the first of these.
_LOCALTIME = Path("/etc/localtime")
_TIMEZONE_NAME = Path("/etc/timezone")

_UTC_NAMES = frozenset(
    {"utc", "gmt", "z", "zulu", "uct", "universal", "greenwich", "gmt0", "gmt+0", "gmt-0"}
)
# The rules of these names are known even where no zone data are installed. Elsewhere POSIX leaves
# it to the system when summer begins, so that a rule must say it.
_US_NAMES = frozenset({"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"})
_US_RULE = ",M3.2.0,M11.1.0"

# Roughly; zoneinfo reads it exactly.
_POSIX_RULE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d[A-Za-z0-9<>:.,/+-]*")
_LONGEST_RULE = 100
_ZONE_FOLDER = re.compile(r"/zoneinfo[^/]*/(?:posix/|right/)?(?P<name>.+)")
_FILE_MAGIC = b"TZif"
_LARGEST_FILE = 1_000_000  # bytes

# What is raised for names and files that are none.
_NOT_FOUND = (KeyError, ValueError, OSError, EOFError, struct.error)


class _ZoneWithContent(ZoneInfo):
    """A zone that is not read by its name; frames with one can be pickled all the same."""

    content: bytes


@functools.lru_cache(maxsize=32)
def _zone_from_content(content: bytes, key: str) -> _ZoneWithContent:
    # Kept, so that frames of one zone have the same one.
    zone = _ZoneWithContent.from_file(io.BytesIO(content), key=key)
    zone.content = content
    # A rule may give an offset that no time can have; that shows only when it is used.
    for month in (1, 7):
        datetime(2026, month, 1, tzinfo=zone).utcoffset()
    return zone


def _reduce(
    zone: _ZoneWithContent,
) -> tuple[Callable[[bytes, str], _ZoneWithContent], tuple[bytes, str]]:
    return _zone_from_content, (zone.content, zone.key)


# Not as a method: pandas takes a zone that has one for a zone that it can look up by its name.
copyreg.pickle(_ZoneWithContent, _reduce)


def find_zone(name: str) -> tzinfo:
    """The time zone of a name, a rule or a file, as the environment variable TZ may give it.

    Args:
        name: Such as ``Europe/Berlin``, ``CET-1CEST,M3.5.0,M10.5.0/3`` or ``/etc/localtime``.

    Raises:
        SettingsError: There is no such zone, or its data are not installed.
    """
    if Path(name).is_absolute():
        zone = _zone_of_file(Path(name))
    else:
        zone = _zone_by_name(name) or _zone_by_rule(name)
    if zone is not None:
        return zone
    if _has_no_data():
        raise SettingsError(
            f"The time zone {name!r} cannot be loaded, because no zone data are installed; run"
            " pip install tzdata, or set StabilityMagic.timezone or TZ to UTC."
        )
    raise SettingsError(
        f"The time zone {name!r} is not known; set StabilityMagic.timezone or TZ to a name such as"
        " Europe/Berlin or UTC."
    )


def machine_zone() -> tuple[tzinfo, str]:
    """This machine's time zone, and a note if that is UTC for want of a better one."""
    # Its name in another file may be out of date; what the time is this file decides.
    zone = _zone_of_file(_LOCALTIME)
    if zone is not None:
        return zone, ""
    name = _name_in_path(_LOCALTIME) or _configured_name()
    if not name:
        return _utc(), ""
    zone = _zone_by_name(name) or _zone_by_rule(name)
    if zone is not None and _is_followed(zone):
        return zone, ""
    reason = "no other program here follows it" if zone else "it cannot be loaded"
    advice = "install its data (pip install tzdata)" if _has_no_data() else f"link {_LOCALTIME}"
    return _utc(), (
        f"Times are in UTC, although this machine's time zone is {name!r}: {reason}; {advice}, or"
        " set StabilityMagic.timezone or TZ."
    )


def _is_followed(zone: tzinfo) -> bool:
    """Whether it is the local time of the C library, and so of all programs, as it should be."""
    now = datetime.now(UTC)
    return now.astimezone(zone).utcoffset() == now.astimezone().utcoffset()


def _zone_by_name(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except _NOT_FOUND:
        # UTC needs no data.
        return _utc() if name.lower().removeprefix("etc/") in _UTC_NAMES else None


def _utc() -> tzinfo:
    try:
        return ZoneInfo("UTC")
    except _NOT_FOUND:
        return UTC


def _zone_by_rule(rule: str) -> ZoneInfo | None:
    """The zone of a rule, of which a file with no change of the clock in it makes a zone."""
    if len(rule) > _LONGEST_RULE or not _POSIX_RULE.fullmatch(rule):
        return None
    footer = rule + _US_RULE if rule in _US_NAMES else rule
    # RFC 8536, version 2: a header and one kind of time, twice, and the rule for all times.
    header = struct.pack(">4sc15x6l", _FILE_MAGIC, b"2", 0, 0, 0, 0, 1, 4)
    body = struct.pack(">lbB4s", 0, 0, 0, b"UTC\0")
    content = (header + body) * 2 + f"\n{footer}\n".encode()
    try:
        return _zone_from_content(content, rule)
    except _NOT_FOUND:
        return None


def _zone_of_file(path: Path) -> tzinfo | None:
    """The zone that a file is named for, or else the one that it holds."""
    name = _name_in_path(path)
    try:
        if name:
            return ZoneInfo(name)
    except _NOT_FOUND:
        pass
    try:
        content = path.read_bytes() if path.stat().st_size <= _LARGEST_FILE else b""
        if not content.startswith(_FILE_MAGIC):
            return None
        if known_name := name or _name_by_content(content, _configured_name()):
            return _zone_by_name(known_name) or _zone_from_content(content, known_name)
        return _zone_from_content(content, str(path))
    except _NOT_FOUND:
        return None


def _name_in_path(path: Path) -> str:
    """The zone's name where the file, or what it links to, is one of the system's."""
    try:
        match = _ZONE_FOLDER.search(path.resolve().as_posix())
    except (OSError, RuntimeError, ValueError):
        return ""
    return match["name"] if match else ""


@functools.lru_cache(maxsize=4)
def _name_by_content(content: bytes, likely_name: str) -> str:
    """The name of a zone of the system with the same content; the likely one if it is among them.

    Several may have it. One that people use is preferred to those that are kept for old programs.
    """
    folders = [Path(each) for each in zoneinfo.TZPATH]
    usual_names = {"UTC", *(name for each in folders for name in _names_in_table(each))}

    def rank(name: str) -> tuple[bool, bool, str]:
        return name != likely_name, name not in usual_names, name

    for name in sorted(zoneinfo.available_timezones(), key=rank):
        for each in folders:
            if _has_content(each / name, content):
                return name
    return ""


def _has_content(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _names_in_table(folder: Path) -> list[str]:
    """The names in the table from which people choose their zone."""
    try:
        lines = (folder / "zone1970.tab").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [each.split("\t")[2] for each in lines if not each.startswith("#")]


def _configured_name() -> str:
    """The name that the machine's configuration gives; empty if it gives none."""
    try:
        if name := _TIMEZONE_NAME.read_text(encoding="utf-8").strip():
            return name
    except (OSError, ValueError):
        pass
    if _LOCALTIME.exists():
        return ""
    import tzlocal

    with warnings.catch_warnings():
        # It warns if the machine has no zone; UTC is right then.
        warnings.simplefilter("ignore")
        try:
            return tzlocal.get_localzone_name() or ""
        except _NOT_FOUND:
            return ""


def _has_no_data() -> bool:
    return not zoneinfo.available_timezones()
