"""Keys, addresses, timeouts and ids that are refused before anything is sent."""

from __future__ import annotations

import pytest

from stability_magic import SettingsError, StabilityClient
from stability_magic.api.client import API_URL

from ..helpers.errors import KEY, assert_is_clear_error
from .service import record_connections


@pytest.mark.parametrize(
    "pasted_key",
    [
        f" {KEY}\n",
        f"\t{KEY}\r\n",
        f"Bearer {KEY}",
        f"bearer   {KEY} \n",
        f"BEARER\t{KEY}",
        f"\N{NO-BREAK SPACE}{KEY}",
    ],
)
def test_what_pasting_adds_to_a_key_is_dropped(service, connect, pasted_key):
    """White space around the key and a leading Bearer are removed."""
    client = connect(pasted_key)
    client.balance()
    assert service.requests[0].header("Authorization") == KEY
    assert client.key_fingerprint == connect().key_fingerprint


@pytest.mark.parametrize("pasted_key", ["", " ", "\n", "Bearer", "Bearer \n"])
def test_an_empty_key_is_refused(pasted_key):
    """The error says that the key is empty and where to set one."""
    with pytest.raises(SettingsError, match="empty; set STABILITY_API_KEY") as caught:
        StabilityClient(pasted_key)
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("inside", [" ", "\n", "\r\nX-Injected: 1\r\n", "\0", "\t", "ä", "\u200b"])
def test_a_key_with_impossible_characters_is_refused(inside):
    """Spaces, line breaks and non-ASCII characters inside it: an error that hides the key."""
    with pytest.raises(SettingsError, match=r"copy it again from https://platform") as caught:
        StabilityClient(f"Bearer {KEY}{inside}{KEY}")
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    ("api_url", "normalized_url"),
    [
        (API_URL, API_URL),
        ("https://api.example.invalid/", "https://api.example.invalid"),
        (" api.example.invalid ", "https://api.example.invalid"),
        ("api.example.invalid:8443/prefix//", "https://api.example.invalid:8443/prefix"),
        ("http://localhost:80", "http://localhost:80"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_https_or_loopback_is_accepted(api_url, normalized_url):
    """https anywhere, plain http on this machine; https is the default scheme."""
    with StabilityClient(KEY, api_url=api_url) as client:
        assert client.api_url == normalized_url
    assert repr(client) == f"StabilityClient(api_url={normalized_url!r})"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.stability.ai",
        "http://192.168.1.5",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://user:password@api.stability.ai",
        "https://api.stability.ai?x=1",
        "https://api.stability.ai?",
        "https://api.stability.ai#",
        "https://api.stability.ai/#x",
        "https://api.stability.ai:99999",
        "https://api.stability.ai:x",
        "https://[::1",
        "https://api stability.ai",
        "https://api.stability.ai\r\nX: 1",
        "https://äpi.example",
        "https://",
        "https:///v1",
        "",
        "   ",
    ],
)
def test_any_other_address_is_refused(url):
    """Plain http to other machines, users, queries and nonsense: no connection is made."""
    with record_connections() as addresses, pytest.raises(SettingsError, match="api_url") as caught:
        StabilityClient(KEY, api_url=url)
    assert addresses == []
    assert "password" not in str(caught.value)
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("version", ["", "v2beta", "V1", "1"])
def test_an_unknown_version_is_refused(version):
    """The message lists the known ones."""
    with pytest.raises(SettingsError, match="use one of auto, v1alpha, v1") as caught:
        StabilityClient(KEY, api_version=version)
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300])
def test_an_impossible_timeout_is_refused(connect, seconds):
    """Zero, negative, infinite and absurd timeouts are refused, at first and later."""
    with pytest.raises(SettingsError, match="timeout is") as caught:
        connect(timeout=seconds)
    assert_is_clear_error(caught.value)
    client = connect()
    with pytest.raises(SettingsError, match="timeout is"):
        client.timeout = seconds
    assert client.timeout == 5.0


@pytest.mark.parametrize("organization", ["", "a b", "org-1\r\nX: y", "örg", "\0", "org\n"])
def test_an_impossible_organization_id_is_refused(service, connect, organization):
    """An id that no header can carry is refused before anything is sent."""
    with pytest.raises(SettingsError, match="no organization id; nothing was sent") as caught:
        connect().balance(organization)
    assert_is_clear_error(caught.value)
    assert service.requests == ()
