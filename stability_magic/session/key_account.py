"""The service as one key sees it: a client, and the account that the key belongs to."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..api.validation import is_header_text
from ..display.wording import organization_choice
from ..errors import ApiError, LogError, PermissionDeniedError, SettingsError, StabilityMagicError
from ..text import distinct_names
from .pending import Notes

if TYPE_CHECKING:
    from pathlib import Path

    from ..api.client import StabilityClient
    from ..log.balance_log import BalanceLog
    from ..models import Account, Balance

__all__ = ["KeyAccount"]

# Seconds. The default organization of a key can change on the service's side; it is looked up
# anew after this time.
_MAX_ACCOUNT_AGE = 600.0


class KeyAccount:
    """A key's client, and what it has told about the key's account.

    A reading uses the same one from beginning to end. So a key that is changed meanwhile cannot
    file the balance under an organization of the other key.

    Args:
        client: The client for the key.
        notes: Takes warnings and news for the user.
    """

    def __init__(self, client: StabilityClient, notes: Notes) -> None:
        self.client = client
        self._notes = notes
        self._account: Account | None = None
        self._fetch_time = 0.0
        self._default_id: str | None = None
        self._logged_to: Path | None = None

    def fetch(self, log: BalanceLog) -> Account:
        """Fetches the account from the service, and remembers it.

        Args:
            log: Tells which organization was the key's default before.

        Raises:
            ApiError: The service did not return it.
        """
        self._fetch_time = time.monotonic()
        account = self.client.account()
        self._account, self._logged_to = account, None
        default = account.default_organization
        previous_id = self._default_id or self._logged_default_id(log)
        self._default_id = None if default is None else default.id
        if default is not None and previous_id not in (None, default.id):
            names = self.names
            self._notes.news.append(
                f"The key's default organization is now {names[default.id]}; it was"
                f" {names.get(previous_id or '', previous_id)}."
            )
        return account

    def account_to_log(self, path: Path) -> Account | None:
        """The account if a log still has to store it; None if it has, or none is known."""
        # A log that has been deleted since will be a new one without the account.
        return None if self._logged_to == path and path.exists() else self._account

    def mark_logged(self, path: Path) -> None:
        """Notes that a log has stored the account."""
        if self._account is not None:
            self._logged_to = path

    @property
    def names(self) -> dict[str, str]:
        """The names of the account's organizations by id; empty before it was fetched."""
        organizations = self._account.organizations if self._account else ()
        return distinct_names({each.id: each.name for each in organizations})

    def read_balances(
        self, organizations: Sequence[str | None], log: BalanceLog
    ) -> tuple[list[Balance], list[StabilityMagicError]]:
        """Reads balances; one that cannot be read does not stop the others.

        Args:
            organizations: Their ids; None is the key's default.
            log: Tells what is known of the key where the service does not.

        Returns:
            The balances, each with its organization where that can be found out, and the errors.
        """
        balances: list[Balance] = []
        errors: list[StabilityMagicError] = []
        for each in organizations:
            try:
                balances.append(
                    self._read_default_balance(log) if each is None else self.client.balance(each)
                )
            except (ApiError, SettingsError) as error:
                # SettingsError: an id that cannot be sent, which the service itself may list.
                errors.append(self._name_choice(error, each, log))
        if balances and self._account is None and None not in organizations:
            # For the names; the readings do without them.
            self._fetch_or_explain(log)
        return balances, errors

    def _name_choice(
        self, error: ApiError | SettingsError, organization: str | None, log: BalanceLog
    ) -> ApiError | SettingsError:
        """The error, with the organizations that there are where it is about one that is not."""
        is_refusal = isinstance(error, PermissionDeniedError)
        if organization is None or not (is_refusal or not is_header_text(organization)):
            return error
        if self._account is None:
            # For the names; without them the error stands as it is.
            with suppress(SettingsError):
                self._fetch_or_explain(log)
        if not self.names or organization in self.names:
            return error
        # Its end advises the command that lists them.
        message = f"{str(error).rstrip('.')}: {organization_choice(organization, self.names)}"
        if isinstance(error, PermissionDeniedError):
            return PermissionDeniedError(
                message, status=error.status, detail=error.detail, error_id=error.error_id
            )
        return SettingsError(message)

    def _read_default_balance(self, log: BalanceLog) -> Balance:
        """The default organization's balance, requested by its id as soon as that is known.

        Only then is it certain whose balance it is, whatever becomes the default meanwhile.
        """
        if self._account is not None and time.monotonic() - self._fetch_time > _MAX_ACCOUNT_AGE:
            self._fetch_or_explain(log)
        if self._default_id is not None:
            return self._read_known_default(self._default_id, log)
        balance = self.client.balance()
        # Fetched after the balance, so that a refusal does not cost the reading.
        problem = self._fetch_or_explain(log)
        if not problem:
            return dataclasses.replace(balance, organization=self._default_id)
        self._notes.messages.append(f"Whose balance this is could not be looked up. {problem}")
        default_id = self._logged_default_id(log)
        if default_id is None:
            return balance
        # The default may have changed since it was logged, so the balance is asked for by its id.
        try:
            balance = self.client.balance(default_id)
        except ApiError:
            return balance
        self._default_id = default_id
        return balance

    def _read_known_default(self, default_id: str, log: BalanceLog) -> Balance:
        try:
            return self.client.balance(default_id)
        except PermissionDeniedError:
            # The key may have lost this organization, and have another default now.
            if self._fetch_or_explain(log) or self._default_id in (None, default_id):
                raise
            return self.client.balance(self._default_id)

    def _logged_default_id(self, log: BalanceLog) -> str | None:
        try:
            return log.default_organization(self.client.key_fingerprint)
        except LogError:
            # Writing the reading will fail too, and give the warning.
            return None

    def _fetch_or_explain(self, log: BalanceLog) -> str:
        """Fetches the account; why that failed, or nothing where it did not."""
        try:
            self.fetch(log)
        except ApiError as error:
            return str(error)
        return ""
