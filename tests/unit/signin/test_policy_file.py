"""The policy file: what it means, and each problem with its line and key."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.policy.file import MAX_BYTES, parse
from bot.signin.policy.model import (
    Condition,
    Escalation,
    Group,
    GuestRole,
    NeedsReason,
    Risk,
    Traits,
    group,
)
from bot.signin.policy.problem import PolicyError
from bot.signin.policy.settings import PolicySettings

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"
#: The example that people copy.
EXAMPLE = PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
NETOPS = Group("netops", frozenset({"11111111-2222-4333-8444-000000000002"}))


def test_example_of_the_documentation_means_what_it_says() -> None:
    policy = parse(EXAMPLE.encode())
    large, risky = policy.rules
    assert policy.approvers == (NETOPS,)
    assert [(each.name, each.ids) for each in policy.auditors] == [
        ("audit", frozenset({"11111111-2222-4333-8444-000000000004"}))
    ]
    assert [(stage.names, stage.need, stage.level) for stage in large.stages] == [
        (("netops",), 2, 0),
        (("soc",), 1, 1),
    ]
    assert large.condition.applies(Traits(100, frozenset({Region.EMEA, Region.NOAM})))
    assert not large.condition.applies(Traits(99, frozenset({Region.EMEA})))
    assert not large.condition.applies(Traits(500, frozenset({Region.NOAM})))
    (window,) = large.windows
    assert window.days == {1, 2, 3}
    assert (window.start, window.end) == (time(18), time(23))
    assert window.zone == ZoneInfo("Europe/Berlin")
    assert risky.name == "rule 2"
    assert risky.condition.risks == {Risk.GUARDED, Risk.FAILED_CHECKS}
    assert risky.reasons == set(NeedsReason)
    assert policy.denies[0].approvers[0].name == "contractors"
    assert policy.freezes[0].begin == datetime(2026, 12, 19, 23, tzinfo=UTC)
    assert policy.accounts_per_day == 500
    assert policy.four_eyes
    assert policy.guests == {GuestRole.REQUEST}
    (escalation,), (view,) = policy.escalations, policy.views
    assert (escalation.after, escalation.to[0].name) == (timedelta(hours=4), "soc-lead")
    assert escalation.condition == view.condition == Condition(frozenset({Region.EMEA}))
    assert [each.name for each in (*view.people, *policy.break_glass)] == ["emea", "on-call"]
    assert policy.source == EXAMPLE


def test_byte_order_mark_and_local_times_are_understood() -> None:
    text = EXAMPLE.replace('from = "18:00"', "from = 18:00:00")
    assert parse(b"\xef\xbb\xbf" + text.encode()).rules[0].windows[0].start == time(18)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("need = 2", 'need = "2"', "rule[1].stages[1].need: it should be a valid integer"),
        ("need = 2", "need = 0", "need: it should be greater than or equal to 1"),
        ("need = 2", "need = true", "rule[1].stages[1].need: it should be a valid integer"),
        ('approvers = ["netops"]', 'approvers = ["netop"]', "did you mean 'netops'?"),
        ('approvers = ["netops"]', "approvers = []", "line 2, approvers: name at least one"),
        ('approvers = ["netops"]', 'approvers = "netops"', "approvers: write a list"),
        ('approvers = ["netops"]', 'approvers = ["*"]', "OFFHOOK_ENVIRONMENT=local only"),
        ('requesters = ["desk"]', "", "requesters: this key is missing"),
        ("min_accounts", "mni_accounts", "line 18, rule[1].mni_accounts: there is no such key"),
        ('["EMEA"]', '["EU"]', "line 19, rule[1].regions[1]: it should be 'NOAM'"),
        ('"Europe/Berlin" }', '"Berlin" }', "line 23, rule[1].windows[1].tz: there is no time"),
        ("tue-thu", "tuesday", "rule[1].windows[1].days: 'tuesday' is no day"),
        ('"18:00"', '"25:00"', "rule[1].windows[1].from: '25:00' is no time of day"),
        ('of = ["soc"]', "of = []", "line 22, rule[1].stages[2].of: name at least one"),
        ("^CHG", "(CHG", "line 20, rule[1].ticket: this is no regular expression"),
        ("CHG0012345", "CHG12", "ticket_example: it does not match"),
        ("^CHG[0-9]{7}$", "^(CHG[0-9]+)+$", "rule[1].ticket: repeat characters, as in [0-9]+"),
        ("^CHG[0-9]{7}$", "^(C|C)*$", "rule[1].ticket: repeat characters, as in [0-9]+"),
        ("^CHG[0-9]{7}$", "C*" * 5, "rule[1].ticket: use at most 4 of *, + and {1,2}"),
        ("^CHG[0-9]{7}$", "C*" * 4 + "D", "rule[1].ticket: use at most 4 of"),  # from anywhere
        ("^CHG[0-9]{7}$", "^" + "C?" * 20 + "C" * 30, "rule[1].ticket: use at most 4 of"),
        ("^CHG[0-9]{7}$", "(?ix)(C+)#\\n+$", "rule[1].ticket: write it without (?x)"),
        ("^CHG[0-9]{7}$", "((?x:(C+) # \\n +))$", "rule[1].ticket: write it without (?x)"),
        ('["guarded"', '["guard"', "line 26, rule[2].risks[1]: it should be 'guarded'"),
        ('approvers = ["contractors"]', "", "line 29, deny[1]: this denies nothing"),
        ("to = 2027", "to = 2025", "freeze[1].to: it ends before it begins"),
        ('tz = "Europe/Berlin"\n', "", "freeze[1]: add tz"),
        ("= 500", "= 0", "line 39, limits.accounts_per_day: it should be greater"),
        ("[limits]", "[limits", "this is not TOML"),
        ("000000000001", "00000001", "line 7, groups.desk: '11111111-2222-4333-8444-00000001'"),
        ('"4h"', '"soon"', "escalation[1].after: 'soon' is no time such as 30m, 4h or 2d"),
        ('"4h"', '"0h"', "escalation[1].after: '0h' is no time"),
        ('after = "4h"', "", "escalation[1].after: this key is missing"),
        ('to = ["soc-lead"]', 'to = ["*"]', "OFFHOOK_ENVIRONMENT=local only"),
        (
            'guests = ["request"]',
            'guests = ["all"]',
            "line 4, guests[1]: it should be 'request' or",
        ),
        (
            'people = ["emea"]\nregions = ["EMEA"]',
            'people = ["emea"]',
            "view[1]: this limits nobody",
        ),
        ('people = ["emea"]\n', 'people = ["emea"]\nmin_accounts = 2\n', "there is no such key"),
        ('["on-call"]', '["*"]', "break_glass.people: name users or groups"),
        ('["on-call"]', "[]", "break_glass.people: name at least one"),
        ('name = "year end"', 'name = "large in EMEA"', "'large in EMEA' is used twice"),
    ],
)
def test_problem_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(PolicyError) as caught:
        parse(EXAMPLE.replace(old, new, 1).encode())
    assert expected in str(caught.value), str(caught.value)


PLAIN = 'requesters = ["*"]\napprovers = ["11111111-2222-4333-8444-000000000002"]\n'
LEAD, ON_CALL = (f"11111111-2222-4333-8444-00000000000{n}" for n in "68")
SETTINGS = PolicySettings(
    (group(ON_CALL),), Escalation("", (group(LEAD),), timedelta(hours=4)), timedelta(hours=24)
)
ESCALATION = f'[[escalation]]\nafter = "4h"\nto = ["{LEAD}"]\n'
GLASS = f'[break_glass]\npeople = ["{ON_CALL}"]\n'


@pytest.mark.parametrize(
    "text", [PLAIN, PLAIN + ESCALATION, PLAIN + GLASS, PLAIN + ESCALATION + GLASS]
)
def test_settings_complete_a_file_and_may_say_the_same(text: str) -> None:
    policy = parse(text.encode(), SETTINGS)
    (escalation,) = policy.escalations
    assert escalation.to[0].ids == {LEAD}
    assert escalation.after == timedelta(hours=4)
    assert policy.breaks_glass(ON_CALL.upper())
    assert policy.guests == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ESCALATION.replace("4h", "5h"), "line 3, escalation: OFFHOOK_ESCALATION is set, too"),
        (ESCALATION.replace(LEAD, ON_CALL), "OFFHOOK_ESCALATION is set, too"),
        (ESCALATION + 'regions = ["EMEA"]\n', "OFFHOOK_ESCALATION is set, too"),
        (ESCALATION + ESCALATION.replace("4h", "8h"), "OFFHOOK_ESCALATION is set, too"),
        (GLASS.replace(ON_CALL, LEAD), "line 3, break_glass: OFFHOOK_BREAK_GLASS is set, too"),
        (ESCALATION.replace("4h", "1d"), "it is not less than OFFHOOK_APPROVAL_TTL"),
    ],
)
def test_settings_that_contradict_the_file_are_an_error(text: str, expected: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse((PLAIN + text).encode(), SETTINGS)
    assert expected in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    text = EXAMPLE.replace('["netops"]', '["nobody"]').replace('"18:00"', '"later"')
    with pytest.raises(PolicyError) as caught:
        parse(text.encode())
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"x = 1", b"[" * 20_000, b"#" * (MAX_BYTES + 1), b"rule = 7"]
)
def test_other_content_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(PolicyError):
        parse(content)


@given(st.binary(max_size=60), st.integers(0, len(EXAMPLE)))
def test_damaged_file_is_a_policy_or_an_error(noise: bytes, at: int) -> None:
    content = EXAMPLE.encode()
    with suppress(PolicyError):
        parse(content[:at] + noise + content[at + len(noise) :])
