"""People who are signed in, and the requests that run with their rights. In memory only, on purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from bot.identity import aadsts
from bot.identity.aadsts import Refusal
from bot.identity.credentials import Credentials
from bot.identity.entra_roles import MissingRoles, claims, missing
from bot.identity.token_service import Account, Resource, TokenService, TokenServiceUnavailableError
from bot.identity.tokens import AppTokens, Tokens

_SECONDS = 6.0  # whoever clicked waits for the answer, and their client not much longer
_FRESH_SECONDS = 300.0  # what must be left of a sign-in for it to be used once more
_EXCHANGES = 1000

log = structlog.get_logger()

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signs in, as the activity says."""

    tenant_id: str
    object_id: str
    account: Account

    @property
    def key(self) -> tuple[str, str]:
        return self.tenant_id.lower(), self.object_id.lower()


@dataclass(frozen=True, slots=True)
class Proof:
    """What came with a click: a token by single sign-on, or the code that a sign-in link ended with."""

    id: str = ""
    token: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


NO_PROOF = Proof()


class ApproverTokens:
    """Somebody's rights; implements `Tokens`. Lost once Entra ID refuses them a token."""

    def __init__(self, who: Principal, tokens: AppTokens, until: float) -> None:
        self.who = who
        self.lost = False
        self._tokens = tokens
        self._until = until  # time.time() at which the sign-in as such ends

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        try:
            return await self._tokens.token(scope, refresh=refresh)
        except PermissionError:
            self.lost = True
            raise

    @property
    def fresh(self) -> bool:
        return not self.lost and time.time() < self._until - _FRESH_SECONDS

    async def aclose(self) -> None:
        await self._tokens.aclose()


@dataclass(frozen=True, slots=True)
class SignInRequired:
    """The person has to sign in first."""

    resource: Resource
    connection: str


@dataclass(frozen=True, slots=True)
class InvalidProof:
    """What came with the click was no sign-in. `code`: a wrong code; else the exchange was refused, and
    the client lets the person sign in and consent."""

    code: bool


@dataclass(frozen=True, slots=True)
class DelegationDenied:
    """No sign-in will help now. The sentence is `sign-in-<reason>`; `code` is Entra ID's own."""

    reason: str
    code: str = ""
    missing: MissingRoles = MissingRoles.NOTHING


Outcome = ApproverTokens | SignInRequired | InvalidProof | DelegationDenied


@dataclass(slots=True)
class _Delegation(Generic[Client]):
    """A request's rights. `refused`: the service does not let them do what they are for."""

    sign_in: ApproverTokens
    client: Client
    refused: bool = False

    @property
    def good(self) -> bool:
        return not (self.refused or self.sign_in.lost)


class Delegations(Generic[Client]):
    """`scope` is the resource whose token carries the roles; `gateway` makes a client that acts with
    somebody's tokens. `lease`: seconds for which other replicas believe that somebody is signed in here."""

    def __init__(
        self,
        service: TokenService,
        credentials: Credentials,
        client_for: Callable[[Tokens], Client],
        *,
        scope: str,
        lease: float,
    ) -> None:
        self._service = service
        self._credentials = credentials
        self._client_for = client_for
        self._scope = scope
        self.lease = lease
        self._people: dict[tuple[str, str], ApproverTokens] = {}
        self._requests: dict[str, _Delegation[Client]] = {}
        self._exchanges: dict[tuple[str, str, str], asyncio.Task[Outcome]] = {}

    # -- signing in ------------------------------------------------------------------------------

    async def acquire(self, who: Principal, proof: Proof) -> Outcome:
        """Use the sign-in that is there, or the one that came with a click; else say what is missing."""
        known = self._people.get(who.key)
        if known is not None and known.fresh and not (proof.token or proof.code):
            return known
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._begun(who, proof)
        except (TokenServiceUnavailableError, ConnectionError, TimeoutError) as error:
            log.warning("sign_in.unavailable", why=str(error) or type(error).__name__)
            return DelegationDenied("unavailable")

    async def acquire_once(self, who: Principal, proof: Proof) -> tuple[Outcome, bool]:
        """The same for a token that each of the person's clients sends; True for the first of them."""
        key = (*who.key, proof.id)
        task = self._exchanges.get(key)
        if task is not None:
            return await asyncio.shield(task), False
        while len(self._exchanges) >= _EXCHANGES:
            del self._exchanges[next(iter(self._exchanges))]
        task = self._exchanges[key] = asyncio.create_task(self.acquire(who, proof))
        return await asyncio.shield(task), True

    async def _begun(self, who: Principal, proof: Proof) -> Outcome:
        service = self._service
        if proof.token:
            assertion = await service.exchange(who.account, proof.token)
        else:
            assertion = await service.kept(who.account, proof.code)
        if assertion is not None:
            return await self._with(who, assertion)
        if proof.token or proof.code:
            return InvalidProof(code=not proof.token)
        return SignInRequired(await service.resource(who.account), service.connection)

    async def _with(self, who: Principal, assertion: str) -> Outcome:
        said = claims(assertion)
        if (str(said.get("tid", "")).lower(), str(said.get("oid", "")).lower()) != who.key:
            # Entra ID checks the signature below; this, that the token is of whoever clicked.
            log.warning("sign_in.somebody_else", object_id=who.object_id)
            await self._service.sign_out(who.account)
            return DelegationDenied("somebody-else")
        until = said.get("exp")
        tokens = AppTokens(self._credentials.on_behalf_of(who.tenant_id, assertion))
        sign_in = ApproverTokens(
            who, tokens, float(until) if isinstance(until, int | float) else 0.0
        )
        outcome = await self._checked(sign_in)
        if outcome is not sign_in:
            await sign_in.aclose()
            return outcome
        before = self._people.get(who.key)
        self._people[who.key] = sign_in
        if before is not None:
            await self._close_unused([before])
        return outcome

    async def _checked(self, sign_in: ApproverTokens) -> Outcome:
        """Take the token that the job will use, and read the roles in it before anything is sent."""
        who = sign_in.who
        try:
            token = await sign_in.token(self._scope)
        except PermissionError as error:
            why, code = aadsts.read(error.__cause__)
            log.warning("sign_in.refused", object_id=who.object_id, why=why.value, code=code)
            if why is not Refusal.AGAIN:
                return DelegationDenied(why.value, code)
            # What is kept was not enough: the next sign-in has to be a real one.
            await self._service.sign_out(who.account)
            resource = await self._service.resource(who.account)
            return SignInRequired(Resource(resource.link, None), self._service.connection)
        wids = claims(token).get("wids")
        if not isinstance(wids, list):
            # Assumption: the token can be read and says them. If not, the service itself refuses.
            log.warning("sign_in.roles_unknown", object_id=who.object_id)
            return sign_in
        lacking = missing([str(wid) for wid in wids])
        if lacking is not MissingRoles.NOTHING:
            log.info("sign_in.roles_missing", object_id=who.object_id, missing=lacking.value)
            return DelegationDenied("roles", missing=lacking)
        log.info("sign_in.done", object_id=who.object_id)
        return sign_in

    # -- requests --------------------------------------------------------------------------------

    def delegate(self, request_id: str, sign_in: ApproverTokens) -> None:
        """From now on the request runs with these rights."""
        self._requests[request_id] = _Delegation(sign_in, self._client_for(sign_in))

    def deny(self, request_id: str) -> None:
        """The service said no to these rights: the next sign-in is looked at anew."""
        bound = self._requests.get(request_id)
        if bound is not None:
            bound.refused = True
            if self._people.get(bound.sign_in.who.key) is bound.sign_in:
                del self._people[bound.sign_in.who.key]

    def held(self) -> frozenset[str]:
        """The requests that have somebody's rights here."""
        return frozenset(request for request, bound in self._requests.items() if bound.good)

    def lost(self) -> frozenset[str]:
        """Those that had them, and have them no more."""
        return frozenset(self._requests) - self.held()

    def client(self, request_id: str) -> Client | None:
        """The service as the one who signed in for this request may use it."""
        bound = self._requests.get(request_id)
        return bound.client if bound is not None and bound.good else None

    async def release(self, request_ids: Collection[str]) -> None:
        """These need nobody's rights any more; sign-ins that no other request has, and old ones, end."""
        freed = [self._requests.pop(request_id).sign_in for request_id in request_ids]
        stale = [each for each in self._people.values() if not each.fresh]
        for sign_in in stale:
            del self._people[sign_in.who.key]
        known = {id(each) for each in self._people.values()}
        await self._close_unused([each for each in (*freed, *stale) if id(each) not in known])

    async def _close_unused(self, delegations: Collection[ApproverTokens]) -> None:
        used = {id(bound.sign_in) for bound in self._requests.values()}
        for sign_in in delegations:
            if id(sign_in) not in used:
                await sign_in.aclose()

    async def aclose(self) -> None:
        for task in self._exchanges.values():
            task.cancel()
        bound = (each.sign_in for each in self._requests.values())
        for sign_in in (*self._people.values(), *bound):
            await sign_in.aclose()
