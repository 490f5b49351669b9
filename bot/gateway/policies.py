"""The part of the tenant's settings that the Teams ConfigAPI has: policies' content, switch, addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from bot.gateway import AccessDeniedError, GatewayError
from bot.preflight.facts import (
    CallingPolicy,
    Known,
    PolicyType,
    TenantFacts,
    Unknown,
    UnknownReason,
)
from bot.text import clean

SWITCH = "TeamsSipDevicesConfiguration"
ADDRESSES = "TenantTrustedIPAddress"

Instance = Mapping[str, object]
Fact = TypeVar("Fact")


class Configurations(Protocol):
    """Reads policies. `bot.gateway.configapi.ConfigApiGateway` implements it."""

    async def configurations(self, kind: str) -> Sequence[Instance]:
        """All instances of a type, with lowercase field names. Raises a `GatewayError`."""
        ...


async def read(
    configurations: Configurations,
    facts: TenantFacts,
    *,
    denied: UnknownReason = UnknownReason.APPROVER,
) -> TenantFacts:
    """`facts` with what the ConfigAPI has, in four calls. Raises nothing.

    `denied`: why a fact is not known if its reader lacks an Entra role for it. By default it is left
    to an approver's identity.
    """

    async def fact(kind: str, parse: Callable[[Sequence[Instance]], Known[Fact]]) -> Known[Fact]:
        try:
            return parse(await configurations.configurations(kind))
        except AccessDeniedError as error:
            return Unknown(denied, error.message)
        except GatewayError as error:
            return Unknown(UnknownReason.UNAVAILABLE, error.message)

    async with asyncio.TaskGroup() as group:
        switch = group.create_task(fact(SWITCH, _switch))
        addresses = group.create_task(fact(ADDRESSES, _addresses))
        ip_phone = group.create_task(fact(PolicyType.IP_PHONE, _sign_in_modes))
        calling = group.create_task(fact(PolicyType.CALLING, _calling_policies))
    return replace(
        facts,
        bulk_sign_in=switch.result(),
        trusted_addresses=addresses.result(),
        ip_phone_policies=ip_phone.result(),
        calling_policies=calling.result(),
    )


def _unreadable(what: str) -> Unknown:
    return Unknown(UnknownReason.UNREADABLE, what)


def _name(instance: Instance) -> str:
    """The policy's name in lower case, without `Tag:`; "" if there is none."""
    identity = instance.get("identity")
    name = clean(identity).casefold() if isinstance(identity, str) else ""
    return name.removeprefix("tag:")


def _switch(instances: Sequence[Instance]) -> Known[bool]:
    values = [each.get("bulksignin") for each in instances if _name(each) == "global"]
    if len(values) != 1 or not isinstance(values[0], str):
        return _unreadable("BulkSignIn")
    states = {"enabled": True, "disabled": False}
    return states.get(values[0].casefold(), _unreadable("BulkSignIn"))


def _addresses(instances: Sequence[Instance]) -> Known[int]:
    return len(instances)


def _sign_in_modes(instances: Sequence[Instance]) -> Known[Mapping[str, str]]:
    modes: dict[str, str] = {}
    for each in instances:
        name, mode = _name(each), each.get("signinmode")
        if not name or not isinstance(mode, str) or not mode:
            return _unreadable("SignInMode")
        modes[name] = mode.casefold()
    return modes


def _calling_policies(instances: Sequence[Instance]) -> Known[Mapping[str, CallingPolicy]]:
    policies: dict[str, CallingPolicy] = {}
    for each in instances:
        name, allowed = _name(each), each.get("allowsipdevicescalling")
        redirect = each.get("allowcallredirect") or ""
        if not name or not isinstance(allowed, bool) or not isinstance(redirect, str):
            return _unreadable("AllowSIPDevicesCalling")
        policies[name] = CallingPolicy(allowed, clean(redirect))
    return policies
