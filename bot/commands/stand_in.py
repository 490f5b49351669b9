"""The command `delegate`: hand over one's role as an approver for a time, and end that.

`delegate @Name until Friday`, `delegate stop`, or `delegate` alone, which shows a card with a form.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.commands.chat import Answer, CardAnswer, Mention, RosterError, TextAnswer
from bot.commands.context import (
    Context,
    Turn,
    audit_decision,
    audit_denial,
    denial,
    say,
    show,
)
from bot.commands.inputs import Inputs
from bot.directory import DirectoryUnavailableError
from bot.lifecycle import stand_ins as lifecycle
from bot.signin import period
from bot.signin.period import PeriodError
from bot.signin.policy.evaluator import may_hand_over
from bot.signin.request import Person
from bot.signin.stand_in import LONGEST, Unsuitable, unsuitable
from bot.store import stand_ins
from bot.store.stand_ins import StandIn
from cards import stand_in as cards
from cards.stand_in import Dates, Line
from cards.types import RenderedCard, Verb

log = structlog.get_logger()

_WHAT = "delegate"  # in the audit


async def command(context: Context, turn: Turn, argument: str) -> None:
    word = argument.lower()
    if not word:
        rendered = await _card(context, turn)
        await show(context, turn.conversation, rendered.card, rendered.summary)
        return
    if word == "stop":
        sentence = await _stop(context, turn)
    else:
        sentence = await _typed(context, turn, argument)
    await say(context, turn.conversation, sentence)


async def click(
    context: Context, turn: Turn, verb: Verb, inputs: Inputs, *, repeated: bool
) -> Answer:
    """A click on the card. `repeated`: it was received before, and has no effect."""
    before = await _card(context, turn)
    if repeated:
        return CardAnswer(before.card)
    sentence = (
        await _stop(context, turn)
        if verb is Verb.STAND_IN_STOP
        else await _chosen(context, turn, inputs)
    )
    after = await _card(context, turn)
    return TextAnswer(sentence) if after == before else CardAnswer(after.card)


async def _card(context: Context, turn: Turn) -> RenderedCard:
    """What is so now, for whoever asks."""
    now, zone = context.clock(), context.rules.zone
    async with context.database.read() as tx:
        found = await stand_ins.concerning(
            tx, turn.actor.tenant_id, turn.actor.person.object_id, now
        )
    someone = context.words("someone")
    lines = [
        Line(
            each.approver.name or someone,
            each.person.name or someone,
            period.told(each.until, zone),
            own=each.approver.object_id == turn.actor.person.object_id,
        )
        for each in found
    ]
    today, last = (at.astimezone(zone).date() for at in (now, now + LONGEST))
    may = may_hand_over(turn.policy, turn.actor).allowed
    return cards.build(context.words, lines, Dates(today, last) if may else None)


async def _denied(context: Context, turn: Turn) -> str | None:
    """Why they cannot hand over their role; None if they can."""
    decision = may_hand_over(turn.policy, turn.actor)
    if decision.allowed:
        return None
    await audit_decision(context, turn, _WHAT, decision)
    return denial(context, decision)


async def _typed(context: Context, turn: Turn, argument: str) -> str:
    """`@Name until …`. Who is meant is what the activity mentions, whatever name the text has."""
    if sentence := await _denied(context, turn):
        return sentence
    if len(turn.mentions) != 1:
        return context.words("stand-in-who")
    mention = turn.mentions[0]
    when = argument.replace(mention.name, " ", 1).strip()
    try:
        until = period.end(when, context.clock(), context.rules.zone)
    except PeriodError:
        return context.words("stand-in-when", text=when[:60])
    try:
        object_id = await _object_id(context, turn, mention)
    except RosterError as error:
        log.warning("stand_in.roster_unavailable", reason=str(error))
        return context.words("stand-in-no-roster")
    return await _hand_over(context, turn, object_id, until)


async def _chosen(context: Context, turn: Turn, inputs: Inputs) -> str:
    """What was chosen on the card: hostile until the directory has confirmed it."""
    if sentence := await _denied(context, turn):
        return sentence
    chosen, day = inputs.text("to", 80).lower(), inputs.text("until", 40)
    if not chosen:
        return context.words("stand-in-who-card")
    try:
        until = period.end(f"until {day}", context.clock(), context.rules.zone)
    except PeriodError:
        return context.words("stand-in-when-card")
    return await _hand_over(context, turn, chosen, until)


async def _object_id(context: Context, turn: Turn, mention: Mention) -> str:
    """Of whom the message mentions; "" if they are nobody in this conversation. Raises `RosterError`."""
    if mention.object_id or context.members is None:
        return mention.object_id
    return await context.members.object_id(turn.conversation, mention.account_id)


async def _hand_over(context: Context, turn: Turn, object_id: str, until: datetime) -> str:
    """Returns what to say. Only a member of the directory can stand in, by the name it has there."""
    try:
        profile = await context.roles.find(object_id)
    except DirectoryUnavailableError:
        return context.words("stand-in-no-directory")
    now = context.clock()
    reason = unsuitable(turn.actor, profile, until, now)
    if reason is not None or profile is None:
        reason = reason or Unsuitable.NOT_A_MEMBER
        await audit_denial(context, turn, _WHAT, f"stand-in-{reason.value}")
        name = profile.display_name if profile else ""
        return context.words(f"stand-in-{reason.value}", person=name)
    stand_in = StandIn(
        turn.actor.tenant_id,
        turn.actor.person,
        Person(profile.object_id.lower(), profile.display_name),
        until,
    )
    async with context.database.write() as tx:
        await lifecycle.hand_over(
            tx, context.notifications, stand_in, actor=turn.actor.person, now=now
        )
    context.changed()
    told = period.told(until, context.rules.zone)
    return context.words("stand-in-done", person=profile.display_name, until=told)


async def _stop(context: Context, turn: Turn) -> str:
    now, own = context.clock(), turn.actor.person
    async with context.database.write() as tx:
        found = await stand_ins.load(tx, turn.actor.tenant_id, own.object_id)
        if found is None or not await lifecycle.end(
            tx, context.notifications, found, actor=own, now=now
        ):
            return context.words("stand-in-nothing-to-stop")
    context.changed()
    return context.words("stand-in-stopped", person=found.person.name or context.words("someone"))
