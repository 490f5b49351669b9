"""The results card: final totals, failures with their causes, and what to do next."""

from __future__ import annotations

from microsoft_teams.cards.core import Action, CardElement

from bot.signin.batch import smaller_size
from bot.signin.outcome import NO_RESULT, Retry
from bot.signin.request import RequestState
from cards import lists, sightings, status
from cards.causes import provisioning_urls
from cards.context import CardContext, CardParts, Headline
from cards.elements import bold, heading, text
from cards.progress import counters, failures_section
from cards.types import Panel, Verb


def build(context: CardContext) -> CardParts:
    if context.snapshot.state in status.RESULT_STATES:
        return _final(context)
    return _not_final(context)


def _final(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    tally = snapshot.phones_by_status
    cancelled = snapshot.state is RequestState.CANCELLED
    left = tally.total - tally.signed_in
    final = "results-final-so-far" if tally.unconfirmed else "results-final"
    header: list[CardElement] = [text(context.words(final), spacing="Small")]
    if left:
        not_signed_in = "results-not-confirmed" if tally.unconfirmed else "results-not-signed-in"
        header.insert(0, bold(context.message(not_signed_in, left=left)))
    body: list[CardElement] = [*counters(context, tally), *sightings.summary(context)]
    if context.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(context.words("phones-heading")), *lists.phones_page(context)]
    else:
        body += [
            *failures_section(context),
            *provisioning_urls(context),
            *_next_steps(context, left, tally.unconfirmed),
            heading(context.words("timeline-heading")),
            *status.timeline(context),
        ]
    return CardParts(
        headline=Headline(
            "results-cancelled" if cancelled else "results-headline", status.tally_arguments(tally)
        ),
        style=status.style(snapshot),
        header=header,
        body=body,
        actions=_actions(context, left, tally.unconfirmed),
    )


def _next_steps(context: CardContext, left: int, unconfirmed: int) -> list[CardElement]:
    """What a retry does, and what to do before it.

    `left` phones are not signed in as far as is known; `unconfirmed` of them may be.
    """
    if not left:
        return []
    groups = context.snapshot.causes
    after_fix = sum(
        group.count
        for group in groups
        if group.cause.retry is Retry.AFTER_FIX and group.cause != NO_RESULT
    )
    smaller = any(group.cause.retry is Retry.SMALLER for group in groups)
    elements: list[CardElement] = [heading(context.words("next-heading"))]
    if after_fix:
        elements.append(text(context.message("next-fix", phones=after_fix)))
    if smaller:
        elements.append(
            text(context.message("next-smaller", size=smaller_size(context.snapshot.batch_size)))
        )
    if unconfirmed:
        elements.append(text(context.message("next-unconfirmed", phones=unconfirmed)))
    retry = context.message("next-retry", phones=left, unconfirmed=unconfirmed)
    return [*elements, text(retry)]


def _actions(context: CardContext, left: int, unconfirmed: int) -> list[Action]:
    actions: list[Action] = []
    if left:
        title = context.message("button-retry", phones=left, unconfirmed=unconfirmed)
        actions.append(context.execute_action(Verb.RETRY_FAILED, title, style="positive"))
    export = context.execute_action(Verb.EXPORT, context.words("button-export"), what="results")
    return [*actions, export, *lists.panel_buttons(context)]


def _not_final(context: CardContext) -> CardParts:
    """Read-only: the request is still running, or never ran."""
    snapshot = context.snapshot
    body: list[CardElement] = []
    if snapshot.state is RequestState.RUNNING:
        body += counters(context, snapshot.phones_by_status)
        body.append(text(context.words("results-not-yet")))
    body += status.timeline(context)
    return CardParts(status.headline(context), status.style(snapshot), (), body)
