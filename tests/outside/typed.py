"""The public names, as another typed program uses them; checked by mypy, never run.

    mypy --strict tests/outside/typed.py

in an environment that has the wheel and pandas-stubs. Each line that must be an error has the
comment ``type: ignore``; mypy --strict reports such a comment if there is no error.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import assert_type

import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import stability_magic
from stability_magic import (
    Account,
    ApiError,
    AuthenticationError,
    Balance,
    BalanceLog,
    BudgetError,
    LogError,
    LowBalanceError,
    Organization,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    SettingsError,
    StabilityClient,
    StabilityMagicError,
    StatusError,
    TransportError,
    __version__,
    cost,
    costed,
    forecast,
    plot_balance,
    plot_spend,
    plot_usage,
    usage,
)

NOW = datetime.now(UTC)

assert_type(__version__, str)
assert_type(stability_magic.__version__, str)


def values() -> Account:
    """Creates values as the client does."""
    organization = Organization(id="org-1", name="One", role="OWNER", is_default=True)
    assert_type(organization.id, str)
    assert_type(organization.name, str)
    assert_type(organization.role, str)
    assert_type(organization.is_default, bool)
    account = Account("user-1", "me@example.org", (organization,), profile_picture=None)
    assert_type(account.organizations, tuple[Organization, ...])
    assert_type(account.default_organization, Organization | None)
    assert_type(account.profile_picture, str | None)
    assert_type(account.email, str)
    return account


def client(key: str) -> Balance:
    """Fetches the account and a balance."""
    with StabilityClient(key, api_url="https://h", api_version="v1", timeout=5) as client:
        assert_type(client, StabilityClient)
        assert_type(client.account(), Account)
        assert_type(client.key_fingerprint, str)
        client.timeout = 2.5
        assert_type(client.timeout, float)
        assert_type(client.api_url, str)
        balance = client.balance("org-1")
        assert_type(client.balance(), Balance)
    client.close()
    assert_type(balance.organization, str | None)
    assert_type(balance.credits, float)
    assert_type(balance.read_at, datetime)
    assert_type(balance.api_url, str)
    assert_type(balance.key_fingerprint, str)
    return Balance(None, 12.5, NOW)


def log(balance: Balance) -> pd.DataFrame:
    """Appends a reading, and reads all of them."""
    log = BalanceLog("credits.db", timezone=UTC)
    assert_type(BalanceLog(Path("credits.db")).path, Path)
    log.append(balance, source="mine", label=None)
    assert_type(log.organizations(), dict[str, str])
    assert_type(log.default_organization(balance.key_fingerprint), str | None)
    assert_type(log.zone, tzinfo)
    assert_type(log.readings("org-1", NOW, NOW), pd.DataFrame)
    assert_type(log.readings(["org-1"], since=NOW, until=None, hosts=True), pd.DataFrame)
    return log.readings()


def figures(readings: pd.DataFrame) -> None:
    """Computes from the readings, and draws them."""
    assert_type(usage(readings), pd.DataFrame)
    assert_type(usage(readings, by="week", usd_per_credit=0.01, topup_step=None), pd.DataFrame)
    assert_type(forecast(readings, now=NOW, coverage=0.9), pd.DataFrame)
    assert_type(plot_usage(readings, "week", since=NOW, until=NOW, forecast=True), Figure)
    ax: Axes = plot_balance(readings, by="day", since=NOW, until=None, low_balance=500)
    assert_type(plot_balance(readings, ax=ax, forecast=True), Axes)
    assert_type(plot_spend(readings, "hour", ax=ax, since=NOW, until=NOW), Axes)


def errors() -> str:
    """Each error has the documented attributes and base class."""
    try:
        values()
    except RateLimitError as error:
        assert_type(error.retry_after, float)
        assert_type(error.status, int)
    except (AuthenticationError, PermissionDeniedError) as error:
        assert_type(error.error_id, str)
    except StatusError as error:
        assert_type((error.status, error.detail, error.error_id), tuple[int, str, str])
    except (TransportError, ResponseError) as error:
        return str(error)
    except ApiError as error:
        return str(error)
    except LogError as error:
        assert_type(error.path, Path | str)
    except SettingsError as error:
        return str(error)
    except StabilityMagicError as error:
        return str(error)
    statuses: list[type[StatusError]] = [AuthenticationError, PermissionDeniedError, RateLimitError]
    api_errors: list[type[ApiError]] = [TransportError, StatusError, ResponseError]
    all_errors: list[type[StabilityMagicError]] = [*api_errors, SettingsError, LogError]
    return f"{statuses} {all_errors}"


def conditions() -> StabilityMagicError:
    """So have those that say that a condition of the user's is not met."""
    try:
        values()
    except LowBalanceError as error:
        assert_type((error.credits, error.required), tuple[float, float])
    except BudgetError as error:
        assert_type((error.spent, error.budget), tuple[float, float])
        return LowBalanceError("", credits=1, required=2)
    return BudgetError("", spent=2, budget=1)


@costed
def render(prompt: str, *, size: int = 1) -> list[str]:
    """Costs something."""
    return [prompt] * size


@costed(label="upscale", max="2usd", fail_closed=True)
async def upscale(image: str) -> bytes:
    """Costs something, too."""
    return image.encode()


async def costs() -> None:
    """Measures blocks and functions, which stay what they are."""
    with cost("render", max=200, organization=None, settle=0.5) as block:
        assert_type(render("a cat", size=2), list[str])
    assert_type((block.spent, block.usd, block.seconds), tuple[float, float, float])
    assert_type(block.exact, bool)
    assert_type(block.label, str | None)
    try:
        async with cost() as block:
            assert_type(await upscale("a cat"), bytes)
    except BudgetError as error:
        assert_type((error.spent, error.budget), tuple[float, float])


def extension(shell: InteractiveShell) -> None:
    """Calls what IPython itself calls."""
    stability_magic.load_ipython_extension(shell)
    stability_magic.unload_ipython_extension(shell)


def mistakes(readings: pd.DataFrame, balance: Balance) -> None:
    """mypy finds every one of them."""
    StabilityClient()  # type: ignore[call-arg]
    StabilityClient("sk-key", "https://h")  # type: ignore[call-arg]
    StabilityClient(b"sk-key")  # type: ignore[arg-type]
    Balance("org-1", "12.5", NOW)  # type: ignore[arg-type]
    Balance("org-1", 12.5)  # type: ignore[call-arg]
    Organization("org-1", "One", "OWNER")  # type: ignore[call-arg]
    balance.credits = 13.0  # type: ignore[misc]
    _ = balance.credit  # type: ignore[attr-defined]
    BalanceLog("credits.db", UTC)  # type: ignore[call-arg]
    BalanceLog("credits.db").append(12.5)  # type: ignore[arg-type]
    BalanceLog("credits.db").readings(since="7d")  # type: ignore[arg-type]
    usage(readings, by=7)  # type: ignore[arg-type]
    usage([12.5])  # type: ignore[arg-type]
    forecast(readings, NOW)  # type: ignore[call-arg]
    plot_balance(readings, plot_spend(readings))  # type: ignore[call-arg]
    plot_usage(readings).savefigure("usage.png")  # type: ignore[attr-defined]
    cost(max=[200])  # type: ignore[arg-type]
    cost("render", 200)  # type: ignore[call-arg]
    render(5)  # type: ignore[arg-type]
    BudgetError("no figures")  # type: ignore[call-arg]
    raise StatusError("no status")  # type: ignore[call-arg]


_ = stability_magic.Balances  # type: ignore[attr-defined]
