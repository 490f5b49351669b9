"""The evaluator: who may do what, and why not. The same for asking, for clicking and for explaining.

Everything here is pure: who is in which group was asked before, and if the directory did not answer, neither
does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.signin.policy import quorum, ticket
from bot.signin.policy.decision import Decision, DenialReason, Ruling, Wanted
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import GuestRole, NeedsReason, Policy
from bot.signin.policy.roles import (
    allowed,
    applying,
    approver,
    approvers_of,
    denied,
    own_approver,
    requester,
    role,
)
from bot.signin.policy.sight import in_sight, may_see
from bot.signin.reminders import NUDGE_EVERY
from bot.signin.request import RequestState
from bot.signin.windows import Never, OpensAt, window_open

# -- what concerns no request --------------------------------------------------------------------


def may_submit_file(policy: Policy, actor: Actor) -> Decision:
    """Submit a file for validation."""
    return requester(policy, actor)


def may_run_checks(policy: Policy, actor: Actor) -> Decision:
    """Run `checks`. Findings name permissions and settings, so approvers only."""
    decision = approver(policy, actor)
    if decision.reason is DenialReason.NOT_APPROVER:
        return replace(decision, reason=DenialReason.NO_CHECKS)
    return decision


def may_hand_over(policy: Policy, actor: Actor) -> Decision:
    """Hand over the role of an approver for a time: only one's own, so that there is no chain."""
    decision = own_approver(policy, actor)
    if decision.answer is Ruling.NO:
        return replace(decision, reason=DenialReason.NO_STAND_IN, who_can=())
    return decision


def may_notify(policy: Policy, actor: Actor) -> Decision:
    """Have notifications sent to a conversation. They name requests, so approvers only."""
    return approver(policy, actor)


# -- asking --------------------------------------------------------------------------------------


def may_request_approval(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Ask for approval of a draft, or explain an overlap that holds up the approval."""
    if refused := _not_own(policy, actor, request):
        return refused
    if not (decision := requester(policy, actor, request.traits)).allowed:
        return decision
    explains = request.state is RequestState.WAITING and request.reason_wanted
    if request.state is RequestState.DRAFT or explains:
        return decision
    return denied(policy, DenialReason.NOT_A_DRAFT)


def may_ask(
    policy: Policy, actor: Actor, request: RequestFacts, *, accounts_today: int = 0
) -> Decision:
    """The same with everything that is asked for: reason, ticket, and the limit of a day.

    `accounts_today`: accounts in the requester's other requests of the last 24 hours.
    """
    if not (decision := may_request_approval(policy, actor, request)).allowed:
        return decision
    if refused := _reason_lacking(policy, request):
        return refused
    limit = policy.accounts_per_day
    if limit is not None and accounts_today + request.traits.accounts > limit:
        numbers = {"limit": limit, "left": max(0, limit - accounts_today)}
        return replace(denied(policy, DenialReason.LIMIT), arguments=numbers)
    return decision


def _reason_lacking(policy: Policy, request: RequestFacts) -> Decision | None:
    for rule in policy.rules_for(request.traits):
        if NeedsReason.REQUEST in rule.reasons and not request.reason.strip():
            return denied(policy, DenialReason.REASON_MISSING, rule=rule.name)
        if rule.ticket is not None and not ticket.named(
            rule.ticket, request.ticket, request.reason
        ):
            lacking = denied(policy, DenialReason.TICKET_MISSING, rule=rule.name)
            arguments = {"ticket": rule.ticket_form, "example": int(bool(rule.ticket_example))}
            return replace(lacking, arguments=arguments)
    return None


def may_request_mend(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Draft a mend of a request, or ask for its approval."""
    return may_request_approval(policy, actor, request)


def may_nudge(policy: Policy, actor: Actor, request: RequestFacts, *, now: datetime) -> Decision:
    """Remind the approvers of one's own waiting request, once an hour. Needs no role any more."""
    if refused := _not_own(policy, actor, request) or _not_waiting(policy, request, now):
        return refused
    if request.nudged_at is not None and now < request.nudged_at + NUDGE_EVERY:
        return denied(policy, DenialReason.NUDGED)
    return allowed(policy)


def may_withdraw(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Withdraw a draft, or a request still waiting for approval or for its time. Needs no role any more."""
    if refused := _not_own(policy, actor, request):
        return refused
    if request.state in (RequestState.DRAFT, RequestState.WAITING) or request.before_start:
        return allowed(policy)
    return denied(policy, DenialReason.TOO_LATE_TO_WITHDRAW)


def may_retry(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Draft a new request from the phones that failed; it needs approval like any other."""
    if not (decision := may_see(policy, actor, request)).allowed:
        return decision
    if not (decision := requester(policy, actor, request.traits)).allowed:
        return decision
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return decision
    return denied(policy, DenialReason.NOT_ENDED)


def _not_own(policy: Policy, actor: Actor, request: RequestFacts) -> Decision | None:
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id != request.requester_id:
        return denied(policy, DenialReason.NOT_YOURS)
    return None


def _not_waiting(policy: Policy, request: RequestFacts, now: datetime) -> Decision | None:
    if request.state is not RequestState.WAITING:
        return denied(policy, DenialReason.ALREADY_DECIDED)
    if request.expires_at is not None and now >= request.expires_at:
        return denied(policy, DenialReason.EXPIRED)
    return None


# -- deciding ------------------------------------------------------------------------------------


def may_decide(policy: Policy, actor: Actor, request: RequestFacts, *, now: datetime) -> Decision:
    """Decide about a waiting request or mend: those who may approve it and did not make it."""
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    if request.state is not RequestState.WAITING:
        return denied(policy, DenialReason.ALREADY_DECIDED)
    decision = _independent(policy, actor, request)
    if decision.answer is Ruling.NO:
        return decision
    if request.expires_at is not None and now >= request.expires_at:
        return denied(policy, DenialReason.EXPIRED)
    return decision


def _independent(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Whether they may approve what they did not make. A certain no beats "cannot tell"."""
    decision = approver(policy, actor, request.traits)
    if decision.answer is Ruling.NO:
        return decision
    if policy.four_eyes and request.made_by(actor.person):
        who = approvers_of(policy, request.traits)
        return denied(policy, DenialReason.OWN_REQUEST, who)
    return decision


def may_approve(
    policy: Policy,
    actor: Actor,
    request: RequestFacts,
    *,
    now: datetime,
    comment: str | None = None,
) -> Decision:
    """Approve a waiting request. With `missing`, it is a vote, and others are still wanted.

    `comment`: the approver's; None if it is not known yet. Change windows concern the last vote only.
    """
    if not (decision := may_decide(policy, actor, request, now=now)).allowed:
        return decision
    stages = policy.stages_for(request.traits)
    before = quorum.missing(stages, request.votes)
    if any(not actor.voices.isdisjoint(vote.voices) for vote in request.votes):
        return replace(_not_wanted(policy, DenialReason.ALREADY_VOTED, before), missing=before)
    possible = quorum.missing(stages, [*request.votes, actor])
    if quorum.total(possible) >= quorum.total(before):
        return replace(_not_wanted(policy, DenialReason.NOT_WANTED, before), missing=before)
    # Only what is certain counts: they may not be in the group whose vote is wanted.
    certain = replace(actor, unsure=False)
    after = quorum.missing(stages, [*request.votes, certain])
    if quorum.total(after) >= quorum.total(before):
        return denied(policy, DenialReason.DIRECTORY_DOWN)
    for rule in policy.rules_for(request.traits):
        if NeedsReason.APPROVE in rule.reasons and comment is not None and not comment.strip():
            return denied(policy, DenialReason.COMMENT_MISSING, rule=rule.name)
    if refused := _reason_lacking(policy, request):
        return refused
    if after:
        return replace(decision, missing=after)
    sure = [vote for vote in request.votes if not vote.unsure]
    if quorum.missing(stages, [*sure, certain]):
        return denied(policy, DenialReason.VOTERS_UNKNOWN)
    return may_start(policy, request, now=now)


def _not_wanted(policy: Policy, reason: DenialReason, wanted: Sequence[Wanted]) -> Decision:
    who = tuple(dict.fromkeys(name for each in wanted for name in each.names))
    return replace(denied(policy, reason), who_can=who)


def may_start(policy: Policy, request: RequestFacts, *, now: datetime) -> Decision:
    """Whether windows and freezes let an approved request start now, or when it is scheduled. Break-glass
    passes over windows."""
    in_force = replace(policy, rules=()) if request.used_by else policy
    match window_open(in_force, request.traits, request.run_at or now):
        case OpensAt(opens_at):
            closed = replace(denied(policy, DenialReason.WINDOW_CLOSED), opens_at=opens_at)
            return replace(closed, arguments={"scheduled": int(request.run_at is not None)})
        case Never():
            return denied(policy, DenialReason.WINDOW_NEVER)
        case _:
            return allowed(policy, ", ".join(r.name for r in policy.rules_for(request.traits)))


def still_stands(
    policy: Policy, asker: Actor, approvers: Sequence[Actor], request: RequestFacts
) -> Ruling:
    """Whether an approval that was given still holds, by the policy in force and what people may do now.

    `asker`: its requester; `approvers`: everybody who approved it. With break-glass that is its requester.
    """
    if request.used_by:
        return role(
            policy,
            asker,
            policy.break_glass,
            [(deny, deny.approvers) for deny in applying(policy, request.traits)],
            DenialReason.NO_BREAK_GLASS,
            GuestRole.APPROVE,
        ).answer
    stages = policy.stages_for(request.traits)
    answers = {requester(policy, asker, request.traits).answer}
    answers |= {_independent(policy, each, request).answer for each in approvers}
    if Ruling.NO in answers or quorum.missing(stages, approvers):
        return Ruling.NO
    certain = [replace(each, unsure=False) for each in approvers]
    if Ruling.CANNOT_TELL in answers or quorum.missing(stages, certain):
        return Ruling.CANNOT_TELL
    return Ruling.YES


def may_reject(
    policy: Policy,
    actor: Actor,
    request: RequestFacts,
    *,
    now: datetime,
    comment: str | None = None,
) -> Decision:
    """Reject a waiting request: anybody who may approve it, whichever stage it is at; one is enough."""
    if not (decision := may_decide(policy, actor, request, now=now)).allowed:
        return decision
    for rule in policy.rules_for(request.traits):
        if NeedsReason.REJECT in rule.reasons and comment is not None and not comment.strip():
            return denied(policy, DenialReason.COMMENT_MISSING, rule=rule.name)
    return decision


def may_reassign(policy: Policy, actor: Actor, request: RequestFacts, *, now: datetime) -> Decision:
    """Hand one's decision about a waiting request to somebody else, who must be able to approve it, too:
    ask `may_decide` for them."""
    return may_decide(policy, actor, request, now=now)


def may_break_glass(
    policy: Policy, actor: Actor, request: RequestFacts, *, now: datetime
) -> Decision:
    """Approve one's own waiting request at once and alone. With `missing`, that is what it passes over: the
    votes of every stage. It passes over windows, too, but not over freezes.

    Those named by object ID can while the directory is down, unless a rule denies something to a group.
    """
    if refused := _not_own(policy, actor, request):
        return refused
    denies = [(deny, deny.approvers) for deny in applying(policy, request.traits)]
    decision = role(
        policy,
        actor,
        policy.break_glass,
        denies,
        DenialReason.NO_BREAK_GLASS,
        GuestRole.APPROVE,
    )
    if decision.answer is Ruling.NO:
        return decision
    if refused := _not_waiting(policy, request, now):
        return refused
    starts = may_start(replace(policy, rules=()), request, now=now)
    if not decision.allowed or not starts.allowed:
        return decision if starts.allowed else starts
    stages = policy.stages_for(request.traits)
    return replace(decision, missing=quorum.missing(stages, request.votes))


def may_review(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Confirm having seen that break-glass was used: an approver of the request other than who used it."""
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    if not request.used_by:
        return denied(policy, DenialReason.NO_REVIEW)
    if actor.person.object_id == request.used_by:
        return denied(policy, DenialReason.OWN_REVIEW)
    decision = approver(policy, actor, request.traits)
    if decision.answer is not Ruling.NO and request.reviewed:
        return denied(policy, DenialReason.REVIEWED)
    return decision


def may_schedule(policy: Policy, actor: Actor, request: RequestFacts, *, now: datetime) -> Decision:
    """Choose when a request starts: its requester while it is a draft, later who may decide about it."""
    if request.state is RequestState.DRAFT:
        return may_request_approval(policy, actor, request)
    return may_decide(policy, actor, request, now=now)


# -- while it runs, and afterwards ---------------------------------------------------------------


def may_cancel(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Cancel the batches not sent yet: the requester, or any approver who sees it."""
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id != request.requester_id:
        decision = approver(policy, actor)
        if actor.not_lent is not None:
            return denied(policy, actor.not_lent)
        if decision.reason is DenialReason.NOT_APPROVER:
            return replace(decision, reason=DenialReason.NO_CANCEL)
        if decision.allowed:
            decision = in_sight(policy, actor, request)
        if not decision.allowed:
            return decision
    if request.state is not RequestState.RUNNING:
        return denied(policy, DenialReason.NOT_RUNNING)
    if request.cancelling:
        return denied(policy, DenialReason.ALREADY_CANCELLING)
    return allowed(policy)


def may_reconcile(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Settle a batch of unknown outcome. The answer can lead to password resets: who may approve it."""
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    decision = _independent(policy, actor, request)
    if decision.answer is Ruling.NO or request.state is RequestState.RUNNING:
        return decision
    return denied(policy, DenialReason.NOT_RUNNING)


def may_release(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Decide about a request that new failures of accounts hold, or that missed its time: whoever could
    have approved it."""
    return may_reconcile(policy, actor, request)


def may_delegate(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Delegate one's own access to a running request: whoever could have approved it."""
    return may_reconcile(policy, actor, request)


def may_undo(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Undo a mend that has ended: whoever could have approved it."""
    ended = request.state is RequestState.FINISHED
    state = RequestState.RUNNING if ended else RequestState.FINISHED
    return may_reconcile(policy, actor, replace(request, state=state))
