"""Who may do what to a request, and why not. Decisions are values; commands turn them into words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.signin.request import Person, RequestState


class DenialReason(StrEnum):
    """Why somebody may not do something; `denied-<value>` is its sentence."""

    ALREADY_CANCELLING = "already-cancelling"
    ALREADY_DECIDED = "already-decided"
    EXPIRED = "expired"
    NO_CHECKS = "no-checks"
    NO_SUCH_REQUEST = "no-such-request"
    NOT_A_DRAFT = "not-a-draft"
    NOT_APPROVER = "not-approver"
    NOT_ENDED = "not-ended"
    NOT_REQUESTER = "not-requester"
    NOT_RUNNING = "not-running"
    NOT_YOURS = "not-yours"
    OWN_REQUEST = "own-request"
    TOO_LATE_TO_WITHDRAW = "too-late-to-withdraw"
    NO_BREAK_GLASS = "no-break-glass"
    NO_REVIEW = "no-review"
    NO_STAND_IN = "no-stand-in"
    NUDGED = "nudged"
    OWN_REVIEW = "own-review"
    REVIEWED = "reviewed"
    STANDS_IN_FOR_REQUESTER = "stands-in-for-requester"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: identity from the activity, never from card data; roles as resolved beforehand."""

    person: Person
    tenant_id: str
    may_request: bool
    may_approve: bool  #: for themselves, or for those whom they stand in for
    #: approvers whose role they have for now; empty for those who are approvers themselves
    stands_in_for: tuple[Person, ...] = ()
    escalation: bool = False  #: becomes an approver of a request once it is escalated
    #: why not, where `may_approve` is False
    not_approver: DenialReason = DenialReason.NOT_APPROVER


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a decision needs to know about a request."""

    tenant_id: str
    state: RequestState
    requester_id: str  #: object id
    expires_at: datetime | None = None  #: UTC; None while draft
    cancelling: bool = False  #: cancellation was requested
    reason_wanted: bool = False  #: an overlap has to be explained before it can be approved
    escalated: bool = False  #: those of the escalation are approvers of it, too
    nudged_at: datetime | None = None  #: UTC; when its requester reminded the approvers last


@dataclass(frozen=True, slots=True)
class Allowed:
    pass


@dataclass(frozen=True, slots=True)
class Denied:
    reason: DenialReason


Decision = Allowed | Denied
ALLOWED = Allowed()


def may_submit_file(actor: Actor) -> Decision:
    """Submit a file for validation."""
    return ALLOWED if actor.may_request else Denied(DenialReason.NOT_REQUESTER)


def may_run_checks(actor: Actor) -> Decision:
    """Run `checks`. Findings name permissions and settings, so approvers only."""
    return ALLOWED if actor.may_approve else Denied(DenialReason.NO_CHECKS)


def may_see(actor: Actor, request: RequestFacts) -> Decision:
    """See a request, page through it and export it: its requester, and approvers.

    For anybody else it does not exist; any other answer would reveal that it does.
    """
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if actor.may_approve or actor.person.object_id == request.requester_id:
        return ALLOWED
    return Denied(DenialReason.NO_SUCH_REQUEST)


def may_request_approval(actor: Actor, request: RequestFacts) -> Decision:
    """Ask for approval of a draft, or explain an overlap that holds up the approval."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id != request.requester_id:
        return Denied(DenialReason.NOT_YOURS)
    if not actor.may_request:
        return Denied(DenialReason.NOT_REQUESTER)
    explains = request.state is RequestState.WAITING and request.reason_wanted
    if request.state is RequestState.DRAFT or explains:
        return ALLOWED
    return Denied(DenialReason.NOT_A_DRAFT)


def may_withdraw(actor: Actor, request: RequestFacts) -> Decision:
    """Withdraw a draft, or a request still waiting for approval."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id != request.requester_id:
        return Denied(DenialReason.NOT_YOURS)
    if request.state in (RequestState.DRAFT, RequestState.WAITING):
        return ALLOWED
    return Denied(DenialReason.TOO_LATE_TO_WITHDRAW)


def may_decide(actor: Actor, request: RequestFacts, *, four_eyes: bool, now: datetime) -> Decision:
    """Approve or reject. With four eyes, the requester may not decide."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if request.state is not RequestState.WAITING:
        return Denied(DenialReason.ALREADY_DECIDED)
    if not actor.may_approve:
        return Denied(actor.not_approver)
    if four_eyes and actor.person.object_id == request.requester_id:
        return Denied(DenialReason.OWN_REQUEST)
    if request.expires_at is not None and now >= request.expires_at:
        return Denied(DenialReason.EXPIRED)
    return ALLOWED


def may_cancel(actor: Actor, request: RequestFacts) -> Decision:
    """Cancel the batches not sent yet: the requester, or any approver."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if not actor.may_approve and actor.person.object_id != request.requester_id:
        return Denied(DenialReason.NOT_YOURS)
    if request.state is not RequestState.RUNNING:
        return Denied(DenialReason.NOT_RUNNING)
    return Denied(DenialReason.ALREADY_CANCELLING) if request.cancelling else ALLOWED


def may_retry(actor: Actor, request: RequestFacts) -> Decision:
    """Draft a new request from the phones that failed; it needs approval like any other."""
    if (decision := may_see(actor, request)) is not ALLOWED:
        return decision
    if not actor.may_request:
        return Denied(DenialReason.NOT_REQUESTER)
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return ALLOWED
    return Denied(DenialReason.NOT_ENDED)


def may_reconcile(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Settle a batch of unknown outcome. The answer can lead to password resets, so approvers only."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if not actor.may_approve:
        return Denied(actor.not_approver)
    if four_eyes and actor.person.object_id == request.requester_id:
        return Denied(DenialReason.OWN_REQUEST)
    return ALLOWED if request.state is RequestState.RUNNING else Denied(DenialReason.NOT_RUNNING)


def may_release(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Decide about a request that new failures of accounts hold: whoever could have approved it."""
    return may_reconcile(actor, request, four_eyes=four_eyes)


def may_delegate(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Delegate one's own access to a running request: whoever could have approved it."""
    return may_reconcile(actor, request, four_eyes=four_eyes)


def may_undo(actor: Actor, request: RequestFacts, *, four_eyes: bool) -> Decision:
    """Undo a mend that has ended: whoever could have approved it."""
    ended = request.state is RequestState.FINISHED
    state = RequestState.RUNNING if ended else RequestState.FINISHED
    return may_reconcile(actor, replace(request, state=state), four_eyes=four_eyes)
