"""The progress card: committed counts first, then the batches in progress, then failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    Column,
    ColumnSet,
    ShowCardAction,
    TextBlock,
)

from bot.signin.batch import SLOT_HOLDING_STATES, BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RegionProgress, RegionWait, RequestSnapshot, SlotHolder, Tally
from cards import accounts, lists, pause, schedule, status
from cards.causes import cause_groups
from cards.context import CardContext, CardParts, Headline
from cards.elements import bold, callout, facts, heading, progress_bar, text, timestamp
from cards.escape import Markup
from cards.lists import phone_status_label
from cards.types import Panel, Verb
from cards.validation import region_facts

_UNCLEAR_STATES = frozenset({BatchState.UNKNOWN, BatchState.NEEDS_PERSON})
_MAX_STALLED_BATCHES = 3  # listed one by one; the count covers all of them


def build(context: CardContext) -> CardParts:
    if context.snapshot.state is RequestState.RUNNING:
        return _running(context)
    return _not_running(context)


def _running(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    tally = snapshot.phones_by_status
    body: list[CardElement] = [*counters(context, tally), *_callouts(context)]
    waits = schedule.waits(snapshot)
    if context.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(context.words("phones-heading")), *lists.phones_page(context)]
    elif waits:
        body += [*status.timeline(context), facts(region_facts(context))]
    else:
        body += [*_regions(context), *failures_section(context), *accounts.rechecked(context)]
    actions = [
        *accounts.hold_buttons(context),
        *schedule.buttons(context),
        *lists.panel_buttons(context),
    ]
    if snapshot.delegation_wanted_since and context.releases:
        title = context.words("button-sign-in")
        actions.insert(0, context.execute_action(Verb.SIGN_IN, title, style="positive"))
    if not status.cancellation_requested(snapshot):
        actions.append(_cancel_button(context, tally))
    actions.append(context.execute_action(Verb.REFRESH, context.words("button-refresh")))
    return CardParts(
        headline=schedule.headline(context)
        or pause.headline(context)
        or accounts.hold_headline(snapshot)
        or Headline(_headline_id(snapshot), status.tally_arguments(tally)),
        style=status.style(snapshot),
        header=[
            *accounts.hold_lead(context),
            text(context.words("progress-updates"), spacing="Small"),
        ],
        body=body,
        actions=actions,
    )


def asks_approver(context: CardContext) -> bool:
    """Whether it has a button that only people can use who could have approved the request."""
    snapshot = context.snapshot
    asks = snapshot.delegation_wanted_since or snapshot.missed or status.held(snapshot)
    return snapshot.state is RequestState.RUNNING and bool(asks) and context.releases


def _headline_id(snapshot: RequestSnapshot) -> str:
    if status.cancellation_requested(snapshot):
        return "progress-cancelling"
    return "progress-sign-in" if snapshot.delegation_wanted_since else "progress-headline"


def counters(context: CardContext, tally: Tally) -> list[CardElement]:
    """Phones by status, in figures and labels, and a progress bar."""
    always_shown = (PhoneStatus.SIGNED_IN, PhoneStatus.FAILED)
    counts: Mapping[PhoneStatus, int] = {
        PhoneStatus.SIGNED_IN: tally.signed_in,
        PhoneStatus.FAILED: tally.failed,
        PhoneStatus.IN_PROGRESS: tally.in_progress,
        PhoneStatus.PENDING: tally.pending,
        PhoneStatus.UNCONFIRMED: tally.unconfirmed,
        PhoneStatus.NOT_RUN: tally.not_run,
    }
    columns = [
        Column(
            width="stretch",
            items=[
                TextBlock(
                    text=context.message("count", count=count), size="ExtraLarge", weight="Bolder"
                ),
                TextBlock(
                    text=phone_status_label(context, phone_status), wrap=True, spacing="None"
                ),
            ],
        )
        for phone_status, count in counts.items()
        if count or phone_status in always_shown
    ]
    return [ColumnSet(columns=columns, spacing="Medium"), _bar(tally)]


def _bar(tally: Tally) -> CardElement:
    bad = tally.failed + tally.unconfirmed
    return progress_bar(tally.signed_in, bad, tally.in_progress, tally.total)


def _callouts(context: CardContext) -> list[CardElement]:
    """Everything that delays or blocks the request."""
    snapshot = context.snapshot
    callouts: list[CardElement] = [
        *schedule.callouts(context),
        *pause.callouts(context),
        *accounts.new_failures(context),
    ]
    if status.cancellation_requested(snapshot):
        callouts.append(callout(status.timeline(context)[-1:], "warning"))
    if snapshot.delegation_wanted_since and not schedule.waits(snapshot):
        since = timestamp(snapshot.delegation_wanted_since)
        sentences = [
            bold(context.message("note-sign-in-heading", since=since)),
            *schedule.sign_in_late(context),
            text(context.words("note-sign-in-paused" if snapshot.pause else "note-sign-in")),
        ]
        if snapshot.refused:
            gateway_message = context.free_text(snapshot.refused)
            refused = context.message("note-sign-in-refused", message=gateway_message)
            sentences.insert(1, text(refused))
        callouts.append(callout(sentences, "warning"))
    elif snapshot.refused:
        gateway_message = context.free_text(snapshot.refused)
        sentences = [
            bold(context.words("note-refused-heading")),
            text(context.message("note-refused", message=gateway_message)),
        ]
        callouts.append(callout(sentences, "attention"))
    callouts += [callout(_wait(context, wait), "warning") for wait in snapshot.waits]
    if snapshot.unreachable_since:
        since = timestamp(snapshot.unreachable_since)
        sentence = text(context.message("note-unreachable", since=since))
        callouts.append(callout([sentence], "warning"))
    unreadable = sum(bool(question.remote_batch_id) for question in snapshot.questions)
    for message, batches in (
        ("note-reconciliation", len(snapshot.questions) - unreadable),
        ("note-unreadable", unreadable),
    ):
        if batches:
            callouts.append(callout([text(context.message(message, batches=batches))], "warning"))
    if snapshot.stalled:
        callouts.append(callout(_stalled_batches(context), "warning"))
    return callouts


def _wait(context: CardContext, wait: RegionWait) -> list[TextBlock]:
    """Why nothing is sent in a region, and what somebody has to do about it."""
    taken = context.message(
        "wait-slots", region=wait.region.value, holders=_holders(context, wait.holders)
    )
    sentences = [bold(taken)]
    for message, holders in (
        ("wait-signed-out", [each for each in wait.holders if each.signed_out]),
        ("wait-question", [each for each in wait.holders if each.asks]),
    ):
        if holders:
            arguments = {"holders": _holders(context, holders), "requests": len(holders)}
            sentences.append(text(context.message(message, **arguments), spacing="Small"))
    if len(sentences) == 1:
        sentences.append(text(context.words("wait-how"), spacing="Small"))
    return sentences


def _holders(context: CardContext, holders: Sequence[SlotHolder]) -> Markup:
    """Requests by their ids; those that whoever sees the card may not see, by their number only."""
    requester_id = context.snapshot.requester.object_id
    named = [
        context.message("wait-request", request=each.request_id)
        for each in holders
        if context.view.names_all or each.requester_id == requester_id
    ]
    others = len(holders) - len(named)
    if others:
        named.append(context.message("wait-others", requests=others))
    return Markup(", ".join(named))


def _stalled_batches(context: CardContext) -> list[TextBlock]:
    batches = context.snapshot.stalled
    sentences = [bold(context.message("note-stalled", batches=len(batches)))]
    sentences += [
        text(
            context.message(
                "note-stalled-batch",
                batch=batch.remote_batch_id,
                region=batch.region.value,
                phones=batch.phones_open,
                since=timestamp(batch.since),
            ),
            spacing="Small",
        )
        for batch in batches[:_MAX_STALLED_BATCHES]
    ]
    return [*sentences, text(context.words("note-stalled-reason"), spacing="Small")]


def _regions(context: CardContext) -> list[CardElement]:
    """The progress of each region, and the states of its batches."""
    elements: list[CardElement] = [heading(context.words("in-progress-heading"))]
    regions = context.snapshot.regions
    for region in regions:
        tally = region.phones
        sentence = context.message(
            "region-progress", region=region.region.value, **status.tally_arguments(tally)
        )
        elements.append(bold(sentence))
        if len(regions) > 1:
            elements.append(_bar(tally))
        elements.append(text(_batch_counts(context, region), subtle=True, spacing="Small"))
    return elements


def _batch_counts(context: CardContext, region: RegionProgress) -> str:
    def count(states: Iterable[BatchState]) -> int:
        return sum(region.batches.get(state, 0) for state in states)

    return context.message(
        "batch-counts",
        batches=region.batch_count,
        running=count(SLOT_HOLDING_STATES - _UNCLEAR_STATES),
        unclear=count(_UNCLEAR_STATES),
        waiting=count((BatchState.PLANNED,)),
        over=count((BatchState.DONE, BatchState.CANCELLED)),
    )


def failures_section(context: CardContext) -> list[CardElement]:
    """The cause groups under a heading. Empty if nothing failed."""
    groups = cause_groups(context)
    if not groups:
        return []
    return [heading(context.words("failures-heading")), *groups]


#: Batches that may still turn out not to have been sent.
_UNSETTLED = (BatchState.INTENT, BatchState.UNKNOWN, BatchState.NEEDS_PERSON)


def _cancel_button(context: CardContext, tally: Tally) -> Action:
    """Opens a confirmation, because the SIP Gateway cannot cancel the phones already sent.

    Once every phone has certainly been sent, there is nothing to confirm.
    """
    unsettled = any(
        region.batches.get(state, 0) for region in context.snapshot.regions for state in _UNSETTLED
    )
    unsent = (
        context.words("cancel-unsettled")
        if unsettled and not tally.pending
        else context.message("cancel-pending", pending=tally.pending)
    )
    title = context.message("button-cancel-now", pending=tally.pending)
    cancel = context.execute_action(Verb.CANCEL, title, style="destructive")
    return ShowCardAction(
        title=context.words("button-cancel"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(unsent),
                text(context.message("cancel-in-progress", phones=tally.in_progress)),
            ],
            actions=[cancel] if tally.pending or unsettled else None,
        ),
    )


def _not_running(context: CardContext) -> CardParts:
    """Read-only: the request has not started, or has ended."""
    snapshot = context.snapshot
    body: list[CardElement] = []
    if snapshot.state in status.RESULT_STATES:
        body += counters(context, snapshot.phones_by_status)
        current_state = context.message("current-state", request=snapshot.id)
        if not snapshot.phones_by_status.unconfirmed:
            body.append(text(context.words("results-final")))
        body.append(text(current_state))
    body += status.timeline(context)
    return CardParts(status.headline(context), status.style(snapshot), (), body)
