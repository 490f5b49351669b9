"""Static cards: welcome, help, lists, and files that cannot be read. They are never updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
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
from bot.signin.history import NO_FILTER, HistoryFilter
from bot.signin.policy.decision import Ruling
from bot.signin.policy.facts import Actor
from bot.signin.schedule import start_text
from bot.signin.snapshot import FoundPhone, History, HistoryLine
from bot.words import Words
from cards import schedule, status
from cards.causes import url_block, url_safe_tenant_id
from cards.elements import (
    EMPTY,
    bold,
    code_block,
    facts,
    heading,
    size_bytes,
    table,
    text,
    text_runs,
    timestamp,
    title,
    to_json,
)
from cards.escape import markdown, single_line
from cards.lists import phone_status_with_symbol
from cards.types import MAX_BYTES, RenderedCard

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
_MAX_COMMAND_CHARS = 300


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


def history(words: Words, found: History, asked: HistoryFilter = NO_FILTER) -> RenderedCard:
    """The command `history`: as many of the newest requests as fit."""
    rendered = _history(words, found, asked)
    while size_bytes(rendered.card) >= MAX_BYTES:
        found = replace(found, lines=found.lines[:-1])
        rendered = _history(words, found, asked)
    return rendered


def _history(words: Words, found: History, asked: HistoryFilter) -> RenderedCard:
    older = _older(words, found, asked)
    if not asked:
        headline, none = words("history-headline"), words("history-none")
        return _request_list(words, headline, none, found.lines, older)
    headline = words("history-found-headline", total=found.total)
    above = [facts(_asked(words, asked))]
    none = words("history-not-found")
    return _request_list(words, headline, none, found.lines, older, above=above)


def _asked(words: Words, asked: HistoryFilter) -> list[tuple[str, str]]:
    """What was looked for."""
    account = f"{asked.account}\u2026" if asked.account_is_prefix else asked.account
    pairs = [
        ("history-phone", markdown(asked.phone, _MAX_NAME_CHARS)),
        ("history-account", markdown(account, 2 * _MAX_NAME_CHARS)),
        ("history-person", markdown(asked.person, _MAX_NAME_CHARS)),
        ("history-since", timestamp(asked.since) if asked.since else ""),
        ("history-until", timestamp(asked.until) if asked.until else ""),
    ]
    return [(words(label), value) for label, value in pairs if value]


def _older(words: Words, found: History, asked: HistoryFilter) -> str:
    """How to see the requests before the oldest one shown; "" if all are."""
    if not found.lines or found.total <= len(found.lines):
        return ""
    # Without fractions of a second, so that one is rather shown again than left out.
    until = found.lines[-1].created_at.replace(microsecond=0) + timedelta(seconds=1)
    command = f"history {replace(asked, until=until)}"
    return words.escaping(partial(markdown, max_length=_MAX_COMMAND_CHARS))(
        "history-older", shown=len(found.lines), total=found.total, command=command
    )


def status_list(words: Words, lines: Sequence[HistoryLine]) -> RenderedCard:
    """The command `status`: open requests."""
    return _request_list(words, words("status-list-headline"), words("status-list-none"), lines)


def _request_list(
    words: Words,
    headline: str,
    none: str,
    lines: Sequence[HistoryLine],
    older: str = "",
    *,
    above: Sequence[CardElement] = (),
) -> RenderedCard:
    """A table of requests, or the sentence `none`; `above` is before either."""
    if not lines:
        return _card(words, headline, [*above, text(none)])
    escaping = words.escaping(partial(markdown, max_length=_MAX_NAME_CHARS))
    headers = (words("column-request"), words("column-status"))
    rows = [_request_row(words, escaping, line) for line in lines[:_MAX_REQUESTS]]
    return _card(
        words,
        headline,
        [
            *above,
            table(headers, rows, (3, 2)),
            *([text(older)] if older else []),
            text(words("list-more"), subtle=True),
        ],
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
    for phone in line.found:
        request += _found_phone(words, escaping, phone)
    if line.found_count > len(line.found):
        more = words("line-more-phones", count=line.found_count - len(line.found))
        request.append(text(more, subtle=True, spacing="Small"))
    counts_id = "line-signed-in" if line.state in status.APPROVED_STATES else "line-phones"
    state: list[CardElement] = [
        bold(status.state_label_with_symbol(words, line)),
        text(words(counts_id, **status.tally_arguments(line.phones)), spacing="Small"),
    ]
    if line.run_at:
        start = markdown(start_text(line.run_at, line.run_zone), schedule.LONGEST)
        starts = words("line-starts", start=start)
        state.append(text(starts, spacing="Small"))
    if line.decided_by:
        person = line.decided_by.name or words("someone")
        decided = (
            escaping("line-decided-at", person=person, when=timestamp(line.decided_at))
            if line.decided_at
            else escaping("line-decided", person=person)
        )
        state.append(text(decided, subtle=True, spacing="Small"))
    if line.review_open:
        state.append(bold(words("line-review-open"), spacing="Small"))
    return request, state


def _found_phone(words: Words, escaping: Words, phone: FoundPhone) -> list[CardElement]:
    state = phone_status_with_symbol(words, phone.status)
    if phone.sent_at:
        state = escaping("line-sent", status=state, when=timestamp(phone.sent_at))
    return [
        text_runs(single_line(phone.hardware_id, _MAX_NAME_CHARS)),
        text_runs(single_line(phone.username, 2 * _MAX_NAME_CHARS), monospace=False),
        text(state, spacing="Small"),
    ]


def whoami(
    words: Words, actor: Actor, roles: Mapping[str, Ruling], profile: Profile | None
) -> RenderedCard:
    """The actor's account and roles (`bot.signin.policy.roles.role_of`). `profile` is None if Microsoft Graph
    returned none."""
    name = (profile.display_name if profile else "") or actor.person.name
    has = {role: int(answer is Ruling.YES) for role, answer in roles.items()}
    pairs = [(words("whoami-role-label"), words("whoami-role", **has))]
    if has["audit"] and (has["request"] or has["approve"]):
        pairs.append((words("whoami-audits-label"), words("whoami-audits")))
    if profile:
        pairs.insert(0, (words("whoami-upn"), markdown(profile.user_principal_name, 120) or EMPTY))
    if actor.stands_in_for:
        names = ", ".join(each.person.name or words("someone") for each in actor.stands_in_for)
        pairs.append((words("whoami-stands-in"), markdown(names, 200)))
    pairs += [
        (words("whoami-id"), markdown(actor.person.object_id, 80) or EMPTY),
        (words("whoami-tenant"), markdown(actor.tenant_id, 80) or EMPTY),
    ]
    body: list[CardElement] = [facts(pairs)]
    if not profile:
        body.append(text(words("whoami-no-profile"), subtle=True))
    if Ruling.CANNOT_TELL in roles.values():
        body.append(text(words("whoami-unsure"), subtle=True))
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
