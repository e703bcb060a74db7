"""Calls of magics in the tests of this folder."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

__all__ = ["magic_error", "run_magic"]


def run_magic(shell: InteractiveShell, line: str) -> object:
    """The result of a magic; its errors are raised."""
    result = shell.run_cell(f"_result = {line}")
    result.raise_error()
    return shell.user_ns["_result"]


def magic_error(shell: InteractiveShell, line: str) -> BaseException:
    """The error that a magic raises."""
    result = shell.run_cell(line)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error
