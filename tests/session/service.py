"""What the simulated service answers in the tests of this folder."""

from __future__ import annotations

import json

from stability_magic.simulator.simulator import Fault, Simulator

__all__ = ["answer_with_balances"]


def answer_with_balances(api: Simulator, *credits: float) -> None:
    """Has the service answer its next balance requests with these credits."""
    for each in credits:
        body = json.dumps({"credits": each}).encode()
        api.fail(Fault(200, body), path="/user/balance")
