"""What is usual about a waiting request: who asks, why, for what, how long it takes, until when."""

from __future__ import annotations

from cards import accounts, schedule, windows
from cards.context import CardContext
from cards.elements import timestamp
from cards.validation import region_facts

_DIGEST_CHARS = 12  # hex digits: enough to compare by eye


def pairs(context: CardContext) -> list[tuple[str, str]]:
    """Labels and values, in the order in which approvers ask."""
    snapshot = context.snapshot
    roster = snapshot.roster
    reason = context.free_text(snapshot.reason) if snapshot.reason else context.words("no-reason")
    found = [*_requester(context), (context.words("fact-reason"), reason)]
    if snapshot.ticket:
        found.append((context.words("fact-ticket"), context.markdown_value(snapshot.ticket)))
    found += [
        (context.words("fact-file"), context.markdown_value(roster.file_name)),
        *region_facts(context),
        (context.words("label-batch-size"), str(snapshot.batch_size)),
        *_expected(context),
    ]
    if roster.not_ready:
        left_out = context.message("rows-with-errors", rows=roster.not_ready)
        found.append((context.words("fact-left-out"), left_out))
    if roster.warnings:
        warned = context.message("rows", rows=roster.warnings)
        found.append((context.words("fact-warnings"), warned))
    found += windows.facts_of_windows(context)
    for label, when in (
        ("fact-requested-at", snapshot.asked_at),
        ("fact-expires-at", snapshot.expires_at),
    ):
        if when:
            found.append((context.words(label), timestamp(when)))
    found += accounts.facts_of_checks(context)
    checks = roster.account_checks
    if checks is not None and checks.checked_at is not None:
        found.append((context.words("fact-checked-at"), timestamp(checks.checked_at)))
    return [*found, *digest(context)]


def _requester(context: CardContext) -> list[tuple[str, str]]:
    """Names are chosen by their bearers; the UPN is the directory's, the object ID is Teams'."""
    snapshot = context.snapshot
    name = context.person_name(snapshot.requester)
    found = [(context.words("fact-requester"), context.markdown_value(name))]
    if snapshot.requester_upn:
        upn = context.markdown_value(snapshot.requester_upn)
        found.append((context.words("fact-requester-upn"), upn))
    if snapshot.requester.object_id:
        object_id = context.markdown_value(snapshot.requester.object_id)
        found.append((context.words("fact-requester-id"), object_id))
    return found


def _expected(context: CardContext) -> list[tuple[str, str]]:
    evidence = context.snapshot.evidence
    if not evidence.gathered:
        return []
    length = schedule.expected_text(context, evidence.expected_seconds)
    return [(context.words("fact-expected"), length)]


def digest(context: CardContext) -> list[tuple[str, str]]:
    """Empty before approval was requested."""
    if not context.snapshot.digest:
        return []
    return [(context.words("fact-digest"), context.snapshot.digest[:_DIGEST_CHARS])]
