"""The short commands: help, template, urls, whoami; and the answer to any other text."""

from __future__ import annotations

from bot.commands.context import Context, Turn, say, show
from bot.phones import region, roster
from bot.phones.region import Region
from bot.signin.policy.roles import role_of
from cards import static


async def show_help(context: Context, turn: Turn, _argument: str) -> None:
    rendered = static.help(context.words)
    await show(context, turn.conversation, rendered.card, rendered.summary)


async def unknown(context: Context, turn: Turn, text: str) -> None:
    """Text that is no command gets help, and is told that it was not understood."""
    if text:
        await say(context, turn.conversation, context.words("unknown-order", text=text[:60]))
    await show_help(context, turn, "")


async def template(context: Context, turn: Turn, _argument: str) -> None:
    rendered = static.template(context.words, roster.template())
    await show(context, turn.conversation, rendered.card, rendered.summary)


async def urls(context: Context, turn: Turn, argument: str) -> None:
    """Provisioning URLs of one region, or of all."""
    chosen = region.parse(argument) if argument else None
    if argument and chosen is None:
        sentence = context.words("unknown-region", region=argument[:40])
        await say(context, turn.conversation, sentence)
        return
    rendered = static.urls(
        context.words,
        [chosen] if chosen else list(Region),
        turn.conversation.tenant_id,
    )
    await show(context, turn.conversation, rendered.card, rendered.summary)


async def whoami(context: Context, turn: Turn, _argument: str) -> None:
    profile = await context.roles.profile(turn.actor.person.object_id)
    rendered = static.whoami(context.words, turn.actor, role_of(turn.policy, turn.actor), profile)
    await show(context, turn.conversation, rendered.card, rendered.summary)
