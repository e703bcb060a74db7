"""The key in a variable of the notebook; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import BadArgument
from ..text import Secret, did_you_mean

__all__ = ["key_of_variable"]

# A longer word is hardly the name of a variable, and may be what one holds.
_LONGEST_NAME = 40


def key_of_variable(namespace: Callable[[], Mapping[str, object]], name: str) -> Secret:
    """The text that a variable holds.

    Messages show the name alone, and that only where it cannot be a key given in its place.

    Args:
        namespace: Returns the variables by name.
        name: What was given as the name of one.

    Raises:
        BadArgument: It is no name, or there is no such variable, or it holds no text.
    """
    key, problem = _look_up(namespace(), name)
    if problem:
        # Raised out here, so that no traceback shows the variables.
        raise BadArgument(problem)
    return key


def _look_up(namespace: Mapping[str, object], name: str) -> tuple[Secret, str]:
    """The text of a variable, or why there is none."""
    texts = {
        each: value
        for each, value in namespace.items()
        if isinstance(value, str) and not each.startswith("_")
    }
    nothing = Secret("")
    if not name.isidentifier() or len(name) > _LONGEST_NAME or name in texts.values():
        return nothing, (
            "--from takes the name of a variable of this notebook, without $ or quotes, such as"
            " --from STABILITY_KEY"
        )
    if name not in namespace:
        hint = did_you_mean(name, texts)
        return nothing, f"there is no variable {name} in this notebook{hint}"
    value = namespace[name]
    if not isinstance(value, str):
        kind = type(value).__name__
        return nothing, f"the variable {name} holds no text, but a value of the type {kind}"
    if not value.strip():
        return nothing, f"the variable {name} is empty"
    return Secret(value), ""
