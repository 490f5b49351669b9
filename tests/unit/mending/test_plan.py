"""From verdicts to changes, and that undoing what was done gives back what was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.mending.change import (
    CREATIONS,
    GRANTS,
    OFF,
    ON,
    Change,
    ChangeKind,
    ChangeState,
    NewChange,
)
from bot.mending.content import CONTENT, Difference, difference
from bot.mending.plan import Mendable, mendable, nameable, plan
from bot.mending.step import Step, back, forward, same
from bot.preflight.facts import POLICY_NAME, PolicyType, Unknown, UnknownReason
from bot.preflight.verdict import GUARD, AccountReport, Check, Result, Verdict, unknown

IP_PHONE = Verdict(
    Check.IP_PHONE_POLICY, Result.FAILED, "no-common-area-policy", {"policy": "Global"}
)
CALLING = Verdict(Check.CALLING_POLICY, Result.FAILED, "no-sip-devices-policy", {"policy": "Sales"})
REDIRECT = Verdict(Check.CALLING_POLICY, Result.WARNING, "no-call-redirect", {"policy": "Sales"})
NUMBER = Verdict(Check.NUMBER, Result.FAILED, "no-number")
MFA = Verdict(Check.MFA, Result.FAILED, "mfa")
PERSON = Verdict(Check.PERSON, Result.GUARDED, "person-mailbox")
ROLE = Verdict(Check.ROLE, Result.REFUSED, "holds-role", {"roles": "X", "more": 0})
NAME = "lobby@contoso.com"


def report(*verdicts: Verdict) -> AccountReport:
    return AccountReport(NAME, verdicts)


def kinds(changes: Sequence[NewChange]) -> list[ChangeKind]:
    return [each.kind for each in changes]


@pytest.mark.parametrize(
    ("verdicts", "grants"),
    [
        ([IP_PHONE], [ChangeKind.IP_PHONE_POLICY]),
        ([CALLING], [ChangeKind.CALLING_POLICY]),
        ([REDIRECT], [ChangeKind.CALLING_POLICY]),
        ([IP_PHONE, CALLING, NUMBER], [ChangeKind.IP_PHONE_POLICY, ChangeKind.CALLING_POLICY]),
        ([NUMBER, MFA], []),
        ([], []),
        ([IP_PHONE, PERSON], []),
        ([IP_PHONE, ROLE], []),
    ],
)
def test_plan_grants_what_verdicts_want_and_nothing_to_guarded_accounts(
    verdicts: Sequence[Verdict], grants: Sequence[ChangeKind]
) -> None:
    changes = plan([report(*verdicts)], switch_off=False)

    assert [kind for kind in kinds(changes) if kind in GRANTS] == grants
    types = {kind.policy_type for kind in grants}
    created = [kind for kind in CREATIONS if kind.policy_type in types]
    assert kinds(changes)[: len(created)] == created  # before the first grant


@pytest.mark.parametrize("check", Check)
def test_account_is_mended_by_name_only_if_the_guard_does_not_know_of_it(check: Check) -> None:
    why = Unknown(UnknownReason.PERMISSION, "AuditLog.Read.All")
    found = [report(IP_PHONE, unknown(check, why))]
    doubtful = check in GUARD

    assert nameable(found) == ([NAME] if doubtful else [])
    assert bool(plan(found, switch_off=False)) is not doubtful
    by_name = plan(found, switch_off=False, named={NAME})
    assert [each.guard_unknown for each in by_name if each.account] == [doubtful]
    guarded = [report(IP_PHONE, unknown(check, why), PERSON)]
    assert not plan(guarded, switch_off=False, named={NAME})
    assert not nameable(guarded)


def test_plan_turns_the_switch_on_only_if_it_is_off() -> None:
    assert plan([], switch_off=True) == [NewChange(ChangeKind.BULK_SIGN_IN, "", OFF, ON)]
    assert plan([], switch_off=False) == []


def test_mendable_counts_accounts_once() -> None:
    changes = plan([report(IP_PHONE, CALLING)], switch_off=True)

    assert mendable(changes) == Mendable(accounts=1, ip_phone=1, calling=1, switch=True)
    assert not mendable([]).anything
    assert mendable([], 2).anything
    assert not mendable([], 2).planned


@pytest.mark.parametrize("policy", PolicyType)
def test_policy_with_our_content_does_not_differ_in_any_case_and_with_more_fields(
    policy: PolicyType,
) -> None:
    ours = {name.lower(): value for name, value in CONTENT[policy].items()}
    upper = {name: value if value is True else str(value).upper() for name, value in ours.items()}

    assert difference(policy, {**upper, "identity": "Tag:x", "allowvoicemail": "x"}) is None
    for field in CONTENT[policy]:
        changed = {**ours, field.lower(): "other"}
        wanted = str(CONTENT[policy][field])
        assert difference(policy, changed) == Difference(policy, field, "other", wanted)
        missing = {name: value for name, value in ours.items() if name != field.lower()}
        assert difference(policy, missing) is not None


def change(state: ChangeState, *, before: str | None = None, replaces: str = "Sales") -> Change:
    return Change(0, ChangeKind.CALLING_POLICY, NAME, "id", replaces, before, POLICY_NAME, state)


@pytest.mark.parametrize(
    ("state", "current", "step"),
    [
        (ChangeState.PLANNED, POLICY_NAME, Step.KEEP),
        (ChangeState.PLANNED, f"Tag:{POLICY_NAME.upper()}", Step.KEEP),
        (ChangeState.PLANNED, None, Step.INTEND),
        (ChangeState.PLANNED, "Global", Step.INTEND),
        (ChangeState.PLANNED, "tag:sales", Step.INTEND),
        (ChangeState.PLANNED, "Other", Step.CHANGED_SINCE),
        (ChangeState.INTENT, "Before", Step.WRITE),
        (ChangeState.INTENT, POLICY_NAME, Step.SHOWN),
        (ChangeState.INTENT, "Other", Step.CHANGED_MEANWHILE),
        (ChangeState.APPLIED, POLICY_NAME, Step.SHOWN),
        (ChangeState.APPLIED, "Before", Step.WAIT),
        (ChangeState.APPLIED, None, Step.WAIT),
    ],
)
def test_forward_step_by_state_and_what_is_there(
    state: ChangeState, current: str | None, step: Step
) -> None:
    assert forward(change(state, before="Before"), current) is step


@pytest.mark.parametrize(
    ("state", "current", "step"),
    [
        (ChangeState.UNDOING, POLICY_NAME, Step.WRITE),
        (ChangeState.UNDOING, "Before", Step.WRITE),  # the grant may be about to show
        (ChangeState.UNDOING, "Other", Step.LEAVE),
        (ChangeState.UNDOING, None, Step.LEAVE),
        (ChangeState.RESTORED, "Before", Step.SHOWN),
        (ChangeState.RESTORED, POLICY_NAME, Step.WAIT),
    ],
)
def test_backward_step_by_state_and_what_is_there(
    state: ChangeState, current: str | None, step: Step
) -> None:
    assert back(change(state, before="Before"), current) is step


names = st.none() | st.sampled_from(["Sales", "tag:sales", "Global", "Other", POLICY_NAME])


@given(names, st.sampled_from(["Sales", "Global"]), st.booleans(), st.booleans())
def test_what_is_done_and_undone_gives_back_what_was_assigned(
    assigned: str | None, replaces: str, lost_answer: bool, restarted: bool
) -> None:
    """Follow the steps against an account whose policy changes at once, losing answers on the way."""
    current, one = assigned, change(ChangeState.PLANNED, replaces=replaces)
    step = forward(one, current)
    if step in (Step.KEEP, Step.CHANGED_SINCE):
        return  # nothing was written, so nothing is undone
    one = replace(one, state=ChangeState.INTENT, before=current)
    current = one.after if not lost_answer or restarted else current
    if forward(one, current) is Step.WRITE:
        current = one.after
    assert forward(replace(one, state=ChangeState.APPLIED), current) is Step.SHOWN

    one = replace(one, state=ChangeState.UNDOING)
    assert back(one, current) is Step.WRITE
    current = one.before
    if restarted:  # before it was recorded: once more
        assert back(one, current) is Step.WRITE
    assert back(replace(one, state=ChangeState.RESTORED), current) is Step.SHOWN
    assert same(current, assigned)
