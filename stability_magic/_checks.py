"""What may be sent, and where to; pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ._errors import SettingsError
from ._text import Secret

__all__ = ["API_URL", "checked_key", "checked_url", "host_of", "is_header_text", "is_loopback"]

API_URL = "https://api.stability.ai"


def checked_key(key: str) -> Secret:
    """A key without what pasting adds to it.

    Raises:
        SettingsError: It is empty, or holds what no key holds.
    """
    # Secret at once: an exception from here may be shown with the variables.
    key = Secret(key)
    cleaned = Secret(re.sub(r"^bearer(\s+|$)", "", key.strip(), flags=re.IGNORECASE))
    if not cleaned:
        raise SettingsError("The API key is empty; set STABILITY_API_KEY or run %stability_login.")
    if not is_header_text(cleaned):
        raise SettingsError(
            "The API key holds a space, a line break or a character that no key has; copy it"
            " again from https://platform.stability.ai/account/keys."
        )
    return cleaned


def is_header_text(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def checked_url(url: str) -> str:
    """The service's address without a slash at its end; https is understood where none is said."""
    text = url.strip()
    full = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        parts = urlsplit(full)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not full.isascii() or not full.isprintable() or " " in full:
        raise SettingsError(f"api_url is no address of a service; use {API_URL} or one like it.")
    if parts.username is not None or "?" in full or "#" in full:
        raise SettingsError("api_url holds a user, a query or a fragment; give host and path only.")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(full)):
        return full
    raise SettingsError(
        f"api_url is {parts.scheme}://{host}, where a key could be overheard; use https."
        " Plain http is for loopback alone."
    )


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def is_loopback(url: str) -> bool:
    try:
        return ipaddress.ip_address(host_of(url)).is_loopback
    except ValueError:
        return host_of(url) == "localhost"
