"""Rendering a request as a card of any kind, in any state, within Teams' size limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from microsoft_teams.cards.core import AdaptiveCard, CardElement, Container, RefreshDefinition

from bot.mending.snapshot import MendOffer, MendSnapshot
from bot.signin.acknowledgment import TYPED_ABOVE
from bot.signin.policy.decision import Ruling
from bot.signin.policy.model import Rule
from bot.signin.policy.vote import Standing
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.signin.windows import CutShort
from bot.words import Words
from cards import approval, mend, progress, reconciliation, results, review, status, validation
from cards.context import BUDGETS, CardContext, CardParts
from cards.elements import badge, size_bytes, text, title, to_json
from cards.escape import Markup
from cards.types import MAX_BYTES, CardKind, RenderedCard, Verb, View

_BUILDERS: Mapping[CardKind, Callable[[CardContext], CardParts]] = MappingProxyType(
    {
        CardKind.VALIDATION: validation.build,
        CardKind.APPROVAL: approval.build,
        CardKind.PROGRESS: progress.build,
        CardKind.RESULTS: results.build,
        CardKind.RECONCILIATION: reconciliation.build,
        CardKind.MEND: mend.build,
        CardKind.MEND_APPROVAL: mend.build_approval,
        CardKind.REVIEW: review.build,
    }
)


def render(
    kind: CardKind,
    snapshot: RequestSnapshot,
    view: View,
    words: Words,
    *,
    tenant_id: str,
    runs_as_approver: bool = False,
    of_mend: MendSnapshot | None = None,
    offer: MendOffer | None = None,
    typed_above: int = TYPED_ABOVE,
    standing: Standing | None = None,
    break_glass: Ruling = Ruling.NO,
    cut_short: CutShort | None = None,
    ticket_rule: Rule | None = None,
) -> RenderedCard:
    """Renders `snapshot` as a card of `kind`, with as much detail as fits in `MAX_BYTES`.

    `tenant_id` is the tenant id for provisioning URLs. With `runs_as_approver`, sign-ins use the
    permissions of the approver. `of_mend` is the mend that a mend's card is about, `offer` what a draft's
    card says about mending, `standing` what cards say about votes. Above `typed_above` phones, an approver
    types the number of passwords. `break_glass`: whether the requester may approve it in an emergency.
    `cut_short` is what a window will do to it, `ticket_rule` by which a draft needs a ticket.
    """
    contexts = [
        CardContext(
            snapshot,
            view,
            words,
            tenant_id,
            budget,
            runs_as_approver,
            of_mend,
            offer,
            typed_above,
            standing,
            break_glass,
            cut_short,
            ticket_rule,
        )
        for budget in BUDGETS
    ]
    rendered = _render_once(contexts[0], kind)
    for context in contexts[1:]:
        if size_bytes(rendered.card) < MAX_BYTES:
            break
        rendered = _render_once(context, kind)
    return rendered


def _render_once(context: CardContext, kind: CardKind) -> RenderedCard:
    """Renders within the budget of `context`, whatever size results."""
    parts = _BUILDERS[kind](context)
    headline = Markup(
        context.single_line_message(parts.headline.message_id, **parts.headline.arguments)
    )
    summary = context.single_line_message("summary", headline=headline, request=context.snapshot.id)
    card = AdaptiveCard(
        version="1.5",
        lang=context.words.language,
        fallback_text=summary,
        body=[_header(context, parts), *parts.body, *_origin(context)],
        actions=list(parts.actions) or None,
        refresh=_refresh(context, kind),
    )
    return RenderedCard(to_json(card), summary)


def _refresh(context: CardContext, kind: CardKind) -> RefreshDefinition | None:
    """Has Teams ask for each viewer's own version of a card that asks for a decision: of the requester, and
    in a chat with few members of everyone. Of the requester's own card, while only the directory knows
    whether it has break-glass."""
    snapshot = context.snapshot
    waiting = snapshot.state is RequestState.WAITING and (
        kind is CardKind.APPROVAL
        or (kind is CardKind.VALIDATION and context.break_glass is Ruling.CANNOT_TELL)
    )
    asks = waiting or (kind is CardKind.PROGRESS and progress.asks_approver(context))
    if not asks or not snapshot.requester_account:
        return None
    action = context.execute_action(Verb.REFRESH, context.words("button-refresh"))
    return RefreshDefinition(action=action, user_ids=[snapshot.requester_account])


def _header(context: CardContext, parts: CardParts) -> CardElement:
    headline = context.message(parts.headline.message_id, **parts.headline.arguments)
    state = parts.badge or badge(status.state_label(context), status.style(context.snapshot))
    return Container(style=parts.style, bleed=True, items=[state, title(headline), *parts.header])


def _origin(context: CardContext) -> list[CardElement]:
    """The request id, which people read out and type, and the file it came from."""
    if not context.sees:
        return []
    snapshot = context.snapshot
    origin = context.message("origin", request=snapshot.id, file=snapshot.roster.file_name)
    if snapshot.retry_of:
        origin = f"{origin} {context.message('origin-retry', request=snapshot.retry_of)}"
    return [text(origin, subtle=True)]
