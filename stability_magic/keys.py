"""The sources of the API key."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from .environment import variable
from .errors import SettingsError
from .text import Secret, SecretHolder

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KEY_IS_HELD", "KEY_VARIABLE", "KEY_VARIABLES", "FoundKey", "KeySources"]

KEY_VARIABLE = "STABILITY_API_KEY"
# The names of the key in the environment, and among the secrets of a notebook's host. The second is
# that of the vendor's own notebooks and of its SDK (stability_sdk reads it too).
KEY_VARIABLES = (KEY_VARIABLE, "STABILITY_KEY")

# Only notebooks on Kaggle have it (Kaggle/docker-python, kaggle_secrets.py).
_KAGGLE_TOKEN = "KAGGLE_USER_SECRETS_TOKEN"  # noqa: S105 - its name

_KEYRING_SERVICE = "stability_magic"

# The end of an error about a key that could not be saved.
KEY_IS_HELD = " It is held for this session."

_NO_KEY_MESSAGE = (
    f"No API key was found. Set {KEY_VARIABLE} or run %stability_login; keys are listed at"
    " https://platform.stability.ai/account/keys. %stability_demo works without one."
)


class FoundKey(NamedTuple):
    """A key, and where it was found in words that hold no part of it."""

    key: Secret
    source: str


_NO_KEY = FoundKey(Secret(""), "")


class KeySources(SecretHolder):
    """The sources of the API key.

    In this order: the environment, the key passed to :meth:`hold`, Colab's secrets, Kaggle's, the
    system's keyring. The key is not a setting, so that no listing of settings shows it.
    """

    def __init__(self) -> None:
        self._held_key = FoundKey(Secret(""), "")
        self._kaggle_key = FoundKey(Secret(""), "")

    def hold(self, key: str, source: str = "%stability_login") -> None:
        """Keeps a key in memory for as long as this object lives.

        Args:
            key: The key.
            source: Where it came from.
        """
        self._held_key = FoundKey(Secret(key), source)

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
        return self.locate().key

    def locate(self) -> FoundKey:
        """The API key, from the first source that has one, and which source that is.

        Raises:
            SettingsError: No source has a key.
        """
        for source in (
            _environment_key,
            lambda: self._held_key,
            _colab_key,
            self._find_kaggle_key,
            _keyring_key,
        ):
            found = source()
            if found.key.strip():
                return found
        raise SettingsError(_NO_KEY_MESSAGE)

    def environment_keys(self) -> dict[str, Secret]:
        """The keys that the environment holds, by the names of their variables, first one first."""
        keys = {each: Secret(variable(each)) for each in KEY_VARIABLES}
        return {name: key for name, key in keys.items() if key.strip()}

    def _find_kaggle_key(self) -> FoundKey:
        # Kaggle asks its server each time.
        if not self._kaggle_key.key:
            self._kaggle_key = _kaggle_key()
        return self._kaggle_key


def _environment_key() -> FoundKey:
    for name in KEY_VARIABLES:
        if variable(name).strip():
            return FoundKey(Secret(variable(name)), f"{name} in the environment")
    return _NO_KEY


def _colab_key() -> FoundKey:
    if "google.colab" not in sys.modules:
        return _NO_KEY
    for name in KEY_VARIABLES:
        # No such secret, or the notebook may not read it: the next one is tried.
        with suppress(Exception):
            from google.colab import userdata

            if key := Secret(userdata.get(name) or ""):
                return FoundKey(key, f"the secret {name} in Colab")
    return _NO_KEY


def _kaggle_key() -> FoundKey:
    if not variable(_KAGGLE_TOKEN):
        return _NO_KEY
    for name in KEY_VARIABLES:
        try:
            from kaggle_secrets import UserSecretsClient

            key = Secret(UserSecretsClient().get_secret(name) or "")
        except (ConnectionError, ImportError):
            # A notebook without internet, which would wait once more.
            return _NO_KEY
        except Exception:  # noqa: S112 - its error may repeat its server's answer
            # No such secret, or the notebook may not read it: the next one is tried.
            continue
        if key:
            return FoundKey(key, f"the secret {name} in Kaggle")
    return _NO_KEY


def _keyring_key() -> FoundKey:
    # Not installed, or its back end raises any exception: there is no key in it then.
    with suppress(Exception):
        import keyring

        key = Secret(keyring.get_password(_KEYRING_SERVICE, KEY_VARIABLE) or "")
        return FoundKey(key, "the keyring")
    return _NO_KEY


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
