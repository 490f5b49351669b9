"""Static cards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bot.phones import roster
from bot.phones.region import Region
from bot.signin.history import HistoryFilter
from bot.signin.outcome import PhoneStatus
from bot.signin.policy.decision import Ruling
from bot.signin.policy.facts import Actor
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import FoundPhone, History, HistoryLine
from bot.words import Words
from cards import static
from cards.types import RenderedCard
from tests.support import reading, snapshots

HOSTILE = "**[x](https://evil.example)** <at>Megan</at> {{DATE(2026-01-01T00:00:00Z)}} \u202e😀" * 9


@dataclass(frozen=True)
class Profile:
    display_name: str
    user_principal_name: str


def line(state: RequestState) -> HistoryLine:
    snapshot = snapshots.snapshot(state)
    return HistoryLine(
        snapshot.id,
        snapshot.state,
        snapshot.requester,
        snapshot.roster.file_name,
        snapshot.created_at,
        snapshot.phones_by_status,
        snapshot.decided_by,
    )


def actor(name: str) -> Actor:
    return Actor(Person("00000000-0000-0000-0000-000000000020", name), snapshots.TENANT)


def roles(*, request: bool = True, approve: bool = False) -> dict[str, Ruling]:
    given = {"request": request, "approve": approve, "audit": False}
    return {role: Ruling.YES if has else Ruling.NO for role, has in given.items()}


def all_cards(words: Words, text: str) -> dict[str, RenderedCard]:
    """Every static card, with `text` for each value from outside."""
    person = Person(text, text)
    lines = [
        replace(line(state), requester=person, decided_by=person, file_name=text)
        for state in RequestState
    ]
    phone = FoundPhone(text, text, PhoneStatus.SIGNED_IN, snapshots.NOON)
    found = [replace(each, found=[phone] * 3, found_count=9) for each in lines]
    asked = HistoryFilter(text, text, person=text, since=snapshots.NOON, until=snapshots.NOON)
    return {
        "welcome": static.welcome(words),
        "help": static.help(words),
        "urls": static.urls(words, list(Region), text),
        "template": static.template(words, roster.template()),
        "history": static.history(words, History(lines * 3, 100)),
        "found": static.history(words, History(found * 3, 100), asked),
        "nothing-found": static.history(words, History([], 0), asked),
        "status": static.status_list(words, lines * 3),
        "nothing": static.status_list(words, []),
        "whoami": static.whoami(words, actor(text), roles(), Profile(text, text)),
        "unreadable": static.unreadable(words, text, f"It says: {text}", f"Fix it: {text}"),
        "file-link": static.file_link(words, text, "http://127.0.0.1:1/x"),
    }


@pytest.mark.parametrize("text", ["Alex", HOSTILE, "", "😀" * 500])
def test_static_cards_are_inert_and_fit(text: str) -> None:
    for name, rendered in all_cards(Words(), text).items():
        reading.assert_valid(rendered.card)
        assert rendered.summary, name
        assert rendered.card["fallbackText"] == rendered.summary
        for block in reading.of_type(rendered.card, "TextBlock"):
            assert "2026-01-01" not in block["text"] or "{{DATE(2026-01" not in block["text"]
            assert "](https" not in block["text"].replace("\\](https", "")
            assert "<at>" not in block["text"].replace("\\<at>", "")


def test_help_names_every_command_and_the_time_limit() -> None:
    text = reading.text(static.help(Words()).card)
    for command in (
        "help",
        "template",
        "urls EMEA",
        "status",
        "history",
        "cancel",
        "retry",
        "nudge",
        "delegate",
        "checks",
        "whoami",
    ):
        assert command in text
    assert "72 hours" in text


def test_urls_cover_every_device_kind_in_every_region() -> None:
    card = static.urls(Words(), list(Region), snapshots.TENANT).card
    urls = [block["codeSnippet"] for block in reading.of_type(card, "CodeBlock")]
    for region in ("noam", "emea", "apac"):
        base = f"http://{region}.ipp.sdg.teams.microsoft.com/tenantid/{snapshots.TENANT}"
        for suffix in ("", "/$PSN.xml", "/mac.ini", "/mac.cfg", "/$mac.cfg"):
            assert base + suffix in urls
    text = reading.text(card)
    for vendor in ("Alcatel-Lucent Enterprise", "AudioCodes", "Cisco", "Poly", "Yealink"):
        assert vendor in text
    assert "Microsoft documents the URL above. This one is also in use:" in text


def test_urls_cover_only_the_given_region() -> None:
    text = reading.text(static.urls(Words(), [Region.EMEA], snapshots.TENANT).card)
    assert "emea.ipp" in text
    assert "noam.ipp" not in text


def test_template_is_copyable() -> None:
    card = static.template(Words(), roster.template()).card
    (block,) = reading.of_type(card, "CodeBlock")
    assert block["codeSnippet"].splitlines() == roster.template().splitlines()


def test_history_shows_state_counts_and_approver() -> None:
    lines = [line(RequestState.FINISHED), line(RequestState.REJECTED)]
    text = reading.text(static.history(Words(), History(lines, 2)).card)
    for part in (
        "K7QF2M9X",
        "lobby-phones.csv",
        "✓ Finished",
        "230 of 244 signed in",
        "✕ Rejected",
        "Decided by Megan Bowen",
    ):
        assert part in text


def test_request_lists_say_when_they_are_empty() -> None:
    assert "There are no requests yet." in reading.text(
        static.history(Words(), History([], 0)).card
    )
    assert "There are no open requests." in reading.text(static.status_list(Words(), []).card)


@pytest.mark.parametrize(
    ("requests", "approves", "expected"),
    [
        (True, True, "Requester and approver: you can request and approve sign-ins"),
        (True, False, "Requester: you can request sign-ins"),
        (False, True, "Approver: you can approve sign-ins"),
        (False, False, "None: you can't request or approve sign-ins"),
    ],
)
def test_whoami_shows_the_role(requests: bool, approves: bool, expected: str) -> None:
    has = roles(request=requests, approve=approves)
    profile = Profile("Alex Wilber", "alexw@contoso.com")
    rendered = static.whoami(Words(), actor("Alex Wilber"), has, profile)
    text = reading.text(rendered.card)
    assert f"Role {expected}" in text
    assert "Account alexw@contoso.com" in text
    assert rendered.summary == "You are Alex Wilber."


def test_whoami_works_without_a_profile() -> None:
    text = reading.text(static.whoami(Words(), actor("Alex Wilber"), roles(), None).card)
    assert "You are Alex Wilber." in text
    assert "Microsoft Graph has no profile for you" in text


def test_whoami_says_what_cannot_be_told_and_who_audits() -> None:
    unsure = {**roles(), "approve": Ruling.CANNOT_TELL, "audit": Ruling.YES}
    text = reading.text(static.whoami(Words(), actor("Alex Wilber"), unsure, None).card)
    assert "I can't tell all of your roles right now" in text
    assert "Auditor: you can see other people's requests" in text


def test_unreadable_says_what_is_wrong_and_how_to_fix_it() -> None:
    rendered = static.unreadable(Words(), "phones_v2.csv", "It is empty.", "Add rows.")
    text = reading.text(rendered.card)
    assert "I can't use phones\\_v2.csv." in text
    assert "It is empty." in text
    assert "Add rows." in text
    assert rendered.summary == "I can't use phones_v2.csv."


def test_file_link_opens_the_file() -> None:
    card = static.file_link(Words(), "results.csv", "http://127.0.0.1:1/x").card
    assert [action["url"] for action in reading.of_type(card, "Action.OpenUrl")] == [
        "http://127.0.0.1:1/x"
    ]
