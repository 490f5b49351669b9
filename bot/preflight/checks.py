"""Checks: from facts to verdicts.

Sources: Microsoft, "Configure SIP Gateway" and "Use the Teams admin center to sign in SIP devices in
bulk", prerequisites; the excluded applications: "Dynamic filters for SIP Gateway and Conditional Access".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bot.preflight import guard
from bot.preflight.facts import (
    NOT_READ,
    AccountFacts,
    CallingPolicy,
    Known,
    MfaState,
    Plans,
    PolicyType,
    TenantFacts,
    Unknown,
    UnknownReason,
    Value,
)
from bot.preflight.similar import nearest
from bot.preflight.verdict import AccountReport, Check, Result, Verdict, passed, unknown
from bot.settings.scope import AccountScope

NO_SUGGESTION = "none"  #: argument of `account-not-found` if no existing name is near
GLOBAL = "global"  #: name of the policy that applies where no other is assigned
_COMMON_AREA = "commonareaphonesignin"
_ENABLED = "enabled"


def account(
    facts: AccountFacts, tenant: TenantFacts, scope: AccountScope, now: datetime
) -> AccountReport:
    """All verdicts on one account; of one that is not found, whether it is allowed. `now` is UTC."""
    exists = _exists(facts)
    if exists.result is not Result.PASSED:
        return AccountReport(facts.username, (exists, guard.scope_of_name(facts, scope)))
    return AccountReport(
        facts.username,
        (
            exists,
            *guard.verdicts(facts, scope, now),
            _flag(Check.ENABLED, facts.enabled, wanted=True, code="disabled"),
            _judge(Check.LICENSE, facts.plans, _license),
            _judge(Check.NUMBER, facts.phone_numbers, _number),
            _ip_phone_policy(facts, tenant),
            _calling_policy(facts, tenant),
            _judge(Check.MFA, facts.mfa, _mfa),
            _conditional_access(facts),
            _flag(Check.PASSWORD, facts.must_change_password, wanted=False, code="must-change"),
            _flag(
                Check.SYNCHRONIZED,
                facts.synchronized,
                wanted=False,
                code="synchronized",
                result=Result.WARNING,
            ),
        ),
    )


def tenant(facts: TenantFacts) -> Sequence[Verdict]:
    """The verdicts on the tenant, which hold for every account."""
    return (
        _flag(Check.BULK_SIGN_IN, facts.bulk_sign_in, wanted=True, code="bulk-sign-in-off"),
        _judge(
            Check.TRUSTED_ADDRESSES,
            facts.trusted_addresses,
            lambda count: None if count else ("no-trusted-addresses", Result.FAILED, {}),
        ),
        _flag(
            Check.SECURITY_DEFAULTS,
            facts.security_defaults,
            wanted=False,
            code="security-defaults",
            result=Result.WARNING,
        ),
        _judge(Check.GATEWAY_APPS, facts.gateway_principals, _gateway_apps),
    )


# A finding: the message's code, the result and the message's arguments. None if the check passes.
_Finding = tuple[str, Result, Mapping[str, str | int]] | None


def _judge(check: Check, fact: Known[Value], finding: Callable[[Value], _Finding]) -> Verdict:
    if isinstance(fact, Unknown):
        return unknown(check, fact)
    found = finding(fact)
    if found is None:
        return passed(check)
    code, result, arguments = found
    return Verdict(check, result, code, arguments)


def _flag(
    check: Check, fact: Known[bool], *, wanted: bool, code: str, result: Result = Result.FAILED
) -> Verdict:
    return _judge(check, fact, lambda value: None if value is wanted else (code, result, {}))


def _exists(facts: AccountFacts) -> Verdict:
    def finding(found: bool) -> _Finding:
        if found:
            return None
        suggestion = nearest(facts.username, facts.similar)
        return "not-found", Result.FAILED, {"suggestion": suggestion or NO_SUGGESTION}

    return _judge(Check.EXISTS, facts.found, finding)


def _license(plans: Plans) -> _Finding:
    return None if plans.teams_phone else ("no-teams-phone", Result.FAILED, {})


def _number(numbers: Sequence[str]) -> _Finding:
    return None if numbers else ("no-number", Result.FAILED, {})


def _mfa(state: MfaState) -> _Finding:
    return None if state is MfaState.DISABLED else ("mfa", Result.FAILED, {})


def _conditional_access(facts: AccountFacts) -> Verdict:
    """A phone can meet no grant control; a policy without one only limits the session."""

    def finding(policies: Sequence[tuple[str, str]]) -> _Finding:
        if not policies:
            return None
        policy, controls = policies[0]
        arguments = {"policy": policy, "controls": controls, "more": len(policies) - 1}
        return "conditional-access", Result.FAILED, arguments

    hits = facts.conditional_access
    if isinstance(hits, Unknown):
        return unknown(Check.CONDITIONAL_ACCESS, hits)
    demanding = [(hit.policy, ", ".join(hit.controls)) for hit in hits if hit.controls]
    return _judge(Check.CONDITIONAL_ACCESS, demanding, finding)


def allows_common_area(tenant: TenantFacts) -> bool:
    """True if the tenant's Global IP phone policy is known to be right for phones."""
    modes = tenant.ip_phone_policies
    return not isinstance(modes, Unknown) and _is_common_area(modes.get(GLOBAL, ""))


def _is_common_area(mode: str) -> bool:
    return mode.casefold() == _COMMON_AREA


def _ip_phone_policy(facts: AccountFacts, tenant: TenantFacts) -> Verdict:
    def finding(mode: str) -> _Finding:
        if _is_common_area(mode):
            return None
        return "no-common-area-policy", Result.FAILED, {"policy": _policy_name(facts, which)}

    which = PolicyType.IP_PHONE
    content = _content(facts, which, tenant.ip_phone_policies)
    return _judge(Check.IP_PHONE_POLICY, content, finding)


def _calling_policy(facts: AccountFacts, tenant: TenantFacts) -> Verdict:
    def finding(policy: CallingPolicy) -> _Finding:
        name = {"policy": _policy_name(facts, which)}
        if not policy.sip_devices:
            return "no-sip-devices-policy", Result.FAILED, name
        if policy.call_redirect.casefold() != _ENABLED:
            return "no-call-redirect", Result.WARNING, name
        return None

    which = PolicyType.CALLING
    return _judge(Check.CALLING_POLICY, _content(facts, which, tenant.calling_policies), finding)


def _content(
    facts: AccountFacts, policy_type: PolicyType, policies: Known[Mapping[str, Value]]
) -> Known[Value]:
    """What the account's effective policy says."""
    name = facts.policies.get(policy_type, NOT_READ)
    if isinstance(name, Unknown):
        return name
    if isinstance(policies, Unknown):
        return policies
    key = (name or GLOBAL).casefold().removeprefix("tag:")
    if key not in policies:
        return Unknown(UnknownReason.UNREADABLE, name or GLOBAL)
    return policies[key]


def _policy_name(facts: AccountFacts, policy_type: PolicyType) -> str:
    """For people: the effective policy's name, `Global` for the tenant's."""
    name = facts.policies.get(policy_type)
    return name if isinstance(name, str) and name.casefold() != GLOBAL else "Global"


def _gateway_apps(principals: Mapping[str, bool]) -> _Finding:
    missing = sorted(app_id for app_id, exists in principals.items() if not exists)
    if not missing:
        return None
    return "gateway-apps-missing", Result.WARNING, {"apps": ", ".join(missing)}
