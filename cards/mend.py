"""The card of a mend: what is changed for whom and what it replaces; for approvers, the decision."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    Choice,
    ChoiceSetInput,
    ContainerStyle,
    ShowCardAction,
    TextBlock,
    TextInput,
    ToggleInput,
)

from bot.mending.change import CREATIONS, OFF, ChangeKind, ChangeState
from bot.mending.mend import MendState
from bot.mending.snapshot import Line, MendSnapshot
from bot.signin.request import NOTHING_RAN
from cards import lists
from cards.context import CardContext, CardParts, Headline
from cards.elements import badge, bold, callout, facts, heading, text, timestamp
from cards.escape import Markup
from cards.types import CardKind, Panel, Verb

_DIGEST_CHARS = 12  # hex digits: enough to compare by eye
_STYLES: dict[MendState, ContainerStyle] = {
    MendState.DRAFT: "default",
    MendState.WAITING: "accent",
    MendState.RUNNING: "accent",
    MendState.FINISHED: "good",
    MendState.UNDOING: "accent",
    MendState.UNDONE: "emphasis",
    MendState.REJECTED: "attention",
    MendState.EXPIRED: "emphasis",
    MendState.WITHDRAWN: "emphasis",
}
_BEFORE_APPROVAL = frozenset({MendState.DRAFT, MendState.WAITING})
_STARTED = frozenset({MendState.RUNNING, MendState.FINISHED, MendState.UNDOING, MendState.UNDONE})
_TROUBLED = (ChangeState.FAILED, ChangeState.UNSHOWN, ChangeState.UNDO_FAILED)


def build(context: CardContext) -> CardParts:
    """For the requester."""
    return _build(context, CardKind.MEND)


def build_approval(context: CardContext) -> CardParts:
    """For approvers."""
    return _build(context, CardKind.MEND_APPROVAL)


def _build(context: CardContext, kind: CardKind) -> CardParts:
    mend = context.mend
    if mend is None:
        return CardParts(Headline("mend-gone"), "emphasis", ())
    actions: list[Action] = []
    body: list[CardElement] = [*_access(context, mend), *_guard_warning(context, mend)]
    if mend.state in (MendState.DRAFT, MendState.WAITING, MendState.RUNNING):
        body += _what(context, mend)
    body += [facts(_facts(context, mend)), *_lines(context, mend)]
    for_approvers = kind is CardKind.MEND_APPROVAL
    if mend.state is MendState.DRAFT:
        body += _draft(context, mend)
        actions += _draft_actions(context, mend)
    elif mend.state is MendState.WAITING:
        body += _waiting(context, mend, for_approvers=for_approvers)
        actions += _waiting_actions(context, mend, for_approvers=for_approvers)
    elif mend.state is MendState.FINISHED and for_approvers and _undoable(mend):
        actions.append(_undo_button(context, mend))
    if mend.access_wanted_since is not None and for_approvers:
        title = context.words("button-mend-sign-in")
        actions.append(_button(context, mend, Verb.MEND_SIGN_IN, title))
    label = context.words(f"mend-state-{mend.state.value}")
    return CardParts(
        _headline(mend, for_approvers=for_approvers),
        _style(mend),
        [text(context.words("mend-never"), subtle=True)],
        body,
        actions,
        badge(label, _style(mend)),
    )


def _headline(mend: MendSnapshot, *, for_approvers: bool) -> Headline:
    if mend.state is MendState.WAITING and for_approvers:
        arguments = {
            "accounts": mend.accounts,
            "switch": mend.of_kind(ChangeKind.BULK_SIGN_IN),
            "unknown": len(mend.guard_unknown),
        }
        return Headline("mend-headline-approval", arguments)
    if mend.state is MendState.DRAFT and not mend.counts:
        return Headline("mend-headline-draft-nameable", {"accounts": mend.nameable})
    return Headline(f"mend-headline-{mend.state.value}", {"accounts": mend.accounts})


def _style(mend: MendSnapshot) -> ContainerStyle:
    every = (*CREATIONS, ChangeKind.BULK_SIGN_IN, *_GRANTED)
    if mend.state in _STARTED and mend.in_state(*_TROUBLED, kinds=every):
        return "warning"
    return _STYLES[mend.state]


_GRANTED = (ChangeKind.IP_PHONE_POLICY, ChangeKind.CALLING_POLICY)


def _button(context: CardContext, mend: MendSnapshot, verb: Verb, title: str) -> Action:
    return context.execute_action(verb, title, mend=mend.id)


def _access(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    """Why nothing goes on. Empty if it does."""
    sentences = [
        *([text(context.words("mend-access-wanted"))] if mend.access_wanted_since else []),
        *(
            [text(context.message("mend-denied", message=context.free_text(mend.refused)))]
            if mend.refused
            else []
        ),
    ]
    return [callout(sentences, "warning")] if sentences else []


def _guard_warning(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    """Which accounts may be people's or administrators' for all that is known. Empty if none may."""
    if not mend.guard_unknown or mend.state is MendState.DRAFT:
        return []
    accounts = len(mend.guard_unknown)
    names = bold(Markup(", ".join(map(context.markdown_value, mend.guard_unknown))))
    return [callout([text(context.message("mend-unknown", accounts=accounts)), names], "attention")]


def _what(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    """What is changed, and what was not known when the accounts were checked."""
    sentences: list[CardElement] = []
    for kind in _GRANTED:
        if count := mend.of_kind(kind):
            sentence = context.message(f"mend-what-{kind.value}", accounts=count)
            sentences.append(text(f"• {sentence}", spacing="Small"))
    if mend.of_kind(*CREATIONS):
        sentences.append(text(f"• {context.words('mend-what-create')}", spacing="Small"))
    if mend.of_kind(ChangeKind.BULK_SIGN_IN):
        sentences.append(text(f"• {context.words('mend-what-bulk-sign-in')}", spacing="Small"))
    return sentences


def _facts(context: CardContext, mend: MendSnapshot) -> list[tuple[str, str]]:
    pairs = [
        (
            context.words("fact-requester"),
            context.markdown_value(context.person_name(mend.requester)),
        )
    ]
    if mend.reason:
        pairs.append((context.words("fact-reason"), context.free_text(mend.reason)))
    if mend.state is MendState.WAITING and mend.expires_at:
        pairs.append((context.words("fact-expires-at"), timestamp(mend.expires_at)))
    if mend.digest:
        pairs.append((context.words("fact-digest"), mend.digest[:_DIGEST_CHARS]))
    if mend.decided_by and mend.decided_at:
        rejected = mend.state is MendState.REJECTED
        label = context.words("fact-mend-rejected" if rejected else "fact-mend-approved")
        pairs.append((label, _who_and_when(context, mend)))
        if mend.comment:
            pairs.append((context.words("fact-mend-comment"), context.free_text(mend.comment)))
    if mend.undo_by and mend.undo_asked_at:
        person = context.markdown_value(context.person_name(mend.undo_by))
        pairs.append(
            (context.words("fact-mend-undone"), f"{person}, {timestamp(mend.undo_asked_at)}")
        )
    if mend.state in _STARTED and mend.accounts:
        pairs.append((context.words("fact-mend-progress"), _progress(context, mend)))
    return pairs


def _who_and_when(context: CardContext, mend: MendSnapshot) -> str:
    person = context.markdown_value(context.person_name(mend.decided_by))
    return f"{person}, {timestamp(mend.decided_at)}" if mend.decided_at else person


def _progress(context: CardContext, mend: MendSnapshot) -> str:
    """How far the grants have come."""
    if mend.state in (MendState.UNDOING, MendState.UNDONE):
        return context.message(
            "mend-undo-progress",
            open=mend.in_state(ChangeState.UNDOING),
            waiting=mend.in_state(ChangeState.RESTORED),
            undone=mend.in_state(ChangeState.UNDONE),
            left=mend.in_state(ChangeState.LEFT),
            failed=mend.in_state(*_TROUBLED),
        )
    return context.message(
        "mend-progress",
        open=mend.in_state(ChangeState.PLANNED, ChangeState.INTENT),
        waiting=mend.in_state(ChangeState.APPLIED),
        shown=mend.in_state(ChangeState.SHOWN, ChangeState.KEPT),
        failed=mend.in_state(*_TROUBLED),
    )


def _lines(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    page = mend.lines
    return [
        heading(context.message("mend-changes", total=page.total)),
        *(text(_line(context, mend, each), spacing="Small") for each in page.items),
        *lists.pager(context, Panel.PHONES, page),
    ]


def _line(context: CardContext, mend: MendSnapshot, line: Line) -> str:
    """An account, what it gets instead of what, how that stands and, if it went wrong, what to do."""
    subject = line.username or context.words("mend-tenant")
    sentence = context.message(
        f"mend-change-{line.kind.value}",
        subject=subject,
        before=line.before or line.replaces or OFF,
        after=line.after,
    )
    parts = [f"• {sentence}"]
    if mend.state not in _BEFORE_APPROVAL:
        end = ":" if line.error else ""
        parts.append(context.words(f"mend-change-state-{line.state.value}") + end)
    if line.error:
        detail = context.free_text(line.detail)
        parts.append(context.message(f"mend-error-{line.error}", detail=detail))
    return " ".join(parts)


def _draft(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    if context.snapshot.state in NOTHING_RAN:
        return [text(context.words("mend-request-ended"))]
    return [_reason_input(context), *_include_inputs(context, mend)]


def _include_inputs(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    """The accounts that are mended only if they are named. Empty if there are none."""
    if not mend.guard_unknown:
        return []
    inputs: list[CardElement] = [
        ChoiceSetInput(
            id="include_unknown",
            label=context.message("label-include-unknown", accounts=mend.nameable),
            choices=[
                Choice(title=context.single_line_value(account), value=account)
                for account in mend.guard_unknown
            ],
            is_multi_select=True,
            style="expanded",
            wrap=True,
        )
    ]
    shown = len(mend.guard_unknown)
    if more := mend.nameable - shown:
        sentence = context.message("include-unknown-more", more=more, limit=shown)
        inputs.append(text(sentence, subtle=True, spacing="Small"))
    return inputs


def _reason_input(context: CardContext) -> TextInput:
    return TextInput(
        id="reason",
        label=context.words("label-reason"),
        placeholder=context.words("placeholder-mend-reason"),
        max_length=300,
        is_multiline=True,
        is_required=True,
        error_message=context.words("error-reason"),
    )


def _draft_actions(context: CardContext, mend: MendSnapshot) -> list[Action]:
    discard = _button(context, mend, Verb.MEND_WITHDRAW, context.words("button-discard"))
    if context.snapshot.state in NOTHING_RAN:
        return [discard]
    return [
        context.execute_action(
            Verb.MEND_REQUEST,
            context.words("button-request-approval"),
            style="positive",
            with_inputs=True,
            mend=mend.id,
        ),
        discard,
    ]


def _waiting(context: CardContext, mend: MendSnapshot, *, for_approvers: bool) -> list[CardElement]:
    if not for_approvers:
        return []
    if context.snapshot.state in NOTHING_RAN:
        return [text(context.words("mend-request-ended"))]
    four_eyes = "approval-four-eyes" if mend.four_eyes else "approval-no-four-eyes"
    person = context.person_name(mend.requester)
    return [
        TextInput(
            id="comment",
            label=context.words("label-comment"),
            placeholder=context.words("placeholder-comment"),
            max_length=300,
            is_multiline=True,
        ),
        text(context.message(four_eyes, person=person), subtle=True),
        text(
            context.words("mend-permissions" if context.runs_as_approver else "mend-as-app"),
            subtle=True,
        ),
    ]


def _waiting_actions(
    context: CardContext, mend: MendSnapshot, *, for_approvers: bool
) -> list[Action]:
    if not for_approvers:
        title = context.words("button-withdraw")
        return [_button(context, mend, Verb.MEND_WITHDRAW, title)]
    if context.snapshot.state in NOTHING_RAN:
        return []
    confirm = AdaptiveCard(
        version="1.5",
        body=[
            _toggle(
                context,
                context.words("label-acknowledge"),
                context.message("toggle-mend", accounts=mend.accounts),
            ),
            *_confirm_inputs(context, mend),
        ],
        actions=[
            context.execute_action(
                Verb.MEND_APPROVE,
                context.message("button-mend-now", accounts=mend.accounts),
                style="positive",
                with_inputs=True,
                mend=mend.id,
                digest=mend.digest,
            )
        ],
    )
    return [
        ShowCardAction(title=context.words("button-approve"), style="positive", card=confirm),
        context.execute_action(
            Verb.MEND_REJECT, context.words("button-reject"), with_inputs=True, mend=mend.id
        ),
    ]


def _confirm_inputs(context: CardContext, mend: MendSnapshot) -> list[CardElement]:
    """The box with which an approver confirms accounts by name that may be people's."""
    if not mend.guard_unknown:
        return []
    title = context.message("toggle-confirm-unknown", accounts=len(mend.guard_unknown))
    return [_toggle(context, context.words("label-confirm-unknown"), title, "confirm_unknown")]


def _toggle(
    context: CardContext, label: str, title: str, input_id: str = "acknowledge"
) -> ToggleInput:
    return ToggleInput(
        id=input_id,
        label=label,
        title=title,
        value="false",
        wrap=True,
        is_required=True,
        error_message=context.words("error-acknowledge"),
    )


def _undoable(mend: MendSnapshot) -> bool:
    return mend.switched_on or bool(mend.in_state(ChangeState.SHOWN, ChangeState.UNSHOWN))


def _undo_button(context: CardContext, mend: MendSnapshot) -> Action:
    """Opens a card that says what an undo does, and asks about the tenant's switch."""
    body: list[CardElement] = [text(context.words("mend-undo-how"))]
    if mend.switched_on:
        body.append(
            ToggleInput(
                id="switch_off",
                label=context.words("label-switch-off"),
                title=context.words("toggle-switch-off"),
                value="false",
                wrap=True,
            )
        )
    body.append(
        _toggle(context, context.words("label-mend-undo"), context.words("toggle-mend-undo"))
    )
    return ShowCardAction(
        title=context.words("button-mend-undo"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=body,
            actions=[
                context.execute_action(
                    Verb.MEND_UNDO,
                    context.words("button-mend-undo-now"),
                    style="destructive",
                    with_inputs=True,
                    mend=mend.id,
                )
            ],
        ),
    )


def offer(context: CardContext) -> list[CardElement]:
    """On a draft's card: what can be mended, or how its mend stands. Empty if there is nothing to say."""
    if context.offer is None:
        return []
    if context.offer.under_way is not None:
        sentence = context.words(f"mend-under-way-{context.offer.under_way.value}")
        return [callout([text(sentence)], "emphasis")]
    found = context.offer.found
    sentences: list[TextBlock] = []
    if found.planned:
        sentence = context.message(
            "mend-offer",
            accounts=found.accounts,
            ip_phone=found.ip_phone,
            calling=found.calling,
            switch=int(found.switch),
        )
        sentences.append(text(sentence))
    if found.nameable:
        sentence = context.message(
            "mend-offer-nameable", accounts=found.nameable, more=int(found.planned)
        )
        sentences.append(text(sentence))
    return [callout(sentences, "emphasis")]


def offer_button(context: CardContext) -> list[Action]:
    """The button that opens the mend. Empty if nothing can be mended, or it is under way."""
    if context.offer is None or context.offer.under_way is not None:
        return []
    found = context.offer.found
    title = context.words("button-mend-nameable")
    if found.planned:
        title = context.message("button-mend", accounts=found.accounts)
    return [context.execute_action(Verb.MEND, title)]
