"""The question to an approver, with everything that the answer needs; afterwards, who answered what."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    ShowCardAction,
    TextInput,
    ToggleInput,
)

from bot.signin.request import RequestState
from cards import lists, status
from cards.context import CardContext, Sheet, Verdict
from cards.elements import facts, heading, moment, strong, text
from cards.types import Panel, Verb
from cards.validation import regions

_SAMPLE = 5
_DIGEST = 12  # hex digits: enough to compare by eye


def sheet(context: CardContext) -> Sheet:
    if context.snapshot.state is RequestState.WAITING:
        return _waiting(context)
    return _settled(context)


def _waiting(context: CardContext) -> Sheet:
    snapshot = context.snapshot
    roster = snapshot.roster
    body: list[CardElement] = [facts(_facts(context)), *_rows(context)]
    body.append(
        TextInput(
            id="comment",
            label=context.words("label-comment"),
            placeholder=context.words("placeholder-comment"),
            max_length=300,
            is_multiline=True,
        )
    )
    who = "approval-four-eyes" if snapshot.four_eyes else "approval-no-four-eyes"
    body.append(text(context.say(who, person=context.name(snapshot.requester)), subtle=True))
    return Sheet(
        verdict=Verdict("approval-verdict", {"phones": roster.ready}),
        tone="warning",
        lead=[strong(context.say("approval-blast-radius", accounts=roster.accounts))],
        body=body,
        actions=[
            _approve(context),
            context.execute(
                Verb.REJECT, context.words("button-reject"), style="destructive", with_inputs=True
            ),
            *_show(context),
        ],
    )


def _facts(context: CardContext) -> list[tuple[str, str]]:
    snapshot = context.snapshot
    pairs = [
        (context.words("fact-requester"), context.given(context.name(snapshot.requester))),
        (
            context.words("fact-reason"),
            context.prose(snapshot.reason) if snapshot.reason else context.words("no-reason"),
        ),
        (context.words("fact-file"), context.given(snapshot.roster.file_name)),
        *regions(context),
    ]
    if snapshot.roster.not_ready:
        pairs.append(
            (context.words("fact-left-out"), context.say("rows", rows=snapshot.roster.not_ready))
        )
    if snapshot.asked_at:
        pairs.append((context.words("fact-asked-at"), moment(snapshot.asked_at)))
    if snapshot.expires_at:
        pairs.append((context.words("fact-expires-at"), moment(snapshot.expires_at)))
    pairs.append((context.words("fact-digest"), snapshot.digest[:_DIGEST]))
    return pairs


def _rows(context: CardContext) -> list[CardElement]:
    page = context.snapshot.phones
    if context.view.panel is Panel.PHONES:
        whole = context.say("approval-phones", total=page.total)
        return [
            heading(whole),
            lists.sample(context, page.items),
            *lists.turning(context, Panel.PHONES, page),
        ]
    shown = page.items[:_SAMPLE]
    if not shown:
        return []
    return [
        heading(context.say("approval-sample", shown=len(shown), total=page.total)),
        lists.sample(context, shown),
    ]


def _approve(context: CardContext) -> Action:
    """A step of its own: a required box beside *Reject* would stand in its way too."""
    accounts = context.snapshot.roster.accounts
    return ShowCardAction(
        title=context.words("button-approve"),
        style="positive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                ToggleInput(
                    id="acknowledge",
                    label=context.words("label-acknowledge"),
                    title=context.say("toggle-acknowledge", accounts=accounts),
                    value="false",
                    wrap=True,
                    is_required=True,
                    error_message=context.words("error-acknowledge"),
                )
            ],
            actions=[
                context.execute(
                    Verb.APPROVE,
                    context.say("button-approve-now", accounts=accounts),
                    style="positive",
                    with_inputs=True,
                )
            ],
        ),
    )


def _show(context: CardContext) -> list[Action]:
    if context.view.panel is Panel.PHONES:
        return [lists.turn(context, context.words("button-hide"), Panel.NONE, 1)]
    if context.snapshot.phones.total <= _SAMPLE:
        return []
    return [lists.turn(context, context.words("button-phones"), Panel.PHONES, 1)]


def _settled(context: CardContext) -> Sheet:
    """Read-only, for everybody: who decided what and when, and what it was about."""
    snapshot = context.snapshot
    approved = snapshot.state in status.APPROVED
    person = context.name(snapshot.decided_by)
    if snapshot.state is RequestState.REJECTED:
        verdict = Verdict("approval-rejected", {"person": person})
    elif approved:
        verdict = Verdict("approval-approved", {"person": person, "phones": snapshot.roster.ready})
    else:
        verdict = status.verdict(context)
    body: list[CardElement] = [*status.story(context)]
    pairs = [
        (context.words("fact-file"), context.given(snapshot.roster.file_name)),
        *regions(context),
    ]
    if snapshot.digest:
        pairs.append((context.words("fact-digest"), snapshot.digest[:_DIGEST]))
    body.append(facts(pairs))
    return Sheet(verdict, "good" if approved else status.tone(snapshot), (), body)
