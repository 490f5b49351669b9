"""The approval card: everything an approver needs to decide; afterwards, the decision."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    ShowCardAction,
    TextBlock,
    TextInput,
    ToggleInput,
)

from bot.phones.issue import RETRY_NOTICES, SIGN_OUT_NOTICES
from bot.signin.request import RequestState
from cards import accounts, lists, overlaps, status, urgency, windows
from cards.context import CardContext, CardParts, Headline
from cards.elements import bold, callout, facts, heading, text, timestamp
from cards.escape import Markup
from cards.types import Panel, Verb
from cards.validation import export_issues_button, region_facts

_SAMPLE_SIZE = 5  # phones shown while the phone panel is closed
_DIGEST_CHARS = 12  # hex digits: enough to compare by eye


def build(context: CardContext) -> CardParts:
    if context.snapshot.state is RequestState.WAITING:
        return _waiting(context)
    return _decided(context)


def _waiting(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    roster = snapshot.roster
    body: list[CardElement] = [
        *accounts.approval_warning(context),
        *_sign_out_warning(context),
        *_window_warning(context),
        *_overlaps(context),
        *_attempt_before(context),
        *urgency.lines(context),
        facts(_request_facts(context)),
        *_what_was_checked(context),
        *_phones(context),
    ]
    body.append(
        TextInput(
            id="comment",
            label=context.words("label-comment"),
            placeholder=context.words("placeholder-comment"),
            max_length=300,
            is_multiline=True,
        )
    )
    four_eyes = context.message(
        "approval-four-eyes" if snapshot.four_eyes else "approval-no-four-eyes",
        person=context.person_name(snapshot.requester),
    )
    body.append(text(four_eyes, subtle=True))
    starts = "approval-permissions" if context.runs_as_approver else "approval-starts"
    body.append(text(context.words(starts), subtle=True))
    return CardParts(
        headline=Headline("approval-headline", {"phones": roster.ready}),
        style="warning",
        header=[bold(context.message("approval-blast-radius", accounts=roster.accounts))],
        body=body,
        actions=[
            _approve_button(context),
            context.execute_action(
                Verb.REJECT,
                context.words("button-reject"),
                with_inputs=True,
                digest=snapshot.digest,
            ),
            *_phones_button(context),
            *([export_issues_button(context)] if snapshot.overlaps else []),
        ],
    )


def _what_was_checked(context: CardContext) -> list[CardElement]:
    if context.snapshot.roster.account_checks is None:
        return [text(context.words("approval-file-only"), subtle=True)]
    return [*accounts.notices(context), *accounts.scope_of_checks(context)]


def _overlaps(context: CardContext) -> list[CardElement]:
    """What is in common with other requests. The reason, further down, explains it, unless it is new."""
    wanted = context.snapshot.reason_wanted_since
    what_next = "overlap-held-up" if wanted else "overlap-explained"
    return overlaps.box(context, what_next, approver=context.view.for_approvers)


def _sign_out_warning(context: CardContext) -> list[CardElement]:
    """What the requester was told about phones that the sign-in may sign out."""
    notices = [n for n in context.snapshot.roster.notices if n.code in SIGN_OUT_NOTICES]
    if not notices:
        return []
    sentences = [text(context.message(f"notice-{n.code}", **n.arguments)) for n in notices]
    return [callout([*sentences, *_shared_accounts(context)], "warning")]


def _window_warning(context: CardContext) -> list[CardElement]:
    lines = windows.lead(context)
    return [callout(lines, "warning")] if lines else []


def _attempt_before(context: CardContext) -> list[TextBlock]:
    """Of a retry: what is known of the phones and passwords of the request that it retries."""
    notices = [n for n in context.snapshot.roster.notices if n.code in RETRY_NOTICES]
    return [text(context.message(f"notice-{n.code}", **n.arguments)) for n in notices]


def _shared_accounts(context: CardContext) -> list[TextBlock]:
    """The first accounts that are on several phones. Empty if there are none."""
    shared = context.snapshot.roster.shared_accounts
    if not shared:
        return []
    names = Markup(", ".join(map(context.markdown_value, shared)))
    return [text(context.message("approval-shared-accounts", names=names), spacing="Small")]


def _request_facts(context: CardContext) -> list[tuple[str, str]]:
    snapshot = context.snapshot
    roster = snapshot.roster
    requester = context.markdown_value(context.person_name(snapshot.requester))
    reason = context.free_text(snapshot.reason) if snapshot.reason else context.words("no-reason")
    pairs = [
        (context.words("fact-requester"), requester),
        (context.words("fact-reason"), reason),
        (context.words("fact-file"), context.markdown_value(roster.file_name)),
        *accounts.facts_of_checks(context),
        *windows.facts_of_windows(context),
        *region_facts(context),
    ]
    pairs.append((context.words("label-batch-size"), str(snapshot.batch_size)))
    if roster.not_ready:
        pairs.append(
            (
                context.words("fact-left-out"),
                context.message("rows-with-errors", rows=roster.not_ready),
            )
        )
    if snapshot.asked_at:
        pairs.append((context.words("fact-requested-at"), timestamp(snapshot.asked_at)))
    if snapshot.expires_at:
        pairs.append((context.words("fact-expires-at"), timestamp(snapshot.expires_at)))
    pairs.append((context.words("fact-digest"), snapshot.digest[:_DIGEST_CHARS]))
    return pairs


def _phones(context: CardContext) -> list[CardElement]:
    """A page of all phones if the phone panel is open, otherwise a sample of the first ones."""
    page = context.snapshot.phones
    if context.view.panel is Panel.PHONES:
        return [
            heading(context.message("approval-phones", total=page.total)),
            lists.phone_region_table(context, page.items),
            *lists.pager(context, Panel.PHONES, page),
        ]
    sample = page.items[:_SAMPLE_SIZE]
    if not sample:
        return []
    return [
        heading(context.message("approval-sample", shown=len(sample), total=page.total)),
        lists.phone_region_table(context, sample),
    ]


def _approve_button(context: CardContext) -> Action:
    """Opens a card with the check box: on the main card, a required input would block *Reject* too."""
    passwords = context.snapshot.roster.accounts
    return ShowCardAction(
        title=context.words("button-approve"),
        style="positive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                ToggleInput(
                    id="acknowledge",
                    label=context.words("label-acknowledge"),
                    title=context.message("toggle-acknowledge", accounts=passwords),
                    value="false",
                    wrap=True,
                    is_required=True,
                    error_message=context.words("error-acknowledge"),
                ),
                *accounts.confirm_inputs(context),
            ],
            actions=[
                context.execute_action(
                    Verb.APPROVE,
                    context.message("button-approve-now", accounts=passwords),
                    style="destructive",  # it resets passwords
                    with_inputs=True,
                    digest=context.snapshot.digest,
                )
            ],
        ),
    )


def _phones_button(context: CardContext) -> list[Action]:
    """The button that opens or closes the phone panel. Empty if the sample has every phone."""
    if context.view.panel is Panel.PHONES:
        return [lists.page_button(context, context.words("button-hide"), Panel.NONE, 1)]
    if context.snapshot.phones.total <= _SAMPLE_SIZE:
        return []
    return [lists.page_button(context, context.words("button-phones"), Panel.PHONES, 1)]


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
    if snapshot.digest:
        pairs.append((context.words("fact-digest"), snapshot.digest[:_DIGEST_CHARS]))
    body: list[CardElement] = [*status.timeline(context), facts(pairs)]
    header: list[CardElement] = []
    if snapshot.state in status.RESULT_STATES:
        outcome = status.headline(context)
        header.append(bold(context.message(outcome.message_id, **outcome.arguments)))
    return CardParts(headline, "good" if approved else status.style(snapshot), header, body)
