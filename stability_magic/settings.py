"""The settings and the sources of the key."""

from __future__ import annotations

import math
import platform
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, Float, TraitType, Unicode, observe
from traitlets.config import Configurable

from .environment import variable
from .errors import SettingsError
from .text import DatabaseAddress, Secret, SecretHolder, clean_text, shorten
from .zones import find_zone, machine_zone

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = [
    "KEY_IS_HELD",
    "KEY_VARIABLE",
    "KeySources",
    "StabilityMagic",
    "data_folder",
    "expand_path",
    "log_file",
]

KEY_VARIABLE = "STABILITY_API_KEY"
_KEYRING_SERVICE = "stability_magic"

# The end of an error about a key that could not be saved.
KEY_IS_HELD = " It is held for this session."

# A file's name may hold a colon; what begins like this is meant for a library of databases.
_URL = re.compile(r"(file|sqlite3?|[a-z][a-z0-9+.-]+(?=:/)):", re.IGNORECASE)
_MAX_HOST_LENGTH = 63  # also of a member's name

_NO_KEY_MESSAGE = (
    f"No API key was found. Set {KEY_VARIABLE} or run %stability_login; keys are listed at"
    " https://platform.stability.ai/account/keys. %stability_demo works without one."
)


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

    def host_name(self) -> str | None:
        """This machine's name for the log; None if logging it is switched off."""
        name = platform.node().partition(".")[0] if self.host == "auto" else self.host
        return None if name in ("", "off") else shorten(name, _MAX_HOST_LENGTH)

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
        # POSIX: what follows a colon is for the system to interpret.
        name = self.timezone.removeprefix(":")
        return find_zone(name) if name else machine_zone()[0]

    def has_colour(self) -> bool:
        """Whether a terminal may be sent colours (no-color.org, and terminals without any)."""
        return not variable("NO_COLOR") and variable("TERM") != "dumb"

    def machine_zone_name(self) -> str:
        """The name of the machine's own time zone."""
        return str(machine_zone()[0])

    def zone_note(self) -> str:
        """What to tell about the zone: that it is UTC for want of a better one; else nothing."""
        return "" if self.timezone.removeprefix(":") else machine_zone()[1]

    def now(self) -> datetime:
        """The current time, in the time zone of the settings."""
        return datetime.now(self.zone())


class KeySources(SecretHolder):
    """The sources of the API key.

    In this order: the environment, the key passed to :meth:`hold`, Colab's secrets, the system's
    keyring. The key is not a setting, so that no listing of settings shows it.
    """

    def __init__(self) -> None:
        self._session_key = ""

    def hold(self, key: str) -> None:
        """Keeps a key in memory for as long as this object lives."""
        self._session_key = Secret(key)

    def save(self, key: str, *, in_plain_file: bool = False) -> str:
        """Saves a key in the system's keyring, for later sessions.

        Args:
            key: The key.
            in_plain_file: Whether a keyring will do that keeps it unencrypted in a file.

        Returns:
            The name of the keyring's back end that keeps it.

        Raises:
            SettingsError: There is no keyring, it did not store the key, or it would keep it in a
                plain file.
        """
        key, keeper, failure, plain = Secret(key), "", "", ""
        try:
            import keyring

            back_ends = _back_ends(keyring.get_keyring())
            plain = next((each.name for each in back_ends if _is_plain_file(each)), "")
            if not in_plain_file:
                back_ends = [each for each in back_ends if not _is_plain_file(each)]
            keeper = _save_in_first(back_ends, key)
            # A keyring that is switched off accepts everything and stores nothing.
            if keyring.get_password(_KEYRING_SERVICE, KEY_VARIABLE) != key:
                failure = "it keeps nothing"
        except Exception as error:
            # Keyring back ends raise any exception, and some repeat the key in it.
            failure = type(error).__name__
        # Raised outside the handler, so that it does not carry the back end's exception.
        if failure and plain and not in_plain_file:
            raise SettingsError(
                f"The key was not saved, because the keyring here ({plain}) keeps it in a plain"
                " file that whoever gets at your files can read; set up the system's keyring, or"
                f" add --plain-file.{KEY_IS_HELD}"
            )
        if failure:
            raise SettingsError(
                f"The key could not be saved in a keyring ({failure}); install"
                f" stability_magic[keyring], or set {KEY_VARIABLE}.{KEY_IS_HELD}"
            )
        return keeper

    def find(self) -> Secret:
        """The API key, from the first source that has one.

        Raises:
            SettingsError: No source has a key.
        """
        for source in (_environment_key, lambda: self._session_key, _colab_key, _keyring_key):
            key = source()
            if key.strip():
                return Secret(key)
        raise SettingsError(_NO_KEY_MESSAGE)


def _environment_key() -> str:
    return variable(KEY_VARIABLE)


def _colab_key() -> str:
    if "google.colab" not in sys.modules:
        return ""
    try:
        from google.colab import userdata

        return str(userdata.get(KEY_VARIABLE) or "")
    except Exception:
        # No such secret, or the notebook may not read it: the next source is tried.
        return ""


def _keyring_key() -> str:
    try:
        import keyring

        return keyring.get_password(_KEYRING_SERVICE, KEY_VARIABLE) or ""
    except Exception:
        # Not installed, or its back end raises any exception: there is no key in it then.
        return ""


def _back_ends(keyring: KeyringBackend) -> list[KeyringBackend]:
    """The back ends that a keyring tries in turn; itself, unless it is a chain of others."""
    from keyring.backends.chainer import ChainerBackend

    if isinstance(keyring, ChainerBackend):
        return [each for link in keyring.backends for each in _back_ends(link)]
    return [keyring]


def _is_plain_file(back_end: KeyringBackend) -> bool:
    """Whether a back end writes keys down unencrypted, as keyrings.alt's PlaintextKeyring does."""
    wrapped = getattr(back_end, "_keyring", None)
    return (
        any("plaintext" in each.__name__.lower() for each in type(back_end).__mro__)
        # So these say of themselves; "encyption" is their spelling.
        or str(getattr(back_end, "scheme", "")).lower().startswith("no enc")
        or (wrapped is not None and _is_plain_file(wrapped))
    )


def _save_in_first(back_ends: Iterable[KeyringBackend], key: str) -> str:
    """Saves a key in the first back end that takes any, and returns the back end's name."""
    for each in back_ends:
        with suppress(NotImplementedError):
            each.set_password(_KEYRING_SERVICE, KEY_VARIABLE, key)
            return str(each.name)
    return ""
