"""A network whose own CA signs for the service: the environment names the CA's certificate."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys

import pytest

from stability_magic import SettingsError, StabilityClient, TransportError
from stability_magic.terminal.command_line import main

from ..helpers.errors import KEY, assert_is_clear_error
from .keep_alive import KeepAliveServer, balance_answer, expected_credits, organization_of
from .service import OK_HEAD

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
EXTENSIONS = """[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with the certificates of a CA and of a server, and with their keys."""
    folder = tmp_path_factory.mktemp("ca")
    (folder / "extensions").write_text(EXTENSIONS)

    def openssl(command):
        subprocess.run(
            ["openssl", *command.split()], cwd=folder, check=True, capture_output=True, timeout=60
        )

    for name in ("ca", "server"):
        openssl(f"req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN=x")
    options = "-days 2 -extfile extensions"
    openssl(f"x509 -req -in ca.csr -signkey ca.key -out ca.pem -extensions ca {options}")
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem"
        f" -extensions server {options}"
    )
    return folder


@pytest.fixture
def context(authority):
    """What a TLS server of that CA needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    return context


@pytest.fixture
def server(context):
    """A service over TLS, which this CA alone vouches for."""

    def reply(connection, head):
        connection.sendall(balance_answer(organization_of(head)))

    with KeepAliveServer(reply, context) as server:
        yield server


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def ask(server, count=3):
    """The balances of several organizations."""
    with StabilityClient(KEY, api_url=server.url, timeout=10.0) as client:
        return [client.balance(f"org-{each}").credits for each in range(count)]


@pytest.mark.parametrize("quoted", ["{}", '"{}"'])
@pytest.mark.parametrize("name", VARIABLES)
def test_the_bundle_that_the_environment_names_is_used(
    server, authority, monkeypatch, name, quoted
):
    """For one connection that serves many requests."""
    monkeypatch.setenv(name, quoted.format(authority / "ca.pem"))
    assert ask(server) == [0, 1, 2]
    assert server.connections == 1


def test_a_folder_of_certificates_is_a_bundle_too(server, authority, monkeypatch, tmp_path):
    """With the names that OpenSSL looks for."""
    shutil.copy(authority / "ca.pem", tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, timeout=60)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    assert ask(server) == [0, 1, 2]


def test_the_variable_of_requests_wins(server, authority, monkeypatch, tmp_path):
    """It is about this program alone."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert ask(server) == [0, 1, 2]


def test_a_variable_that_is_set_later_is_used_at_once(server, authority, monkeypatch):
    """A notebook may set it after the first failure."""
    with StabilityClient(KEY, api_url=server.url, timeout=10.0) as client:
        with pytest.raises(TransportError, match="set SSL_CERT_FILE to its bundle") as caught:
            client.balance()
        assert_is_clear_error(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
        assert client.balance("org-4").credits == 4


def test_another_ca_is_not_believed(server, monkeypatch):
    """Those of the system do not vouch for this server: an error, and no request."""
    received = []
    server.reply = lambda connection, head: received.append(head)
    monkeypatch.setenv("SSL_CERT_FILE", ssl.get_default_verify_paths().openssl_cafile)
    with pytest.raises((TransportError, SettingsError)) as caught:
        ask(server)
    assert_is_clear_error(caught.value)
    assert received == []


def missing(folder):
    return folder / "missing.pem"


def dangling(folder):
    link = folder / "link.pem"
    link.symlink_to(folder / "missing.pem")
    return link


def empty(folder):
    path = folder / "empty.pem"
    path.touch()
    return path


def text(folder):
    path = folder / "text.pem"
    path.write_text("no certificate\n" * 100)
    return path


def binary(folder):
    path = folder / "image.png"
    path.write_bytes(bytes(range(256)) * 50)
    return path


def broken(folder):
    path = folder / "broken.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return path


def empty_folder(folder):
    path = folder / "certs"
    path.mkdir()
    return path


def below_a_file(folder):
    return text(folder) / "ca.pem"


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (missing, "does not exist"),
        (dangling, "does not exist"),
        (empty, "holds no certificate"),
        (text, "holds no certificate"),
        (binary, "holds no certificate"),
        (broken, "holds no certificate"),
        (empty_folder, "is a folder without certificates"),
        (below_a_file, "cannot be read"),
    ],
)
@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_a_bundle_that_cannot_be_used_is_told_as_that(
    server, monkeypatch, tmp_path, name, make, problem, is_up
):
    """The error names the file and the variable, whether or not the service can be reached."""
    received = []
    server.reply = lambda connection, head: received.append(head)
    path = make(tmp_path)
    monkeypatch.setenv(name, str(path))
    with (
        StabilityClient(
            KEY, api_url=server.url if is_up else "https://127.0.0.1:1", timeout=5.0
        ) as client,
        pytest.raises(SettingsError) as caught,
    ):
        client.balance()
    message = str(caught.value)
    assert message.startswith(f"The CA bundle {path} that {name} names {problem}")
    assert message.endswith(f"; set {name} to a file with PEM certificates, or unset it.")
    assert_is_clear_error(caught.value)
    assert received == []


def test_a_bundle_matters_to_https_alone(service, connect, monkeypatch, tmp_path):
    """A service on loopback without TLS has no certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert connect().balance().credits == 100.0
    service.stop()
    with pytest.raises(TransportError, match="was refused"):
        connect().balance()


def test_the_command_line_tells_it_in_one_line(monkeypatch, tmp_path, capsys, log_path):
    """With the exit code of settings that failed."""
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    monkeypatch.setenv("STABILITY_API_HOST", "https://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert main(["balance"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "missing.pem that SSL_CERT_FILE names does not exist; set SSL_CERT_FILE" in errors[0]


@pytest.mark.parametrize("length", [0, 7000, 9000, 16_000])
def test_bytes_that_tls_has_decrypted_behind_an_answer_are_seen(
    authority, context, monkeypatch, length
):
    """They wait neither in a buffer of ours nor in the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))

    def reply(connection, head):
        body = b'{"credits": %g}' % expected_credits(organization_of(head)) + b" " * length
        own = OK_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        connection.sendall(own + balance_answer("org-666"))

    with KeepAliveServer(reply, context) as server:
        assert ask(server) == [0, 1, 2]
        assert server.connections == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_leaves_the_parents_tls_session_alone(authority, context, monkeypatch):
    """A child that asks and ends says nothing on the parent's connection."""

    def reply(connection, head):
        connection.sendall(balance_answer(organization_of(head)))

    script = (
        "import os, sys\n"
        "from stability_magic import StabilityClient\n"
        "client = StabilityClient(sys.argv[1], api_url=sys.argv[2], timeout=10.0)\n"
        "assert client.balance('org-1').credits == 1\n"
        "if not (child := os.fork()):\n"
        "    assert [client.balance('org-2').credits for _ in range(3)] == [2] * 3\n"
        "    sys.exit()\n"
        "assert [client.balance('org-3').credits for _ in range(3)] == [3] * 3\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert [client.balance('org-4').credits for _ in range(3)] == [4] * 3\n"
    )
    with KeepAliveServer(reply, context) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, KEY, server.url],
            env={**os.environ, "SSL_CERT_FILE": str(authority / "ca.pem")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.connections == 2
