"""Redirects, proxies and a .netrc: the key reaches only the service."""

from __future__ import annotations

import pytest

from stability_magic import StatusError, TransportError
from stability_magic.simulator.simulator import Fault, Simulator

from ..helpers.errors import KEY, assert_is_clear_error
from ..helpers.wire import RawServer, reply_with
from .service import ORGANIZATIONS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(service, connect, status):
    """The other server gets no request, and the service only one."""
    with Simulator(organizations=ORGANIZATIONS, api_key=KEY) as elsewhere:
        location = (("Location", f"{elsewhere.url}/v1alpha/user/balance"),)
        service.fail(Fault(status, headers=location))
        with pytest.raises(StatusError, match="redirects are not followed") as caught:
            connect().balance()
        assert elsewhere.requests == ()
    assert caught.value.status == status
    assert len(service.requests) == 1


@pytest.mark.parametrize("location", ["http://[/", "", "//", "\x80\xff", "mailto:x", "/" * 3000])
def test_a_redirect_to_nonsense_is_treated_like_any_other(service, connect, location):
    """Its target is not looked at."""
    service.fail(Fault(302, headers=(("Location", location),)))
    with pytest.raises(StatusError, match="redirects are not followed"):
        connect().balance()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used_for_https(connect, monkeypatch, variable):
    """The proxy sees the host and not the key; its refusal is named as the proxy's."""
    with RawServer(reply_with(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        client = connect(api_url="https://api.example.invalid")
        with pytest.raises(TransportError, match="proxy did not let") as caught:
            client.balance()
    assert proxy.requests[0].startswith(b"CONNECT api.example.invalid:443 ")
    assert KEY.encode() not in b"".join(proxy.requests)
    assert_is_clear_error(caught.value)


def test_no_proxy_in_the_environment_bypasses_the_proxy(connect, monkeypatch):
    """An address in NO_PROXY is reached directly."""
    with RawServer(reply_with(b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        with pytest.raises(TransportError):
            connect(api_url="https://127.0.0.1:1").balance()
    assert proxy.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_never_goes_through_a_proxy(service, connect, monkeypatch, host):
    """The key of a service on this machine does not leave the machine, whatever is set."""
    with RawServer(reply_with(b"")) as proxy:
        for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url)
        client = connect(api_url=service.url.replace("127.0.0.1", host))
        assert client.balance().credits == 100.0
    assert proxy.requests == []


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "//", "http://:x"])
def test_an_unusable_proxy_is_a_transport_error(connect, monkeypatch, proxy):
    """A dead proxy, an unsupported kind, or nonsense: the error names HTTPS_PROXY."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(TransportError, match=r"check .*HTTPS_PROXY") as caught:
        connect(api_url="https://api.example.invalid", timeout=0.5).balance()
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("variable", ["HOME", "NETRC"])
def test_netrc_does_not_replace_the_key(service, connect, monkeypatch, tmp_path, variable):
    """A .netrc entry for the host does not change the Authorization header."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv(variable, str(netrc if variable == "NETRC" else tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    connect(api_version="v1").balance()
    assert service.requests[0].header("Authorization") == f"Bearer {KEY}"
