"""Changes to accounts and to the tenant: grants, new policies, the switch. Over the ConfigAPI; with cmdlets
in `bot.gateway.powershell_administration`.

Routes and bodies come from the public client terraprovider/go-teams, which says that it validated a grant
against the service; Microsoft documents only the cmdlets. Each change sets a value, so it may be sent again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from bot.gateway import UnavailableError, wire
from bot.gateway.configapi import CONFIGURATIONS, ConfigApiGateway
from bot.gateway.policies import SWITCH
from bot.mending.change import OFF, ON
from bot.mending.content import CONTENT
from bot.preflight.facts import PolicyType

_USERS = "/Teams.User/users/"
_GRANTS = "/Skype.Policy/users/"
_GLOBAL = "global"
#: Fields of an instance that name or describe it; all others are settings. An assumption.
_NOT_SETTINGS = frozenset({"identity", "description", "key", "datasource", "configid"})


@dataclass(frozen=True, slots=True)
class Assigned:
    """An account's own policies."""

    object_id: str  #: Entra object ID; "" if the answer had none
    policies: Mapping[PolicyType, str | None]  #: None: from a group or the tenant


class Administration(Protocol):
    """Reads and changes. All raise a `GatewayError`; a change that is refused, `ChangeRefusedError`."""

    async def instances(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        """Policies or the switch by lowercase name without `Tag:`, with lowercase field names."""
        ...

    async def assigned(self, account: str) -> Assigned:
        """The policies assigned to an account itself, by UPN or object ID."""
        ...

    async def grant(self, account: str, policy: PolicyType, name: str | None) -> None:
        """Assign a policy to an account; None: take away the one that it has."""
        ...

    async def create(self, policy: PolicyType, name: str) -> None:
        """Create a policy with `CONTENT`, otherwise as the tenant's Global one."""
        ...

    async def switch(self, value: str) -> None:
        """Set the switch for bulk sign-in to `ON` or `OFF`."""
        ...


class Administrator(Protocol):
    """Administers with one identity."""

    def session(self) -> AbstractAsyncContextManager[Administration]:
        """For many reads and changes; what it needs for them is started with the first, and ends with it."""
        ...


def by_name(instances: Sequence[Mapping[str, object]]) -> Mapping[str, Mapping[str, object]]:
    """Policies as of `Administration.instances`."""
    found: dict[str, Mapping[str, object]] = {}
    for each in instances:
        identity = each.get("identity")
        if isinstance(identity, str):
            found[identity.casefold().removeprefix("tag:")] = each
    return found


class ConfigApiAdministration:
    """Implements `Administration` and `Administrator`."""

    def __init__(self, configapi: ConfigApiGateway) -> None:
        self._configapi = configapi

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Administration]:
        yield self

    async def instances(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        return by_name(await self._configapi.configurations(kind))

    async def assigned(self, account: str) -> Assigned:
        body = await self._configapi.get(_USERS + quote(account, safe=""))
        try:
            return Assigned(*wire.assigned(body))
        except wire.UnreadableResponseError as error:
            raise UnavailableError(str(error)) from error

    async def grant(self, account: str, policy: PolicyType, name: str | None) -> None:
        path = f"{_GRANTS}{quote(account, safe='')}/policies/{policy.value}"
        await self._configapi.change("PATCH", path, {"PolicyName": f"Tag:{name}" if name else None})

    async def create(self, policy: PolicyType, name: str) -> None:
        path = CONFIGURATIONS + policy.value
        try:
            rows = wire.rows(await self._configapi.get(path))
        except wire.UnreadableResponseError as error:
            raise UnavailableError(str(error)) from error
        content = {**_settings_of_global(rows), **CONTENT[policy], "Identity": name}
        await self._configapi.change("POST", path, content)

    async def switch(self, value: str) -> None:
        if value not in (ON, OFF):
            raise ValueError(value)
        path = f"{CONFIGURATIONS}{SWITCH}/configuration/Global"
        await self._configapi.change("PUT", path, {"BulkSignIn": value})


def _settings_of_global(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    for row in rows:
        named = {name.casefold(): value for name, value in row.items()}
        if str(named.get("identity", "")).casefold() == _GLOBAL:
            return {
                name: value
                for name, value in row.items()
                if name.casefold() not in _NOT_SETTINGS and isinstance(value, str | bool | int)
            }
    return {}
