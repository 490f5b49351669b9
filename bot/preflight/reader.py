"""Protocol for reading facts from the remote services."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from bot.preflight.facts import AccountFacts, TenantFacts
from bot.settings.scope import AccountScope


class FactReader(Protocol):
    """Reads of one tenant, with one identity. What the services do not answer is `Unknown`."""

    def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts]]:
        """The facts on all accounts, some at a time, in their order. Ends within minutes."""
        ...

    async def tenant(self) -> TenantFacts: ...
