"""The settings, and where the key comes from; the only reader of the environment."""

from __future__ import annotations

import math
import os
import platform
import sys
import warnings
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from traitlets import Bool, Enum, Float, TraitType, Unicode
from traitlets.config import Configurable

from ._errors import SettingsError
from ._text import Address, Secret, shortened

__all__ = ["KEY_VARIABLE", "Keys", "StabilityMagic", "placed"]

KEY_VARIABLE = "STABILITY_API_KEY"
_SERVICE = "stability_magic"
_LONGEST_HOST = 63

_NO_KEY = (
    f"No API key was found. Set {KEY_VARIABLE} or run %stability_login; keys are listed at"
    " https://platform.stability.ai/account/keys. %stability_demo works without one."
)


def placed(name: str | Path) -> Path:
    """The file of that name, ``~`` and ``~user`` being home folders where they are known."""
    try:
        return Path(name).expanduser()
    except (RuntimeError, ValueError):
        # Whoever opens it says what is wrong: that need not be now, nor stop a reading.
        return Path(name)


class _FromEnvironment(TraitType):  # type: ignore[type-arg]
    """A trait that stands for an environment variable for as long as nobody sets it.

    The variable is read at each use: a notebook may set it after the extension was loaded.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:
        if obj.trait_has_value(self.name):
            return super().get(obj, cls)
        said = os.environ.get(self.metadata["env"], "")
        return self._validate(obj, self.from_string(said) if said else self.default(obj))


class _Text(_FromEnvironment, Unicode):  # type: ignore[type-arg]
    """Text from the environment."""


class _Database(_Text):
    """The address of a database; it may hold a password, so it is never shown whole."""

    def validate(self, obj: Any, value: Any) -> Address:
        return Address(super().validate(obj, value))


class _Number(_FromEnvironment, Float):  # type: ignore[type-arg]
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


class _Choice(_FromEnvironment, Enum):  # type: ignore[type-arg]
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
        help="A watch warns when the credits may run out within so many days.",
    ).tag(config=True)
    timeout = Float(
        10.0, min=0.001, help="Seconds to wait for a connection, and for an answer."
    ).tag(config=True)
    quiet = Bool(False, help="Leave out the line above each frame.").tag(config=True)

    def log_path(self) -> Path:
        """The file of the log."""
        if self.log:
            return placed(self.log)
        import platformdirs

        return platformdirs.user_data_path("stability_magic", appauthor=False) / "log.db"

    def host_name(self) -> str | None:
        """What to call this machine in the log; None where that is switched off."""
        name = platform.node().partition(".")[0] if self.host == "auto" else self.host
        return None if name in ("", "off") else shortened(name, _LONGEST_HOST)

    def zone(self) -> tzinfo:
        """The time zone that all times are shown and cut in.

        Raises:
            SettingsError: The zone is not known.
        """
        name = self.timezone.removeprefix(":")
        if Path(name).is_absolute():
            # TZ may be a file of the system's zones, or a link to one.
            name = Path(name).resolve().as_posix().rpartition("/zoneinfo/")[2]
        try:
            return ZoneInfo(name or _machine_zone())
        except (KeyError, ValueError, OSError):
            what = repr(name) if name else "of this machine"
            raise SettingsError(
                f"The time zone {what} is not known; set StabilityMagic.timezone or TZ to a"
                " name such as Europe/Berlin or UTC."
            ) from None

    def now(self) -> datetime:
        """The present, in the time zone of the settings."""
        return datetime.now(self.zone())


def _machine_zone() -> str:
    import tzlocal

    with warnings.catch_warnings():
        # It warns where the machine has no zone; UTC is then right.
        warnings.simplefilter("ignore")
        return tzlocal.get_localzone_name() or "UTC"


class Keys:
    """Where the API key comes from.

    In this order: the environment, what was given to :meth:`hold`, Colab's secrets, the
    system's keyring. The key is no setting, so that no listing of settings shows it.
    """

    def __init__(self) -> None:
        self._held = ""

    def hold(self, key: str) -> None:
        """Holds a key for as long as this object lives."""
        self._held = Secret(key)

    def save(self, key: str) -> None:
        """Puts a key into the system's keyring, for later sessions.

        Raises:
            SettingsError: There is no keyring, or it does not keep the key.
        """
        key, failure = Secret(key), ""
        try:
            import keyring

            keyring.set_password(_SERVICE, KEY_VARIABLE, key)
            # A keyring that was switched off takes everything and keeps nothing.
            if keyring.get_password(_SERVICE, KEY_VARIABLE) != key:
                failure = "it keeps nothing"
        except Exception as error:
            # A keyring's back ends raise what they like, and some repeat what they were given.
            failure = type(error).__name__
        # Raised out here, so that the exception does not carry the one of the back end.
        if failure:
            raise SettingsError(
                f"The key could not be saved in a keyring ({failure}); install"
                f" stability_magic[keyring], or set {KEY_VARIABLE}. It is held for this session."
            )

    def find(self) -> Secret:
        """The API key.

        Raises:
            SettingsError: There is none.
        """
        for source in (_environment_key, lambda: self._held, _colab_key, _keyring_key):
            key = source()
            if key.strip():
                return Secret(key)
        raise SettingsError(_NO_KEY)


def _environment_key() -> str:
    return os.environ.get(KEY_VARIABLE, "")


def _colab_key() -> str:
    if "google.colab" not in sys.modules:
        return ""
    try:
        from google.colab import userdata

        return str(userdata.get(KEY_VARIABLE) or "")
    except Exception:
        # Not there, or the notebook has no access to it: then the next source is asked.
        return ""


def _keyring_key() -> str:
    try:
        import keyring

        return keyring.get_password(_SERVICE, KEY_VARIABLE) or ""
    except Exception:
        # Not installed, or its back ends raise what they like: no key is found here then.
        return ""
