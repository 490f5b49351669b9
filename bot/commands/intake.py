"""Take a file or a pasted table: validate it and draft a request. Nothing is sent from here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog

from bot.commands.chat import FileTransferError, IncomingFile
from bot.commands.context import Context, Turn, audit_decision, denial, say, show
from bot.commands.inputs import cleaned
from bot.lifecycle import drafts as lifecycle
from bot.phones import roster
from bot.phones.errors import UnreadableFileError
from bot.phones.provisioned import zone_named
from bot.phones.roster import Roster
from bot.signin.policy.evaluator import may_submit_file
from bot.store.drafts import NewRequest
from cards import static

log = structlog.get_logger()

_MAX_NAME = 200  # characters


async def take_file(context: Context, turn: Turn, file: IncomingFile, timezone: str) -> None:
    if not await _may_submit(context, turn):
        return
    name = cleaned(file.name, _MAX_NAME)
    try:
        content = await context.files.download(file)
    except FileTransferError as error:
        log.info("intake.file_unavailable", reason=error.code)
        await _show_unusable(context, turn, name, f"file-{error.code}", error.arguments)
        return
    zone = zone_named(timezone)
    await _draft(context, turn, name, lambda: roster.read(content, name, zone), zone)


async def _may_submit(context: Context, turn: Turn) -> bool:
    """Says in the conversation why not."""
    decision = may_submit_file(turn.policy, turn.actor)
    if not decision.allowed:
        await audit_decision(context, turn, "file", decision)
        await say(context, turn.conversation, denial(context, decision))
        return False
    return True


async def take_text(context: Context, turn: Turn, text: str, timezone: str = "") -> None:
    if not await _may_submit(context, turn):
        return
    zone, name = zone_named(timezone), context.words("pasted-table")
    await _draft(context, turn, name, lambda: roster.read_text(text, zone), zone)


async def _draft(
    context: Context, turn: Turn, name: str, read: Callable[[], Roster], zone: ZoneInfo | None
) -> None:
    async with context.intake:
        await _draft_now(context, turn, name, read, zone)


async def _draft_now(
    context: Context, turn: Turn, name: str, read: Callable[[], Roster], zone: ZoneInfo | None
) -> None:
    try:
        validated = await asyncio.to_thread(read)
    except UnreadableFileError as error:
        log.info("intake.file_unreadable", reason=error.code)
        await _show_unusable(context, turn, name, f"unreadable-{error.code}", error.arguments)
        return
    new = NewRequest(
        turn.conversation.tenant_id,
        turn.actor.person,
        turn.conversation.conversation_id,
        name,
        turn.policy.four_eyes,
        zone.key if zone else "",
    )
    request_id = await lifecycle.draft(
        context.database,
        context.notifications,
        new,
        validated,
        context.clock,
        check_accounts=context.rules.check_accounts,
    )
    log.info("request.drafted", request=request_id, rows=len(validated.rows))
    context.changed()


async def _show_unusable(
    context: Context, turn: Turn, name: str, message: str, arguments: dict[str, str | int]
) -> None:
    """Show why a file cannot be used; `message` is the id of the sentence, with its `.fix`."""
    rendered = static.unreadable(
        context.words,
        name,
        context.words(message, **arguments),
        context.words.part(message, "fix", **arguments),
    )
    await show(context, turn.conversation, rendered.card, rendered.summary)
