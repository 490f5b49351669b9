"""Protocol for reading facts from the remote services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.preflight.facts import AccountFacts, TenantFacts
from bot.preflight.scope import AccountScope

#: Accounts per call of `FactReader.accounts`, at most.
CHUNK = 300


class FactReader(Protocol):
    """Reads of one tenant, with one identity. Neither method raises for what the services answer:
    what cannot be read is `Unknown`."""

    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> Sequence[AccountFacts]:
        """The facts on at most `CHUNK` accounts, in their order."""
        ...

    async def tenant(self) -> TenantFacts: ...
