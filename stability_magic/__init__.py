"""Stability AI's credit balance in a notebook: read, logged, and plotted as usage over time.

In IPython or Jupyter::

    %load_ext stability_magic
    %stability_balance

From Python, everything is reachable from here and loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ._client import StabilityClient as StabilityClient
    from ._errors import ApiError as ApiError
    from ._errors import AuthenticationError as AuthenticationError
    from ._errors import LogError as LogError
    from ._errors import LowBalanceError as LowBalanceError
    from ._errors import PermissionDeniedError as PermissionDeniedError
    from ._errors import RateLimitError as RateLimitError
    from ._errors import ResponseError as ResponseError
    from ._errors import SettingsError as SettingsError
    from ._errors import StabilityMagicError as StabilityMagicError
    from ._errors import StatusError as StatusError
    from ._errors import TransportError as TransportError
    from ._forecast import forecast as forecast
    from ._log import BalanceLog as BalanceLog
    from ._plot import plot_balance as plot_balance
    from ._plot import plot_spend as plot_spend
    from ._plot import plot_usage as plot_usage
    from ._readings import Account as Account
    from ._readings import Balance as Balance
    from ._readings import Organization as Organization
    from ._spend import usage as usage
    from ._version import __version__ as __version__

# Where each public name lives. pandas, matplotlib and requests take a second to import, which
# a kernel that merely loads the extension does not have to spend.
_HOMES = {
    "__version__": "_version",
    "Account": "_readings",
    "ApiError": "_errors",
    "AuthenticationError": "_errors",
    "Balance": "_readings",
    "BalanceLog": "_log",
    "forecast": "_forecast",
    "LogError": "_errors",
    "LowBalanceError": "_errors",
    "Organization": "_readings",
    "PermissionDeniedError": "_errors",
    "plot_balance": "_plot",
    "plot_spend": "_plot",
    "plot_usage": "_plot",
    "RateLimitError": "_errors",
    "ResponseError": "_errors",
    "SettingsError": "_errors",
    "StabilityClient": "_client",
    "StabilityMagicError": "_errors",
    "StatusError": "_errors",
    "TransportError": "_errors",
    "usage": "_spend",
}

__all__ = [
    "Account",
    "ApiError",
    "AuthenticationError",
    "Balance",
    "BalanceLog",
    "LogError",
    "LowBalanceError",
    "Organization",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseError",
    "SettingsError",
    "StabilityClient",
    "StabilityMagicError",
    "StatusError",
    "TransportError",
    "__version__",
    "forecast",
    "load_ipython_extension",
    "plot_balance",
    "plot_spend",
    "plot_usage",
    "unload_ipython_extension",
    "usage",
]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%load_ext stability_magic``."""
    from ._magics import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%unload_ext stability_magic``."""
    from ._magics import unload

    unload(ipython)


if not TYPE_CHECKING:
    # A type checker that saw this would take any name for one of the package's.
    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
