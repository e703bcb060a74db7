"""Whose balances a session reads: what the service told of the account, and what the log knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ._errors import ApiError, LogError, StabilityMagicError
from ._waiting import Notes

if TYPE_CHECKING:
    from pathlib import Path

    from ._client import StabilityClient
    from ._log import BalanceLog
    from ._readings import Account, Balance

__all__ = ["Whose"]


class Whose:
    """The account of a session's key.

    Args:
        client: The client of the settings in force.
        log: Opens the log.
        notes: Where to say what the user has to know.
    """

    def __init__(
        self, client: Callable[[], StabilityClient], log: Callable[[], BalanceLog], notes: Notes
    ) -> None:
        self._client = client
        self._log = log
        self._notes = notes
        self._account: Account | None = None
        self._logged: Path | None = None

    def forget(self) -> None:
        """Another key is in use, or another service."""
        self._account, self._logged = None, None

    def ask(self) -> Account:
        """Asks for the account, and remembers it.

        Raises:
            ApiError: The service did not tell.
        """
        client = self._client()
        self._account, self._logged = client.account(), None
        return self._account

    def to_log(self, path: Path) -> Account | None:
        """What a log is to remember of the account; None where it does already."""
        # A log that was begun anew does not know the names yet.
        return None if self._logged == path and path.exists() else self._account

    def logged(self, path: Path) -> None:
        """A log remembers the account."""
        if self._account is not None:
            self._logged = path

    @property
    def names(self) -> dict[str, str]:
        """The names of the account's organizations by id, as far as they were asked for."""
        return {each.id: each.name for each in self._account.organizations} if self._account else {}

    def name_of(self, organization: str) -> str:
        """What an organization is called; its id where nobody has told."""
        names = self.names
        if organization not in names:
            with suppress(StabilityMagicError):
                names = self._log().organizations()
        return names.get(organization, organization)

    def known(self) -> list[str]:
        """The ids of the organizations that the session or the log has seen; asks nobody."""
        known = set(self.names)
        with suppress(StabilityMagicError):
            known |= self._log().organizations().keys()
        return sorted(known)

    def identified(self, balances: list[Balance]) -> list[Balance]:
        """Balances that bear their organization, as far as it can be found out."""
        if not balances:
            return []
        unknown = any(each.organization is None for each in balances)
        try:
            # Asked after the balance: a service that refuses it must not cost the reading.
            account = self._account or self.ask()
        except ApiError as error:
            account = None
            if unknown:
                self._notes.told.append(f"Whose balance this is could not be looked up. {error}")
        default = account and account.default_organization
        if default is not None:
            organization: str | None = default.id
        else:
            organization = self._remembered(balances[0].key_fingerprint) if unknown else None
        return [
            dataclasses.replace(each, organization=each.organization or organization)
            for each in balances
        ]

    def _remembered(self, key_fingerprint: str) -> str | None:
        try:
            return self._log().default_organization(key_fingerprint)
        except LogError:
            # Told when the reading is written.
            return None
