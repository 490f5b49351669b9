"""Facts about accounts and a reader of them, for tests of what follows from facts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.preflight.facts import (
    AccountFacts,
    CallingPolicy,
    MfaState,
    Plans,
    PolicyType,
    TenantFacts,
)
from bot.settings.scope import AccountScope

#: An account that is right for a phone.
HEALTHY = AccountFacts(
    username="lobby.01@contoso.com",
    found=True,
    object_id="00000000-0000-0000-0000-000000000001",
    principal="lobby.01@contoso.com",
    display_name="Lobby 01",
    enabled=True,
    guest=False,
    plans=Plans(teams_phone=True, mailbox=False, desktop_apps=False),
    synchronized=False,
    restricted=False,
    must_change_password=False,
    last_interactive_sign_in=None,
    mfa=MfaState.DISABLED,
    roles=(),
    eligible_roles=(),
    member_of=frozenset(),
    resource_account=False,
    phone_numbers=("+4930123",),
    policies={PolicyType.IP_PHONE: "CommonAreaPhone", PolicyType.CALLING: None},
    conditional_access=(),
)
#: A tenant that is set up for bulk sign-in.
TENANT = TenantFacts(
    bulk_sign_in=True,
    trusted_addresses=2,
    security_defaults=False,
    ip_phone_policies={"global": "UserSignIn", "commonareaphone": "CommonAreaPhoneSignin"},
    calling_policies={"global": CallingPolicy(sip_devices=True, call_redirect="Enabled")},
    gateway_principals={"0ab9de21-b802-4d77-b279-1ad41ca233b4": True},
)


async def _at_once() -> None:
    pass


@dataclass
class Reader:
    """Healthy accounts but for `changes`, by username; counts what it was asked."""

    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    settings: TenantFacts = TENANT
    size: int = 2  #: accounts per chunk
    before_chunk: Callable[[], Awaitable[None]] = _at_once
    asked: list[str] = field(default_factory=list[str])

    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts]]:
        for at in range(0, len(usernames), self.size):
            await self.before_chunk()
            chunk = usernames[at : at + self.size]
            self.asked += chunk
            yield [
                replace(HEALTHY, username=each, principal=each, **self.changes.get(each, {}))
                for each in chunk
            ]

    async def tenant(self) -> TenantFacts:
        return self.settings
