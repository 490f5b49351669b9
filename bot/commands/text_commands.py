"""The short commands: help, template, urls, cancel, retry, whoami."""

from __future__ import annotations

from bot.commands import running
from bot.commands.context import Context, Turn, denial, say, show, visible
from bot.commands.inputs import Inputs
from bot.phones import region, roster
from bot.phones.region import Region
from bot.signin.policy import Denied, may_cancel
from bot.store.requests import Request
from cards import static


async def show_help(context: Context, turn: Turn, argument: str) -> None:
    rendered = static.help(context.words)
    await show(context, turn.place, rendered.card, rendered.summary)


async def unknown(context: Context, turn: Turn, text: str) -> None:
    """Anything else gets help, and is told that it was not understood."""
    if text:
        await say(context, turn.place, context.words("unknown-order", text=text[:60]))
    await show_help(context, turn, "")


async def template(context: Context, turn: Turn, argument: str) -> None:
    rendered = static.template(context.words, roster.template())
    await show(context, turn.place, rendered.card, rendered.summary)


async def urls(context: Context, turn: Turn, argument: str) -> None:
    chosen = region.parse(argument) if argument else None
    if argument and chosen is None:
        await say(context, turn.place, context.words("unknown-region", region=argument[:40]))
        return
    rendered = static.urls(
        context.words,
        [chosen] if chosen else list(Region),
        context.rules.home_tenant or turn.place.tenant_id,
    )
    await show(context, turn.place, rendered.card, rendered.summary)


async def whoami(context: Context, turn: Turn, argument: str) -> None:
    profile = await context.roles.profile(turn.actor.person.object_id)
    rendered = static.whoami(context.words, turn.actor, profile)
    await show(context, turn.place, rendered.card, rendered.summary)


async def _named_or_told(context: Context, turn: Turn, argument: str) -> Request | None:
    if not argument:
        await say(context, turn.place, context.words("which-request"))
        return None
    request = await visible(context, turn, argument)
    if request is None:
        await say(context, turn.place, context.words("no-such-request", request=argument[:40]))
    return request


async def cancel(context: Context, turn: Turn, argument: str) -> None:
    request = await _named_or_told(context, turn, argument)
    if request is None:
        return
    decision = may_cancel(turn.actor, request.facts)
    if isinstance(decision, Denied):
        await say(context, turn.place, denial(context, decision))
        return
    await running.cancel(context, turn, request, Inputs({}))
    await say(context, turn.place, context.words("cancel-asked", request=request.id))


async def retry(context: Context, turn: Turn, argument: str) -> None:
    request = await _named_or_told(context, turn, argument)
    if request is None:
        return
    said = await running.retry_failed(context, turn, request, Inputs({}))
    if said is not None:
        await say(context, turn.place, said)
