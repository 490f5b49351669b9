"""Whether the policy permits to ask for approval, judged in the transaction that asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.phones.region import Region
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import may_ask
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Policy
from bot.store import policy_facts
from bot.store.database import Transaction
from bot.store.requests import Request


class AskingDeniedError(Exception):
    """The policy does not permit it."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Asking:
    policy: Policy
    actor: Actor


async def permit(
    tx: Transaction,
    asking: Asking,
    request: Request,
    *,
    region: Region | None,
    reason: str,
    ticket: str = "",
    now: datetime,
) -> None:
    """`region`: for the rows without one. Raises `AskingDeniedError`."""
    policy = asking.policy
    facts = await policy_facts.of_request(tx, policy, request)
    traits = facts.traits
    if region is not None:
        traits = replace(traits, regions=traits.regions | {region})
    today = 0
    if policy.accounts_per_day is not None:
        today = await policy_facts.accounts_of_day(tx, request, now)
    facts = replace(facts, traits=traits, reason=reason, ticket=ticket)
    decision = may_ask(policy, asking.actor, facts, accounts_today=today)
    if not decision.allowed:
        raise AskingDeniedError(decision)
