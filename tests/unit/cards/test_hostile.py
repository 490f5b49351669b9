"""Hostile input from files, people and the SIP Gateway: every card stays inert and below the size limit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from itertools import cycle, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.phones.issue import Column, Issue, Notice, Severity
from bot.phones.region import Region
from bot.phones.vendor import DeviceKind
from bot.signin.batch import BatchState
from bot.signin.outcome import CAUSES, UNKNOWN, Cause, PhoneStatus
from bot.signin.overlap import ENDED_STATES, OPEN_STATES, Overlap
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import (
    AccountChecks,
    CauseGroup,
    Page,
    PhoneSnapshot,
    ProvisioningWindows,
    ReconciliationQuestion,
    RegionProgress,
    RequestSnapshot,
    RosterSummary,
    StalledBatch,
    Tally,
)
from bot.words import Words
from cards.escape import single_line
from cards.render import render
from cards.types import CardKind, Panel, View
from tests.support import reading

PIECES = (
    "[pay](https://evil.example)", "![x](y)", "<at>Megan</at>", "<b>", "**", "__", "`", "- ", "1. ",
    "{{DATE(2026-01-01T00:00:00Z)}}", "\u202e", "\u200b", "\x00", "\\", '"', "\n", "\ud800", "😀", "é", "ع",
    "=1+1", "lobby@contoso.com",
)  # fmt: skip
PATTERNS = st.lists(st.sampled_from(PIECES) | st.characters(), min_size=1, max_size=4)


def _repeat(parts: list[str], length: int) -> str:
    return "".join(islice(cycle(parts), length))


LONG = st.builds(_repeat, PATTERNS, st.integers(0, 300))
WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNT = st.sampled_from((0, 1, 2, 99, 20_000))
_PLACEABLE = re.compile(r"(NUMBER\()?\$(\w+)")


@cache
def message_arguments(kind: str) -> dict[str, dict[str, bool]]:
    """Maps the codes of `issue-…` or `notice-…` messages to their arguments: True for numbers."""
    text = resources.files("bot.words").joinpath("en/phones.ftl").read_text(encoding="utf-8")
    messages: dict[str, dict[str, bool]] = {}
    for entry in re.split(r"\n(?=[a-z])", text):
        if code := re.match(rf"{kind}-([\w-]+) =", entry):
            messages[code[1]] = {name: bool(number) for number, name in _PLACEABLE.findall(entry)}
    return messages


@st.composite
def arguments(draw: st.DrawFn, names: dict[str, bool]) -> dict[str, str | int]:
    return {name: draw(COUNT if number else LONG) for name, number in names.items()}


@st.composite
def issues(draw: st.DrawFn) -> Issue:
    code = draw(st.sampled_from(sorted(message_arguments("issue"))))
    return Issue(
        draw(st.integers(2, 20_001)),
        draw(st.sampled_from(Column)),
        draw(LONG),
        code,
        draw(st.sampled_from(Severity)),
        draw(arguments(message_arguments("issue")[code])),
    )


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    code = draw(st.sampled_from(sorted(message_arguments("notice"))))
    return Notice(code, draw(arguments(message_arguments("notice")[code])))


PEOPLE = st.builds(Person, LONG, LONG)
CAUSE = st.sampled_from([*CAUSES.values(), UNKNOWN, UNKNOWN])
PHONES = st.builds(
    PhoneSnapshot,
    row=st.integers(2, 20_001),
    username=LONG,
    hardware_id=LONG,
    region=st.sampled_from([*Region, None]),
    status=st.sampled_from(PhoneStatus),
    message=LONG,
    cause=st.none() | CAUSE,
    remote_batch_id=LONG,
)
GROUPS = st.builds(
    CauseGroup,
    cause=CAUSE,
    count=st.integers(1, 20_000),
    message=LONG,
    examples=st.lists(LONG, max_size=3),
    vendors=st.dictionaries(st.sampled_from(DeviceKind).map(str), st.integers(1, 9)),
)
STALLED = st.builds(StalledBatch, st.sampled_from(Region), LONG, COUNT, st.just(WHEN))
#: Names of existing accounts: Entra ID allows these characters, and 113 of them at most.
UPNS = st.lists(
    st.text("aW0'.-_!#^~", min_size=1, max_size=64).map(lambda local: f"{local}@{'w' * 48}"),
    max_size=10,
    unique=True,
)
ACCOUNT_CHECKS = st.builds(
    AccountChecks,
    complete=st.booleans(),
    total=COUNT,
    refused=COUNT,
    guarded=COUNT,
    failed=COUNT,
    warnings=COUNT,
    unknown=COUNT,
    passed=COUNT,
    included=COUNT,
    guarded_accounts=UPNS,
    included_accounts=UPNS,
)
OVERLAPS = st.builds(
    Overlap,
    request_id=st.just("M2N8P4QR"),
    requester_id=st.sampled_from(("", "someone")),
    state=st.sampled_from(sorted(OPEN_STATES | ENDED_STATES)),
    since=st.just(WHEN),
    accounts=COUNT,
    phones=COUNT,
    examples=st.lists(LONG, min_size=3, max_size=3),
)
EXAMPLES = st.lists(LONG, min_size=3, max_size=3)
WINDOWS = st.builds(
    ProvisioningWindows,
    at=st.just(WHEN),
    too_early=COUNT,
    in_time=COUNT,
    nearly_too_late=COUNT,
    too_late=COUNT,
    without_time=COUNT,
    next_deadline=st.none() | st.just(WHEN),
    early_examples=EXAMPLES,
    nearly_late_examples=EXAMPLES,
    late_examples=EXAMPLES,
)
TALLIES = st.builds(Tally, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)


@st.composite
def snapshots(draw: st.DrawFn) -> RequestSnapshot:
    """Any request. Lists are repeated to full length, because hypothesis draws short ones."""
    issue = draw(st.lists(issues(), min_size=1, max_size=2))
    phone = draw(st.lists(PHONES, min_size=1, max_size=2))
    group = draw(st.lists(GROUPS, max_size=2))
    roster = RosterSummary(
        file_name=draw(LONG),
        total=20_000,
        ready=draw(COUNT),
        accounts=draw(COUNT),
        not_ready=draw(COUNT),
        warnings=draw(COUNT),
        notes=draw(COUNT),
        without_region=draw(COUNT),
        notices=list(islice(cycle([draw(notices())]), 12)),
        issues=Page(list(islice(cycle(issue), 10)), draw(st.integers(1, 3)), 10, 30),
        shared_accounts=draw(st.lists(LONG, max_size=3)),
        account_checks=draw(st.none() | ACCOUNT_CHECKS),
        windows=draw(st.none() | WINDOWS),
    )
    regions = [
        RegionProgress(region, draw(TALLIES), dict.fromkeys(BatchState, draw(COUNT)))
        for region in Region
    ]
    when = st.none() | st.just(WHEN)
    return RequestSnapshot(
        id="K7QF2M9X",
        version=draw(st.integers(0, 2**31)),
        state=draw(st.sampled_from(RequestState)),
        tenant_id="tenant",
        requester=draw(PEOPLE),
        roster=roster,
        regions=regions,
        causes=[each for each in group for _ in range(32)],
        questions=[
            ReconciliationQuestion(
                7,
                Region.EMEA,
                draw(COUNT),
                WHEN,
                2,
                20_001,
                1,
                draw(LONG),
                draw(st.lists(LONG, max_size=3)),
            )
        ],
        stalled=draw(st.lists(STALLED, max_size=2)) * 30,
        phones=Page(list(islice(cycle(phone), 10)), draw(st.integers(1, 3)), 10, 30),
        four_eyes=draw(st.booleans()),
        created_at=WHEN,
        digest="9f86d081884c7d659a2f",
        overlaps=draw(st.lists(OVERLAPS, max_size=2)) * 3,
        reason_wanted_since=draw(when),
        reason=draw(LONG),
        retry_of=draw(st.sampled_from(("", "M2N8P4QR"))),
        asked_at=draw(when),
        expires_at=draw(when),
        decided_by=draw(st.none() | PEOPLE),
        decided_at=draw(when),
        comment=draw(LONG),
        cancelled_by=draw(st.none() | PEOPLE),
        cancel_asked_at=draw(when),
        finished_at=draw(when),
        refused=draw(LONG),
        unreachable_since=draw(when),
    )


ACTIVE_MARKUP = re.compile(
    r"""(?<!\\)\[[^\]]*(?<!\\)\]\(   # a link or an image
      | (?<!\\)<                     # a mention or HTML
      | \{\{(?!(?:DATE|TIME)\(2026-11-23T12:00:00Z[,)])  # a macro not written by a card
      | (?<!\\)(?:\*\*|__)           # emphasis""",
    re.VERBOSE,
)


@settings(max_examples=80, deadline=None)
@given(snapshots(), st.sampled_from(CardKind), st.sampled_from(Panel))
def test_card_of_any_request_is_inert_and_fits(
    snapshot: RequestSnapshot, kind: CardKind, panel: Panel
) -> None:
    rendered = render(
        kind, snapshot, View(panel, 2, 7), Words(), tenant_id=snapshot.roster.file_name
    )
    reading.assert_valid(rendered.card)
    markdown = [block["text"] for block in reading.of_type(rendered.card, "TextBlock")]
    markdown += [
        fact["value"]
        for facts in reading.of_type(rendered.card, "FactSet")
        for fact in facts["facts"]
    ]
    for text in markdown:
        assert not ACTIVE_MARKUP.search(text), text
    assert "entities" not in rendered.card["msteams"]
    assert rendered.summary == single_line(rendered.summary, 1000)


def largest(
    character: str, state: RequestState, cause: Cause, *, unreadable: bool = False
) -> RequestSnapshot:
    """A request with 300 times `character` for every value, and every list full."""
    value = character * 300
    person = Person(value, value)
    remote_batch_id = value if unreadable else ""
    code = max(message_arguments("issue"), key=lambda each: len(message_arguments("issue")[each]))
    issue_arguments = {
        name: 20_000 if number else value
        for name, number in message_arguments("issue")[code].items()
    }
    issue = Issue(20_001, Column.HARDWARE_ID, value, code, Severity.WARNING, issue_arguments)
    phone = PhoneSnapshot(
        20_001, value, value, Region.EMEA, PhoneStatus.UNCONFIRMED, value, cause, value
    )
    tally = Tally(9999, 9999, 9999, 9999, 9999, 9999)
    kinds = {kind.value: 9999 for kind in DeviceKind}
    return RequestSnapshot(
        id="K7QF2M9X",
        version=2**31,
        state=state,
        tenant_id=value,
        requester=person,
        roster=RosterSummary(
            value,
            20_000,
            9999,
            9999,
            9999,
            9999,
            9999,
            9999,
            [],
            Page([issue] * 10, 2, 10, 30),
            [value] * 3,
            AccountChecks(
                True,
                9999,
                9999,
                9999,
                9999,
                9999,
                9999,
                9999,
                9999,
                [f"{number}{'_' * 63}@{'w' * 48}" for number in range(10)],
                [f"{number}{'_' * 63}@{'w' * 48}" for number in range(10)],
            ),
        ),
        regions=[RegionProgress(r, tally, dict.fromkeys(BatchState, 99)) for r in Region],
        causes=[CauseGroup(cause, 9999, value, [value] * 3, kinds)] * 64,
        questions=[
            ReconciliationQuestion(
                7, Region.EMEA, 100, WHEN, 2, 20_001, 1, value, [value] * 3, remote_batch_id
            )
        ]
        * 60,
        stalled=[StalledBatch(Region.EMEA, value, 100, WHEN)] * 60,
        phones=Page([phone] * 10, 2, 10, 30),
        four_eyes=False,
        created_at=WHEN,
        digest="9" * 64,
        reason=value,
        retry_of="M2N8P4QR",
        asked_at=WHEN,
        expires_at=WHEN,
        decided_by=person,
        decided_at=WHEN,
        comment=value,
        cancelled_by=person,
        cancel_asked_at=WHEN,
        finished_at=WHEN,
        refused=value,
        unreachable_since=WHEN,
    )


@pytest.mark.parametrize("character", ["😀", "_", '"', "\\", "中", "<", "W"])
@pytest.mark.parametrize("state", RequestState)
def test_card_of_the_largest_request_fits(character: str, state: RequestState) -> None:
    for cause, unreadable in ((UNKNOWN, False), (CAUSES["ip-not-trusted"], True)):
        snapshot = largest(character, state, cause, unreadable=unreadable)
        for kind in CardKind:
            for panel in Panel:
                view = View(panel, 2, 7)
                card = render(kind, snapshot, view, Words(), tenant_id=character * 300).card
                assert reading.size_bytes(card) < reading.MAX_BYTES, (kind, panel)
