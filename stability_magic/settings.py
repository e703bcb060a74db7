"""The settings."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Enum, Float, TraitType, Unicode, observe
from traitlets.config import Configurable

from .channels import Channels, channels_from_setting
from .environment import variable
from .errors import BadArgument, SettingsError
from .text import DatabaseAddress, clean_text, shorten

if TYPE_CHECKING:
    from .jobs import Job
    from .prices import PriceList

__all__ = [
    "StabilityMagic",
    "data_folder",
    "expand_path",
    "log_file",
]

# A file's name may hold a colon; what begins like this is meant for a library of databases.
_URL = re.compile(r"(file|sqlite3?|[a-z][a-z0-9+.-]+(?=:/)):", re.IGNORECASE)
_MAX_HOST_LENGTH = 63  # also of a member's name


def expand_path(name: str | Path) -> Path:
    """The path with ``~`` or ``~user`` replaced by the home folder, if that is known."""
    try:
        return Path(name).expanduser()
    except (RuntimeError, ValueError):
        # Opening the file will report the problem; it must not stop a reading here.
        return Path(name)


def log_file(name: str | Path) -> Path:
    """The absolute path of a log's file, which stays the same when the current folder changes.

    Raises:
        SettingsError: It is no name of a file, but empty, a URL or what SQLite keeps in memory.
    """
    advice = (
        "set StabilityMagic.log or STABILITY_MAGIC_LOG to the path of a file, such as"
        " ~/credits/log.db."
    )
    text = str(name).strip()
    if not text:
        raise SettingsError(f"The log has an empty name; {advice}")
    if text.lower().startswith(":memory:"):
        raise SettingsError(f"A log in memory would keep nothing; {advice}")
    url = _URL.match(text)
    if url:
        # The rest may hold a password.
        raise SettingsError(
            f"The log's name is a URL ({url[1]}:…), not a file; {advice} A database is set as"
            " StabilityMagic.shared_log."
        )
    path = expand_path(name)
    # In a home folder that is not known, opening the file reports it.
    return path if str(path).startswith("~") else _absolute_path(path)


def _absolute_path(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:
        raise SettingsError(
            f"{path} cannot be found, because the current folder is gone; set StabilityMagic.log"
            " to a path that begins with /, or change to another folder."
        ) from None


def _short_host_name() -> str:
    import platform

    return platform.node().partition(".")[0]


def data_folder() -> Path:
    """The user's folder for the data of this package."""
    import platformdirs

    return platformdirs.user_data_path("stability_magic", appauthor=False)


class _EnvironmentTrait(TraitType):  # type: ignore[type-arg]
    """A trait that takes its value from an environment variable until it is set.

    The variable is read at each use: a notebook may set it after loading the extension.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:
        if obj.trait_has_value(self.name):
            return super().get(obj, cls)
        text = variable(self.metadata["env"])
        return self._validate(obj, self.from_string(text) if text else self.default(obj))


class _Text(_EnvironmentTrait, Unicode):  # type: ignore[type-arg]
    """Text from the environment."""


class _Database(_Text):
    """The address of a database; it may hold a password, which is never shown."""

    def validate(self, obj: Any, value: Any) -> DatabaseAddress:
        return DatabaseAddress(super().validate(obj, value))


class _Channels(_EnvironmentTrait):
    """Commands and addresses; they may hold passwords, which are never shown."""

    def from_string(self, s: str) -> Channels:
        return channels_from_setting(s)

    def validate(self, obj: Any, value: Any) -> Channels:  # noqa: ARG002 - traitlets' signature
        # Whoever uses it gets the error: that of a trait would show the value.
        return channels_from_setting(value)


class _Number(_EnvironmentTrait, Float):  # type: ignore[type-arg]
    """A number from the environment."""

    def from_string(self, s: str) -> float | None:
        try:
            number = float(s)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SettingsError(
                f"{self.metadata['env']} is {s!r}, which is no number; set one, or unset it."
            )
        return number


class _Choice(_EnvironmentTrait, Enum):  # type: ignore[type-arg]
    """One of a few words from the environment."""

    def from_string(self, s: str) -> str:
        words = tuple(self.values or ())
        if s not in words:
            raise SettingsError(f"{self.metadata['env']} is {s!r}; use one of {', '.join(words)}.")
        return s


class StabilityMagic(Configurable):
    """Settings of stability_magic; a value set here wins over the environment."""

    api_url = _Text(
        "https://api.stability.ai",
        help="The service; plain http only for loopback. Environment: STABILITY_API_HOST.",
    ).tag(config=True, env="STABILITY_API_HOST")
    api_version = _Choice(
        ("auto", "v1alpha", "v1"),
        default_value="auto",
        help="The API's version; auto tries v1alpha, then v1. Environment: STABILITY_API_VERSION.",
    ).tag(config=True, env="STABILITY_API_VERSION")
    organization = _Text(
        "",
        help="The organization to ask about; empty means the key's default."
        " Environment: STABILITY_ORGANIZATION.",
    ).tag(config=True, env="STABILITY_ORGANIZATION")
    log = _Text(
        "",
        help="The log's file; empty means log.db in your data folder."
        " Environment: STABILITY_MAGIC_LOG.",
    ).tag(config=True, env="STABILITY_MAGIC_LOG")
    shared_log = _Database(
        "",
        help="A log shared with other machines and people, as postgresql://user@host/database;"
        " empty means none. Environment: STABILITY_MAGIC_SHARED_LOG.",
    ).tag(config=True, env="STABILITY_MAGIC_SHARED_LOG")
    shared_schema = _Text(
        "stability_magic",
        help="The schema of the shared log in its database."
        " Environment: STABILITY_MAGIC_SHARED_SCHEMA.",
    ).tag(config=True, env="STABILITY_MAGIC_SHARED_SCHEMA")
    timezone = _Text(
        "",
        help="The time zone of all times, such as Europe/Berlin; empty means the machine's."
        " Environment: TZ.",
    ).tag(config=True, env="TZ")
    host = _Text(
        "auto",
        help="What the log calls the machine that takes a reading; auto is this machine's short"
        " name, off logs none. Environment: STABILITY_MAGIC_HOST.",
    ).tag(config=True, env="STABILITY_MAGIC_HOST")
    member = _Text(
        "",
        help="Who runs the cells whose costs are logged; empty, or off, logs nobody."
        " Environment: STABILITY_MAGIC_MEMBER.",
    ).tag(config=True, env="STABILITY_MAGIC_MEMBER")
    usd_per_credit = Float(0.01, min=0.0, help="The price of a credit in US dollars.").tag(
        config=True
    )
    low_balance = _Number(
        None,
        allow_none=True,
        help="Credits under which every balance line warns. Environment: STABILITY_LOW_BALANCE.",
    ).tag(config=True, env="STABILITY_LOW_BALANCE")
    warn_days = Float(
        None,
        allow_none=True,
        min=0.0,
        help="A watch warns when the balance may be empty within so many days.",
    ).tag(config=True)
    next_operation = _Text(
        "",
        help="What you do next, such as ultra, or 6 ultra + 1 erase: how often the balance pays for"
        " it is told, and where it no longer does the balance is low and counts as empty."
        " Environment: STABILITY_NEXT_OPERATION.",
    ).tag(config=True, env="STABILITY_NEXT_OPERATION")
    prices = Dict(
        help="Prices beside those that are known, or in their place, in credits: {'ultra': 8}, or"
        " {'ultra': {'credits': 8, 'since': '2026-12-01', 'until': '2027-01-01'}}, or a list of"
        " these."
    ).tag(config=True)
    notify = _Channels(
        Channels(),
        help="Who is told when credits are low, and more: a command as a list, addresses of"
        " Apprise, or a list of both. Environment: STABILITY_MAGIC_NOTIFY.",
    ).tag(config=True, env="STABILITY_MAGIC_NOTIFY")
    timeout = Float(
        10.0, min=0.001, help="Seconds to wait for a connection, and for an answer."
    ).tag(config=True)
    theme = Enum(
        ("auto", "light", "dark"),
        default_value="auto",
        help="The page that pictures are for; auto draws them for both, and notices dark styles of"
        " matplotlib and of VS Code.",
    ).tag(config=True)
    quiet = Bool(False, help="Leave out the line above each frame.").tag(config=True)
    tables = Bool(
        True, help="Show the frames as short tables in notebooks; False shows them as pandas does."
    ).tag(config=True)

    def __init__(self, **values: Any) -> None:
        # A relative name means the folder that was the current one when it was first seen.
        self._log_paths: dict[str, Path] = {}
        super().__init__(**values)
        self._remember_log_path()

    @observe("log")
    def _remember_log_path(self, _: object = None) -> None:
        # Whoever uses it gets the error.
        with suppress(SettingsError):
            if self.log:
                self.log_path()

    def log_path(self) -> Path:
        """The file of the log.

        Raises:
            SettingsError: The setting is no name of a file.
        """
        name = self.log or str(data_folder() / "log.db")
        if name not in self._log_paths:
            self._log_paths[name] = log_file(name)
        return self._log_paths[name]

    def channels(self) -> Channels:
        """The ways in which a person is told; none where nobody is.

        Raises:
            SettingsError: The setting cannot be used.
        """
        channels: Channels = self.notify
        if channels.fault:
            raise SettingsError(f"StabilityMagic.notify cannot be used: {channels.fault}.")
        return channels

    def host_name(self) -> str | None:
        """This machine's name for the log; None if logging it is switched off."""
        name = _short_host_name() if self.host == "auto" else self.host
        return None if name in ("", "off") else shorten(name, _MAX_HOST_LENGTH)

    def price_list(self) -> PriceList:
        """What operations cost: the dated table, with the prices that are set in front.

        Raises:
            SettingsError: The prices that are set cannot be used.
        """
        from .prices import PriceList

        return PriceList(self.prices)

    def next_job(self) -> Job | None:
        """What is done next, at today's prices; None where that is not set.

        Raises:
            SettingsError: It is no job, or the prices that are set cannot be used.
        """
        if not self.next_operation.strip():
            return None
        from .jobs import parse_job

        try:
            return parse_job(self.next_operation, self.price_list(), self.now().date())
        except BadArgument as error:
            raise SettingsError(f"StabilityMagic.next_operation: {error}") from None

    def empty_level(self) -> float:
        """The credits under which a balance counts as empty.

        Raises:
            SettingsError: As for :meth:`next_job`.
        """
        from .jobs import empty_level

        return empty_level(self.next_job())

    def low_level(self) -> float | None:
        """The credits under which a balance is low; None where no level is set.

        Raises:
            SettingsError: As for :meth:`next_job`.
        """
        from .jobs import low_level

        return low_level(self.low_balance, self.next_job())

    def member_name(self) -> str | None:
        """Who runs the cells; None if logging that is switched off.

        Raises:
            SettingsError: It is no name. A name that was cut could become somebody else's.
        """
        name = str(self.member).strip()
        advice = (
            "set StabilityMagic.member or STABILITY_MAGIC_MEMBER to a name, or to off for none."
        )
        if name in ("", "off"):
            return None
        if len(name) > _MAX_HOST_LENGTH:
            raise SettingsError(
                f"The member's name has {len(name):,} characters, more than {_MAX_HOST_LENGTH};"
                f" {advice}"
            )
        if clean_text(name) != name or name.startswith("("):
            # What begins with a bracket would look like (elsewhere).
            raise SettingsError(f"The member {clean_text(name)!r} is no name; {advice}")
        return name

    def zone(self) -> tzinfo:
        """The time zone in which times are shown and periods begin.

        Raises:
            SettingsError: The zone is not known, or its data are not installed.
        """
        from .zones import find_zone, machine_zone

        # POSIX: what follows a colon is for the system to interpret.
        name = self.timezone.removeprefix(":")
        return find_zone(name) if name else machine_zone()[0]

    def has_colour(self) -> bool:
        """Whether a terminal may be sent colours (no-color.org, and terminals without any)."""
        return not variable("NO_COLOR") and variable("TERM") != "dumb"

    def machine_zone_name(self) -> str:
        """The name of the machine's own time zone."""
        from .zones import machine_zone

        return str(machine_zone()[0])

    def zone_note(self) -> str:
        """What to tell about the zone: that it is UTC for want of a better one; else nothing."""
        from .zones import machine_zone

        return "" if self.timezone.removeprefix(":") else machine_zone()[1]

    def now(self) -> datetime:
        """The current time, in the time zone of the settings."""
        return datetime.now(self.zone())
