"""Cards that stand for themselves: welcome, help, lists, and what could not be read. They never change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    Container,
    ContainerStyle,
    OpenUrlAction,
)

from bot.phones.provisioning import all_urls
from bot.phones.region import Region
from bot.signin.policy import Actor
from bot.signin.snapshot import HistoryLine
from bot.words import Words
from cards import status
from cards.causes import tenant, url_lines
from cards.elements import (
    EMPTY,
    copyable,
    dump,
    facts,
    heading,
    moment,
    strong,
    table,
    text,
    title,
    verbatim,
)
from cards.escape import markdown, plain
from cards.types import Rendered

_COMMANDS = ("help", "template", "urls", "status", "history", "cancel", "retry", "checks", "whoami")
_LINES = 10  # requests in a list
_NAME = 40  # characters of a name in a list


class Profile(Protocol):
    """What the directory says of somebody."""

    @property
    def display_name(self) -> str: ...

    @property
    def user_principal_name(self) -> str: ...


def welcome(words: Words) -> Rendered:
    verdict = words("welcome-verdict")
    told = [text(words(f"welcome-{part}")) for part in ("how", "then", "warning", "next")]
    return _card(words, verdict, told, tone="accent")


def help(words: Words) -> Rendered:  # noqa: A001  # the command is called so
    """What can be asked, and the clocks that decide whether a sign-in works."""
    rows = [
        ([verbatim(words(f"command-{name}"))], [text(words.part(f"command-{name}", "does"))])
        for name in _COMMANDS
    ]
    return _card(
        words,
        words("help-verdict"),
        [
            heading(words("help-file-heading")),
            text(words("help-file")),
            heading(words("help-commands-heading")),
            table((words("column-command"), words("column-does")), rows, (2, 3)),
            heading(words("help-timing-heading")),
            text(words("help-timing-provision")),
            text(words("help-timing-ip"), spacing="Small"),
        ],
    )


def urls(words: Words, regions: Sequence[Region], tenant_id: str) -> Rendered:
    """Every kind of device in every region, with the tenant id in the URL."""
    body: list[CardElement] = [text(words("urls-how"))]
    for region in regions:
        body.append(heading(words(f"region-{region.value}")))
        for url in all_urls(tenant(tenant_id), region):
            body += url_lines(words, words(f"device-{url.kind.value}"), url)
    return _card(words, words("urls-verdict"), body)


def template(words: Words, csv_text: str) -> Rendered:
    """A CSV to copy and fill in."""
    lines = "\n".join(map(plain, csv_text.splitlines()))
    return _card(
        words,
        words("template-verdict"),
        [text(words("template-how")), copyable(lines), text(words("template-region"), subtle=True)],
    )


def history(words: Words, lines: Sequence[HistoryLine]) -> Rendered:
    """Requests, the newest first."""
    return _list(words, words("history-verdict"), words("history-none"), lines)


def status_list(words: Words, lines: Sequence[HistoryLine]) -> Rendered:
    """Requests that somebody or something still has to do with."""
    return _list(words, words("status-verdict"), words("status-none"), lines)


def _list(words: Words, verdict: str, none: str, lines: Sequence[HistoryLine]) -> Rendered:
    if not lines:
        return _card(words, verdict, [text(none)])
    escaping = words.escaping(partial(markdown, longest=_NAME))
    headers = (words("column-request"), words("column-status"))
    rows = [_line(words, escaping, line) for line in lines[:_LINES]]
    return _card(
        words,
        verdict,
        [table(headers, rows, (3, 2)), text(words("status-more"), subtle=True)],
    )


def _line(
    words: Words, escaping: Words, line: HistoryLine
) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    by = escaping(
        "line-by", person=line.requester.name or words("somebody"), when=moment(line.created_at)
    )
    request: list[CardElement] = [
        verbatim(line.id),
        verbatim(plain(line.file_name, _NAME), monospace=False),
        text(by, subtle=True, spacing="Small"),
    ]
    counts = "line-signed-in" if line.state in status.APPROVED else "line-phones"
    column: list[CardElement] = [
        strong(status.signed(words, line.state)),
        text(words(counts, **status.numbers(line.phones)), spacing="Small"),
    ]
    if line.decided_by:
        decided = escaping("line-decided", person=line.decided_by.name or words("somebody"))
        column.append(text(decided, subtle=True, spacing="Small"))
    return request, column


def whoami(words: Words, actor: Actor, profile: Profile | None) -> Rendered:
    """Who somebody is here. `profile` is None if the directory gave none."""
    name = (profile.display_name if profile else "") or actor.person.name
    may = words("whoami-may", request=int(actor.may_request), approve=int(actor.may_approve))
    pairs = [(words("whoami-roles"), may)]
    if profile:
        pairs.insert(0, (words("whoami-upn"), markdown(profile.user_principal_name, 120) or EMPTY))
    pairs += [
        (words("whoami-id"), markdown(actor.person.object_id, 80) or EMPTY),
        (words("whoami-tenant"), markdown(actor.tenant_id, 80) or EMPTY),
    ]
    body: list[CardElement] = [facts(pairs)]
    if not profile:
        body.append(text(words("whoami-no-profile"), subtle=True))
    person = name or words("somebody")
    return _card(
        words,
        words.escaping(markdown)("whoami-verdict", person=person),
        body,
        summary=words.escaping(plain)("whoami-verdict", person=person),
    )


def unreadable(words: Words, file_name: str, sentence: str, fix: str) -> Rendered:
    """A file that gives no table: what is wrong with it, and what to do."""
    return _card(
        words,
        words.escaping(partial(markdown, longest=80))("unreadable-verdict", file=file_name),
        [text(markdown(sentence, 400)), strong(markdown(fix, 400))],
        tone="attention",
        summary=words.escaping(partial(plain, longest=80))("unreadable-verdict", file=file_name),
    )


def file_link(words: Words, file_name: str, url: str) -> Rendered:
    """A file to download, for chat clients that know no files."""
    return _card(
        words,
        words.escaping(markdown)("file-link-verdict", file=file_name),
        [text(words("file-link-how"))],
        actions=[OpenUrlAction(title=words("button-download"), url=url)],
        summary=words.escaping(plain)("file-link-verdict", file=file_name),
    )


def _card(
    words: Words,
    verdict: str,
    body: Sequence[CardElement],
    *,
    tone: ContainerStyle = "emphasis",
    actions: Sequence[Action] = (),
    summary: str = "",
) -> Rendered:
    """`verdict` opens the card and is the summary too, unless it needs another one without Markdown."""
    card = AdaptiveCard(
        version="1.5",
        lang=words.language,
        fallback_text=summary or verdict,
        body=[Container(style=tone, bleed=True, items=[title(verdict)]), *body],
        actions=list(actions) or None,
    )
    return Rendered(dump(card), summary or verdict)
