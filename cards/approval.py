"""The approval card: everything an approver needs to decide; afterwards, the decision."""

from __future__ import annotations

from microsoft_teams.cards.core import Action, CardElement, TextInput

from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from cards import (
    accounts,
    acknowledgment,
    approval_facts,
    phone_list,
    schedule,
    status,
    unusual,
    urgency,
    votes,
)
from cards.context import CardContext, CardParts, Headline
from cards.elements import bold, facts, text
from cards.types import Panel, Verb, Viewer
from cards.validation import export_issues_button, region_facts

#: On a posted card: presentation only, since every click is decided again.
_EVERYONE = Viewer(decides=True)


def build(context: CardContext) -> CardParts:
    if not context.sees:
        only = text(context.words("approval-not-yours"))
        return CardParts(Headline("approval-not-shown"), "emphasis", [], [only])
    if context.snapshot.state is RequestState.WAITING:
        return _waiting(context)
    return _decided(context)


def _waiting(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    viewer = context.view.viewer or _EVERYONE
    listing = context.view.panel is Panel.PHONES  # in place of what is usual
    blast_radius = context.message(
        "approval-blast-radius", phones=snapshot.roster.ready, accounts=snapshot.roster.accounts
    )
    return CardParts(
        headline=Headline(
            "approval-headline",
            {"accounts": snapshot.roster.accounts, "guarded": _guarded(context)},
        ),
        style="warning",
        header=[*schedule.approval_lead(context), bold(blast_radius)],
        body=[
            *unusual.changed(context),
            *unusual.section(context),
            *votes.lines(context),
            *schedule.cut_short(context),
            *urgency.lines(context),
            *([] if listing else [facts(approval_facts.pairs(context))]),
            *([] if listing else _what_was_checked(context)),
            *phone_list.section(context),
            *(_decision_form(context) if viewer.decides else _waits_for_others(context)),
        ],
        actions=[
            *(_decision_buttons(context) if viewer.decides else []),
            *(_withdraw_button(context) if viewer.withdraws else []),
            *phone_list.buttons(context),
            *([export_issues_button(context)] if _issues(snapshot) else []),
        ],
    )


def _issues(snapshot: RequestSnapshot) -> bool:
    """Whether the requester was told of something that the exported issues hold."""
    return bool(snapshot.overlaps or snapshot.roster.issues.total)


def _guarded(context: CardContext) -> int:
    checks = context.snapshot.roster.account_checks
    return len(checks.included_accounts) if checks else 0


def _what_was_checked(context: CardContext) -> list[CardElement]:
    if context.snapshot.roster.account_checks is None:
        return [text(context.words("approval-file-only"), subtle=True)]
    return [*accounts.notices(context), *accounts.scope_of_checks(context)]


def _decision_form(context: CardContext) -> list[CardElement]:
    snapshot = context.snapshot
    four_eyes = context.message(
        "approval-four-eyes" if snapshot.four_eyes else "approval-no-four-eyes",
        person=context.person_name(snapshot.requester),
    )
    return [
        TextInput(
            id="comment",
            label=context.words("label-comment"),
            placeholder=context.words("placeholder-comment"),
            max_length=300,
            is_multiline=True,
        ),
        text(four_eyes, subtle=True),
        *_terms(context),
    ]


def _terms(context: CardContext) -> list[CardElement]:
    """What approving entails. Empty if change windows refuse it, or others have to approve, too."""
    if votes.closed(context):
        return []
    if later := schedule.approval_terms(context):
        return [*later]
    if votes.not_last(context):
        return []
    starts = "approval-permissions" if context.runs_as_approver else "approval-starts"
    checked = context.snapshot.roster.account_checks is not None
    return [text(context.message(starts, checked=int(checked)), subtle=True)]


def _waits_for_others(context: CardContext) -> list[CardElement]:
    """For whom the card is read-only."""
    viewer = context.view.viewer or _EVERYONE
    why = "approval-waits-for-others" if viewer.withdraws else "approval-read-only"
    return [text(context.words(why))]


def _decision_buttons(context: CardContext) -> list[Action]:
    reject = context.execute_action(
        Verb.REJECT,
        context.words("button-reject"),
        with_inputs=True,
        digest=context.snapshot.digest,
    )
    return [acknowledgment.approve_button(context), reject]


def _withdraw_button(context: CardContext) -> list[Action]:
    title = context.words("button-withdraw")
    return [context.execute_action(Verb.WITHDRAW, title, style="destructive")]


def _decided(context: CardContext) -> CardParts:
    """Read-only, for everyone: who decided what and when, about which request, and how it ended."""
    snapshot = context.snapshot
    approved = snapshot.state in status.APPROVED_STATES
    person = context.person_name(snapshot.decided_by)
    if snapshot.state is RequestState.REJECTED:
        headline = Headline("approval-rejected", {"person": person})
    elif approved:
        headline = Headline(
            "approval-approved", {"person": person, "phones": snapshot.roster.ready}
        )
    else:
        headline = status.headline(context)
    pairs = [
        (context.words("fact-file"), context.markdown_value(snapshot.roster.file_name)),
        *region_facts(context),
    ]
    pairs += approval_facts.digest(context)
    body: list[CardElement] = [*status.timeline(context), *votes.lines(context), facts(pairs)]
    header: list[CardElement] = []
    if snapshot.state in status.RESULT_STATES:
        outcome = status.headline(context)
        header.append(bold(context.message(outcome.message_id, **outcome.arguments)))
    return CardParts(headline, "good" if approved else status.style(snapshot), header, body)
