"""Static cards: welcome, help, lists, and files that cannot be read. They are never updated."""

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
from cards.causes import url_block, url_safe_tenant_id
from cards.elements import (
    EMPTY,
    bold,
    code_block,
    facts,
    heading,
    table,
    text,
    text_runs,
    timestamp,
    title,
    to_json,
)
from cards.escape import markdown, single_line
from cards.types import RenderedCard

_COMMANDS = (
    "help",
    "template",
    "urls",
    "status",
    "history",
    "cancel",
    "retry",
    "nudge",
    "delegate",
    "checks",
    "whoami",
)
_MAX_REQUESTS = 10  # in a list
_MAX_NAME_CHARS = 40  # of a person or a file in a list


class Profile(Protocol):
    """A user's entry in the directory."""

    @property
    def display_name(self) -> str: ...

    @property
    def user_principal_name(self) -> str: ...


def welcome(words: Words) -> RenderedCard:
    """What Offhook does, on installation."""
    body = [text(words(f"welcome-{part}")) for part in ("how", "then", "warning", "next")]
    return _card(words, words("welcome-headline"), body, style="accent")


def help(words: Words) -> RenderedCard:  # noqa: A001  # named after the command
    """The commands, and the time limits that decide whether a sign-in works."""
    rows = [
        ([text_runs(words(f"command-{name}"))], [text(words.part(f"command-{name}", "does"))])
        for name in _COMMANDS
    ]
    return _card(
        words,
        words("help-headline"),
        [
            heading(words("help-file-heading")),
            text(words("help-file")),
            heading(words("help-commands-heading")),
            table((words("column-command"), words("column-does")), rows, (2, 3)),
            heading(words("help-timing-heading")),
            text(words("help-timing-provision")),
            text(words("help-timing-offline"), spacing="Small"),
            text(words("help-timing-ip"), spacing="Small"),
        ],
    )


def urls(words: Words, regions: Sequence[Region], tenant_id: str) -> RenderedCard:
    """The provisioning URLs of every device kind in `regions`, with the tenant id filled in."""
    body: list[CardElement] = [text(words("urls-how"))]
    for region in regions:
        body.append(heading(words(f"region-{region.value}")))
        for url in all_urls(url_safe_tenant_id(tenant_id), region):
            body += url_block(words, words(f"device-{url.kind.value}"), url)
    return _card(words, words("urls-headline"), body)


def template(words: Words, csv_text: str) -> RenderedCard:
    """A CSV to copy and fill in."""
    lines = "\n".join(map(single_line, csv_text.splitlines()))
    return _card(
        words,
        words("template-headline"),
        [
            text(words("template-how")),
            code_block(lines),
            text(words("template-region"), subtle=True),
        ],
    )


def history(words: Words, lines: Sequence[HistoryLine]) -> RenderedCard:
    """The command `history`. The caller passes the newest request first."""
    return _request_list(words, words("history-headline"), words("history-none"), lines)


def status_list(words: Words, lines: Sequence[HistoryLine]) -> RenderedCard:
    """The command `status`: open requests."""
    return _request_list(words, words("status-list-headline"), words("status-list-none"), lines)


def _request_list(
    words: Words, headline: str, none: str, lines: Sequence[HistoryLine]
) -> RenderedCard:
    """A table of requests, or the sentence `none`."""
    if not lines:
        return _card(words, headline, [text(none)])
    escaping = words.escaping(partial(markdown, max_length=_MAX_NAME_CHARS))
    headers = (words("column-request"), words("column-status"))
    rows = [_request_row(words, escaping, line) for line in lines[:_MAX_REQUESTS]]
    return _card(
        words,
        headline,
        [table(headers, rows, (3, 2)), text(words("list-more"), subtle=True)],
    )


def _request_row(
    words: Words, escaping: Words, line: HistoryLine
) -> tuple[Sequence[CardElement], Sequence[CardElement]]:
    created = escaping(
        "line-by", person=line.requester.name or words("someone"), when=timestamp(line.created_at)
    )
    request: list[CardElement] = [
        text_runs(line.id),
        text_runs(single_line(line.file_name, _MAX_NAME_CHARS), monospace=False),
        text(created, subtle=True, spacing="Small"),
    ]
    counts_id = "line-signed-in" if line.state in status.APPROVED_STATES else "line-phones"
    state: list[CardElement] = [
        bold(status.state_label_with_symbol(words, line.state)),
        text(words(counts_id, **status.tally_arguments(line.phones)), spacing="Small"),
    ]
    if line.decided_by:
        decided = escaping("line-decided", person=line.decided_by.name or words("someone"))
        state.append(text(decided, subtle=True, spacing="Small"))
    if line.review_open:
        state.append(bold(words("line-review-open"), spacing="Small"))
    return request, state


def whoami(words: Words, actor: Actor, profile: Profile | None) -> RenderedCard:
    """The actor's account and role. `profile` is None if Microsoft Graph returned none."""
    name = (profile.display_name if profile else "") or actor.person.name
    role = words("whoami-role", request=int(actor.may_request), approve=int(actor.may_approve))
    pairs = [(words("whoami-role-label"), role)]
    if profile:
        pairs.insert(0, (words("whoami-upn"), markdown(profile.user_principal_name, 120) or EMPTY))
    if actor.stands_in_for:
        names = ", ".join(each.name or words("someone") for each in actor.stands_in_for)
        pairs.append((words("whoami-stands-in"), markdown(names, 200)))
    pairs += [
        (words("whoami-id"), markdown(actor.person.object_id, 80) or EMPTY),
        (words("whoami-tenant"), markdown(actor.tenant_id, 80) or EMPTY),
    ]
    body: list[CardElement] = [facts(pairs)]
    if not profile:
        body.append(text(words("whoami-no-profile"), subtle=True))
    person = name or words("someone")
    return _card(
        words,
        words.escaping(markdown)("whoami-headline", person=person),
        body,
        summary=words.escaping(single_line)("whoami-headline", person=person),
    )


def unreadable(words: Words, file_name: str, sentence: str, fix: str) -> RenderedCard:
    """A file that holds no roster: `sentence` says what is wrong, `fix` what to do."""
    return _card(
        words,
        words.escaping(partial(markdown, max_length=80))("unreadable-headline", file=file_name),
        [text(markdown(sentence, 400)), bold(markdown(fix, 400))],
        style="attention",
        summary=words.escaping(partial(single_line, max_length=80))(
            "unreadable-headline", file=file_name
        ),
    )


def file_link(words: Words, file_name: str, url: str) -> RenderedCard:
    """A download link, for chat clients that cannot receive files."""
    return _card(
        words,
        words.escaping(markdown)("file-link-headline", file=file_name),
        [text(words("file-link-how"))],
        actions=[OpenUrlAction(title=words("button-download"), url=url)],
        summary=words.escaping(single_line)("file-link-headline", file=file_name),
    )


def _card(
    words: Words,
    headline: str,
    body: Sequence[CardElement],
    *,
    style: ContainerStyle = "emphasis",
    actions: Sequence[Action] = (),
    summary: str = "",
) -> RenderedCard:
    """Frames `body` under `headline`. Pass `summary` if the headline contains Markdown escapes."""
    card = AdaptiveCard(
        version="1.5",
        lang=words.language,
        fallback_text=summary or headline,
        body=[Container(style=style, bleed=True, items=[title(headline)]), *body],
        actions=list(actions) or None,
    )
    return RenderedCard(to_json(card), summary or headline)
