"""The policy file: what it means, and each problem with its line and key."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.policy.file import MAX_BYTES, parse
from bot.signin.policy.model import Group, NeedsReason, Risk, Traits
from bot.signin.policy.problem import PolicyError

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
        ("min_accounts", "mni_accounts", "line 14, rule[1].mni_accounts: there is no such key"),
        ('["EMEA"]', '["EU"]', "line 15, rule[1].regions[1]: it should be 'NOAM'"),
        ('"Europe/Berlin" }', '"Berlin" }', "line 19, rule[1].windows[1].tz: there is no time"),
        ("tue-thu", "tuesday", "rule[1].windows[1].days: 'tuesday' is no day"),
        ('"18:00"', '"25:00"', "rule[1].windows[1].from: '25:00' is no time of day"),
        ('of = ["soc"]', "of = []", "line 18, rule[1].stages[2].of: name at least one"),
        ("^CHG", "(CHG", "line 16, rule[1].ticket: this is no regular expression"),
        ("CHG0012345", "CHG12", "ticket_example: it does not match"),
        ("^CHG[0-9]{7}$", "^(CHG[0-9]+)+$", "rule[1].ticket: repeat characters, as in [0-9]+"),
        ("^CHG[0-9]{7}$", "^(C|C)*$", "rule[1].ticket: repeat characters, as in [0-9]+"),
        ("^CHG[0-9]{7}$", "C*" * 5, "rule[1].ticket: use at most 4 of *, + and {1,2}"),
        ("^CHG[0-9]{7}$", "C*" * 4 + "D", "rule[1].ticket: use at most 4 of"),  # from anywhere
        ("^CHG[0-9]{7}$", "^" + "C?" * 20 + "C" * 30, "rule[1].ticket: use at most 4 of"),
        ("^CHG[0-9]{7}$", "(?ix)(C+)#\\n+$", "rule[1].ticket: write it without (?x)"),
        ("^CHG[0-9]{7}$", "((?x:(C+) # \\n +))$", "rule[1].ticket: write it without (?x)"),
        ('["guarded"', '["guard"', "line 22, rule[2].risks[1]: it should be 'guarded'"),
        ('approvers = ["contractors"]', "", "line 25, deny[1]: this denies nothing"),
        ("to = 2027", "to = 2025", "freeze[1].to: it ends before it begins"),
        ('tz = "Europe/Berlin"\n', "", "freeze[1]: add tz"),
        ("= 500", "= 0", "line 35, limits.accounts_per_day: it should be greater"),
        ("[limits]", "[limits", "this is not TOML"),
        ("000000000001", "00000001", "line 6, groups.desk: '11111111-2222-4333-8444-00000001'"),
        ('name = "year end"', 'name = "large in EMEA"', "'large in EMEA' is used twice"),
    ],
)
def test_problem_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(PolicyError) as caught:
        parse(EXAMPLE.replace(old, new, 1).encode())
    assert expected in str(caught.value), str(caught.value)


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
