"""Clicks on the way to a sign-in: request approval, withdraw, approve, reject."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.commands import delegation, scheduling
from bot.commands.chat import TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    ShowCard,
    Turn,
    audit_denial,
    denied_click,
    facts_of,
    say,
)
from bot.commands.inputs import MAX_TEXT, Inputs, cleaned
from bot.identity.delegations import ApproverTokens, DelegationDenied, step_up_of
from bot.lifecycle import approvals, asking, overlaps, preflight
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.approvals import Ballot, Outcome
from bot.lifecycle.asking import (
    Asked,
    Asking,
    AskingDeniedError,
    NothingReadyError,
    RegionMissingError,
)
from bot.lifecycle.overlaps import OverlapUnexplainedError
from bot.lifecycle.preflight import UnknownAccountError
from bot.lifecycle.requests import DigestMismatchError
from bot.phones import region
from bot.signin import acknowledgment, stand_in
from bot.signin.acknowledgment import Acknowledgment
from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy import quorum
from bot.signin.policy.decision import Decision, DenialReason, Ruling
from bot.signin.policy.evaluator import (
    may_approve,
    may_ask,
    may_decide,
    may_reject,
    may_request_approval,
    may_withdraw,
)
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.request import MAX_TICKET, RequestState
from bot.signin.shown import MAX_CHARS, Aspect, changed, kept
from bot.signin.snapshot import MAX_NAMED
from bot.store import account_checks, policy_facts, requests, shown
from bot.store.requests import Request
from cards.types import Verb
from cards.votes import wanted_text

log = structlog.get_logger()

_MAX_UPN = 200  # characters
_DIRECTORY_SECONDS = 1.5  # of the two that a click may take


async def request_approval(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    facts = await facts_of(context, turn, request)
    if not (decision := may_request_approval(turn.policy, turn.actor, facts)).allowed:
        return await denied_click(context, turn, Verb.REQUEST_APPROVAL, request, decision)
    if request.state is RequestState.WAITING:
        return await _explain_overlap(context, turn, request, facts, inputs)
    if await _checking(context, request):
        return TextAnswer(context.words("ask-checking"))
    # The card requires the tick; a script that sends no box leaves the other rows out anyway.
    left_out = request.total_rows - request.ready_rows
    if left_out and inputs.unticked("acknowledge"):
        return TextAnswer(context.words("ask-leave-out", rows=left_out))
    default = 0 if inputs.given("batch_size") else request.batch_size
    batch_size = inputs.number("batch_size", default)
    if not 1 <= batch_size <= MAX_PHONES_PER_BATCH:
        return TextAnswer(context.words("ask-batch-size", limit=MAX_PHONES_PER_BATCH))
    return await _ask(context, turn, request, inputs, batch_size)


async def _ask(
    context: Context, turn: Turn, request: Request, inputs: Inputs, batch_size: int
) -> ClickAnswer:
    include_failed = inputs.ticked("include_failed")
    include_guarded = inputs.choices("include_guarded", MAX_NAMED)
    reason = inputs.text("reason", MAX_TEXT)
    told = Asked(
        ticket=inputs.text("ticket", MAX_TICKET),
        upn=await _upn(context, turn),
        account=turn.account_id,
    )
    if (include_failed or include_guarded) and not reason:
        return TextAnswer(context.words("ask-include-reason"))
    entered = scheduling.Entered(reason, told.ticket, batch_size)
    start = await scheduling.chosen(context, turn, request, inputs, entered)
    if isinstance(start, TextAnswer | ShowCard):
        return start
    try:
        async with context.database.write() as tx:
            asked = await asking.request_approval(
                tx,
                context.notifications,
                request,
                region=region.parse(inputs.text("region", 16)),
                reason=reason,
                batch_size=batch_size,
                include_failed=include_failed,
                include_guarded=include_guarded,
                told=told,
                ttl=timedelta(seconds=context.rules.approval_ttl),
                actor=turn.actor.person,
                now=context.clock(),
                digests=context.digests,
                asking=Asking(turn.policy, turn.actor),
                start=start,
            )
    except AskingDeniedError as error:
        return await denied_click(context, turn, Verb.REQUEST_APPROVAL, request, error.decision)
    except RegionMissingError:
        return TextAnswer(context.words("ask-region"))
    except NothingReadyError:
        return TextAnswer(context.words("ask-nothing-ready"))
    except UnknownAccountError as error:
        return TextAnswer(context.words("ask-not-guarded", account=str(error)))
    except OverlapUnexplainedError:
        return TextAnswer(context.words("ask-overlap"))
    if asked:
        await _warn_if_unsatisfiable(context, turn, request.id)
    context.changed()
    return SHOW_CARD


async def _checking(context: Context, request: Request) -> bool:
    """Whether the accounts of a draft are being checked; begins that if they never were."""
    if context.rules.check_accounts and request.accounts_unchecked and request.ready_rows:
        async with context.database.write() as tx:
            await preflight.begin(tx, request.id)
        context.changed()
        return True
    return request.checking_accounts


async def _warn_if_unsatisfiable(context: Context, turn: Turn, request_id: str) -> None:
    """Say at once that too few people can approve, as far as that can be told in time for a click."""
    policy = turn.policy
    if not policy.rules:
        return
    async with context.database.read() as tx:
        request = await requests.load(tx, request_id)
        facts = None if request is None else await policy_facts.of_request(tx, policy, request)
    if facts is None:
        return
    stages = policy.stages_for(facts.traits)
    try:
        async with asyncio.timeout(_DIRECTORY_SECONDS):
            people = [await context.roles.people(stage.of) for stage in stages]
    except TimeoutError:  # large groups, which have people enough, take several pages each
        return
    lacking = quorum.unmeetable(policy, facts, stages, people)
    if lacking:
        wanted = wanted_text(context.words, lacking)
        text = context.words("notification-unsatisfiable", request=request_id, wanted=wanted)
        await say(context, turn.conversation, text)


async def _upn(context: Context, turn: Turn) -> str:
    """The requester's UPN by the directory; "" if it does not answer in time for a click."""
    try:
        async with asyncio.timeout(_DIRECTORY_SECONDS):
            profile = await context.roles.profile(turn.actor.person.object_id)
    except TimeoutError:
        return ""
    return cleaned(profile.user_principal_name, _MAX_UPN) if profile else ""


async def _explain_overlap(
    context: Context, turn: Turn, request: Request, facts: RequestFacts, inputs: Inputs
) -> ClickAnswer:
    """The requester gives the reason that holds up the approval, in place of the one before."""
    reason = inputs.text("reason", MAX_TEXT)
    decision = may_ask(turn.policy, turn.actor, replace(facts, reason=reason))
    if reason and not decision.allowed:
        return await denied_click(context, turn, Verb.REQUEST_APPROVAL, request, decision)
    try:
        async with context.database.write() as tx:
            await overlaps.explain_overlap(
                tx,
                context.notifications,
                request,
                reason=reason,
                actor=turn.actor.person,
                now=context.clock(),
            )
    except OverlapUnexplainedError:
        return TextAnswer(context.words("ask-overlap"))
    context.changed()
    return SHOW_CARD


async def withdraw(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    decision = may_withdraw(turn.policy, turn.actor, request.facts)
    if not decision.allowed:
        return await denied_click(context, turn, Verb.WITHDRAW, request, decision)
    actor, now = turn.actor.person, context.clock()
    async with context.database.write() as tx:
        if request.state is RequestState.RUNNING:
            notify = context.notifications
            await lifecycle.withdraw_scheduled(tx, notify, request, actor=actor, now=now)
        else:
            await lifecycle.withdraw(tx, request, actor=actor, now=now)
    context.changed()
    return SHOW_CARD


async def undecidable(
    context: Context, turn: Turn, verb: Verb, request: Request, decision: Decision
) -> ClickAnswer:
    """What to answer to a decision that is denied."""
    if decision.reason is DenialReason.EXPIRED:
        # The click came before the deadlines loop: expire it now, so that the card says so.
        async with context.database.write() as tx:
            await lifecycle.expire(tx, context.notifications, request, context.clock())
        context.changed()
    return await denied_click(context, turn, verb, request, decision)


async def digest_changed(
    context: Context, turn: Turn, verb: Verb, request: Request, differs: str
) -> ClickAnswer:
    """What the card showed (`card`), or the rows (`rows`), have another digest than the request."""
    log.error("request.digest_mismatched", request=request.id, differs=differs)
    await audit_denial(context, turn, verb.value, "digest-mismatched", request)
    return TextAnswer(context.words("approve-changed"))


async def outdated(
    context: Context, turn: Turn, verb: Verb, request: Request, inputs: Inputs
) -> ClickAnswer | None:
    """What to answer if the clicked card did not show the request as it is now: an approval counts for what
    was shown."""
    if not inputs.given("digest"):
        return SHOW_CARD  # a card of an earlier version, which did not say what it showed
    if not equal(inputs.text("digest", HEX_CHARS), request.digest):
        return await digest_changed(context, turn, verb, request, "card")
    changes = await _changed_since(context, request, inputs, earlier=verb is Verb.APPROVE)
    if not changes:
        return None
    await audit_denial(context, turn, verb.value, "card-outdated", request)
    if Aspect.WINDOWS in changes:  # no transition has told the posted cards
        await _redraw(context, request)
    return ShowCard(changes)


async def _redraw(context: Context, request: Request) -> None:
    async with context.database.write() as tx:
        await lifecycle.redraw(tx, request)
    context.changed()


async def _changed_since(
    context: Context, request: Request, inputs: Inputs, *, earlier: bool
) -> Sequence[Aspect]:
    """What the clicked card did not show as it is now. `earlier`: it may be of an earlier version."""
    if earlier and not inputs.given("shown"):
        # What these did not show: the overlap, or the reason for it.
        overlapped = request.overlaps_version > inputs.number("version", 0)
        return [Aspect.OVERLAP] if overlapped else []
    async with context.database.read() as tx:
        now = await shown.load(tx, request, context.clock())
    return changed(inputs.text("shown", MAX_CHARS), now)


async def _missing(context: Context, request: Request, inputs: Inputs) -> TextAnswer | None:
    """What is still to be done before approving: tick the box, or type the number of passwords."""
    async with context.database.read() as tx:
        included = await account_checks.included(tx, request.id)
    asked = acknowledgment.wanted(
        phones=request.ready_rows,
        against_checks=included > 0,
        typed_above=context.rules.typed_above,
    )
    if asked is Acknowledgment.TICK:
        ticked = inputs.ticked("acknowledge")
        return None if ticked else TextAnswer(context.words("approve-acknowledge"))
    typed = acknowledgment.typed_number(inputs.data.get("acknowledge"))
    if typed == request.accounts:
        return None
    if inputs.ticked("acknowledge"):
        # The card was posted by a version, or under a setting, for which a tick would do: it has no field.
        await _redraw(context, request)
    number = "none" if typed is None else str(typed)
    return TextAnswer(context.words("approve-type-number", accounts=request.accounts, typed=number))


async def approve(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    comment = inputs.text("comment", MAX_TEXT)
    facts, voters = await _with_voters(context, turn, request)
    decision = may_approve(turn.policy, turn.actor, facts, now=context.clock(), comment=comment)
    if not decision.allowed:
        return await undecidable(context, turn, Verb.APPROVE, request, decision)
    if answer := await outdated(context, turn, Verb.APPROVE, request, inputs):
        return answer
    if missing := await _missing(context, request, inputs):
        return missing
    if request.guarded_accounts and not inputs.ticked("confirm_guarded"):
        return TextAnswer(context.words("approve-confirm-guarded"))
    ballot = Ballot(
        turn.actor,
        comment,
        turn.policy,
        voters,
        may_start=context.delegations is None,
        digests=context.digests,
        check_accounts=context.rules.check_accounts,
        shown=kept(inputs.text("shown", MAX_CHARS)),
    )
    several = sum(stage.need for stage in turn.policy.stages_for(facts.traits)) > 1
    return await _vote(
        context, turn, request, ballot, is_last=not decision.missing, several=several
    )


async def _with_voters(
    context: Context, turn: Turn, request: Request
) -> tuple[RequestFacts, Mapping[str, Actor]]:
    """What the policy looks at, with everybody who voted before looked up again."""
    facts = await facts_of(context, turn, request)
    voters = {
        vote.person.object_id: stand_in.as_voter(
            turn.policy,
            await context.roles.look_up(vote.person, request.tenant_id, turn.policy),
            facts,
            vote.person,
        )
        for vote in facts.votes
    }
    still = tuple(
        replace(voter, person=vote.person, ids=voter.ids | vote.ids) if voter.unsure else voter
        for vote in facts.votes
        if (voter := voters[vote.person.object_id])
        and may_decide(turn.policy, voter, facts, now=context.clock()).answer is not Ruling.NO
    )
    return replace(facts, votes=still), voters


async def _vote(
    context: Context, turn: Turn, request: Request, ballot: Ballot, *, is_last: bool, several: bool
) -> ClickAnswer:
    """Record the vote. The last one needs the approver's access, if requests run with that; of several
    approvers the last may be one who has none, and another one signs in afterwards. If there is a step-up,
    every vote needs it."""
    tokens: ApproverTokens | None = None
    delegations = context.delegations
    signs_in = is_last or (delegations is not None and bool(delegations.step_up))
    if signs_in and delegations is not None:
        outcome = await delegations.acquire(delegation.principal(turn), turn.proof)
        lacks_roles = isinstance(outcome, DelegationDenied) and outcome.reason == "roles"
        if isinstance(outcome, ApproverTokens):
            tokens = outcome if delegation.starts_soon(context, request) else None
        elif not (several and lacks_roles):
            await delegation.audit_denied(context, turn, Verb.APPROVE, request, outcome)
            return delegation.answer(context, outcome)
        ballot = replace(ballot, step_up=step_up_of(outcome))
    now = context.clock()
    until = delegation.vouched_until(delegations, now) if tokens else None
    if signs_in:
        ballot = replace(ballot, may_start=True, delegation_until=until)
    try:
        async with context.database.write() as tx:
            voted = await approvals.approve(tx, context.notifications, request, ballot, now)
    except DigestMismatchError:
        return await digest_changed(context, turn, Verb.APPROVE, request, "rows")
    if voted is Outcome.NEEDS_ACCESS:  # somebody else voted meanwhile, so that this is the last one
        return await _vote(context, turn, request, ballot, is_last=True, several=several)
    if isinstance(voted, Decision):
        return await undecidable(context, turn, Verb.APPROVE, request, voted)
    if voted is Outcome.APPROVED:
        if delegations is not None and tokens is not None:
            delegations.delegate(request.id, tokens)
        log.info("request.approved", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def reject(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    comment = inputs.text("comment", MAX_TEXT)
    facts = await facts_of(context, turn, request)
    decision = may_reject(turn.policy, turn.actor, facts, now=context.clock(), comment=comment)
    if not decision.allowed:
        return await undecidable(context, turn, Verb.REJECT, request, decision)
    async with context.database.write() as tx:
        await lifecycle.reject(
            tx,
            context.notifications,
            request,
            comment=comment,
            actor=turn.actor.person,
            now=context.clock(),
        )
    context.changed()
    return SHOW_CARD
