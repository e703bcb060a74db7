"""The threads of simulators, and a wait for a condition."""

import threading
import time


def simulator_threads():
    """The running threads of all simulators."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("stability-")}


def wait_until(condition, seconds=5):
    """Waits until a condition is true; after so many seconds the test fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
