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
from bot.signin.snapshot import Page, Phone
from cards.elements import EMPTY, SIGNS, buttons, strong, table, text, verbatim
from cards.kinds import Panel, Verb
from cards.scene import Scene

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


def status_word(scene: Scene, status: PhoneStatus) -> str:
    return f"{SIGNS[_STATUSES[status]]} {scene.words(f'phone-{status.value}')}"


def issues(scene: Scene) -> list[CardElement]:
    """A page of the file's issues, with the buttons to turn it."""
    page = scene.snapshot.roster.issues
    if not page.items:
        return []
    rows = [_issue(scene, issue) for issue in page.items]
    headers = (scene.words("column-row"), scene.words("column-issue"))
    return [table(headers, rows, ("96px", 1)), *turning(scene, Panel.ISSUES, page)]


def _issue(scene: Scene, issue: Issue) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    sign = SIGNS[_SEVERITIES[issue.severity]]
    word = scene.words(f"severity-{issue.severity.value}")
    message = f"issue-{issue.code}"
    return (
        [
            TextBlock(text=str(issue.row), wrap=True),
            TextBlock(text=f"{sign} {word}", wrap=True, weight="Bolder", spacing="Small"),
            TextBlock(text=issue.column.value, wrap=True, size="Small", spacing="Small"),
        ],
        [
            *([verbatim(scene.value(issue.value))] if issue.value else []),
            text(scene.say(message, **issue.arguments), spacing="Small"),
            text(scene.part(message, "fix", **issue.arguments), subtle=True, spacing="Small"),
        ],
    )


def phones(scene: Scene, shown: Sequence[Phone]) -> CardElement:
    """Phones and where they stand."""
    headers = (scene.words("column-phone"), scene.words("column-status"))
    return table(headers, [_phone(scene, phone) for phone in shown], (1, "112px"))


def sample(scene: Scene, shown: Sequence[Phone]) -> CardElement:
    """Phones before anything is done to them."""
    headers = (scene.words("column-phone"), scene.words("column-region"))
    rows = [(_identity(scene, phone), [_region(scene, phone)]) for phone in shown]
    return table(headers, rows, (1, "80px"))


def _phone(scene: Scene, phone: Phone) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    said = _identity(scene, phone)
    if phone.cause == UNKNOWN and phone.message:
        said.append(verbatim(scene.value(phone.message), monospace=False))
    elif phone.cause not in (None, NOT_RUN):
        said.append(text(scene.words(f"cause-{phone.cause.code}"), spacing="Small"))
    return (said, [strong(status_word(scene, phone.status))])


def _identity(scene: Scene, phone: Phone) -> list[CardElement]:
    return [
        verbatim(scene.value(phone.username), monospace=False),
        verbatim(scene.value(phone.hardware_id), subtle=True),
    ]


def _region(scene: Scene, phone: Phone) -> TextBlock:
    return TextBlock(text=phone.region.value if phone.region else EMPTY, wrap=True)


def phones_panel(scene: Scene) -> list[CardElement]:
    """The page of phones that the card was turned to."""
    page = scene.snapshot.phones
    if not page.items:
        return [text(scene.words("phones-none"))]
    return [phones(scene, page.items), *turning(scene, scene.view.panel, page)]


def turning(scene: Scene, panel: Panel, page: Page[Any]) -> list[CardElement]:
    """Which part this is, and buttons to the pages beside it."""
    if page.pages == 1:
        return []
    first = (page.number - 1) * page.size + 1
    part = scene.say("page-of", first=first, last=first + len(page.items) - 1, total=page.total)
    beside: list[Action] = []
    if page.number > 1:
        beside.append(turn(scene, scene.words("button-previous"), panel, page.number - 1))
    if page.number < page.pages:
        beside.append(turn(scene, scene.words("button-next"), panel, page.number + 1))
    return [text(part, subtle=True, spacing="Small"), buttons(beside)]


def turn(scene: Scene, title: str, panel: Panel, number: int) -> Action:
    return scene.execute(Verb.PAGE, title, panel=panel.value, page=number)


def panels(scene: Scene) -> list[Action]:
    """Buttons that open and close the lists of phones."""
    open_panel = scene.view.panel
    tally = scene.snapshot.phones_by_status
    offered: list[Action] = []
    if open_panel is not Panel.PHONES:
        offered.append(turn(scene, scene.words("button-phones"), Panel.PHONES, 1))
    if open_panel is not Panel.FAILED and tally.ended > tally.signed_in:
        offered.append(turn(scene, scene.words("button-failed"), Panel.FAILED, 1))
    if open_panel in (Panel.PHONES, Panel.FAILED):
        offered.append(turn(scene, scene.words("button-hide"), Panel.NONE, 1))
    return offered
