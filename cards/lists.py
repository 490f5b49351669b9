"""Rows on a card: issues and phones, a page at a time. All of them are in the CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    ContainerStyle,
    TextBlock,
)

from bot.phones.issue import Issue, Severity
from bot.signin.outcome import NOT_RUN, UNKNOWN, PhoneStatus
from bot.signin.snapshot import Page, PhoneSnapshot
from cards.context import CardContext
from cards.elements import EMPTY, SIGNS, buttons, strong, table, text, verbatim
from cards.types import Panel, Verb

_SEVERITIES: Mapping[Severity, ContainerStyle] = MappingProxyType(
    {Severity.ERROR: "attention", Severity.WARNING: "warning", Severity.NOTE: "default"}
)
_STATUSES: Mapping[PhoneStatus, ContainerStyle] = MappingProxyType(
    {
        PhoneStatus.PENDING: "default",
        PhoneStatus.IN_PROGRESS: "accent",
        PhoneStatus.SIGNED_IN: "good",
        PhoneStatus.FAILED: "attention",
        PhoneStatus.NOT_RUN: "emphasis",
        PhoneStatus.UNCONFIRMED: "warning",
    }
)


def status_word(context: CardContext, status: PhoneStatus) -> str:
    return f"{SIGNS[_STATUSES[status]]} {context.words(f'phone-{status.value}')}"


def issues(context: CardContext) -> list[CardElement]:
    """A page of the file's issues, with the buttons to turn it."""
    page = context.snapshot.roster.issues
    if not page.items:
        return []
    rows = [_issue(context, issue) for issue in page.items]
    headers = (context.words("column-row"), context.words("column-issue"))
    return [table(headers, rows, ("96px", 1)), *turning(context, Panel.ISSUES, page)]


def _issue(
    context: CardContext, issue: Issue
) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    sign = SIGNS[_SEVERITIES[issue.severity]]
    word = context.words(f"severity-{issue.severity.value}")
    message = f"issue-{issue.code}"
    return (
        [
            TextBlock(text=str(issue.row), wrap=True),
            TextBlock(text=f"{sign} {word}", wrap=True, weight="Bolder", spacing="Small"),
            TextBlock(text=issue.column.value, wrap=True, size="Small", spacing="Small"),
        ],
        [
            *([verbatim(context.value(issue.value))] if issue.value else []),
            text(context.say(message, **issue.arguments), spacing="Small"),
            text(context.part(message, "fix", **issue.arguments), subtle=True, spacing="Small"),
        ],
    )


def phones(context: CardContext, shown: Sequence[PhoneSnapshot]) -> CardElement:
    """Phones and where they stand."""
    headers = (context.words("column-phone"), context.words("column-status"))
    return table(headers, [_phone(context, phone) for phone in shown], (1, "112px"))


def sample(context: CardContext, shown: Sequence[PhoneSnapshot]) -> CardElement:
    """Phones before anything is done to them."""
    headers = (context.words("column-phone"), context.words("column-region"))
    rows = [(_identity(context, phone), [_region(context, phone)]) for phone in shown]
    return table(headers, rows, (1, "80px"))


def _phone(
    context: CardContext, phone: PhoneSnapshot
) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    said = _identity(context, phone)
    if phone.cause == UNKNOWN and phone.message:
        said.append(verbatim(context.value(phone.message), monospace=False))
    elif phone.cause not in (None, NOT_RUN):
        said.append(text(context.words(f"cause-{phone.cause.code}"), spacing="Small"))
    return (said, [strong(status_word(context, phone.status))])


def _identity(context: CardContext, phone: PhoneSnapshot) -> list[CardElement]:
    return [
        verbatim(context.value(phone.username), monospace=False),
        verbatim(context.value(phone.hardware_id), subtle=True),
    ]


def _region(context: CardContext, phone: PhoneSnapshot) -> TextBlock:
    return TextBlock(text=phone.region.value if phone.region else EMPTY, wrap=True)


def phones_panel(context: CardContext) -> list[CardElement]:
    """The page of phones that the card was turned to."""
    page = context.snapshot.phones
    if not page.items:
        return [text(context.words("phones-none"))]
    return [phones(context, page.items), *turning(context, context.view.panel, page)]


def turning(context: CardContext, panel: Panel, page: Page[Any]) -> list[CardElement]:
    """Which part this is, and buttons to the pages beside it."""
    if page.pages == 1:
        return []
    first = (page.number - 1) * page.size + 1
    part = context.say("page-of", first=first, last=first + len(page.items) - 1, total=page.total)
    beside: list[Action] = []
    if page.number > 1:
        beside.append(turn(context, context.words("button-previous"), panel, page.number - 1))
    if page.number < page.pages:
        beside.append(turn(context, context.words("button-next"), panel, page.number + 1))
    return [text(part, subtle=True, spacing="Small"), buttons(beside)]


def turn(context: CardContext, title: str, panel: Panel, number: int) -> Action:
    return context.execute(Verb.PAGE, title, panel=panel.value, page=number)


def panels(context: CardContext) -> list[Action]:
    """Buttons that open and close the lists of phones."""
    open_panel = context.view.panel
    tally = context.snapshot.phones_by_status
    offered: list[Action] = []
    if open_panel is not Panel.PHONES:
        offered.append(turn(context, context.words("button-phones"), Panel.PHONES, 1))
    if open_panel is not Panel.FAILED and tally.ended > tally.signed_in:
        offered.append(turn(context, context.words("button-failed"), Panel.FAILED, 1))
    if open_panel in (Panel.PHONES, Panel.FAILED):
        offered.append(turn(context, context.words("button-hide"), Panel.NONE, 1))
    return offered
