"""Exports of a request: its results or issues as CSV, and what helps to mend its accounts.

Files are sent in 1:1 chats only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from bot.commands.chat import FileConsent, FileTransferError, Json, TextAnswer
from bot.commands.context import (
    ClickAnswer,
    Context,
    Turn,
    about_request,
    denied_click,
    facts_for_sight,
    say,
    unknown_request,
    visible,
)
from bot.commands.inputs import Inputs
from bot.lifecycle import exports
from bot.phones.formula import escape_formula
from bot.phones.issue import Column, Issue, Severity
from bot.phones.provisioning import url_for
from bot.preflight import clocks, findings, numbers, script
from bot.settings.values import Exports
from bot.signin.overlap import may_name
from bot.signin.policy.sight import may_export
from bot.signin.request import Person, RequestState
from bot.signin.sighting import Sighting, SightingState
from bot.signin.snapshot import PhoneSnapshot
from bot.store import account_checks, drafts, export_rows, file_consents, overlaps, posts, windows
from bot.store.file_consents import Offer
from bot.store.overlaps import OverlappingRow
from bot.store.posts import NewPost
from bot.store.requests import Request
from bot.words import Words
from cards import static
from cards.types import Verb

log = structlog.get_logger()

RESULTS = "results"
PHONES = "phones"  #: the list that an approver decides about
ISSUES = "issues"
SCRIPT = "script"  #: cmdlets that mend what the account checks found
NUMBERS = "numbers"  #: accounts without a phone number
_EXPORTS = (RESULTS, PHONES, ISSUES, SCRIPT, NUMBERS)
HEADER = (
    "Username",
    "HardwareId",
    "Region",
    "Status",
    "Error",
    "Cause",
    "Fix",
    "BatchId",
    "ProvisioningUrl",
    "Provisioned",
    "Deadline",
    "AccountCheck",
    "SeenSignedIn",
)
ISSUES_HEADER = ("Row", "Column", "Value", "Severity", "Issue", "Fix")
_CONSENT = "application/vnd.microsoft.teams.card.file.consent"
_INFO = "application/vnd.microsoft.teams.card.file.info"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom an export is for."""

    person: Person
    sees_all: bool  #: may know the ids of all requests of the tenant


def _reader(turn: Turn) -> Reader:
    return Reader(turn.actor.person, sees_all=turn.sees_all)


async def results_csv(context: Context, request: Request) -> bytes:
    """Every row of the file in its order, including those that were not ready. UTF-8 with BOM.

    The first two columns can be sent in chat again.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    async with context.database.read() as tx:
        async for phone, ready, issues in export_rows.all_phones(tx, request.id):
            cells = (
                _result(context.words, phone, request.tenant_id)
                if ready
                else _not_ready(context.words, phone, issues)
            )
            added = (*_clock(phone), phone.account_check, _seen(phone.sighting))
            writer.writerow(map(escape_formula, (*cells, *added)))
    return out.getvalue().encode("utf-8-sig")


def _clock(phone: PhoneSnapshot) -> tuple[str, str]:
    """When the phone was provisioned, and its deadline; in UTC, so that both read the same anywhere."""
    if phone.provisioned_at is None:
        return "", ""
    return _utc(phone.provisioned_at), _utc(phone.provisioned_at + clocks.DEADLINE)


def _utc(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _not_ready(words: Words, phone: PhoneSnapshot, issues: Sequence[Issue]) -> tuple[str, ...]:
    errors = [issue for issue in issues if issue.severity is Severity.ERROR]
    sentences = [words(f"issue-{each.code}", **each.arguments) for each in errors]
    fixes = [words.part(f"issue-{each.code}", "fix", **each.arguments) for each in errors]
    return (
        phone.username,
        phone.hardware_id,
        phone.region or "",
        "not_ready",
        " ".join(sentences),
        "",
        " ".join(fixes),
        "",
        "",
    )


def _result(words: Words, phone: PhoneSnapshot, tenant_id: str) -> tuple[str, ...]:
    cause = fix = url = ""
    if phone.cause is not None:
        cause = words(f"cause-{phone.cause.code}")
        fix = words.part(f"cause-{phone.cause.code}", "fix")
    if phone.region is not None:
        url = url_for(phone.hardware_id, phone.region, tenant_id).url
    return (
        phone.username,
        phone.hardware_id,
        phone.region or "",
        phone.status.value,
        phone.message,
        cause,
        fix,
        phone.remote_batch_id,
        url,
    )


def _seen(sighting: Sighting | None) -> str:
    """When the phone's account signed in, by Entra ID's log, in UTC; else what the log shows.

    Empty for a phone that is not looked for.
    """
    if sighting is None:
        return ""
    at = f"{sighting.at:%Y-%m-%dT%H:%M:%SZ}" if sighting.at else ""
    if sighting.state is SightingState.SEEN:
        return at
    return f"AADSTS{sighting.error} {at}" if sighting.error else sighting.state.value


async def issues_csv(context: Context, request: Request, reader: Reader) -> bytes:
    """Every issue of the file in row order, then every row that another request has, too, then every phone
    that is too early or late, if it is not sent yet. UTF-8 with BOM."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(ISSUES_HEADER)
    async with context.database.read() as tx:
        async for issue in export_rows.all_issues(tx, request.id):
            cells = (
                str(issue.row),
                issue.column.value,
                issue.value,
                issue.severity.value,
                context.words(f"issue-{issue.code}", **issue.arguments),
                context.words.part(f"issue-{issue.code}", "fix", **issue.arguments),
            )
            writer.writerow(map(escape_formula, cells))
        async for overlapping in overlaps.all_rows(tx, request.id):
            writer.writerow(map(escape_formula, _overlapping(context.words, overlapping, reader)))
        if request.state in (RequestState.DRAFT, RequestState.WAITING):
            now = context.clock()
            async for row, provisioned_at in windows.outside(tx, request.id, now):
                cells = _outside_window(context.words, row, provisioned_at, now)
                writer.writerow(map(escape_formula, cells))
    return out.getvalue().encode("utf-8-sig")


def _outside_window(
    words: Words, row: int, provisioned_at: datetime, now: datetime
) -> tuple[str, ...]:
    window = clocks.window(provisioned_at, now).value
    deadline = f"{provisioned_at + clocks.DEADLINE:%Y-%m-%d %H:%M} UTC"
    return (
        str(row),
        Column.PROVISIONED.value,
        _utc(provisioned_at),
        Severity.WARNING.value,
        words(f"window-row-{window}"),
        words.part(f"window-row-{window}", "fix", deadline=deadline),
    )


def _overlapping(words: Words, overlapping: OverlappingRow, reader: Reader) -> tuple[str, ...]:
    other = overlapping.other
    named = may_name(other, reader.person.object_id, sees_all=reader.sees_all)
    of_account = overlapping.column is Column.USERNAME
    message = "overlap-row-account" if of_account else "overlap-row-phone"
    arguments: Mapping[str, str | int] = {
        "known": int(named),
        "request": other.request_id if named else "",
        "state": other.state.value,
        "when": f"{other.since:%Y-%m-%d %H:%M} UTC",
    }
    return (
        str(overlapping.row),
        overlapping.column.value,
        overlapping.value,
        Severity.WARNING.value,
        words(message, **arguments),
        words.part(message, "fix"),
    )


async def _mending(context: Context, request: Request, what: str) -> bytes:
    """The script, or the CSV for numbers. Returns b"" if there is nothing that it could mend."""
    async with context.database.read() as tx:
        reports = await account_checks.reports(tx, request.id)
        notices = await drafts.notices(tx, request.id)
    if what == NUMBERS:
        return numbers.numbers_csv(reports.values())
    tenant = findings.tenant_problems(notices)
    subject = script.Subject(request.id, request.tenant_id, list(reports.values()), tenant)
    return script.powershell(subject, context.words)


def _file_type(what: str) -> str:
    return "ps1" if what == SCRIPT else "csv"


def content_type(what: str) -> str:
    return "text/plain" if what == SCRIPT else "text/csv"


def file_name(request_id: str, what: str) -> str:
    return f"offhook-{request_id}-{what}.{_file_type(what)}"


async def content(context: Context, request: Request, what: str, reader: Reader) -> bytes:
    """Returns b"" if there is nothing to put into the file."""
    if what in (SCRIPT, NUMBERS):
        return await _mending(context, request, what)
    if what == ISSUES:
        return await issues_csv(context, request, reader)
    return await results_csv(context, request)


async def export(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Offer the file. Nothing waits for the answer, so none is missed."""
    facts = await facts_for_sight(context, turn, request)
    if not (decision := may_export(turn.policy, turn.actor, facts)).allowed:
        return await denied_click(context, turn, Verb.EXPORT, request, decision)
    what = inputs.text("what", 16)
    if what not in _EXPORTS:
        what = RESULTS
    if not turn.personal:
        return TextAnswer(context.words("export-elsewhere", request=request.id))
    name = file_name(request.id, what)
    if not context.rules.chat_files and context.rules.exports is Exports.CONSENT:
        return TextAnswer(context.words(f"export-no-files-{what}"))
    data = await content(context, request, what, _reader(turn))
    if not data:
        return TextAnswer(context.words("export-nothing"))
    if context.rules.exports is Exports.LINK:
        link = context.link(request.id, what, turn.actor.person)
        rendered = static.file_link(context.words, name, link)
        shown = {"card": rendered.card, "summary": rendered.summary}
        where, now = turn.conversation, context.clock()
        async with context.database.write() as tx:
            await posts.add(tx, NewPost(where.tenant_id, where.conversation_id, content=shown), now)
            await exports.record_offer(tx, request.id, what, actor=turn.actor.person, now=now)
        context.changed()
        return TextAnswer(context.words("export-below"))
    await _offer(context, turn, request, what, name, len(data))
    return TextAnswer(context.words("export-below"))


async def _offer(
    context: Context, turn: Turn, request: Request, what: str, name: str, size: int
) -> None:
    """A file consent card. It carries only the offer's ID; what was offered to whom is stored."""
    where, now = turn.conversation, context.clock()
    offer = Offer(
        where.tenant_id, where.conversation_id, turn.actor.person.object_id, request.id, export=what
    )
    async with context.database.write() as tx:
        carried = {"consent": await file_consents.add(tx, offer, now)}
        consent: Mapping[str, Any] = {
            "content_type": _CONSENT,
            "name": name,
            "content": {
                "description": context.words(f"export-{what}", request=request.id),
                "sizeInBytes": size,
                "acceptContext": carried,
                "declineContext": carried,
            },
        }
        card = NewPost(where.tenant_id, where.conversation_id, content={"attachment": consent})
        await posts.add(tx, card, now)
        await exports.record_offer(tx, request.id, what, actor=turn.actor.person, now=now)
    context.changed()


async def consented(context: Context, turn: Turn, consent: FileConsent) -> None:
    """A person answered a file consent card. What they may see is decided again now.

    An answer counts once, from the person who was asked, in the 1:1 chat where they were asked. Any
    other has no effect and is told nothing outside 1:1 chats.
    """
    where = turn.conversation
    offer = None
    if turn.personal:
        async with context.database.write() as tx:
            offer = await file_consents.take(
                tx,
                Inputs(consent.context).text("consent", file_consents.MAX_ID),
                tenant_id=where.tenant_id,
                conversation_id=where.conversation_id,
                person_id=turn.actor.person.object_id,
                now=context.clock(),
            )
    if offer is None:
        log.warning("export.consent_refused", conversation=where.kind.value)
        if turn.personal:
            await say(context, where, context.words("export-consent-unknown"))
        return
    if consent.upload is None:
        await say(context, where, context.words("export-declined"))
        return
    request = await visible(context, turn, offer.request_id, change="export")
    if request is None:
        await say(context, where, unknown_request(context, turn, offer.request_id))
        return
    turn = await about_request(context, turn, request)
    await _save(context, turn, request, offer.export, consent.upload)


async def _save(
    context: Context, turn: Turn, request: Request, what: str, upload_info: Json
) -> None:
    upload = Inputs(upload_info)
    link = upload.text("contentUrl", 2000)
    data = await content(context, request, what, _reader(turn))
    if not data:
        await say(context, turn.conversation, context.words("export-nothing"))
        return
    try:
        if not context.files.allows(link):
            raise FileTransferError("not-allowed")
        await context.files.upload(upload_info, data)
    except FileTransferError as error:
        log.warning("export.save_failed", request=request.id, reason=error.code)
        text = _not_saved(context.words, request, what, error)
        await say(context, turn.conversation, text)
        return
    info: Mapping[str, Any] = {
        "content_type": _INFO,
        "name": file_name(request.id, what),  # not as the client calls it
        "content_url": link,
        "content": {"uniqueId": upload.text("uniqueId", 200), "fileType": _file_type(what)},
    }
    where, now = turn.conversation, context.clock()
    card = NewPost(where.tenant_id, where.conversation_id, content={"attachment": info})
    async with context.database.write() as tx:
        await posts.add(tx, card, now)
        await exports.record_delivery(tx, request.id, what, actor=turn.actor.person, now=now)
    context.changed()


def _not_saved(words: Words, request: Request, what: str, error: FileTransferError) -> str:
    if error.code == "full":
        name = file_name(request.id, what)
        return f"{words('file-full', name=name)} {words.part('file-full', 'fix')}"
    return words("export-not-saved", request=request.id)
