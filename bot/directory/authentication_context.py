"""Whether the tenant has an authentication context, and what its Conditional Access policies ask for it.

Application permissions: AuthenticationContext.Read.All for the context, which Offhook does without, and
Policy.Read.All for the policies.
https://learn.microsoft.com/graph/api/authenticationcontextclassreference-get
https://learn.microsoft.com/graph/api/resources/conditionalaccessapplications
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass

from bot.directory import reading
from bot.directory.batch import Answer, Batches, Query, Refusal
from bot.directory.client import GraphClient
from bot.directory.conditional_access import MAX_PAGES
from bot.directory.permissions import CONTEXTS
from bot.preflight.facts import Known

POLICIES = "Policy.Read.All"


@dataclass(frozen=True, slots=True)
class AuthenticationContext:
    """An authentication context of a tenant."""

    #: Whether it exists and is published to apps.
    published: Known[bool]
    #: How many enabled policies apply to it.
    policies: Known[int]
    #: Of these, how many ask for a sign-in every time. 0 if that is not known.
    every_time: int = 0


async def read(
    client: GraphClient, context: str, *, seconds: float = 10.0
) -> AuthenticationContext:
    """`context`: its ID, such as `c1`. Never raises because of what Graph responds."""
    deadline = asyncio.get_running_loop().time() + seconds
    root = "/identity/conditionalAccess"
    with closing(Batches(client, deadline=deadline)) as batches:
        [found], [listing] = await asyncio.gather(
            batches.send([Query(f"{root}/authenticationContextClassReferences/{context}")]),
            batches.listings([Query(f"{root}/policies")], max_pages=MAX_PAGES),
        )
    published = _published(found)
    if listing.gap is not None:
        return AuthenticationContext(published, listing.gap.unknown(POLICIES))
    applied = [row for row in listing.rows if _applies(row, context)]
    return AuthenticationContext(published, len(applied), sum(map(_every_time, applied)))


def _published(answer: Answer) -> Known[bool]:
    if not isinstance(answer, Refusal):
        return reading.flag(answer, "isAvailable")
    return False if answer.no_such_object else answer.unknown(CONTEXTS)


def _applies(policy: reading.Row, context: str) -> bool:
    conditions = policy.get("conditions")
    applications = conditions.get("applications") if isinstance(conditions, dict) else None
    included = (
        applications.get("includeAuthenticationContextClassReferences")
        if isinstance(applications, dict)
        else None
    )
    enabled = reading.text(policy, "state").casefold() == "enabled"
    return enabled and isinstance(included, list) and context in included


def _every_time(policy: reading.Row) -> bool:
    controls = policy.get("sessionControls")
    frequency = controls.get("signInFrequency") if isinstance(controls, dict) else None
    return (
        isinstance(frequency, dict)
        and frequency.get("isEnabled") is True
        and frequency.get("frequencyInterval") == "everyTime"
    )
