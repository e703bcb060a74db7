"""The sources of the API key."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from .environment import variable
from .errors import SettingsError
from .text import Secret, SecretHolder

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KEY_IS_HELD", "KEY_VARIABLE", "KeySources"]

KEY_VARIABLE = "STABILITY_API_KEY"
_KEYRING_SERVICE = "stability_magic"

# The end of an error about a key that could not be saved.
KEY_IS_HELD = " It is held for this session."

_NO_KEY_MESSAGE = (
    f"No API key was found. Set {KEY_VARIABLE} or run %stability_login; keys are listed at"
    " https://platform.stability.ai/account/keys. %stability_demo works without one."
)


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
