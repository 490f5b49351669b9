"""Paged lists on a card: issues and phones. The CSV exports have all of them."""

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
from bot.signin.outcome import FAILED_CHECK, NOT_RUN, UNKNOWN, PhoneStatus
from bot.signin.snapshot import Page, PhoneSnapshot
from bot.words import Words
from cards import sightings
from cards.context import CardContext
from cards.elements import EMPTY, SYMBOLS, action_row, bold, table, text, text_runs
from cards.types import Panel, Verb

_SEVERITY_STYLES: Mapping[Severity, ContainerStyle] = MappingProxyType(
    {Severity.ERROR: "attention", Severity.WARNING: "warning", Severity.NOTE: "default"}
)
_STATUS_STYLES: Mapping[PhoneStatus, ContainerStyle] = MappingProxyType(
    {
        PhoneStatus.PENDING: "default",
        PhoneStatus.IN_PROGRESS: "accent",
        PhoneStatus.SIGNED_IN: "good",
        PhoneStatus.FAILED: "attention",
        PhoneStatus.NOT_RUN: "emphasis",
        PhoneStatus.UNCONFIRMED: "warning",
    }
)

#: A table row of two cells
_Row = tuple[Sequence[CardElement], Sequence[CardElement]]


def phone_status_label(context: CardContext, status: PhoneStatus) -> str:
    """The status with its symbol."""
    return phone_status_with_symbol(context.words, status)


def phone_status_with_symbol(words: Words, status: PhoneStatus) -> str:
    """The same, for cards that are about no single request."""
    return f"{SYMBOLS[_STATUS_STYLES[status]]} {words(f'phone-{status.value}')}"


def issues_page(context: CardContext) -> list[CardElement]:
    """The current page of the file's issues, with its pager. Empty if there are none."""
    page = context.snapshot.roster.issues
    if not page.items:
        return []
    rows = [_issue_row(context, issue) for issue in page.items]
    headers = (context.words("column-row"), context.words("column-issue"))
    return [table(headers, rows, ("96px", 1)), *pager(context, Panel.ISSUES, page)]


def _issue_row(context: CardContext, issue: Issue) -> _Row:
    symbol = SYMBOLS[_SEVERITY_STYLES[issue.severity]]
    severity = context.words(f"severity-{issue.severity.value}")
    message_id = f"issue-{issue.code}"
    return (
        [
            TextBlock(text=str(issue.row), wrap=True),
            TextBlock(text=f"{symbol} {severity}", wrap=True, weight="Bolder", spacing="Small"),
            TextBlock(text=issue.column.value, wrap=True, size="Small", spacing="Small"),
        ],
        [
            *([text_runs(context.single_line_value(issue.value))] if issue.value else []),
            text(context.message(message_id, **issue.arguments), spacing="Small"),
            text(context.part(message_id, "fix", **issue.arguments), subtle=True, spacing="Small"),
        ],
    )


def phone_status_table(context: CardContext, shown: Sequence[PhoneSnapshot]) -> CardElement:
    """Phones with their status and, if failed, the cause."""
    headers = (context.words("column-phone"), context.words("column-status"))
    return table(headers, [_phone_status_row(context, phone) for phone in shown], (1, "112px"))


def phone_region_table(context: CardContext, shown: Sequence[PhoneSnapshot]) -> CardElement:
    """Phones with their region, for cards shown before the sign-in."""
    headers = (context.words("column-phone"), context.words("column-region"))
    rows = [
        ([*_phone_lines(context, phone), *_marks(context, phone)], [_region(phone)])
        for phone in shown
    ]
    return table(headers, rows, (1, "80px"))


def _marks(context: CardContext, phone: PhoneSnapshot) -> list[CardElement]:
    """Why the phone is unusual. Empty if it is not."""
    if not phone.marks:
        return []
    reasons = ", ".join(context.words(f"mark-{mark.value}") for mark in phone.marks)
    return [text(f"{SYMBOLS['warning']} {reasons}", spacing="Small")]


def _phone_status_row(context: CardContext, phone: PhoneSnapshot) -> _Row:
    lines = _phone_lines(context, phone)
    if phone.cause in (UNKNOWN, FAILED_CHECK) and phone.message:
        lines.append(text_runs(context.single_line_value(phone.message), monospace=False))
    elif phone.cause not in (None, NOT_RUN):
        lines.append(text(context.words(f"cause-{phone.cause.code}"), spacing="Small"))
    lines += sightings.of_phone(context, phone.sighting)
    return (lines, [bold(phone_status_label(context, phone.status))])


def _phone_lines(context: CardContext, phone: PhoneSnapshot) -> list[CardElement]:
    return [
        text_runs(context.single_line_value(phone.username), monospace=False),
        text_runs(context.single_line_value(phone.hardware_id), subtle=True),
    ]


def _region(phone: PhoneSnapshot) -> TextBlock:
    return TextBlock(text=phone.region.value if phone.region else EMPTY, wrap=True)


def phones_page(context: CardContext) -> list[CardElement]:
    """The current page of the open phone panel, with its pager."""
    page = context.snapshot.phones
    if not page.items:
        return [text(context.words("phones-none"))]
    return [phone_status_table(context, page.items), *pager(context, context.view.panel, page)]


def pager(context: CardContext, panel: Panel, page: Page[Any]) -> list[CardElement]:
    """The range shown, and buttons to the previous and next page. Empty for a single page."""
    if page.pages == 1:
        return []
    first = (page.number - 1) * page.size + 1
    last = first + len(page.items) - 1
    range_shown = context.message("page-of", first=first, last=last, total=page.total)
    actions: list[Action] = []
    if page.number > 1:
        previous = context.words("button-previous")
        actions.append(page_button(context, previous, panel, page.number - 1))
    if page.number < page.pages:
        actions.append(page_button(context, context.words("button-next"), panel, page.number + 1))
    return [text(range_shown, subtle=True, spacing="Small"), action_row(actions)]


def page_button(context: CardContext, title: str, panel: Panel, number: int) -> Action:
    """A button that opens page `number` (from 1) of `panel`."""
    chosen = context.view.phone_filter
    kept: dict[str, Any] = {}
    if panel is Panel.PHONES and chosen.which:
        kept["filter"] = chosen.which
    if panel is Panel.PHONES and chosen.prefix:
        kept["prefix"] = chosen.prefix
    return context.execute_action(Verb.PAGE, title, panel=panel.value, page=number, **kept)


def panel_buttons(context: CardContext) -> list[Action]:
    """Buttons that open and close the phone panels."""
    open_panel = context.view.panel
    tally = context.snapshot.phones_by_status
    actions: list[Action] = []
    if open_panel is not Panel.PHONES:
        actions.append(page_button(context, context.words("button-phones"), Panel.PHONES, 1))
    if open_panel is not Panel.FAILED and tally.ended > tally.signed_in:
        actions.append(page_button(context, context.words("button-failed"), Panel.FAILED, 1))
    if open_panel in (Panel.PHONES, Panel.FAILED):
        actions.append(page_button(context, context.words("button-hide"), Panel.NONE, 1))
    return actions
