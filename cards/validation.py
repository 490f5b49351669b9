"""What a file holds, and asking for approval. Nothing has been sent yet, and the card says so."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    ContainerStyle,
    TextInput,
    ToggleInput,
)

from bot.phones.region import Region
from bot.signin.request import RequestState
from bot.signin.snapshot import RosterSummary
from cards import lists, status
from cards.context import CardContext, Sheet, Verdict
from cards.elements import facts, heading, note, strong, text
from cards.types import Panel, Verb

_NOTICES = 6  # as many remarks on a file as anybody reads


def sheet(context: CardContext) -> Sheet:
    if context.snapshot.state is RequestState.DRAFT:
        return _draft(context)
    return _asked(context)


def _draft(context: CardContext) -> Sheet:
    roster = context.snapshot.roster
    lead: list[CardElement] = []
    if roster.ready and roster.not_ready:
        lead.append(strong(context.say("validation-left-out", rows=roster.not_ready)))
    return Sheet(
        verdict=Verdict(
            "validation-verdict",
            {"ready": roster.ready, "not_ready": roster.not_ready, "total": roster.total},
        ),
        tone=_tone(roster),
        lead=lead,
        body=[*_counts(context), *_remarks(context), *_issues(context), *_form(context)],
        actions=_actions(context),
    )


def _tone(roster: RosterSummary) -> ContainerStyle:
    if not roster.ready:
        return "attention"
    return "warning" if roster.not_ready or roster.warnings else "good"


def _remarks(context: CardContext) -> list[CardElement]:
    notices = context.snapshot.roster.notices
    told = [
        text(f"• {context.say(f'notice-{notice.code}', **notice.arguments)}", spacing="Small")
        for notice in notices[:_NOTICES]
    ]
    return list[CardElement](told)


def _counts(context: CardContext) -> list[CardElement]:
    roster = context.snapshot.roster
    pairs = [
        (
            context.words("fact-ready"),
            context.say("rows-ready", rows=roster.ready, accounts=roster.accounts),
        )
    ]
    pairs += [
        (context.words(label), context.say("rows", rows=rows))
        for label, rows in (
            ("fact-not-ready", roster.not_ready),
            ("fact-warnings", roster.warnings),
            ("fact-notes", roster.notes),
        )
        if rows
    ]
    pairs += regions(context)
    if roster.without_region:
        pairs.append(
            (context.words("fact-no-region"), context.say("rows", rows=roster.without_region))
        )
    return [facts(pairs)]


def regions(context: CardContext) -> list[tuple[str, str]]:
    """Facts: how many phones and batches there are in each region."""
    return [
        (
            region.region.value,
            context.say(
                "phones-in-batches", phones=region.phones.total, batches=region.batch_count
            ),
        )
        for region in context.snapshot.regions
    ]


def _issues(context: CardContext) -> list[CardElement]:
    found = lists.issues(context)
    if not found:
        return []
    return [heading(context.words("issues-heading")), *found]


def _form(context: CardContext) -> list[CardElement]:
    roster = context.snapshot.roster
    if not roster.ready:
        return [
            heading(context.words("validation-go-on")),
            text(context.words("validation-go-on-how")),
        ]
    form: list[CardElement] = [
        heading(context.words("ask-heading")),
        text(context.say("ask-what-happens", accounts=roster.accounts)),
    ]
    if roster.without_region:
        form.append(
            ChoiceSetInput(
                id="region",
                label=context.say("label-region", rows=roster.without_region),
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
    form.append(
        TextInput(
            id="reason",
            label=context.words("label-reason"),
            placeholder=context.words("placeholder-reason"),
            max_length=300,
            is_multiline=True,
            is_required=True,
            error_message=context.words("error-reason"),
        )
    )
    if roster.not_ready:
        form.append(
            ToggleInput(
                id="acknowledge",
                label=context.words("label-leave-out"),
                title=context.say("toggle-leave-out", rows=roster.not_ready),
                value="false",
                wrap=True,
                is_required=True,
                error_message=context.words("error-leave-out"),
            )
        )
    return form


def _actions(context: CardContext) -> list[Action]:
    actions: list[Action] = []
    if context.snapshot.roster.ready:
        actions.append(
            context.execute(
                Verb.REQUEST_APPROVAL,
                context.words("button-ask"),
                style="positive",
                with_inputs=True,
            )
        )
    return [
        *actions,
        *_export(context),
        context.execute(Verb.WITHDRAW, context.words("button-discard")),
    ]


def _export(context: CardContext) -> list[Action]:
    if not context.snapshot.roster.issues.total:
        return []
    return [context.execute(Verb.EXPORT, context.words("button-export-issues"), what="issues")]


def _show_issues(context: CardContext) -> list[Action]:
    """After the asking the issues make room, unless somebody wants them."""
    if not context.snapshot.roster.issues.total:
        return []
    if context.view.panel is Panel.ISSUES:
        return [lists.turn(context, context.words("button-hide"), Panel.NONE, 1)]
    return [lists.turn(context, context.words("button-issues"), Panel.ISSUES, 1)]


def _asked(context: CardContext) -> Sheet:
    """After the asking: what became of it, and the issues for whoever still mends the file."""
    snapshot = context.snapshot
    body: list[CardElement] = [*status.story(context), *_counts(context)]
    actions: list[Action] = []
    if snapshot.state in status.NOTHING_RAN:
        body.append(text(context.words("validation-again")))
    else:
        if context.view.panel is Panel.ISSUES:
            body += _issues(context)
        if snapshot.state is RequestState.WAITING:
            withdraw = context.words("button-withdraw")
            actions.append(context.execute(Verb.WITHDRAW, withdraw, style="destructive"))
        actions += [*_show_issues(context), *_export(context)]
    if snapshot.state in status.APPROVED:
        over = snapshot.state in status.OVER
        elsewhere = context.words("results-elsewhere" if over else "progress-elsewhere")
        body.insert(0, note([text(elsewhere)], "emphasis"))
    return Sheet(status.verdict(context), status.tone(snapshot), (), body, actions)
