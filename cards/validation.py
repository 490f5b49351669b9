"""The validation card: what the file holds, and the form that requests approval."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    Container,
    ContainerStyle,
    NumberInput,
    TextInput,
    ToggleInput,
    ToggleVisibilityAction,
)

from bot.phones.region import Region
from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.request import MAX_TICKET, RequestState
from bot.signin.snapshot import RosterSummary
from cards import (
    accounts,
    break_glass,
    lists,
    mend,
    overlaps,
    schedule,
    status,
    urgency,
    votes,
    windows,
)
from cards.context import CardContext, CardParts, Headline
from cards.elements import action_row, bold, callout, facts, heading, text
from cards.escape import single_line
from cards.types import Panel, Verb

_MAX_NOTICES = 6
_OPTIONS_ID = "options"


def build(context: CardContext) -> CardParts:
    if context.snapshot.state is RequestState.DRAFT:
        return _draft(context)
    return _requested(context)


def _draft(context: CardContext) -> CardParts:
    roster = context.snapshot.roster
    lead: list[CardElement] = [
        *schedule.asks(context),
        *accounts.lead(context),
        *windows.lead(context),
    ]
    if roster.ready and roster.not_ready:
        lead.append(bold(context.message("validation-left-out", rows=roster.not_ready)))
    return CardParts(
        headline=Headline(
            "validation-headline",
            {"ready": roster.ready, "not_ready": roster.not_ready, "total": roster.total},
        ),
        style=_style(roster),
        header=lead,
        body=[
            *_counts(context),
            *_what_was_checked(context),
            *_notices(context),
            *mend.offer(context),
            *_issues_section(context),
            *_overlaps(context),
            *_request_form(context),
        ],
        actions=_actions(context),
    )


def _what_was_checked(context: CardContext) -> list[CardElement]:
    roster = context.snapshot.roster
    if roster.account_checks is not None:
        return accounts.scope_of_checks(context)
    return [text(context.words("validation-file-only"), subtle=True)] if roster.ready else []


def _style(roster: RosterSummary) -> ContainerStyle:
    if not roster.ready:
        return "attention"
    return "warning" if roster.not_ready or roster.warnings else "good"


def _notices(context: CardContext) -> list[CardElement]:
    """The first notices on the file, and how many there are besides."""
    notices = context.snapshot.roster.notices
    lines: list[CardElement] = [
        text(f"• {context.message(f'notice-{notice.code}', **notice.arguments)}", spacing="Small")
        for notice in notices[:_MAX_NOTICES]
    ]
    if (more := len(notices) - _MAX_NOTICES) > 0:
        lines.append(text(context.message("notices-more", count=more), spacing="Small"))
    return lines


def _counts(context: CardContext) -> list[CardElement]:
    roster = context.snapshot.roster
    pairs = [
        (
            context.words("fact-ready"),
            context.message("rows-ready", rows=roster.ready, accounts=roster.accounts),
        )
    ]
    pairs += [
        (context.words(label), context.message("rows", rows=rows))
        for label, rows in (
            ("fact-not-ready", roster.not_ready),
            ("fact-warnings", roster.warnings),
            ("fact-notes", roster.notes),
        )
        if rows
    ]
    pairs += accounts.facts_of_checks(context)
    pairs += windows.facts_of_windows(context)
    pairs += region_facts(context)
    if roster.without_region:
        pairs.append(
            (context.words("fact-no-region"), context.message("rows", rows=roster.without_region))
        )
    return [facts(pairs)]


def region_facts(context: CardContext) -> list[tuple[str, str]]:
    """Pairs of a region and its numbers of phones and batches."""
    return [
        (
            region.region.value,
            context.message(
                "phones-in-batches", phones=region.phones.total, batches=region.batch_count
            ),
        )
        for region in context.snapshot.regions
    ]


def _issues_section(context: CardContext) -> list[CardElement]:
    page = lists.issues_page(context)
    if not page:
        return []
    return [heading(context.words("issues-heading")), *page]


def requestable(roster: RosterSummary) -> bool:
    """True if some row is ready, or can be included, and no check is outstanding."""
    return not accounts.checking(roster) and bool(roster.ready or accounts.includable(roster))


def _overlaps(context: CardContext) -> list[CardElement]:
    """What is in common with other requests, which the reason has to explain."""
    what_next = "overlap-wanted" if context.snapshot.reason_wanted_since else "overlap-explain"
    return overlaps.box(context, what_next, sees_all=False)


def _reason_input(context: CardContext) -> TextInput:
    overlapping = bool(context.snapshot.overlaps)
    return TextInput(
        id="reason",
        label=context.words("label-reason-overlap" if overlapping else "label-reason"),
        placeholder=context.words("placeholder-reason"),
        value=single_line(context.snapshot.reason, context.budget.free_text_chars) or None,
        max_length=300,
        is_multiline=True,
        is_required=True,
        error_message=context.words("error-reason"),
    )


def _ticket_input(context: CardContext) -> TextInput:
    rule = context.ticket_rule
    value = single_line(context.snapshot.ticket, MAX_TICKET) or None
    if rule is None:
        return TextInput(
            id="ticket",
            label=context.words("label-ticket"),
            placeholder=context.words("placeholder-ticket"),
            value=value,
            max_length=MAX_TICKET,
        )
    form = {"ticket": rule.ticket_form, "example": int(bool(rule.ticket_example))}
    return TextInput(
        id="ticket",
        label=context.words("label-ticket-required"),
        placeholder=context.single_line_message("placeholder-ticket-required", **form),
        value=value,
        max_length=MAX_TICKET,
        is_required=True,
        error_message=context.single_line_message("error-ticket", **form),
    )


def _request_form(context: CardContext) -> list[CardElement]:
    """The inputs of *Request approval*, or what to do instead if no row is ready."""
    roster = context.snapshot.roster
    if accounts.checking(roster):
        return accounts.progress(context)
    if not requestable(roster):
        return [
            heading(context.words("validation-next-step")),
            text(context.words("validation-next-step-how")),
        ]
    form: list[CardElement] = [
        heading(context.words("request-approval-heading")),
        text(context.message("request-approval-effect", accounts=roster.accounts)),
    ]
    if roster.without_region:
        form.append(
            ChoiceSetInput(
                id="region",
                label=context.message("label-region", rows=roster.without_region),
                choices=[
                    Choice(title=context.words(f"region-{region.value}"), value=region.value)
                    for region in Region
                ],
                style="compact",
                placeholder=context.words("placeholder-region"),
                is_required=True,
                error_message=context.words("error-region"),
            )
        )
    form += [_reason_input(context), _ticket_input(context)]
    if roster.not_ready:
        form.append(
            ToggleInput(
                id="acknowledge",
                label=context.words("label-leave-out"),
                title=context.message("toggle-leave-out", rows=roster.not_ready),
                value="false",
                wrap=True,
                is_required=True,
                error_message=context.words("error-leave-out"),
            )
        )
    return [*form, *accounts.include_inputs(context), *_options(context)]


def _options(context: CardContext) -> list[CardElement]:
    """What few people need: hidden until asked for, and open if the draft proposes something unusual."""
    size = context.snapshot.batch_size
    proposed = size < MAX_PHONES_PER_BATCH
    how = context.message("batch-size-how", limit=MAX_PHONES_PER_BATCH)
    items: list[CardElement] = [
        NumberInput(
            id="batch_size",
            label=context.words("label-batch-size"),
            value=size,
            min=1,
            max=MAX_PHONES_PER_BATCH,
            error_message=context.message("error-batch-size", limit=MAX_PHONES_PER_BATCH),
        ),
        text(how, subtle=True, spacing="Small"),
    ]
    toggle = ToggleVisibilityAction(
        title=context.words("button-options"), target_elements=[_OPTIONS_ID]
    )
    return [
        action_row([toggle, schedule.toggle(context)]),
        Container(id=_OPTIONS_ID, is_visible=proposed, items=items),
        schedule.form(context),
    ]


def _actions(context: CardContext) -> list[Action]:
    actions: list[Action] = []
    if requestable(context.snapshot.roster):
        actions.append(
            context.execute_action(
                Verb.REQUEST_APPROVAL,
                context.words("button-request-approval"),
                style="positive",
                with_inputs=True,
            )
        )
    return [
        *actions,
        *mend.offer_button(context),
        *_export_button(context),
        *accounts.export_buttons(context),
        context.execute_action(Verb.WITHDRAW, context.words("button-discard")),
    ]


def _export_button(context: CardContext) -> list[Action]:
    """Empty if there are no issues to export."""
    roster = context.snapshot.roster
    if not roster.issues.total and not context.snapshot.overlaps and not windows.lead(context):
        return []
    return [export_issues_button(context)]


def export_issues_button(context: CardContext) -> Action:
    return context.execute_action(Verb.EXPORT, context.words("button-export-issues"), what="issues")


def _issues_button(context: CardContext) -> list[Action]:
    """The button that opens or closes the issues panel of a request that is no longer a draft."""
    if not context.snapshot.roster.issues.total:
        return []
    if context.view.panel is Panel.ISSUES:
        return [lists.page_button(context, context.words("button-hide"), Panel.NONE, 1)]
    return [lists.page_button(context, context.words("button-issues"), Panel.ISSUES, 1)]


def _requested(context: CardContext) -> CardParts:
    """No longer a draft: the timeline, and the issues for those who still fix the file."""
    snapshot = context.snapshot
    body: list[CardElement] = [
        *status.timeline(context),
        *votes.lines(context),
        *_counts(context),
    ]
    actions: list[Action] = []
    if snapshot.state in status.NEVER_RAN_STATES:
        body.append(text(context.words("validation-again")))
    else:
        if context.view.panel is Panel.ISSUES:
            body += _issues_section(context)
        if snapshot.state is RequestState.WAITING:
            if snapshot.reason_wanted_since:
                body += [*_overlaps(context), _reason_input(context)]
                explain = context.words("button-explain")
                actions.append(
                    context.execute_action(Verb.REQUEST_APPROVAL, explain, with_inputs=True)
                )
            body += urgency.lines(context)
            actions.append(urgency.nudge_button(context))
            title = context.words("button-withdraw")
            actions.append(context.execute_action(Verb.WITHDRAW, title, style="destructive"))
            actions += break_glass.button(context)
        actions += [
            *_issues_button(context),
            *_export_button(context),
            *accounts.export_buttons(context),
        ]
    if snapshot.state in status.APPROVED_STATES:
        has_results = snapshot.state in status.RESULT_STATES
        current_state = context.message("current-state", request=snapshot.id)
        elsewhere = current_state if has_results else context.words("progress-elsewhere")
        body.insert(0, callout([text(elsewhere)], "emphasis"))
    return CardParts(status.headline(context), status.style(snapshot), (), body, actions)
