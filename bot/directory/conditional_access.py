"""What Conditional Access would ask of the phones' sign-in, by Graph's What If, in bounded calls.

What If is asked about one user at a time. Where the tenant's policies can be read, accounts that no
policy tells apart (same guest flag, roles and groups among those that policies name) share one answer.
Where they cannot, a sample of accounts is asked, and the others stay unknown.

Application permission: Policy.Read.All.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.directory import reading
from bot.directory.batch import Batches, Query, Refusal
from bot.directory.membership import Membership
from bot.preflight.facts import (
    AccountFacts,
    ConditionalAccessHit,
    Known,
    Unknown,
    UnknownReason,
)

PERMISSION = "Policy.Read.All"
#: "SIP Gateway UserApp", as which the gateway signs a phone in.
APPLICATION = "582b2e88-6cca-4418-83d2-2451801e1d26"
#: Assumed: the gateway exchanges the password for a token, as native clients do. Platform, country and
#: address are not sent, since a phone has no platform that Entra ID knows, and the address is not known.
CLIENT_APP = "mobileAppsAndDesktopClients"
MAX_SAMPLE = 20  # accounts per run if policies cannot be read
MAX_SETS = 200  # distinct sets of accounts per run
MAX_PAGES = 10

_NOT_ENFORCED = frozenset({"disabled", "enabledforreportingbutnotenforced"})
_Hits = Known[Sequence[ConditionalAccessHit]]
_Set = tuple[object, ...]


@dataclass(slots=True)
class _Named:
    """Users and groups that the enabled policies name. Empty where no policy is enabled."""

    users: set[str] = field(default_factory=set[str])
    groups: set[str] = field(default_factory=set[str])


class ConditionalAccess:
    """What If for the accounts of one run. Call `load` first."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._named: _Named | None = None
        self._none_enabled = False
        self._groups: Membership | None = None
        self._answers: dict[_Set, _Hits] = {}
        self._sampled = 0
        self._refused: Unknown | None = None

    async def load(self, accounts: int) -> None:
        """Read which users and groups the tenant's enabled policies name."""
        query = Query(
            "/identity/conditionalAccess/policies?$select=id,displayName,state,conditions"
        )
        [policies] = await self._batches.listings([query], max_pages=MAX_PAGES)
        if policies.gap is not None:
            return
        enabled = [
            row
            for row in policies.rows
            if reading.text(row, "state").casefold() not in _NOT_ENFORCED
        ]
        self._none_enabled = not enabled
        self._named = _named(enabled)
        if self._named is not None and self._named.groups:
            self._groups = Membership(self._batches, self._named.groups)
            await self._groups.load(accounts)
            if not self._groups.complete:
                self._named = None

    async def of(self, accounts: Sequence[AccountFacts]) -> Mapping[str, _Hits]:
        """By object ID, the enforced policies that apply to each account."""
        if self._none_enabled:
            return {each.object_id: () for each in accounts}
        sets = await self._sets(accounts)
        asked: dict[_Set, str] = {}
        for each in accounts:
            key = sets[each.object_id]
            if key not in self._answers and key not in asked and self._may_ask(key, len(asked)):
                asked[key] = each.object_id
        if self._refused is None:
            answers = await self._batches.send([_what_if(each) for each in asked.values()])
            for key, answer in zip(asked, answers, strict=True):
                self._answers[key] = self._read(answer)
        missing = self._refused or Unknown(
            UnknownReason.NOT_READ, f"What If was asked about {MAX_SAMPLE} accounts only"
        )
        return {key: self._answers.get(each, missing) for key, each in sets.items()}

    def _may_ask(self, key: _Set, asked: int) -> bool:
        if key[0] == "account":
            self._sampled += 1
            return self._sampled <= MAX_SAMPLE
        return len(self._answers) + asked < MAX_SETS

    def _read(self, answer: Mapping[str, object] | Refusal) -> _Hits:
        if isinstance(answer, Refusal):
            unknown = answer.unknown(PERMISSION)
            if unknown.reason not in (UnknownReason.UNAVAILABLE, UnknownReason.UNREADABLE):
                self._refused = unknown
            return unknown
        rows = answer.get("value")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return reading.unreadable("evaluate")
        if answer.get("@odata.nextLink") is not None:
            return reading.unreadable("evaluate has more than one page")
        return reading.conditional_access(rows)

    async def _sets(self, accounts: Sequence[AccountFacts]) -> Mapping[str, _Set]:
        """By object ID, what policies can tell an account by."""
        groups: Mapping[str, Known[frozenset[str]]] = {}
        if self._groups is not None and self._named is not None:
            groups = await self._groups.of([each.object_id for each in accounts])
        return {
            each.object_id: self._set(each, groups.get(each.object_id, frozenset()))
            for each in accounts
        }

    def _set(self, account: AccountFacts, groups: Known[frozenset[str]]) -> _Set:
        alone = ("account", account.object_id)
        if self._named is None or account.object_id in self._named.users:
            return alone
        if any(isinstance(each, Unknown) for each in (account.guest, account.roles, groups)):
            return alone
        return ("set", account.guest, account.roles, groups)


def _named(policies: Sequence[reading.Row]) -> _Named | None:
    """The users and groups that `policies` name. Returns None if that cannot be read."""
    named = _Named()
    for policy in policies:
        conditions = policy.get("conditions")
        users = conditions.get("users") if isinstance(conditions, dict) else None
        if not isinstance(users, dict):
            return None
        for kind, into in (("Users", named.users), ("Groups", named.groups)):
            for side in ("include", "exclude"):
                ids = users.get(f"{side}{kind}")
                if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
                    return None
                into |= {each.lower() for each in ids if reading.is_object_id(each)}
    return named


def _what_if(account: str) -> Query:
    body = {
        "signInIdentity": {"@odata.type": "#microsoft.graph.userSignIn", "userId": account},
        "signInContext": {
            "@odata.type": "#microsoft.graph.applicationContext",
            "includeApplications": [APPLICATION],
        },
        "signInConditions": {"clientAppType": CLIENT_APP},
        # Not only those that apply: what lacks information must be seen.
        "appliedPoliciesOnly": False,
    }
    return Query("/identity/conditionalAccess/evaluate", "POST", body)
