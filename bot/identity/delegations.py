"""Approvers' on-behalf-of tokens and the requests they are delegated to.

Kept in memory only, by design: a restart drops every delegation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

import structlog

from bot.identity import aadsts
from bot.identity.aadsts import Refusal
from bot.identity.credentials import Credentials
from bot.identity.entra_roles import MissingRoles, missing_roles, unverified_claims
from bot.identity.step_up import StepUp, proved
from bot.identity.token_service import (
    Account,
    SignInResource,
    TokenService,
    TokenServiceUnavailableError,
)
from bot.identity.tokens import CredentialTokens, Tokens

_ACQUIRE_SECONDS = 6.0  # the Teams client waits for the invoke response, and not much longer
_MIN_REMAINING_SECONDS = 300.0  # remaining lifetime below which tokens are not reused
_MAX_EXCHANGES = 1000  # single sign-on exchanges remembered for deduplication

log = structlog.get_logger()

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class Principal:
    """The user who signs in, identified by the activity."""

    tenant_id: str
    #: Entra object ID.
    object_id: str
    account: Account

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and object ID, case-insensitive."""
        return self.tenant_id.lower(), self.object_id.lower()


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a sign-in, as sent with an invoke. At most one of `token` and `code` is set."""

    #: ID of the single sign-on exchange; all of the user's clients send the same one.
    id: str = ""
    #: Token from single sign-on.
    token: str = field(default="", repr=False)
    #: Code from the end of an interactive sign-in.
    code: str = field(default="", repr=False)


NO_PROOF = Proof()


class ApproverTokens:
    """Implements `Tokens` on behalf of an approver.

    `lost` becomes True once Entra ID refuses a token. `expires_at` is when the underlying sign-in
    expires (Unix time, seconds). `step_up` is what they were acquired with, if it was asked for.
    """

    def __init__(self, principal: Principal, tokens: CredentialTokens, expires_at: float) -> None:
        self.principal = principal
        self.lost = False
        self.step_up: StepUp | None = None
        self._tokens = tokens
        self._expires_at = expires_at

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        try:
            return await self._tokens.token(scope, refresh=refresh)
        except PermissionError:
            self.lost = True
            raise

    async def stepped_up(self, scope: str, context: str) -> str:
        """As `CredentialTokens.stepped_up`. A refusal says nothing about other tokens."""
        return await self._tokens.stepped_up(scope, context)

    @property
    def fresh(self) -> bool:
        """Whether these tokens can serve another request: not lost, and not about to expire."""
        return not self.lost and time.time() < self._expires_at - _MIN_REMAINING_SECONDS

    async def aclose(self) -> None:
        await self._tokens.aclose()


@dataclass(frozen=True, slots=True)
class SignInRequired:
    """The user has to sign in first."""

    resource: SignInResource
    #: Name of the OAuth connection.
    connection: str
    #: The authentication context for which the earlier sign-in was not enough; "" if there was none.
    context: str = ""


@dataclass(frozen=True, slots=True)
class InvalidProof:
    """The proof sent with the invoke was not accepted."""

    #: True when the sign-in code was wrong or expired. False when the single sign-on exchange was
    #: refused; the Teams client then lets the user sign in and consent.
    wrong_code: bool


class DenialReason(StrEnum):
    """Why there is no delegation. Each reason has a message `sign-in-<value>`."""

    #: The token service or Entra ID did not respond in time.
    UNAVAILABLE = "unavailable"
    #: The sign-in is for an account other than the one in Teams.
    ACCOUNT_MISMATCH = "somebody-else"
    #: The account has none of the Entra roles that can reset passwords.
    ROLES = "roles"
    #: Entra ID wants more for the authentication context than the sign-in that has just ended.
    STEP_UP = "step-up"
    #: Entra ID issued a token that does not say that the authentication context was satisfied.
    NO_CONTEXT = "no-context"
    # Entra ID's refusals, as in `aadsts.Refusal`.
    CONSENT = "consent"
    BLOCKED = "blocked"
    NOT_ALLOWED = "not-allowed"
    BOT = "bot"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DelegationDenied:
    """No delegation for this user now; Offhook explains why instead of offering a sign-in."""

    reason: DenialReason
    #: Entra ID's error code, such as `AADSTS65001`; "" if there is none.
    code: str = ""
    #: Only for `DenialReason.ROLES`.
    missing: MissingRoles = MissingRoles.NOTHING
    #: The authentication context that was asked for; "" if none was.
    context: str = ""
    #: Only for `DenialReason.ROLES`: what the sign-in proved all the same.
    step_up: StepUp | None = None


#: What `acquire` returns.
Outcome = ApproverTokens | SignInRequired | InvalidProof | DelegationDenied


def step_up_of(outcome: Outcome) -> StepUp | None:
    """What the user's sign-in proved; None if it did not, or if it was not asked."""
    return outcome.step_up if isinstance(outcome, ApproverTokens | DelegationDenied) else None


@dataclass(slots=True, eq=False)
class Delegation(Generic[Client]):
    """The tokens delegated to one request, and a client that uses them. Equal only to itself: a later
    one of the same request is another."""

    request_id: str
    tokens: ApproverTokens
    client: Client
    #: True once the SIP Gateway has denied access with these tokens.
    denied: bool = False
    #: False once the SIP Gateway has denied it a batch of another request, which says nothing about
    #: its own.
    lendable: bool = True

    @property
    def usable(self) -> bool:
        return not (self.denied or self.tokens.lost)


class Delegations(Generic[Client]):
    """Registry of the delegations that this replica holds.

    `client_for` creates a client that acts with the given tokens. `scope` is the resource whose token
    carries the Entra roles. `lease_seconds` is how long other replicas assume that this one still holds
    a delegation after its last heartbeat. `missing` judges the roles in a token's `wids`. `step_up` is
    the authentication context that users have to satisfy each time, "" for none.
    """

    def __init__(
        self,
        token_service: TokenService,
        credentials: Credentials,
        client_for: Callable[[Tokens], Client],
        *,
        scope: str,
        lease_seconds: float,
        missing: Callable[[Collection[str]], MissingRoles] = missing_roles,
        step_up: str = "",
    ) -> None:
        self._token_service = token_service
        self._credentials = credentials
        self._client_for = client_for
        self._scope = scope
        self._missing_roles = missing
        self.step_up = step_up
        self.lease_seconds = lease_seconds
        self._tokens: dict[tuple[str, str], ApproverTokens] = {}
        self._delegations: dict[str, Delegation[Client]] = {}
        self._exchanges: dict[tuple[str, str, str], asyncio.Task[Outcome]] = {}

    # -- acquiring tokens ------------------------------------------------------------------------

    async def acquire(self, principal: Principal, proof: Proof, *, step_up: bool = True) -> Outcome:
        """Acquire tokens on behalf of `principal`, from `proof` or from an earlier sign-in.

        `step_up`: for a decision, so that Entra ID is asked about the authentication context, if there is
        one, and no tokens are reused. When there are none, the result says what the user has to do. Remote
        failures do not raise.
        """
        context = self.step_up if step_up else ""
        tokens = self._tokens.get(principal.key)
        reusable = tokens is not None and tokens.fresh and not (proof.token or proof.code)
        if tokens is not None and reusable and not context:
            return tokens
        try:
            async with asyncio.timeout(_ACQUIRE_SECONDS):
                return await self._acquire(principal, proof, context)
        except (TokenServiceUnavailableError, ConnectionError, TimeoutError) as error:
            log.warning("delegation.unavailable", reason=str(error) or type(error).__name__)
            return DelegationDenied(DenialReason.UNAVAILABLE)

    async def acquire_once(self, principal: Principal, proof: Proof) -> tuple[Outcome, bool]:
        """`acquire` for a single sign-on token, which every client of the user sends at once. It decides
        nothing, so there is no step-up.

        The exchange runs once per `proof.id`. Returns True for the first of duplicate invokes.
        """
        key = (*principal.key, proof.id)
        task = self._exchanges.get(key)
        if task is not None:
            return await asyncio.shield(task), False
        while len(self._exchanges) >= _MAX_EXCHANGES:
            del self._exchanges[next(iter(self._exchanges))]
        task = self._exchanges[key] = asyncio.create_task(
            self.acquire(principal, proof, step_up=False)
        )
        return await asyncio.shield(task), True

    async def _acquire(self, principal: Principal, proof: Proof, context: str) -> Outcome:
        token_service = self._token_service
        if proof.token:
            assertion = await token_service.exchange(principal.account, proof.token)
        else:
            assertion = await token_service.user_token(principal.account, proof.code)
        if assertion is not None:
            return await self._redeem(principal, assertion, context, interactive=bool(proof.code))
        if proof.token or proof.code:
            return InvalidProof(wrong_code=not proof.token)
        return SignInRequired(
            await token_service.sign_in_resource(principal.account), token_service.connection
        )

    async def _redeem(
        self, principal: Principal, assertion: str, context: str, *, interactive: bool
    ) -> Outcome:
        claims = unverified_claims(assertion)
        if (
            str(claims.get("tid", "")).lower(),
            str(claims.get("oid", "")).lower(),
        ) != principal.key:
            # Entra ID verifies the signature in the exchange below; this only matches the account.
            log.warning("delegation.account_mismatch", object_id=principal.object_id)
            await self._token_service.sign_out(principal.account)
            return DelegationDenied(DenialReason.ACCOUNT_MISMATCH)
        expires_at = claims.get("exp")
        on_behalf_of = CredentialTokens(
            self._credentials.on_behalf_of(principal.tenant_id, assertion)
        )
        tokens = ApproverTokens(
            principal,
            on_behalf_of,
            float(expires_at) if isinstance(expires_at, int | float) else 0.0,
        )
        outcome = await self._verify(tokens, context, interactive=interactive)
        if outcome is not tokens:
            await tokens.aclose()
            return outcome
        previous = self._tokens.get(principal.key)
        self._tokens[principal.key] = tokens
        if previous is not None:
            await self._close_unused([previous])
        return outcome

    async def _verify(self, tokens: ApproverTokens, context: str, *, interactive: bool) -> Outcome:
        """Fetch the token that the request will use, and check what it proves and its roles before anything
        is approved or submitted. `interactive`: the user has just signed in for it."""
        principal = tokens.principal
        try:
            token = await (
                tokens.stepped_up(self._scope, context) if context else tokens.token(self._scope)
            )
        except PermissionError as error:
            refusal, code = aadsts.classify(error.__cause__)
            log.warning(
                "delegation.refused",
                object_id=principal.object_id,
                reason=refusal.value,
                code=code,
            )
            if refusal is not Refusal.AGAIN:
                return DelegationDenied(DenialReason(refusal.value), code)
            # The stored sign-in is insufficient; require an interactive one.
            await self._token_service.sign_out(principal.account)
            if context and interactive:
                # Another sign-in of that kind would end here, too.
                return DelegationDenied(DenialReason.STEP_UP, code, context=context)
            resource = await self._token_service.sign_in_resource(principal.account)
            return SignInRequired(
                SignInResource(resource.link, None), self._token_service.connection, context
            )
        claims = unverified_claims(token)
        if context:
            tokens.step_up = proved(claims, context)
            if tokens.step_up is None:
                log.warning("delegation.context_missing", object_id=principal.object_id)
                return DelegationDenied(DenialReason.NO_CONTEXT, context=context)
        wids = claims.get("wids")
        if not isinstance(wids, list):
            # Assumption: the token is a readable JWT with `wids`. If not, the SIP Gateway decides.
            log.warning("delegation.roles_unknown", object_id=principal.object_id)
            return tokens
        missing = self._missing_roles([str(wid) for wid in wids])
        if missing is not MissingRoles.NOTHING:
            log.info(
                "delegation.roles_missing", object_id=principal.object_id, missing=missing.value
            )
        if missing.denies:
            return DelegationDenied(
                DenialReason.ROLES, missing=missing, context=context, step_up=tokens.step_up
            )
        log.info("delegation.acquired", object_id=principal.object_id)
        return tokens

    # -- delegations -----------------------------------------------------------------------------

    def delegate(self, request_id: str, tokens: ApproverTokens) -> None:
        """Run the request with these tokens from now on, replacing any earlier delegation."""
        self._delegations[request_id] = Delegation(request_id, tokens, self._client_for(tokens))

    def deny(self, delegation: Delegation[Client]) -> None:
        """Record that the SIP Gateway denied access; the approver's tokens are not reused."""
        delegation.denied = True
        if self._tokens.get(delegation.tokens.principal.key) is delegation.tokens:
            del self._tokens[delegation.tokens.principal.key]

    def current(self) -> list[Delegation[Client]]:
        """All delegations, the unusable ones included until they are released."""
        return list(self._delegations.values())

    def held(self) -> frozenset[str]:
        """IDs of the requests with a usable delegation in this replica."""
        return frozenset(each.request_id for each in self.current() if each.usable)

    def lending_tenants(self) -> frozenset[str]:
        """IDs of the tenants with a delegation that may also read batches of other requests."""
        return frozenset(each.tokens.principal.tenant_id for each in self._lenders())

    def for_request(self, request_id: str) -> Delegation[Client] | None:
        """The delegation of the request's approver. Returns None without a usable one."""
        delegation = self._delegations.get(request_id)
        return delegation if delegation is not None and delegation.usable else None

    def for_reads(self, request_id: str, tenant_id: str) -> Delegation[Client] | None:
        """The request's own delegation, or else one lent by another request of the same tenant.

        For reads only: a submit runs with the permissions of the request's own approver or not at all.
        """
        own = self.for_request(request_id)
        if own is not None:
            return own
        lenders = (each for each in self._lenders() if each.tokens.principal.tenant_id == tenant_id)
        return next(lenders, None)

    def _lenders(self) -> Iterator[Delegation[Client]]:
        return (each for each in self.current() if each.usable and each.lendable)

    async def release(self, delegations: Collection[Delegation[Client]]) -> None:
        """Drop these delegations, and close tokens that no request uses or that are stale.

        A delegation granted to the same request since then stays.
        """
        for each in delegations:
            if self._delegations.get(each.request_id) is each:
                del self._delegations[each.request_id]
        stale = [each for each in self._tokens.values() if not each.fresh]
        for tokens in stale:
            del self._tokens[tokens.principal.key]
        reusable = {id(each) for each in self._tokens.values()}
        freed = [each.tokens for each in delegations]
        await self._close_unused([each for each in (*freed, *stale) if id(each) not in reusable])

    async def _close_unused(self, unneeded: Collection[ApproverTokens]) -> None:
        delegated = {id(delegation.tokens) for delegation in self._delegations.values()}
        for tokens in unneeded:
            if id(tokens) not in delegated:
                await tokens.aclose()

    async def aclose(self) -> None:
        for task in self._exchanges.values():
            task.cancel()
        delegated = (each.tokens for each in self._delegations.values())
        for tokens in (*self._tokens.values(), *delegated):
            await tokens.aclose()
