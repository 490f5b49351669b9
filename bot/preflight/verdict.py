"""Verdicts: what a fact means for the sign-in.

The catalog has the words: `preflight-<code>` says what is wrong, `preflight-<code>.fix` what to do;
`preflight-check-<check>` names the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.preflight.facts import Unknown


class Check(StrEnum):
    """What is checked, of an account or of the tenant."""

    # Accounts
    EXISTS = "exists"
    ENABLED = "enabled"
    LICENSE = "license"
    NUMBER = "number"
    IP_PHONE_POLICY = "ip-phone-policy"
    CALLING_POLICY = "calling-policy"
    MFA = "mfa"
    CONDITIONAL_ACCESS = "conditional-access"
    PASSWORD = "password"  # noqa: S105
    SYNCHRONIZED = "synchronized"
    # Guard: accounts that are not signed in on phones
    ROLE = "role"
    GUEST = "guest"
    SCOPE = "scope"
    PERSON = "person"
    # Tenant
    BULK_SIGN_IN = "bulk-sign-in"
    TRUSTED_ADDRESSES = "trusted-addresses"
    SECURITY_DEFAULTS = "security-defaults"
    GATEWAY_APPS = "gateway-apps"


#: Checks that keep accounts of people and administrators out.
GUARD = frozenset({Check.ROLE, Check.GUEST, Check.SCOPE, Check.PERSON})


class Result(StrEnum):
    """The answer to a check. An unknown fact never passes."""

    PASSED = "passed"
    #: The sign-in may work; people should look.
    WARNING = "warning"
    #: The sign-in will fail. Left out, unless the requester includes it with a reason.
    FAILED = "failed"
    #: Looks like no phone's account. Left out, unless the requester names it with a reason and the
    #: approver confirms it by name.
    GUARDED = "guarded"
    #: Never signed in by Offhook.
    REFUSED = "refused"
    UNKNOWN = "unknown"


#: From what stops the most to what stops nothing.
_GRAVITY = (
    Result.REFUSED,
    Result.GUARDED,
    Result.FAILED,
    Result.WARNING,
    Result.UNKNOWN,
    Result.PASSED,
)

#: Accounts with one of these are left out of the sign-in.
LEFT_OUT = frozenset({Result.REFUSED, Result.GUARDED, Result.FAILED})


@dataclass(frozen=True, slots=True)
class Verdict:
    check: Check
    result: Result
    #: Names the message `preflight-<code>`; "" if passed or unknown.
    code: str = ""
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    #: Why it is not known; None unless the result is `UNKNOWN`.
    unknown: Unknown | None = None


def passed(check: Check) -> Verdict:
    return Verdict(check, Result.PASSED)


def unknown(check: Check, why: Unknown) -> Verdict:
    return Verdict(check, Result.UNKNOWN, unknown=why)


def gravest(results: Sequence[Result]) -> Result:
    """The result that decides about an account. `PASSED` for none."""
    return min(results, key=_GRAVITY.index, default=Result.PASSED)


def graver(one: Result, other: Result) -> bool:
    """Whether one result stops more than the other."""
    return _GRAVITY.index(one) < _GRAVITY.index(other)


@dataclass(frozen=True, slots=True)
class AccountReport:
    """All verdicts on one account of the file."""

    username: str  #: as the file names it
    verdicts: Sequence[Verdict]

    @property
    def result(self) -> Result:
        """The gravest of its verdicts."""
        return gravest([verdict.result for verdict in self.verdicts])

    @property
    def guard_unknown(self) -> bool:
        """Whether the account may be a person's or an administrator's for all that is known."""
        return any(verdict.unknown and verdict.check in GUARD for verdict in self.verdicts)

    @property
    def problems(self) -> Sequence[Verdict]:
        """The verdicts that people must know, gravest first; unknown ones are not among them."""
        found = [v for v in self.verdicts if v.result not in (Result.PASSED, Result.UNKNOWN)]
        return sorted(found, key=lambda verdict: _GRAVITY.index(verdict.result))
