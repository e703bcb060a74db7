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

    from .analysis.forecast import forecast as forecast
    from .analysis.spend import usage as usage
    from .api.client import StabilityClient as StabilityClient
    from .charts.plots import plot_balance as plot_balance
    from .charts.plots import plot_spend as plot_spend
    from .charts.plots import plot_usage as plot_usage
    from .errors import ApiError as ApiError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BudgetError as BudgetError
    from .errors import LogError as LogError
    from .errors import LowBalanceError as LowBalanceError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import RateLimitError as RateLimitError
    from .errors import ResponseError as ResponseError
    from .errors import SettingsError as SettingsError
    from .errors import StabilityMagicError as StabilityMagicError
    from .errors import StatusError as StatusError
    from .errors import TransportError as TransportError
    from .log.balance_log import BalanceLog as BalanceLog
    from .models import Account as Account
    from .models import Balance as Balance
    from .models import Organization as Organization
    from .session.cost_blocks import cost as cost
    from .session.cost_blocks import costed as costed
    from .version import __version__ as __version__

# The module of each public name. They are imported on first use: pandas, matplotlib and requests
# take a second, which a kernel that merely loads the extension should not have to wait.
_MODULES_BY_NAME = {
    "__version__": "version",
    "Account": "models",
    "ApiError": "errors",
    "AuthenticationError": "errors",
    "Balance": "models",
    "BalanceLog": "log.balance_log",
    "BudgetError": "errors",
    "cost": "session.cost_blocks",
    "costed": "session.cost_blocks",
    "forecast": "analysis.forecast",
    "LogError": "errors",
    "LowBalanceError": "errors",
    "Organization": "models",
    "PermissionDeniedError": "errors",
    "plot_balance": "charts.plots",
    "plot_spend": "charts.plots",
    "plot_usage": "charts.plots",
    "RateLimitError": "errors",
    "ResponseError": "errors",
    "SettingsError": "errors",
    "StabilityClient": "api.client",
    "StabilityMagicError": "errors",
    "StatusError": "errors",
    "TransportError": "errors",
    "usage": "analysis.spend",
}

__all__ = [
    "Account",
    "ApiError",
    "AuthenticationError",
    "Balance",
    "BalanceLog",
    "BudgetError",
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
    "cost",
    "costed",
    "forecast",
    "load_ipython_extension",
    "plot_balance",
    "plot_spend",
    "plot_usage",
    "unload_ipython_extension",
    "usage",
]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """IPython calls this for ``%load_ext stability_magic``."""
    from .notebook.extension import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """IPython calls this for ``%unload_ext stability_magic``."""
    from .notebook.extension import unload

    unload(ipython)


if not TYPE_CHECKING:
    # If a type checker saw this, it would accept any name as one of the package's.
    def __getattr__(name: str) -> Any:
        if name not in _MODULES_BY_NAME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES_BY_NAME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES_BY_NAME})
