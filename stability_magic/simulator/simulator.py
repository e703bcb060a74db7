"""A simulator of the Stability AI user API: a real HTTP server on this machine's loopback.

It answers the two operations of versions v1alpha and v1 in the published shapes, for
organizations whose spending is made up (see ``ledger``). A header of every answer says that it is
simulated. The demo and the tests talk to it.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from .clock import RateLimit, SimulatedClock
from .faults import FAULTS, Fault, json_answer
from .ledger import Ledger, SimulatedOrganization, cached_ledger, default_organizations
from .server import LoopbackServer, Request

__all__ = ["FAULTS", "Fault", "Request", "SimulatedClock", "Simulator"]

_MAX_REMEMBERED_REQUESTS: Final = 10_000
_KNOWN_VERSIONS: Final = ("v1alpha", "v1")


class Simulator:
    """The simulated service: ``with Simulator() as simulator:`` serves ``simulator.url``.

    Args:
        organizations: The account's organizations, exactly one of them the default; None for
            the demo's three.
        seed: Chooses the history, see ``Ledger``.
        clock: The simulator's clock; None for one that shows the present.
        api_key: The key it accepts; None derives one from the seed, so that every run with that
            seed accepts the same key.
        latency: Real seconds that every answer takes. Can be set while it runs.
        versions: Which of "v1alpha" and "v1" it serves; any other is answered with 404.
        rate_limit: How many requests with the right key are admitted per window.
        rate_window: The length of the window, in seconds of the simulator's clock.
        port: The TCP port on 127.0.0.1; 0 takes any free one.

    Attributes:
        clock: The simulator's clock; set it to move in time.
        lag: How old the balances are that it tells, in seconds of its clock; 0 unless set.
        clock_offset: Seconds by which the service's clock, which its answers tell, is ahead of this
            machine's; 0 unless set.
        ledgers: What was really spent and bought, by organization id.

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
        versions: Iterable[str] = _KNOWN_VERSIONS,
        rate_limit: int = 150,
        rate_window: float = 10.0,
        port: int = 0,
    ) -> None:
        self.organizations = (
            default_organizations() if organizations is None else tuple(organizations)
        )
        ids = {each.id for each in self.organizations}
        default_ids = [each.id for each in self.organizations if each.is_default]
        if len(default_ids) != 1 or len(ids) != len(self.organizations):
            raise ValueError("organizations need ids of their own, and exactly one default")
        self.versions = tuple(versions)
        if not set(self.versions) <= set(_KNOWN_VERSIONS):
            raise ValueError(f"versions are {self.versions}; known are {_KNOWN_VERSIONS}")
        self.clock = SimulatedClock() if clock is None else clock
        self.ledgers: Mapping[str, Ledger] = MappingProxyType(
            {each.id: cached_ledger(each, seed) for each in self.organizations}
        )
        self.api_key = _made_up_key(seed) if api_key is None else api_key
        self.latency = latency
        self.lag = 0.0
        self.clock_offset = 0.0
        self._default_id = default_ids[0]
        self._rate_limit = RateLimit(rate_limit, timedelta(seconds=rate_window))
        self._requests: deque[Request] = deque(maxlen=_MAX_REMEMBERED_REQUESTS)
        self._faults: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()
        self._wrong_balances: dict[str, float | None] = {}
        self._spent_by_hand: dict[str, list[tuple[datetime, float]]] = {}
        self._port = port
        self._server: LoopbackServer | None = None

    def start(self) -> Self:
        """Serves until ``stop()``; does nothing if it is already running.

        Raises:
            OSError: The port is taken.
        """
        if self._server is None:
            self._server = LoopbackServer(self._answer, self._now, self._date, self._port)
            self._port = self._server.server_port
        return self

    def _now(self) -> datetime:
        # The clock may be replaced while the server runs.
        return self.clock.now()

    def _date(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset)

    def stop(self) -> None:
        """Drops every connection and ends every thread; does nothing if it is not running.

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
        """The address, such as ``http://127.0.0.1:40123``; it stays the same after ``stop()``.

        Raises:
            RuntimeError: The simulator was never started, so its port is not known yet.
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
        """Answers the next requests with a fault, whatever their key.

        Faults wait in a queue; each request takes the first one that matches it.

        Args:
            fault: One of ``FAULTS``, or your own.
            path: The end of the request's path, such as "/user/balance"; None for any path.
            times: How many requests to answer with it.
        """
        with self._lock:
            self._faults += [(fault, path or "")] * times

    def spend(self, credits: float, organization: str | None = None) -> None:
        """Takes credits from a balance, from now on, in addition to the ledger's spending.

        Args:
            credits: How many credits.
            organization: An organization's id; None for the default organization.

        Raises:
            ValueError: ``credits`` is not above zero, or more than the balance.
        """
        spender = organization or self._default_id
        now = self.clock.now()
        balance = self._balance_at(spender, now)
        if not 0 < credits <= balance:
            raise ValueError(f"credits are {credits:g}; use a number above 0, up to {balance:.2f}")
        with self._lock:
            self._spent_by_hand.setdefault(spender, []).append((now, credits))

    def tell_wrongly(self, credits: float | None, organization: str | None = None) -> None:
        """Tells a balance that is wrong, as the service was seen to do for a while.

        Args:
            credits: What it tells from now on; None for the truth.
            organization: An organization's id; None for the default organization.
        """
        with self._lock:
            self._wrong_balances[organization or self._default_id] = credits

    def make_default(self, organization: str) -> None:
        """Makes another organization the default one, as its owner can on the service's pages.

        Raises:
            ValueError: The account has no such organization.
        """
        if organization not in self.ledgers:
            raise ValueError(f"the account has no organization {organization!r}")
        self._default_id = organization
        self.organizations = tuple(
            replace(each, is_default=each.id == organization) for each in self.organizations
        )

    def _balance_at(self, organization: str, at: datetime) -> float:
        with self._lock:
            spendings = self._spent_by_hand.get(organization, ())
            spent = sum(credits for spent_at, credits in spendings if spent_at <= at)
        return self.ledgers[organization].balance(at) - spent

    def _answer(self, request: Request) -> Fault:
        with self._lock:
            self._requests.append(request)
        path = request.path.partition("?")[0]
        answer = self._next_fault(path) or self._correct_answer(request, path)
        latency = self.latency
        return replace(answer, delay=answer.delay + latency) if latency else answer

    def _next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for position, (fault, suffix) in enumerate(self._faults):
                if path.endswith(suffix):
                    del self._faults[position]
                    return fault
        return None

    def _correct_answer(self, request: Request, path: str) -> Fault:
        version, _, operation = path.removeprefix("/").partition("/")
        if version not in self.versions or operation not in ("user/account", "user/balance"):
            return _error_answer(version, 404, "not_found", "the requested resource was not found")
        if request.method != "GET":
            refusal = _error_answer(version, 405, "method_not_allowed", "only GET is allowed")
            return replace(refusal, headers=(("Allow", "GET"),))
        authorization = request.header("Authorization")
        if authorization is None:
            return _error_answer(version, 401, "unauthorized", "missing authorization header")
        if authorization != (self.api_key if version == "v1alpha" else f"Bearer {self.api_key}"):
            return _error_answer(version, 401, "unauthorized", "the API key is not valid")
        if not self._rate_limit.admits(request.at):
            message = "you have exceeded the rate limit, wait for 60 seconds"
            return _error_answer(version, 429, "rate_limit_exceeded", message)
        if operation == "user/account":
            return json_answer(self._account_body())
        return self._balance_answer(version, request)

    def _account_body(self) -> dict[str, Any]:
        return {
            "id": "user-sim-0001",
            "email": "demo.person@example.com",
            "organizations": [
                {
                    "id": each.id,
                    "name": each.name,
                    "role": each.role,
                    "is_default": each.is_default,
                }
                for each in self.organizations
            ],
            "profile_picture": "https://example.com/simulated.png",
        }

    def _balance_answer(self, version: str, request: Request) -> Fault:
        organization = request.header("Organization") or self._default_id
        if organization not in self.ledgers:
            message = "you do not have permission to access this organization"
            return _error_answer(version, 403, "permission_denied", message)
        try:
            credits = self._balance_at(organization, request.at - timedelta(seconds=self.lag))
        except ValueError as error:
            return _error_answer(version, 500, "server_error", str(error))
        with self._lock:
            wrong = self._wrong_balances.get(organization)
        credits = credits if wrong is None else float(wrong)
        # An integer is valid JSON for a double, and clients must be ready for one.
        return json_answer({"credits": int(credits) if credits.is_integer() else credits})


def _error_answer(version: str, status: int, name: str, message: str) -> Fault:
    error: dict[str, Any] = {"id": str(uuid.uuid4()), "name": name, "message": message}
    if version == "v1alpha":
        error |= {"fault": status >= 500, "temporary": status == 429, "timeout": False}
    return json_answer(error, status)


def _made_up_key(seed: int) -> str:
    return "sk-simulated-" + hashlib.sha256(f"simulator {seed}".encode()).hexdigest()[:38]
