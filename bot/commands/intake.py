"""Take a file, or a pasted table: check it and show what it holds. Nothing is sent from here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bot.commands.chat import FileTransferError, IncomingFile
from bot.commands.context import Context, Turn, denial, say, show
from bot.commands.inputs import cleaned
from bot.phones import roster
from bot.phones.roster import Roster, UnreadableFileError
from bot.signin.policy import Denied, may_submit_file
from bot.store import drafts, requests
from cards import static

log = structlog.get_logger()

_LONGEST_NAME = 200


async def take_file(context: Context, turn: Turn, file: IncomingFile) -> None:
    if isinstance(decision := may_submit_file(turn.actor), Denied):
        await say(context, turn.place, denial(context, decision))
        return
    name = cleaned(file.name, _LONGEST_NAME)
    try:
        content = await context.files.download(file)
    except FileTransferError as trouble:
        log.info("intake.no_file", why=trouble.code)
        await _unusable(
            context,
            turn,
            name,
            context.words(f"file-{trouble.code}", **trouble.arguments),
            context.words.part(f"file-{trouble.code}", "fix", **trouble.arguments),
        )
        return
    await _take(context, turn, name, lambda: roster.read(content, name))


async def take_text(context: Context, turn: Turn, text: str) -> None:
    if isinstance(decision := may_submit_file(turn.actor), Denied):
        await say(context, turn.place, denial(context, decision))
        return
    await _take(context, turn, context.words("pasted-table"), lambda: roster.read_text(text))


async def _take(context: Context, turn: Turn, name: str, read: Callable[[], Roster]) -> None:
    try:
        checked = await asyncio.to_thread(read)
    except UnreadableFileError as trouble:
        log.info("intake.unreadable", why=trouble.code)
        await _unusable(
            context,
            turn,
            name,
            context.words(f"unreadable-{trouble.code}", **trouble.arguments),
            context.words.part(f"unreadable-{trouble.code}", "fix", **trouble.arguments),
        )
        return
    now = context.clock()
    async with context.database.write() as tx:
        request_id = await drafts.draft(
            tx,
            checked,
            tenant_id=turn.place.tenant_id,
            requester=turn.actor.person,
            conversation_id=turn.place.conversation_id,
            file_name=name,
            four_eyes=context.rules.four_eyes,
            now=now,
        )
        request = await requests.load(tx, request_id)
        if request is not None:
            await context.notifications.drafted(tx, request, now)
    log.info("request.drafted", request=request_id, rows=len(checked.rows))
    context.changed()


async def _unusable(context: Context, turn: Turn, name: str, sentence: str, fix: str) -> None:
    rendered = static.unreadable(context.words, name, sentence, fix)
    await show(context, turn.place, rendered.card, rendered.summary)
