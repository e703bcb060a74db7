"""Ctrl-C at any moment of a request: it ends the request, and shows no key."""

from __future__ import annotations

import _thread
import contextlib
import signal
import socket
import sys
import threading
import time

import pytest
from IPython.utils.capture import capture_output

from stability_magic import StabilityClient

from ..helpers.errors import KEY, assert_hides_key
from .keep_alive import KeepAliveServer, balance_answer, organization_of

# A socket that urllib3 or Python has just made is left to the garbage collector then.
pytestmark = [
    # The timer of these tests is that of the other method.
    pytest.mark.timeout(300, method="thread"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no such signals"
)


def answer(connection, head):
    connection.sendall(balance_answer(organization_of(head)))


def answer_slowly(connection, head):
    for each in balance_answer(organization_of(head)):
        connection.sendall(bytes([each]))
        time.sleep(0.001)


@pytest.fixture
def silent_url():
    """The address of a listener that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def full_url():
    """The address of a listener whose queue is full, so that connecting to it hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def interrupt_after():
    """Lets a KeyboardInterrupt come after some seconds, as Ctrl-C does."""

    def interrupt(signal_number, frame):
        raise KeyboardInterrupt

    original = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, original)


@needs_signals
@pytest.mark.parametrize("place", ["silent_url", "full_url"])
@pytest.mark.parametrize("operation", ["balance", "account"])
def test_an_interruption_while_the_service_is_silent(request, interrupt_after, place, operation):
    """While connecting, and while waiting for the answer."""
    url = request.getfixturevalue(place)
    with StabilityClient(KEY, api_url=url, timeout=30.0) as client:
        interrupt_after(0.3)
        with pytest.raises(KeyboardInterrupt) as caught:
            getattr(client, operation)()
    assert_hides_key(caught.value)
    assert caught.value.__context__ is None


def test_an_interruption_from_another_thread(silent_url):
    """As a kernel is interrupted on Windows."""
    with StabilityClient(KEY, api_url=silent_url, timeout=1.0) as client:
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.balance()
        timer.join()
    assert_hides_key(caught.value)


@needs_signals
@pytest.mark.parametrize("place", ["silent_url", "full_url"])
def test_verbose_tracebacks_of_a_notebook_show_no_key(
    shell, monkeypatch, tmp_path, request, place, interrupt_after
):
    """``%xmode Verbose`` prints the variables of every frame."""
    monkeypatch.setenv("STABILITY_API_HOST", request.getfixturevalue(place))
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / "log.db"))
    code = "import os, stability_magic\nclient = stability_magic.StabilityClient("
    code += "os.environ['STABILITY_API_KEY'], api_url=os.environ['STABILITY_API_HOST'])"
    with capture_output() as captured:
        shell.run_cell("%xmode Verbose")
        shell.run_cell(code)
        shell.run_cell("%stability_history")  # asks nobody, and imports what it needs
        for each in ("client.balance()", "%stability_balance"):
            interrupt_after(1)
            result = shell.run_cell(each)
            assert isinstance(result.error_in_exec, KeyboardInterrupt)
        shell.run_cell("%xmode Context")
    assert "KeyboardInterrupt" in captured.stdout + captured.stderr
    assert KEY not in captured.stdout + captured.stderr


@needs_signals
def test_interruptions_at_random_moments_mix_up_no_balances(interrupt_after):
    """After each of them the client goes on, and every balance is that of its organization."""
    interruptions = 0
    with (
        KeepAliveServer(answer_slowly) as server,
        StabilityClient(KEY, api_url=server.url, timeout=10.0) as client,
    ):
        for number in range(40):
            interrupt_after(0.004 * (number + 1))
            try:
                credits = client.balance(f"org-{number}").credits
                interrupt_after(0)
            except KeyboardInterrupt as error:
                interruptions += 1
                assert_hides_key(error)
            else:
                assert credits == number
            assert client.balance(f"org-{number + 1}").credits == number + 1
    assert interruptions > 5


class Interruption(BaseException):
    """Stands for whatever a signal's handler raises."""


def interrupt_call(position, calls):
    """A trace function that raises in the nth function that is called below ``Transport.get``."""

    def trace(frame, event, argument):
        names = (frame.f_code.co_filename, frame.f_code.co_name)
        if names[0].endswith("transport.py") and names[1] == "get":
            calls.append(0)
        elif calls and event == "call" and "__del__" not in names[1]:
            calls[0] += 1
            if calls[0] == position:
                sys.settrace(None)
                raise Interruption

    return trace


def test_an_interruption_in_any_function_of_the_lower_layers_shows_no_key():
    """In every one that a request calls, one after the other: connecting, sending, reading."""
    with (
        KeepAliveServer(answer) as server,
        StabilityClient(KEY, api_url=server.url, timeout=10.0) as client,
    ):
        client.balance()
        for is_connected in (True, False):
            position, was_interrupted = 0, True
            while was_interrupted:
                position += 1
                if not is_connected:
                    client.close()
                was_interrupted = False
                original = sys.gettrace()
                sys.settrace(interrupt_call(position, []))
                try:
                    credits = client.balance("org-1").credits
                except Interruption as error:
                    was_interrupted = True
                    sys.settrace(original)
                    assert_hides_key(error)
                else:
                    assert credits == 1
                finally:
                    sys.settrace(original)
                assert client.balance("org-2").credits == 2
            assert position > 100
