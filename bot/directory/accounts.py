"""Reads what Microsoft Graph knows about accounts, for pre-flight: up to 20,000, in chunks.

Application permissions: User.Read.All, TeamsUserConfiguration.Read.All, Policy.Read.All,
RoleManagement.Read.Directory, AuditLog.Read.All, GroupMember.Read.All, AdministrativeUnit.Read.All.
A permission that is missing leaves only its own facts unknown.

Calls: users 1 for 300 accounts; Teams configurations 1 for 300, or 15 where Graph cannot filter them;
per-user MFA 1 for 20; roles, What If and membership a few per run.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from itertools import islice
from typing import TypeVar
from urllib.parse import quote

from bot.directory import reading, roles
from bot.directory.batch import BATCH_SIZE, Answer, Batches, Listing, Query, Refusal
from bot.directory.client import GraphClient
from bot.directory.conditional_access import ConditionalAccess
from bot.directory.membership import Membership
from bot.directory.roles import DirectoryRoles
from bot.preflight.facts import AccountFacts, Known, MfaState, PolicyType, Unknown, UnknownReason

MAX_IN = 15  # values of an `in` filter, as documented by Graph
CHUNK = MAX_IN * BATCH_SIZE  # accounts
AHEAD = 3  # chunks that are read at once, so that one's wait for a call is another's time
MAX_SIMILAR = 20  # usernames for which similar ones are looked up
SIMILAR_PAGE = 100  # candidates per username
USERS = "User.Read.All"
CONFIGURATIONS = "TeamsUserConfiguration.Read.All"
POLICIES = "Policy.Read.All"
SIGN_INS = "AuditLog.Read.All"

_SELECT = (
    "id",
    "userPrincipalName",
    "displayName",
    "accountEnabled",
    "userType",
    "onPremisesSyncEnabled",
    "passwordProfile",
    "assignedPlans",
    "assignedLicenses",
)
#: Properties without which the others can be read: the tenant may lack a permission or license for
#: them, or the cloud the property.
_SIGN_IN = "signInActivity"
_RESTRICTED = "isManagementRestricted"
_OPTIONAL = (_SIGN_IN, _RESTRICTED)
#: Wider than `bot.phones.username`, which judges files: this only keeps queries well-formed.
_PRINCIPAL = re.compile(r"""[!#-'*-.0-9=?A-Z^-~]{1,64}@[A-Za-z0-9.-]{1,48}""")
#: Reasons for which an API that no account of a chunk could be read from is not asked again in a run.
_LASTING = frozenset(
    {
        UnknownReason.PERMISSION,
        UnknownReason.LICENSE,
        UnknownReason.CLOUD,
        UnknownReason.UNAVAILABLE,
    }
)
_NOT_A_PRINCIPAL = Unknown(UnknownReason.NOT_READ, "not a user principal name")
_NO_ID = reading.unreadable("id")

Fact = TypeVar("Fact")


class AccountReader:
    """Reads facts about accounts. `timeout` is in seconds and covers one call."""

    def __init__(self, client: GraphClient, *, timeout: float = 30.0, pause: float = 0.5) -> None:
        self._client = client
        self._timeout = timeout
        self._pause = pause

    @property
    def calls(self) -> int:
        """Number of calls to Graph so far."""
        return self._client.calls

    async def read(
        self, usernames: Sequence[str], *, scope: Collection[str] = (), seconds: float
    ) -> AsyncGenerator[Sequence[AccountFacts], None]:
        """Yield facts in chunks of at most `CHUNK` accounts, in the order of `usernames`.

        A username that occurs again, in any case, is left out. `scope` are object IDs of the allowed
        groups and administrative units. What is not read within `seconds`, the caller's time between
        chunks included, is `Unknown`. To resume, pass the usernames that are left. Never raises because
        of what Graph responds.
        """
        first: dict[str, str] = {}
        for each in usernames:
            first.setdefault(each.lower(), each)
        distinct = list(first.values())
        with closing(self._batches(seconds)) as batches:
            run = _Run(batches, scope)
            await run.load(sum(bool(_PRINCIPAL.fullmatch(each)) for each in distinct))
            chunks = [distinct[at : at + CHUNK] for at in range(0, len(distinct), CHUNK)]
            if chunks:
                # Alone, since it learns what this tenant refuses.
                yield await run.chunk(chunks[0])
            async with aclosing(_ahead(run, chunks[1:])) as rest:
                async for chunk in rest:
                    yield chunk

    async def similar(
        self, usernames: Sequence[str], *, seconds: float = 15.0
    ) -> Mapping[str, Sequence[str]]:
        """Existing user principal names that begin like each of the first `MAX_SIMILAR` usernames.

        Candidates only, in Graph's order; those with the same beginning first. Empty where nothing is
        found or Graph does not respond. Takes two calls.
        """
        asked = [each for each in usernames if _PRINCIPAL.fullmatch(each)][:MAX_SIMILAR]
        with closing(self._batches(seconds)) as batches:
            close = await batches.send([_similar_query(_stem(each)) for each in asked])
            found = dict(zip(asked, map(_principals, close), strict=True))
            rest = [each for each in asked if not found[each]]
            wide = await batches.send([_similar_query(each[:3]) for each in rest])
        return found | dict(zip(rest, map(_principals, wide), strict=True))

    def _batches(self, seconds: float) -> Batches:
        deadline = asyncio.get_running_loop().time() + seconds
        return Batches(self._client, deadline=deadline, timeout=self._timeout, pause=self._pause)


async def _ahead(
    run: _Run, chunks: Sequence[Sequence[str]]
) -> AsyncGenerator[Sequence[AccountFacts], None]:
    """Yield the facts of `chunks` in order, with `AHEAD` of them being read at once."""
    tasks: deque[asyncio.Task[Sequence[AccountFacts]]] = deque()
    left = iter(chunks)
    try:
        while True:
            more = islice(left, AHEAD - len(tasks))
            tasks.extend(asyncio.create_task(run.chunk(each)) for each in more)
            if not tasks:
                return
            yield await tasks[0]
            tasks.popleft()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Run:
    """One run over all chunks, and what it has learned about this tenant."""

    def __init__(self, batches: Batches, scope: Collection[str]) -> None:
        self._batches = batches
        self._membership = Membership(batches, scope)
        self._conditional_access = ConditionalAccess(batches)
        self._roles = DirectoryRoles(roles.Holders({}), roles.Holders({}))
        #: Optional properties that are not read, and why.
        self._without: dict[str, Unknown] = {}
        #: Whether Graph filters Teams configurations by ID.
        self._filters = True
        #: Why all Teams configurations, and all MFA states, are unknown; None if they are not.
        self._no_configurations: Unknown | None = None
        self._no_mfa: Unknown | None = None

    async def load(self, accounts: int) -> None:
        """Read what does not depend on single accounts."""
        if not accounts:
            return
        async with asyncio.TaskGroup() as group:
            listed = group.create_task(roles.read(self._batches))
            group.create_task(self._membership.load(accounts))
            group.create_task(self._conditional_access.load(accounts))
        self._roles = listed.result()

    async def chunk(self, usernames: Sequence[str]) -> Sequence[AccountFacts]:
        """Facts about at most `CHUNK` accounts, in order."""
        found = await self._users(usernames)
        accounts = [each for each in found.values() if each.object_id]
        ids = [each.object_id for each in accounts]
        async with asyncio.TaskGroup() as group:
            configurations = group.create_task(self._configurations(ids))
            mfa = group.create_task(self._mfa(ids))
            members = group.create_task(self._membership.of(ids))
            hits = group.create_task(self._conditional_access.of(accounts))
        for username, facts in found.items():
            key = facts.object_id
            if key:
                found[username] = replace(
                    _configured(facts, configurations.result()[key]),
                    mfa=mfa.result()[key],
                    member_of=members.result()[key],
                    conditional_access=hits.result()[key],
                )
        return [found[each] for each in usernames]

    async def _users(self, usernames: Sequence[str]) -> dict[str, AccountFacts]:
        """Facts from the accounts' user objects, by username."""
        facts = {each: AccountFacts(each, _NOT_A_PRINCIPAL) for each in usernames}
        asked = [each for each in usernames if _PRINCIPAL.fullmatch(each)]
        parts = [asked[at : at + MAX_IN] for at in range(0, len(asked), MAX_IN)]
        for part, listing in zip(parts, await self._list_users(parts), strict=True):
            await asyncio.sleep(0)  # much JSON to read: let other work run
            rows: dict[str, list[reading.Row]] = {}
            complete = listing.gap is None
            for row in listing.rows:
                principal = row.get("userPrincipalName")
                if not isinstance(principal, str):
                    complete = False
                elif principal.isascii():
                    rows.setdefault(principal.lower(), []).append(row)
            for username in part:
                facts[username] = self._user(
                    username, rows.get(username.lower(), []), listing, complete=complete
                )
        return facts

    async def _list_users(self, parts: Sequence[Sequence[str]]) -> list[Listing]:
        """The user objects of each part, without the optional properties that Graph refuses."""
        listings: dict[int, Listing] = {}
        left = list(range(len(parts)))
        while left:
            select = [*_SELECT, *(each for each in _OPTIONAL if each not in self._without)]
            queries = [_users_query(parts[at], select) for at in left]
            answers = await self._batches.listings(queries, max_pages=2)
            listings.update(zip(left, answers, strict=True))
            refused = (self._refused_property(each.gap) for each in answers)
            why = next((each for each in refused if each is not None), None)
            if why is None:
                break
            self._without.update([why])
            left = [at for at in left if listings[at].gap is not None]
        return [listings[at] for at in range(len(parts))]

    def _refused_property(self, gap: Refusal | None) -> tuple[str, Unknown] | None:
        """The optional property that may be why Graph refuses, and why. Returns None if none may."""
        left = [each for each in _OPTIONAL if each not in self._without]
        if gap is not None and gap.status == 403 and _SIGN_IN in left:
            return _SIGN_IN, gap.unknown(SIGN_INS)
        if gap is not None and gap.status == 400:
            for each in left:
                if each.casefold() in gap.message.casefold():
                    return each, Unknown(UnknownReason.CLOUD, gap.message)
        return None

    def _user(
        self, username: str, rows: Sequence[reading.Row], listing: Listing, *, complete: bool
    ) -> AccountFacts:
        if len(rows) > 1:
            return AccountFacts(username, reading.unreadable("several accounts of this name"))
        if not rows:
            gap = listing.gap
            if gap is not None:
                return AccountFacts(username, gap.unknown(USERS))
            return AccountFacts(username, False if complete else reading.unreadable("users"))
        row = rows[0]
        key = reading.object_id(row)
        return AccountFacts(
            username,
            found=True,
            object_id=key,
            principal=reading.text(row, "userPrincipalName"),
            display_name=reading.text(row, "displayName"),
            enabled=reading.flag(row, "accountEnabled"),
            guest=reading.guest(row),
            plans=reading.plans(row),
            # Null: never synchronized, and not restricted.
            synchronized=reading.flag(row, "onPremisesSyncEnabled", null=False),
            restricted=self._optional(_RESTRICTED, reading.flag(row, _RESTRICTED, null=False)),
            must_change_password=reading.must_change_password(row),
            last_interactive_sign_in=self._optional(
                _SIGN_IN, reading.last_interactive_sign_in(row)
            ),
            mfa=_NO_ID,
            roles=self._roles.held.of(key) if key else _NO_ID,
            eligible_roles=self._roles.eligible.of(key) if key else _NO_ID,
            member_of=_NO_ID,
            resource_account=_NO_ID,
            phone_numbers=_NO_ID,
            policies=dict.fromkeys(PolicyType, _NO_ID),
            conditional_access=_NO_ID,
        )

    def _optional(self, name: str, fact: Known[Fact]) -> Known[Fact]:
        return self._without.get(name, fact)

    async def _configurations(self, ids: Sequence[str]) -> Mapping[str, reading.Row | Unknown]:
        """The Teams configuration of each account, by object ID."""
        found: dict[str, reading.Row | Unknown] = {}
        if self._filters and self._no_configurations is None:
            parts = [ids[at : at + MAX_IN] for at in range(0, len(ids), MAX_IN)]
            queries = [_configurations_query(part) for part in parts]
            listings = await self._batches.listings(queries, max_pages=2)
            self._no_configurations = _refused_throughout(
                [each.gap for each in listings], CONFIGURATIONS
            )
            for part, listing in zip(parts, listings, strict=True):
                found |= _listed(part, listing)
        left = [each for each in ids if each not in found]
        if self._no_configurations is None and left:
            answers = await self._batches.send(
                [Query(f"/admin/teams/userConfigurations/{each}") for each in left]
            )
            if not found:
                self._no_configurations = _refused_throughout(answers, CONFIGURATIONS)
            single = dict(zip(left, map(_configuration, left, answers), strict=True))
            # A filter that leaves out what is there is no filter to rely on.
            self._filters = all(isinstance(each, Unknown) for each in single.values())
            found |= single
        missing = self._no_configurations or _NO_ID
        return {each: found.get(each, missing) for each in ids}

    async def _mfa(self, ids: Sequence[str]) -> Mapping[str, Known[MfaState]]:
        """Per-user MFA of each account, by object ID. Only Graph beta has it."""
        if self._no_mfa is None:
            queries = [Query(f"/users/{each}/authentication/requirements") for each in ids]
            answers = await self._batches.send(queries, "beta")
            self._no_mfa = _refused_throughout(answers, POLICIES)
            return dict(zip(ids, map(_mfa_state, answers), strict=True))
        return dict.fromkeys(ids, self._no_mfa)


def _refused_throughout(answers: Sequence[Answer | None], permission: str) -> Unknown | None:
    """Why it is of no use to go on asking, if every answer says so; None otherwise."""
    reasons = [each.unknown(permission) if isinstance(each, Refusal) else None for each in answers]
    if reasons and all(each is not None and each.reason in _LASTING for each in reasons):
        return reasons[0]
    return None


def _listed(part: Sequence[str], listing: Listing) -> Mapping[str, reading.Row | Unknown]:
    """The configurations in a filtered list. Those it leaves out are to be read one by one."""
    gap = listing.gap
    rows: dict[str, reading.Row | Unknown] = {}
    if gap is not None and gap.status is None:
        rows = dict.fromkeys(part, gap.unknown(CONFIGURATIONS))
    for row in listing.rows:
        key = reading.object_id(row)
        if key in part:
            again = isinstance(rows.get(key), Mapping)
            rows[key] = reading.unreadable("several configurations") if again else row
    return rows


def _configuration(key: str, answer: Answer) -> reading.Row | Unknown:
    if isinstance(answer, Refusal):
        return answer.unknown(CONFIGURATIONS)
    return answer if reading.object_id(answer) == key else _NO_ID


def _configured(facts: AccountFacts, row: reading.Row | Unknown) -> AccountFacts:
    """`facts` with those of the Teams configuration."""
    if isinstance(row, Unknown):
        return replace(
            facts,
            resource_account=row,
            phone_numbers=row,
            policies=dict.fromkeys(PolicyType, row),
        )
    return replace(
        facts,
        resource_account=reading.resource_account(row),
        phone_numbers=reading.phone_numbers(row),
        policies=reading.effective_policies(row),
    )


def _mfa_state(answer: Answer) -> Known[MfaState]:
    return answer.unknown(POLICIES) if isinstance(answer, Refusal) else reading.mfa(answer)


def _users_query(usernames: Sequence[str], select: Sequence[str]) -> Query:
    names = _filter_values(usernames)
    return Query(f"/users?$filter=userPrincipalName%20in%20({names})&$select={','.join(select)}")


def _configurations_query(ids: Sequence[str]) -> Query:
    return Query(f"/admin/teams/userConfigurations?$filter=id%20in%20({_filter_values(ids)})")


def _filter_values(values: Sequence[str]) -> str:
    """OData string literals, percent-encoded."""
    literals = ("'" + each.replace("'", "''") + "'" for each in values)
    return ",".join(quote(each, safe="") for each in literals)


def _similar_query(beginning: str) -> Query:
    test = f"startswith(userPrincipalName,{_filter_values([beginning])})"
    return Query(f"/users?$filter={test}&$select=userPrincipalName&$top={SIMILAR_PAGE}")


def _stem(username: str) -> str:
    """A username's beginning without its last part: `lobby.berlin` of `lobby.berlin.2@contoso.com`."""
    local = username.partition("@")[0]
    stem = re.sub(r"[._-]*[0-9]+\Z", "", local)
    if stem == local:
        stem = re.sub(r"[._-][^._-]*\Z", "", local)
    return stem if len(stem) >= 3 else local[:3]


def _principals(answer: Answer) -> Sequence[str]:
    value = None if isinstance(answer, Refusal) else answer.get("value")
    rows = value[:SIMILAR_PAGE] if isinstance(value, list) else []
    names = (reading.text(row, "userPrincipalName") for row in rows if isinstance(row, dict))
    return [each for each in names if _PRINCIPAL.fullmatch(each)]
