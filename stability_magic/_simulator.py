"""A simulator of the Stability AI user API: a real HTTP server on this machine's loopback.

It answers the two operations of versions v1alpha and v1 in the published shapes, for
organizations whose spending is made up (see ``_simulation``), and says so in a header of
every answer. The demo talks to it, and so do the tests.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from ._faults import FAULTS, Fault
from ._loopback import LoopbackServer, Request
from ._simulated_clock import RateLimit, SimulatedClock
from ._simulation import Ledger, SimulatedOrganization, default_organizations, shared_ledger

__all__ = ["FAULTS", "Fault", "Request", "SimulatedClock", "Simulator"]

_REMEMBERED: Final = 10_000  # requests
_VERSIONS: Final = ("v1alpha", "v1")


class Simulator:
    """The simulated service: ``with Simulator() as simulator:`` serves ``simulator.url``.

    Args:
        organizations: Those of the account, exactly one of them its default one; None for
            the three of the demo.
        seed: Chooses the history, see ``Ledger``.
        clock: The time it lives in; None for the present.
        api_key: The key it accepts; None makes one up from the seed, so that another run
            accepts the same.
        latency: Real seconds that every answer takes. May be set while it runs.
        versions: Those of "v1alpha" and "v1" that it serves; the other one is not found.
        rate_limit: How many requests with the right key are admitted in a window.
        rate_window: The length of that window in seconds of the simulator's clock.
        port: The TCP port on 127.0.0.1; 0 takes any free one.

    Attributes:
        clock: The clock; set it to travel in time.
        ledgers: The truth by organization id: what was really spent and bought.

    Raises:
        ValueError: The organizations or versions are not as described.
    """

    def __init__(
        self,
        *,
        organizations: Iterable[SimulatedOrganization] | None = None,
        seed: int = 0,
        clock: SimulatedClock | None = None,
        api_key: str | None = None,
        latency: float = 0.0,
        versions: Iterable[str] = _VERSIONS,
        rate_limit: int = 150,
        rate_window: float = 10.0,
        port: int = 0,
    ) -> None:
        chosen = default_organizations() if organizations is None else tuple(organizations)
        defaults = [organization.id for organization in chosen if organization.is_default]
        if len(defaults) != 1 or len({organization.id for organization in chosen}) != len(chosen):
            raise ValueError("organizations need ids of their own, and exactly one default")
        self.versions = tuple(versions)
        if not set(self.versions) <= set(_VERSIONS):
            raise ValueError(f"versions are {self.versions}; known are {_VERSIONS}")
        self.organizations = chosen
        self.clock = SimulatedClock() if clock is None else clock
        self.ledgers: Mapping[str, Ledger] = MappingProxyType(
            {organization.id: shared_ledger(organization, seed) for organization in chosen}
        )
        self.api_key = _made_up_key(seed) if api_key is None else api_key
        self.latency = latency
        self._default = defaults[0]
        self._limit = RateLimit(rate_limit, timedelta(seconds=rate_window))
        self._requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self._faults: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()
        self._spent: dict[str, float] = {}
        self._port = port
        self._server: LoopbackServer | None = None

    def start(self) -> Self:
        """Serve until ``stop()``; harmless when it does so already.

        Raises:
            OSError: The port is taken.
        """
        if self._server is None:
            self._server = LoopbackServer(self._answer, self._now, self._port)
            self._port = self._server.server_port
        return self

    def _now(self) -> datetime:
        # The clock may be replaced while the server runs.
        return self.clock.now()

    def stop(self) -> None:
        """Drop every connection and end every thread; harmless when it does not serve.

        A later ``start()`` serves the same URL again.
        """
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it serves, such as ``http://127.0.0.1:40123``; kept when it is stopped.

        Raises:
            RuntimeError: It was never started, so that the port is not known yet.
        """
        if not self._port:
            raise RuntimeError("the simulator has no address before start()")
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """The latest ten thousand requests, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def fail(self, fault: Fault, *, path: str | None = None, times: int = 1) -> None:
        """Answer the next requests with a fault, whoever asks and with whatever key.

        Faults wait in a queue; each request takes the first one that fits it.

        Args:
            fault: One of ``FAULTS``, or one of your own.
            path: How the path of the request ends, such as "/user/balance"; None for any.
            times: For how many requests.
        """
        with self._lock:
            self._faults += [(fault, path or "")] * times

    def spend(self, credits: float, organization: str | None = None) -> None:
        """Takes credits from a balance, from now on, beside what the ledger tells.

        Args:
            credits: How many.
            organization: Whose; None for the default one's.

        Raises:
            ValueError: They are no number above zero, or more than are left.
        """
        whose = organization or self._default
        left = self._left(whose, self.clock.now())
        if not 0 < credits <= left:
            raise ValueError(f"credits are {credits:g}; use a number above 0, up to {left:.2f}")
        with self._lock:
            self._spent[whose] = self._spent.get(whose, 0.0) + credits

    def _left(self, organization: str, at: datetime) -> float:
        with self._lock:
            spent = self._spent.get(organization, 0.0)
        return self.ledgers[organization].balance(at) - spent

    def _answer(self, request: Request) -> Fault:
        with self._lock:
            self._requests.append(request)
        path = request.path.partition("?")[0]
        answer = self._next_fault(path) or self._right_answer(request, path)
        latency = self.latency
        return replace(answer, delay=answer.delay + latency) if latency else answer

    def _next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for position, (fault, suffix) in enumerate(self._faults):
                if path.endswith(suffix):
                    del self._faults[position]
                    return fault
        return None

    def _right_answer(self, request: Request, path: str) -> Fault:
        version, _, operation = path.removeprefix("/").partition("/")
        if version not in self.versions or operation not in ("user/account", "user/balance"):
            return _refusal(version, 404, "not_found", "the requested resource was not found")
        if request.method != "GET":
            refusal = _refusal(version, 405, "method_not_allowed", "only GET is allowed")
            return replace(refusal, headers=(("Allow", "GET"),))
        authorization = request.header("Authorization")
        if authorization is None:
            return _refusal(version, 401, "unauthorized", "missing authorization header")
        if authorization != (self.api_key if version == "v1alpha" else f"Bearer {self.api_key}"):
            return _refusal(version, 401, "unauthorized", "the API key is not valid")
        if not self._limit.admits(request.at):
            message = "you have exceeded the rate limit, wait for 60 seconds"
            return _refusal(version, 429, "rate_limit_exceeded", message)
        if operation == "user/account":
            return _json(self._account())
        return self._balance(version, request)

    def _account(self) -> dict[str, Any]:
        return {
            "id": "user-sim-0001",
            "email": "demo.person@example.com",
            "organizations": [
                {
                    "id": organization.id,
                    "name": organization.name,
                    "role": organization.role,
                    "is_default": organization.is_default,
                }
                for organization in self.organizations
            ],
            "profile_picture": "https://example.com/simulated.png",
        }

    def _balance(self, version: str, request: Request) -> Fault:
        organization = request.header("Organization") or self._default
        if organization not in self.ledgers:
            message = "you do not have permission to access this organization"
            return _refusal(version, 403, "permission_denied", message)
        try:
            credits = self._left(organization, request.at)
        except ValueError as error:
            return _refusal(version, 500, "server_error", str(error))
        # An integer is legal JSON for a double, and clients must be ready for one.
        return _json({"credits": int(credits) if credits.is_integer() else credits})


def _json(value: object, status: int = 200) -> Fault:
    return Fault(status, json.dumps(value).encode())


def _refusal(version: str, status: int, name: str, message: str) -> Fault:
    error: dict[str, Any] = {"id": str(uuid.uuid4()), "name": name, "message": message}
    if version == "v1alpha":
        error |= {"fault": status >= 500, "temporary": status == 429, "timeout": False}
    return _json(error, status)


def _made_up_key(seed: int) -> str:
    return "sk-simulated-" + hashlib.sha256(f"simulator {seed}".encode()).hexdigest()[:38]
