"""When a request is to start: what its requester typed, and an approver's answer if it missed its time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from bot.commands import delegation
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
)
from bot.commands.inputs import Inputs
from bot.lifecycle import starts as lifecycle
from bot.signin import schedule
from bot.signin.policy import quorum
from bot.signin.policy.decision import Ruling, Wanted
from bot.signin.policy.evaluator import may_release
from bot.signin.policy.facts import RequestFacts
from bot.signin.request import Hold
from bot.signin.schedule import Opening, Repeated, Start, Unusable
from bot.store import evidence, policy_facts, windows
from bot.store.requests import Request
from cards.types import Verb
from cards.votes import wanted_text

log = structlog.get_logger()

_LONGEST = 64  # characters of an input


@dataclass(frozen=True, slots=True)
class Entered:
    """What else the form holds, kept for a card that has to ask about the start."""

    reason: str
    ticket: str
    batch_size: int


async def chosen(
    context: Context, turn: Turn, request: Request, inputs: Inputs, entered: Entered
) -> Start | TextAnswer | ShowCard | None:
    """The start that the form of a draft asks for; None to start once it is approved.

    An answer instead if there is no such start, or the card has to ask about it first: which of two, whether
    to miss the deadlines of phones, or to go on after the next opening of a window.
    """
    if not (inputs.given("run_at") or inputs.given("run_at_time")):
        return None
    typed = schedule.joined(inputs.text("run_at", _LONGEST), inputs.text("run_at_time", _LONGEST))
    if not typed:
        return TextAnswer(context.words("start-unreadable"))
    zone = await _zone(turn, request, inputs)
    if not isinstance(zone, ZoneInfo):
        sentence = "start-zone-unknown" if zone else "start-zone-missing"
        return TextAnswer(context.words(sentence, zone=zone))
    which = inputs.text("run_at_which", _LONGEST)
    start = schedule.resolve(typed, zone, context.clock(), which)
    if isinstance(start, Unusable):
        return TextAnswer(context.words(f"start-{start.flaw.value}", **start.arguments))
    if isinstance(start, Repeated):
        return await _ask(context, request, None, zone.key, typed, entered)
    opening = await _opening(context, request, start.at)
    if not opening.open:
        return TextAnswer(_closed(context, opening, zone.key, now=False))
    if request.run_at != start.at and (
        await _misses_deadlines(context, request, start)
        or await _cut_short(context, turn, request, start, entered.batch_size)
    ):
        return await _ask(context, request, start, zone.key, typed, entered)
    return start


async def _zone(turn: Turn, request: Request, inputs: Inputs) -> ZoneInfo | str:
    """The zone that was typed, else the clicker's, else that of the file's message. Returns what was
    typed if it names none, "" if nothing does."""
    typed = inputs.text("run_at_zone", _LONGEST)
    for name in (typed,) if typed else (turn.timezone, request.run_zone):
        # Names that are not exact are looked for in files.
        zone = await asyncio.to_thread(schedule.zone_of, name) if name else None
        if zone is not None:
            return zone
    return typed


async def _misses_deadlines(context: Context, request: Request, start: Start) -> bool:
    """Whether phones will be too early or too late then, counted from their provisioning."""
    async with context.database.read() as tx:
        counted = await windows.count(tx, request.id, start.at)
    return counted is not None and bool(
        counted.too_early or counted.nearly_too_late or counted.too_late
    )


async def _cut_short(
    context: Context, turn: Turn, request: Request, start: Start, batch_size: int
) -> bool:
    """Whether its window will close before it is over."""
    if not turn.policy.timed:
        return False
    entered = replace(request, batch_size=batch_size)
    async with context.database.read() as tx:
        seconds = await evidence.expected_length(tx, entered)
        return bool(await policy_facts.cut_short(tx, turn.policy, entered, start.at, seconds))


async def _ask(
    context: Context,
    request: Request,
    start: Start | None,
    zone: str,
    typed: str,
    entered: Entered,
) -> ShowCard:
    async with context.database.write() as tx:
        await lifecycle.propose(
            tx,
            request,
            run_at=start.at if start else None,
            zone=zone,
            typed=typed,
            reason=entered.reason,
            ticket=entered.ticket,
            batch_size=entered.batch_size,
        )
    context.changed()
    return SHOW_CARD


async def _opening(context: Context, request: Request, at: datetime) -> Opening:
    async with context.database.read() as tx:
        return await context.window(tx, request, at)


async def outside_window(
    context: Context, turn: Turn, verb: Verb, request: Request, at: datetime
) -> TextAnswer | None:
    """The answer to a click that would have the request start now, while it may not."""
    opening = await _opening(context, request, at)
    if opening.open:
        return None
    await audit_denial(context, turn, verb.value, "window-closed", request)
    return TextAnswer(_closed(context, opening, request.run_zone, now=True))


def _closed(context: Context, opening: Opening, zone: str, *, now: bool) -> str:
    """Why a request may not start at a time, and when it may, in `zone`."""
    opens = schedule.start_text(opening.opens_at, zone or "UTC")
    return context.words(
        "start-closed", now=int(now), why=opening.why, opens=opens, known=int(bool(opens))
    )


async def start_now(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    """An approver starts a request that missed its time."""
    facts = await facts_of(context, turn, request)
    decision = may_release(turn.policy, turn.actor, facts)
    if not decision.allowed:
        return await denied_click(context, turn, Verb.START_NOW, request, decision)
    if request.hold is not Hold.MISSED:
        return SHOW_CARD
    if answer := await lacks_votes(context, turn, Verb.START_NOW, request, facts):
        return answer
    now = context.clock()
    if answer := await outside_window(context, turn, Verb.START_NOW, request, now):
        return answer
    if answer := await delegation.renew(context, turn, Verb.START_NOW, request):
        return answer
    async with context.database.write() as tx:
        started = await lifecycle.start_now(
            tx,
            context.notifications,
            request,
            actor=turn.actor.person,
            now=now,
            check_accounts=context.rules.check_accounts,
            digests=context.digests,
        )
    if started:
        log.info("request.released", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def lacks_votes(
    context: Context, turn: Turn, verb: Verb, request: Request, facts: RequestFacts
) -> TextAnswer | None:
    """The answer to a click that would let an approved request go on, if the policy in force wants more
    approvals than those that still count, and the one by this click."""
    if lacking := await _votes_missing(context, turn, request, facts):
        await audit_denial(context, turn, verb.value, "votes-missing", request)
        wanted = wanted_text(context.words, lacking)
        return TextAnswer(context.words("start-votes-missing", wanted=wanted))
    return None


async def _votes_missing(
    context: Context, turn: Turn, request: Request, facts: RequestFacts
) -> Sequence[Wanted]:
    policy, actor = turn.policy, turn.actor
    if facts.used_by and await context.roles.still_allowed(request, facts, policy):
        return ()  # break-glass passes all stages
    approvers = await context.roles.approvers(request, facts, policy)
    others = [
        replace(each, unsure=False)
        for each in approvers
        if each.person.object_id != actor.person.object_id
        and may_release(policy, each, facts).answer is not Ruling.NO
    ]
    return quorum.missing(policy.stages_for(facts.traits), [*others, actor])
