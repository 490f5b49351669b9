"""Who may do what to a request, and why not. Decisions are values; the view turns them into words.

A denial's words are in the message catalogue under `denied-<reason>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.signin.request import Person, RequestState


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the activity says: never from card data. `roles` were worked out beforehand."""

    person: Person
    tenant_id: str
    may_request: bool
    may_approve: bool


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a decision needs to know of a request."""

    tenant_id: str
    state: RequestState
    requester_id: str
    expires_at: datetime | None = None
    cancelling: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    pass


@dataclass(frozen=True, slots=True)
class Denied:
    """`reason` is a stable code; `arguments` fill its sentence."""

    reason: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


Decision = Allowed | Denied
ALLOWED = Allowed()


def may_submit_file(actor: Actor) -> Decision:
    """Hand in a file."""
    return ALLOWED if actor.may_request else Denied("not-requester")


def may_run_checks(actor: Actor) -> Decision:
    """See how the service is set up: it names rights and settings, so approvers."""
    return ALLOWED if actor.may_approve else Denied("no-checks")


def may_see(actor: Actor, request: RequestFacts) -> Decision:
    """See a request. One of another tenant does not exist for you: saying more would tell that it does."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if actor.may_approve or actor.may_request or actor.person.object_id == request.requester_id:
        return ALLOWED
    return Denied("no-such-request")


def may_request_approval(actor: Actor, request: RequestFacts) -> Decision:
    """Ask for approval of a draft."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if actor.person.object_id != request.requester_id:
        return Denied("not-yours")
    if not actor.may_request:
        return Denied("not-requester")
    return ALLOWED if request.state is RequestState.DRAFT else Denied("not-a-draft")


def may_withdraw(actor: Actor, request: RequestFacts) -> Decision:
    """Take back a draft or a request that still waits."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if actor.person.object_id != request.requester_id:
        return Denied("not-yours")
    if request.state in (RequestState.DRAFT, RequestState.WAITING):
        return ALLOWED
    return Denied("too-late-to-withdraw")


def may_decide(actor: Actor, request: RequestFacts, *, four_eyes: bool, now: datetime) -> Decision:
    """Approve or reject. Whoever asked does not decide, where four eyes are wanted."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if request.state is not RequestState.WAITING:
        return Denied("already-decided")
    if not actor.may_approve:
        return Denied("not-approver")
    if four_eyes and actor.person.object_id == request.requester_id:
        return Denied("own-request")
    if request.expires_at is not None and now >= request.expires_at:
        return Denied("expired")
    return ALLOWED


def may_cancel(actor: Actor, request: RequestFacts) -> Decision:
    """Stop what has not been sent yet: the requester, or any approver."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if not actor.may_approve and actor.person.object_id != request.requester_id:
        return Denied("not-yours")
    if request.state is not RequestState.RUNNING:
        return Denied("not-running")
    return Denied("already-cancelling") if request.cancelling else ALLOWED


def may_retry(actor: Actor, request: RequestFacts) -> Decision:
    """Make a new request of what failed; it is approved again like any other."""
    if (seen := may_see(actor, request)) is not ALLOWED:
        return seen
    if not actor.may_request:
        return Denied("not-requester")
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return ALLOWED
    return Denied("not-ended")


def may_reconcile(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Say what became of a batch whose outcome is unknown: this can reset passwords, so approvers."""
    if request.tenant_id != actor.tenant_id:
        return Denied("no-such-request")
    if not actor.may_approve:
        return Denied("not-approver")
    if four_eyes and actor.person.object_id == request.requester_id:
        return Denied("own-request")
    return ALLOWED if request.state is RequestState.RUNNING else Denied("not-running")


def may_delegate(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Let a running request go on with one's own rights: whoever could have approved it."""
    return may_reconcile(actor, request, four_eyes=four_eyes)
