"""Every check against every answer, as truth tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.issue import Severity
from bot.preflight import checks, findings, guard
from bot.preflight.facts import (
    CallingPolicy,
    ConditionalAccessHit,
    MfaState,
    Plans,
    PolicyType,
    TenantFacts,
    Unknown,
    UnknownReason,
)
from bot.preflight.summary import Gap, summarize
from bot.preflight.verdict import AccountReport, Check, Result, Verdict, gravest
from bot.settings.scope import AccountScope
from bot.words import Words
from tests.support.facts import HEALTHY
from tests.support.facts import TENANT as SET_UP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GROUP = "11111111-2222-3333-4444-555555555555"
NO_PERMISSION = Unknown(UnknownReason.PERMISSION, "Policy.Read.All")

GOOD = replace(HEALTHY, username="Lobby.01@contoso.com")
TENANT = replace(
    SET_UP,
    calling_policies={
        "global": CallingPolicy(sip_devices=True, call_redirect="Enabled"),
        "closed": CallingPolicy(sip_devices=False, call_redirect="Enabled"),
        "noredirect": CallingPolicy(sip_devices=True, call_redirect="Disabled"),
    },
)


def verdict_on(
    check: Check,
    tenant: TenantFacts = TENANT,
    scope: AccountScope | None = None,
    **changes: Any,
) -> Verdict:
    report = checks.account(replace(GOOD, **changes), tenant, scope or AccountScope(), NOW)
    (verdict,) = (each for each in report.verdicts if each.check is check)
    return verdict


def policies(ip_phone: object = "CommonAreaPhone", calling: object = None) -> dict[str, Any]:
    return {"policies": {PolicyType.IP_PHONE: ip_phone, PolicyType.CALLING: calling}}


def plans(*, teams_phone: bool = True, mailbox: bool = False, desktop_apps: bool = False) -> Any:
    return {"plans": Plans(teams_phone, mailbox, desktop_apps)}


def hits(*controls: tuple[str, ...]) -> dict[str, Any]:
    return {"conditional_access": [ConditionalAccessHit("Require MFA", each) for each in controls]}


def signed_in(**ago: float) -> dict[str, Any]:
    return {"last_interactive_sign_in": NOW - timedelta(**ago)}


TABLE: list[tuple[Check, dict[str, Any], Result, str]] = [
    (Check.EXISTS, {}, Result.PASSED, ""),
    (Check.EXISTS, {"found": False}, Result.FAILED, "not-found"),
    (Check.ENABLED, {}, Result.PASSED, ""),
    (Check.ENABLED, {"enabled": False}, Result.FAILED, "disabled"),
    (Check.LICENSE, plans(), Result.PASSED, ""),
    (Check.LICENSE, plans(teams_phone=False), Result.FAILED, "no-teams-phone"),
    (Check.NUMBER, {}, Result.PASSED, ""),
    (Check.NUMBER, {"phone_numbers": ()}, Result.FAILED, "no-number"),
    (Check.IP_PHONE_POLICY, policies("CommonAreaPhone"), Result.PASSED, ""),
    (Check.IP_PHONE_POLICY, policies("Tag:COMMONAREAPHONE"), Result.PASSED, ""),
    (Check.IP_PHONE_POLICY, policies(None), Result.FAILED, "no-common-area-policy"),
    (Check.IP_PHONE_POLICY, policies("Global"), Result.FAILED, "no-common-area-policy"),
    (Check.IP_PHONE_POLICY, policies("Deleted"), Result.UNKNOWN, ""),
    (Check.CALLING_POLICY, policies(), Result.PASSED, ""),
    (Check.CALLING_POLICY, policies(calling="Closed"), Result.FAILED, "no-sip-devices-policy"),
    (Check.CALLING_POLICY, policies(calling="NoRedirect"), Result.WARNING, "no-call-redirect"),
    (Check.CALLING_POLICY, policies(calling="Deleted"), Result.UNKNOWN, ""),
    (Check.MFA, {"mfa": MfaState.DISABLED}, Result.PASSED, ""),
    (Check.MFA, {"mfa": MfaState.ENABLED}, Result.FAILED, "mfa"),
    (Check.MFA, {"mfa": MfaState.ENFORCED}, Result.FAILED, "mfa"),
    (Check.CONDITIONAL_ACCESS, hits(), Result.PASSED, ""),
    (Check.CONDITIONAL_ACCESS, hits(()), Result.PASSED, ""),
    (Check.CONDITIONAL_ACCESS, hits(("mfa",)), Result.FAILED, "conditional-access"),
    (Check.CONDITIONAL_ACCESS, hits((), ("block",)), Result.FAILED, "conditional-access"),
    (Check.PASSWORD, {}, Result.PASSED, ""),
    (Check.PASSWORD, {"must_change_password": True}, Result.FAILED, "must-change"),
    (Check.SYNCHRONIZED, {}, Result.PASSED, ""),
    (Check.SYNCHRONIZED, {"synchronized": True}, Result.WARNING, "synchronized"),
    (Check.ROLE, {}, Result.PASSED, ""),
    (Check.ROLE, {"roles": ("User Administrator",)}, Result.REFUSED, "holds-role"),
    (Check.ROLE, {"eligible_roles": ("User Administrator",)}, Result.REFUSED, "may-hold-role"),
    (
        Check.ROLE,
        {"roles": NO_PERMISSION, "eligible_roles": ("Reports Reader",)},
        Result.REFUSED,
        "may-hold-role",
    ),
    (Check.ROLE, {"eligible_roles": NO_PERMISSION}, Result.UNKNOWN, ""),
    (Check.GUEST, {}, Result.PASSED, ""),
    (Check.GUEST, {"guest": True}, Result.REFUSED, "guest"),
    (Check.PERSON, plans(), Result.PASSED, ""),
    (Check.PERSON, plans(mailbox=True), Result.GUARDED, "person-mailbox"),
    (Check.PERSON, plans(desktop_apps=True), Result.GUARDED, "person-desktop-apps"),
    (Check.PERSON, signed_in(days=0), Result.GUARDED, "person-signs-in"),
    (Check.PERSON, signed_in(days=-1), Result.GUARDED, "person-signs-in"),
    (Check.PERSON, signed_in(days=29.9), Result.GUARDED, "person-signs-in"),
    (Check.PERSON, signed_in(days=30), Result.PASSED, ""),
    (Check.PERSON, {"resource_account": True}, Result.GUARDED, "resource-account"),
    (Check.PERSON, {"restricted": True}, Result.GUARDED, "restricted-unit"),
    (Check.PERSON, {"restricted": NO_PERMISSION, **plans(mailbox=True)}, Result.GUARDED, "person-mailbox"),
    (Check.PERSON, {"last_interactive_sign_in": NO_PERMISSION}, Result.UNKNOWN, ""),
]  # fmt: skip

#: The fact that each check of an account reads.
FACT_OF = {
    Check.EXISTS: "found",
    Check.ENABLED: "enabled",
    Check.LICENSE: "plans",
    Check.NUMBER: "phone_numbers",
    Check.MFA: "mfa",
    Check.CONDITIONAL_ACCESS: "conditional_access",
    Check.PASSWORD: "must_change_password",
    Check.SYNCHRONIZED: "synchronized",
    Check.ROLE: "roles",
    Check.GUEST: "guest",
    Check.PERSON: "plans",
}
TENANT_CHECKS = {
    Check.BULK_SIGN_IN,
    Check.TRUSTED_ADDRESSES,
    Check.SECURITY_DEFAULTS,
    Check.GATEWAY_APPS,
}


@pytest.mark.parametrize(("check", "changes", "result", "code"), TABLE)
def test_verdict_follows_the_table(
    check: Check, changes: dict[str, Any], result: Result, code: str
) -> None:
    verdict = verdict_on(check, **changes)

    assert (verdict.result, verdict.code) == (result, code)


@pytest.mark.parametrize("reason", UnknownReason)
@pytest.mark.parametrize("check", FACT_OF)
def test_check_never_passes_without_an_answer(check: Check, reason: UnknownReason) -> None:
    why = Unknown(reason, "detail")
    changes: dict[str, Any] = {FACT_OF[check]: why}

    assert verdict_on(check, **changes) == Verdict(check, Result.UNKNOWN, unknown=why)


def test_table_and_facts_cover_every_check_of_an_account() -> None:
    report = checks.account(GOOD, TENANT, AccountScope(), NOW)

    assert {each.check for each in report.verdicts} == set(Check) - TENANT_CHECKS
    assert {row[0] for row in TABLE} | {Check.SCOPE} == set(Check) - TENANT_CHECKS


@pytest.mark.parametrize("policy_type", PolicyType)
def test_policy_is_not_known_when_assignment_or_content_is_not(policy_type: PolicyType) -> None:
    check = Check.IP_PHONE_POLICY if policy_type is PolicyType.IP_PHONE else Check.CALLING_POLICY
    assigned = {**GOOD.policies, policy_type: NO_PERMISSION}
    unreadable = replace(TENANT, ip_phone_policies=NO_PERMISSION, calling_policies=NO_PERMISSION)

    assert verdict_on(check, policies=assigned).unknown == NO_PERMISSION
    assert verdict_on(check, policies={}).result is Result.UNKNOWN
    assert verdict_on(check, unreadable).unknown == NO_PERMISSION


def test_account_that_does_not_exist_is_only_judged_by_its_name() -> None:
    report = checks.account(replace(GOOD, found=False), TENANT, AccountScope(), NOW)

    assert [each.check for each in report.verdicts] == [Check.EXISTS, Check.SCOPE]
    assert report.result is Result.FAILED


@pytest.mark.parametrize(
    ("found", "scope", "result"),
    [
        (False, AccountScope(), Result.FAILED),
        (False, AccountScope(patterns=frozenset({"lobby.*@contoso.com"})), Result.FAILED),
        (False, AccountScope(patterns=frozenset({"phone.*@contoso.com"})), Result.REFUSED),
        (False, AccountScope(ids=frozenset({GROUP})), Result.REFUSED),
        (NO_PERMISSION, AccountScope(), Result.UNKNOWN),
        (NO_PERMISSION, AccountScope(patterns=frozenset({"phone.*@contoso.com"})), Result.REFUSED),
        (NO_PERMISSION, AccountScope(ids=frozenset({GROUP})), Result.UNKNOWN),
    ],
)
def test_account_that_is_not_found_must_still_be_allowed(
    found: object, scope: AccountScope, result: Result
) -> None:
    report = checks.account(replace(GOOD, found=found), TENANT, scope, NOW)  # pyright: ignore[reportArgumentType]

    assert report.result is result


def test_missing_account_gets_the_nearest_name_as_suggestion() -> None:
    near = verdict_on(Check.EXISTS, found=False, similar=("lobby.02@contoso.com", "hall@x.y"))
    far = verdict_on(Check.EXISTS, found=False, similar=("reception@contoso.com",))
    fix = Words().part("issue-account-not-found", "fix", **near.arguments)

    assert fix.startswith("Did you mean lobby.02@contoso.com?")
    assert far.arguments == {"suggestion": checks.NO_SUGGESTION}


@pytest.mark.parametrize(
    ("scope", "member_of", "result"),
    [
        (AccountScope(), frozenset[str](), Result.PASSED),
        (
            AccountScope(patterns=frozenset({"lobby.*@contoso.com"})),
            frozenset[str](),
            Result.PASSED,
        ),
        (AccountScope(patterns=frozenset({"*@fabrikam.com"})), frozenset[str](), Result.REFUSED),
        (AccountScope(ids=frozenset({GROUP})), frozenset({GROUP}), Result.PASSED),
        (AccountScope(ids=frozenset({GROUP})), frozenset[str](), Result.REFUSED),
        (AccountScope(ids=frozenset({GROUP})), NO_PERMISSION, Result.UNKNOWN),
        (
            AccountScope(frozenset({GROUP}), frozenset({"lobby.*@contoso.com"})),
            NO_PERMISSION,
            Result.PASSED,
        ),
        (AccountScope(patterns=frozenset({"*@fabrikam.com"})), NO_PERMISSION, Result.REFUSED),
    ],
)
def test_scope_allows_its_groups_and_patterns_only(
    scope: AccountScope, member_of: object, result: Result
) -> None:
    assert verdict_on(Check.SCOPE, scope=scope, member_of=member_of).result is result


def test_scope_judges_the_name_in_the_directory_and_not_that_of_the_file() -> None:
    scope = AccountScope(patterns=frozenset({"lobby.*@contoso.com"}))

    verdict = verdict_on(Check.SCOPE, scope=scope, principal="ceo@contoso.com")

    assert verdict.result is Result.REFUSED


@pytest.mark.parametrize(
    ("changes", "check", "result", "code"),
    [
        ({}, Check.BULK_SIGN_IN, Result.PASSED, ""),
        ({"bulk_sign_in": False}, Check.BULK_SIGN_IN, Result.FAILED, "bulk-sign-in-off"),
        ({"bulk_sign_in": NO_PERMISSION}, Check.BULK_SIGN_IN, Result.UNKNOWN, ""),
        ({}, Check.TRUSTED_ADDRESSES, Result.PASSED, ""),
        (
            {"trusted_addresses": 0},
            Check.TRUSTED_ADDRESSES,
            Result.FAILED,
            "no-trusted-addresses",
        ),
        ({"trusted_addresses": NO_PERMISSION}, Check.TRUSTED_ADDRESSES, Result.UNKNOWN, ""),
        ({}, Check.SECURITY_DEFAULTS, Result.PASSED, ""),
        ({"security_defaults": True}, Check.SECURITY_DEFAULTS, Result.WARNING, "security-defaults"),
        ({"security_defaults": NO_PERMISSION}, Check.SECURITY_DEFAULTS, Result.UNKNOWN, ""),
        ({}, Check.GATEWAY_APPS, Result.PASSED, ""),
        (
            {"gateway_principals": {"a": False, "b": True}},
            Check.GATEWAY_APPS,
            Result.WARNING,
            "gateway-apps-missing",
        ),
        ({"gateway_principals": NO_PERMISSION}, Check.GATEWAY_APPS, Result.UNKNOWN, ""),
    ],
)
def test_tenant_verdict_follows_the_table(
    changes: dict[str, Any], check: Check, result: Result, code: str
) -> None:
    verdicts = checks.tenant(replace(TENANT, **changes))
    (verdict,) = (each for each in verdicts if each.check is check)

    assert {each.check for each in verdicts} == TENANT_CHECKS
    assert (verdict.result, verdict.code) == (result, code)


GRAVITY = (
    Result.REFUSED,
    Result.GUARDED,
    Result.FAILED,
    Result.WARNING,
    Result.UNKNOWN,
    Result.PASSED,
)


@given(st.lists(st.sampled_from(Result)))
def test_gravest_result_decides_about_an_account(results: list[Result]) -> None:
    expected = next((each for each in GRAVITY if each in results), Result.PASSED)

    assert gravest(results) is expected


def test_every_verdict_has_words_and_a_fix() -> None:
    words = Words()
    verdicts = [verdict_on(check, **changes) for check, changes, _, _ in TABLE]
    verdicts.append(verdict_on(Check.SCOPE, scope=AccountScope(patterns=frozenset({"x@y"}))))
    for verdict in verdicts:
        assert words(f"preflight-check-{verdict.check.value}")
        if verdict.code:
            assert words(f"issue-account-{verdict.code}", **verdict.arguments).endswith(".")
            fix = words.part(f"issue-account-{verdict.code}", "fix", **verdict.arguments)
            assert fix.endswith(".")


def test_everything_about_the_tenant_has_words() -> None:
    words = Words()
    broken = replace(
        TENANT,
        bulk_sign_in=False,
        trusted_addresses=0,
        security_defaults=True,
        gateway_principals={"app": False},
    )
    gaps = [Gap(reason, "X.Read.All", [Check.MFA], accounts=2) for reason in UnknownReason]

    found = list(
        findings.notices(
            checks.tenant(broken), gaps, lambda check: words(f"preflight-check-{check.value}")
        )
    )

    assert len(found) == len(TENANT_CHECKS) + len(UnknownReason)
    for notice in found:
        assert words(f"notice-{notice.code}", **notice.arguments).endswith(".")
    assert list(findings.notices(checks.tenant(TENANT), [], str)) == []


def test_problems_become_issues_of_the_row() -> None:
    facts = replace(GOOD, synchronized=True, guest=True, mfa=NO_PERMISSION)
    report = checks.account(facts, TENANT, AccountScope(), NOW)

    found = list(findings.issues(report, 7))

    assert [(each.row, each.code, each.severity) for each in found] == [
        (7, "account-guest", Severity.ERROR),
        (7, "account-synchronized", Severity.WARNING),
    ]


def test_many_roles_are_listed_briefly() -> None:
    verdict = verdict_on(Check.ROLE, roles=("A", "B", "C", "D", "E"))

    sentence = Words()("issue-account-holds-role", **verdict.arguments)

    assert sentence == "The account is an administrator: A, B, C and 2 more."


def test_summary_counts_accounts_and_names_each_gap_once() -> None:
    reports = [
        checks.account(each, TENANT, AccountScope(), NOW)
        for each in (
            GOOD,
            replace(GOOD, mfa=NO_PERMISSION, conditional_access=NO_PERMISSION),
            replace(GOOD, mfa=NO_PERMISSION),
            replace(GOOD, roles=("User Administrator",), enabled=False),
            replace(GOOD, enabled=False),
        )
    ]

    summary = summarize(reports)

    assert summary.accounts == {
        Result.PASSED: 1,
        Result.UNKNOWN: 2,
        Result.REFUSED: 1,
        Result.FAILED: 1,
    }
    assert summary.codes == {"disabled": 2, "holds-role": 1}
    (gap,) = summary.gaps
    assert (gap.reason, gap.detail, gap.accounts) == (
        UnknownReason.PERMISSION,
        "Policy.Read.All",
        2,
    )
    assert gap.checks == [Check.CONDITIONAL_ACCESS, Check.MFA]


def test_problems_are_listed_gravest_first() -> None:
    facts = replace(GOOD, synchronized=True, enabled=False, guest=True, mfa=NO_PERMISSION)
    report: AccountReport = checks.account(facts, TENANT, AccountScope(), NOW)

    assert [each.code for each in report.problems] == ["guest", "disabled", "synchronized"]


@given(days=st.floats(0, 400, allow_nan=False))
def test_interactive_sign_in_guards_for_thirty_days(days: float) -> None:
    verdict = verdict_on(Check.PERSON, **signed_in(days=days))

    recent = timedelta(days=days) < guard.RECENT
    assert verdict.result is (Result.GUARDED if recent else Result.PASSED)
