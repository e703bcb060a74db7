"""Addresses of Apprise, the real one, with a service on loopback."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stability_magic.channels import channels_from_setting
from stability_magic.display.notice_text import Message
from stability_magic.session.senders import send

from ..helpers.project import ROOT

SECRET = "hunter2-hunter2"
MESSAGE = Message("test", "a title", "a text", {"credits": 5.0})

needs_apprise = pytest.mark.usefixtures("apprise")


@pytest.fixture
def apprise() -> None:
    """Skips what cannot be tried without it."""
    pytest.importorskip("apprise", reason="Apprise is not installed: stability_magic[notify]")


# One of its plug-ins uses a module that Python is about to lose.
pytestmark = pytest.mark.filterwarnings("ignore:'?(imghdr|cgi)")


class Service:
    """What an address of Apprise leads to.

    Attributes:
        address: The address, with a password.
        bodies: What it was sent.
        status: What it answers.
        is_open: While it is not set, nobody gets an answer.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.status = 200
        self.is_open = threading.Event()
        self.is_open.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                service.bodies.append(json.loads(self.rfile.read(length)))
                service.is_open.wait(30)
                self.send_response(service.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://me:{SECRET}@127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that is ended after the test."""
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.is_open.set()
    service.server.shutdown()
    thread.join()
    service.server.server_close()


def reason(address: str, seconds: float = 30.0) -> str:
    """Why a message could not be sent; empty if it could."""
    (channel,) = channels_from_setting(address)
    return send(channel, MESSAGE, seconds=seconds)


@needs_apprise
def test_a_message_arrives(service):
    """Title and text."""
    assert reason(service.address) == ""
    (body,) = service.bodies
    assert (body["title"], body["message"]) == ("a title", "a text")


@needs_apprise
def test_a_refusal_says_why_and_shows_no_password(service, caplog):
    """Neither in the reason nor in Apprise's own log."""
    service.status = 500
    with caplog.at_level(logging.DEBUG):
        text = reason(service.address)
    assert "500" in text or "Server Error" in text
    assert SECRET not in text + caplog.text


@needs_apprise
@pytest.mark.parametrize(
    "address",
    [
        f"json://me:{SECRET}@127.0.0.1:9/{SECRET}",
        f"nosuch://{SECRET}",
        f"slack://{SECRET}",
        f"mailto://me:{SECRET}@127.0.0.1:9?from=a@example.org",
        f"json://me:p@{SECRET}@127.0.0.1:9",
        f"tgram://{SECRET}/{SECRET}",
    ],
)
def test_an_address_that_leads_nowhere_shows_no_password(address, capfd):
    """Nor is anything printed beside the reason."""
    text = reason(address)
    assert text
    assert len(text) < 250
    assert SECRET not in text
    assert capfd.readouterr() == ("", "")


@needs_apprise
@pytest.mark.parametrize(
    "address",
    [
        "nosuchscheme://tok:secretpw@127.0.0.1",
        "nosuch://me:hunter2@127.0.0.1/abc",
        "json://user:p@ss@127.0.0.1:9/x",
        "json://a:mail@127.0.0.1:9/to",
    ],
)
def test_no_part_of_an_address_is_shown_but_scheme_and_host(address):
    """Neither short ones nor the first and last letters that Apprise shows of secrets."""
    text = reason(address)
    rest = address.partition("://")[2].replace("127.0.0.1", "")
    words = set(re.findall(r"\w+", text))
    assert not words & {each for each in re.split(r"\W+", rest) if each}
    assert "..." not in text


@needs_apprise
def test_one_that_does_not_answer_is_given_up(service):
    """In the time that it has."""
    service.is_open.clear()
    assert reason(service.address, seconds=0.5) == "no answer within 0.5 seconds"


@needs_apprise
def test_what_others_log_with_apprise_stays(service, caplog):
    """Only what it says while it sends for us is kept back."""
    assert reason(service.address) == ""
    logging.getLogger("apprise").warning("of somebody else")
    assert "of somebody else" in caplog.text
    assert not logging.getLogger("apprise").filters


@pytest.mark.once
def test_without_apprise_it_says_what_to_install(tmp_path):
    """In one line, for a test and for a reading, which goes on."""
    code = (
        "import sys\n"
        "sys.modules['apprise'] = None\n"
        "from importlib import util\n"
        "from stability_magic.terminal.command_line import main\n"
        "from stability_magic.simulator.simulator import Simulator\n"
        "import os\n"
        "with Simulator() as api:\n"
        "    os.environ |= {'STABILITY_API_HOST': api.url, 'STABILITY_API_KEY': api.api_key}\n"
        f"    os.environ['STABILITY_MAGIC_LOG'] = {str(tmp_path / 'log.db')!r}\n"
        f"    os.environ['STABILITY_MAGIC_NOTIFY'] = 'mailto://me:{SECRET}@example.org'\n"
        "    print(main(['notify', '--test']), main(['balance', '--format', 'csv']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT if (ROOT / "stability_magic").exists() else None,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 0"
    told = (
        "mailto://***@example.org: not delivered: it needs Apprise; install stability_magic[notify]"
    )
    assert f"1. {told}" in done.stderr
    problem = (
        "stability-magic: No message can be sent to mailto://***@example.org: it needs Apprise"
    )
    assert done.stderr.count(problem) == 1
    assert "first reading" in done.stderr
    assert SECRET not in done.stdout + done.stderr
