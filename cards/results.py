"""How it ended: totals, what failed and why, and what to do next. The counts are final."""

from __future__ import annotations

from microsoft_teams.cards.core import Action, CardElement

from bot.signin.outcome import NO_RESULT, Retry
from bot.signin.request import RequestState
from cards import lists, status
from cards.causes import provisioning
from cards.context import CardContext, Sheet, Verdict
from cards.elements import heading, strong, text
from cards.progress import counters, failures
from cards.types import Panel, Verb


def sheet(context: CardContext) -> Sheet:
    if context.snapshot.state in status.OVER:
        return _ended(context)
    return _not_ended(context)


def _ended(context: CardContext) -> Sheet:
    snapshot = context.snapshot
    tally = snapshot.phones_by_status
    cancelled = snapshot.state is RequestState.CANCELLED
    left = tally.total - tally.signed_in
    lead: list[CardElement] = [text(context.words("results-final"), spacing="Small")]
    if left:
        lead.insert(0, strong(context.say("results-left", left=left)))
    body: list[CardElement] = [*counters(context, tally)]
    if context.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(context.words("phones-heading")), *lists.phones_panel(context)]
    else:
        body += [
            *failures(context),
            *provisioning(context),
            *_next(context, left),
            *_story(context),
        ]
    return Sheet(
        verdict=Verdict(
            "results-cancelled" if cancelled else "results-verdict", status.numbers(tally)
        ),
        tone=status.tone(snapshot),
        lead=lead,
        body=body,
        actions=_actions(context, left),
    )


def _next(context: CardContext, left: int) -> list[CardElement]:
    """What a retry would do, and whether something has to be mended first."""
    if not left:
        return []
    groups = context.snapshot.causes
    after_fix = sum(
        group.count
        for group in groups
        if group.cause.retry is Retry.AFTER_FIX and group.cause != NO_RESULT
    )
    smaller = any(group.cause.retry is Retry.SMALLER for group in groups)
    told: list[CardElement] = [heading(context.words("next-heading"))]
    if after_fix:
        told.append(text(context.say("next-fix", phones=after_fix)))
    if smaller:
        told.append(text(context.words("next-smaller")))
    return [*told, text(context.say("next-retry", phones=left))]


def _story(context: CardContext) -> list[CardElement]:
    return [heading(context.words("story-heading")), *status.story(context)]


def _actions(context: CardContext, left: int) -> list[Action]:
    actions: list[Action] = []
    if left:
        title = context.say("button-retry", phones=left)
        actions.append(context.execute(Verb.RETRY_FAILED, title, style="positive"))
    export = context.execute(Verb.EXPORT, context.words("button-export"), what="results")
    return [*actions, export, *lists.panels(context)]


def _not_ended(context: CardContext) -> Sheet:
    snapshot = context.snapshot
    body: list[CardElement] = []
    if snapshot.state is RequestState.RUNNING:
        body += counters(context, snapshot.phones_by_status)
        body.append(text(context.words("results-not-yet")))
    body += status.story(context)
    return Sheet(status.verdict(context), status.tone(snapshot), (), body)
