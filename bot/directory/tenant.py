"""The part of the tenant's settings that Microsoft Graph has. The Teams ConfigAPI has the other part.

Application permissions: Policy.Read.All for security defaults, Application.Read.All for the gateway's
service principals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from bot.directory import reading
from bot.directory.batch import Answer, Batches, Query, Refusal
from bot.directory.client import GraphClient
from bot.preflight.facts import Known, TenantFacts

POLICIES = "Policy.Read.All"
APPLICATIONS = "Application.Read.All"
#: SIP Gateway API, SIP Gateway UserApp, Teams SIP Gateway. Conditional Access can exclude only service
#: principals that exist. Source: Microsoft, "SIP Gateway dynamic filters".
GATEWAY_APPLICATIONS = (
    "0ab9de21-b802-4d77-b279-1ad41ca233b4",
    "582b2e88-6cca-4418-83d2-2451801e1d26",
    "61c8fd69-c13e-4ee6-aaa6-24ff71c09bca",
)


async def read(client: GraphClient, facts: TenantFacts, *, seconds: float = 30.0) -> TenantFacts:
    """`facts` with what Graph has, in one call. Never raises because of what Graph responds."""
    deadline = asyncio.get_running_loop().time() + seconds
    ids = ",".join(f"'{each}'" for each in GATEWAY_APPLICATIONS)
    with closing(Batches(client, deadline=deadline)) as batches:
        defaults, principals = await batches.send(
            [
                Query("/policies/identitySecurityDefaultsEnforcementPolicy?$select=isEnabled"),
                Query(f"/servicePrincipals?$filter=appId%20in%20({ids})&$select=appId"),
            ]
        )
    return replace(
        facts, security_defaults=_defaults(defaults), gateway_principals=_principals(principals)
    )


def _defaults(answer: Answer) -> Known[bool]:
    if isinstance(answer, Refusal):
        return answer.unknown(POLICIES)
    return reading.flag(answer, "isEnabled")


def _principals(answer: Answer) -> Known[Mapping[str, bool]]:
    if isinstance(answer, Refusal):
        return answer.unknown(APPLICATIONS)
    rows = answer.get("value")
    if not isinstance(rows, list) or answer.get("@odata.nextLink") is not None:
        return reading.unreadable("servicePrincipals")
    found = {reading.object_id(row, "appId") if isinstance(row, dict) else "" for row in rows}
    if "" in found:
        return reading.unreadable("appId")
    return {each: each in found for each in GATEWAY_APPLICATIONS}
