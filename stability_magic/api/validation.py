"""Checks what may be sent, and where to; pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ..errors import SettingsError
from ..text import Secret, unquote

__all__ = ["API_URL", "host_of", "is_header_text", "is_loopback", "validate_key", "validate_url"]

API_URL = "https://api.stability.ai"


def validate_key(key: str) -> Secret:
    """The key without what pasting adds to it.

    Raises:
        SettingsError: The key is empty, or has characters that no key has.
    """
    # A Secret at once: a traceback from here may show the variables.
    key = Secret(key)
    bare_key = Secret(re.sub(r"^bearer(\s+|$)", "", unquote(key).strip(), flags=re.IGNORECASE))
    bare_key = Secret(unquote(bare_key).strip())
    if not bare_key:
        raise SettingsError("The API key is empty; set STABILITY_API_KEY or run %stability_login.")
    if not is_header_text(bare_key):
        raise SettingsError(
            "The API key holds a space, a line break or a character that no key has; copy it"
            " again from https://platform.stability.ai/account/keys."
        )
    return bare_key


def is_header_text(value: str) -> bool:
    """Whether a header can carry the value, which must be one printable ASCII word."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def validate_url(url: str) -> str:
    """The service's address without a trailing slash; https if it names no scheme."""
    address = url.strip()
    if "://" not in address:
        address = f"https://{address}"
    address = address.rstrip("/")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not address.isascii() or not address.isprintable() or " " in address:
        raise SettingsError(f"api_url is no address of a service; use {API_URL} or one like it.")
    if parts.username is not None or "?" in address or "#" in address:
        raise SettingsError("api_url holds a user, a query or a fragment; give host and path only.")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address)):
        return address
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
