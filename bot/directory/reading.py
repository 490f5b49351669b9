"""Facts in Graph's JSON. Pure, tolerant in reading, and never guessing.

A property that is missing or of another type is `Unknown`, not a default. Where Graph documents that
null or absence has a meaning, the function says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from bot.preflight.facts import (
    ConditionalAccessHit,
    Known,
    MfaState,
    Plans,
    PolicyType,
    Unknown,
    UnknownReason,
)
from bot.text import clean

Row = Mapping[str, object]
Member = TypeVar("Member", bound=StrEnum)

TEAMS_PHONE_PLAN = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"  # MCOEV
#: EXCHANGE_S_FOUNDATION, which comes with many licenses and grants no mailbox.
EXCHANGE_FOUNDATION_PLAN = "113feb6c-3fe4-4440-bddc-54d774bf0318"
#: Teams Shared Devices (MCOCAP), public cloud and GCC. Since July 2022 it contains Exchange Online
#: Plan 2 for voicemail, so a mailbox from it is no sign of a person.
SHARED_DEVICES_SKUS = frozenset(
    {"295a8eb0-f78d-45c7-8b5b-1eed5ed02dff", "b1511558-69bd-4e1b-8270-59ca96dba0f3"}
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLAN = ("servicePlanId", "service", "capabilityStatus")
_WORKING = frozenset({"enabled", "warning"})
_NEVER = 1  # the year that some APIs write for "never"


def unreadable(what: str) -> Unknown:
    return Unknown(UnknownReason.UNREADABLE, what)


def text(row: Row, name: str) -> str:
    """A text property on one line; "" if it is missing or no text."""
    value = row.get(name)
    return clean(value) if isinstance(value, str) else ""


def object_id(row: Row, name: str = "id") -> str:
    """An object ID in lower case; "" if it is missing or none."""
    value = row.get(name)
    return value.lower() if isinstance(value, str) and _GUID.fullmatch(value) else ""


def is_object_id(value: str) -> bool:
    return bool(_GUID.fullmatch(value))


def flag(row: Row, name: str, *, null: Known[bool] | None = None) -> Known[bool]:
    """A Boolean property. `null` is what null means, if Graph documents it."""
    value = row.get(name, "")
    if value is None and null is not None:
        return null
    return value if isinstance(value, bool) else unreadable(name)


def guest(row: Row) -> Known[bool]:
    if "#ext#" in text(row, "userPrincipalName").casefold():
        return True
    kind = row.get("userType")
    return kind.casefold() == "guest" if isinstance(kind, str) and kind else unreadable("userType")


def must_change_password(row: Row) -> Known[bool]:
    name = "passwordProfile"
    profile = row.get(name)
    if not isinstance(profile, dict):
        return unreadable(name)
    each = [
        flag(profile, "forceChangePasswordNextSignIn"),
        flag(profile, "forceChangePasswordNextSignInWithMfa", null=False),
    ]
    return True if True in each else each[0]


def last_interactive_sign_in(row: Row) -> Known[datetime | None]:
    """Graph leaves `signInActivity` out, or null, for accounts that have never signed in."""
    activity = row.get("signInActivity")
    if activity is None:
        return None
    if not isinstance(activity, dict):
        return unreadable("signInActivity")
    value = activity.get("lastSignInDateTime")
    if value is None:
        return None
    signed_in_at = moment(value)
    if signed_in_at is None:
        return unreadable("lastSignInDateTime")
    return None if signed_in_at.year == _NEVER else signed_in_at


def moment(value: object) -> datetime | None:
    """An ISO 8601 time in UTC. Returns None if it is unreadable."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def plans(row: Row) -> Known[Plans]:
    assigned = row.get("assignedPlans")
    if not isinstance(assigned, list):
        return unreadable("assignedPlans")
    working: list[tuple[str, str]] = []  # plan and service, in lower case
    for each in assigned:
        entry = each if isinstance(each, dict) else {}
        plan, service, status = (entry.get(name) for name in _PLAN)
        if not (isinstance(plan, str) and isinstance(service, str) and isinstance(status, str)):
            return unreadable("assignedPlans")
        if status.lower() in _WORKING:
            working.append((plan.lower(), service.lower()))
    mailbox: Known[bool] = any(
        service == "exchange" and plan != EXCHANGE_FOUNDATION_PLAN for plan, service in working
    )
    if mailbox:
        mailbox = _mailbox_of_person(row.get("assignedLicenses"))
    if isinstance(mailbox, Unknown):
        return mailbox
    return Plans(
        teams_phone=any(plan == TEAMS_PHONE_PLAN for plan, _ in working),
        mailbox=mailbox,
        desktop_apps=any(service == "microsoftoffice" for _, service in working),
    )


def _mailbox_of_person(licenses: object) -> Known[bool]:
    """Whether a mailbox comes from another license than Teams Shared Devices."""
    if not isinstance(licenses, list):
        return unreadable("assignedLicenses")
    skus = [object_id(each, "skuId") if isinstance(each, dict) else "" for each in licenses]
    if "" in skus:
        return unreadable("assignedLicenses")
    return not skus or not SHARED_DEVICES_SKUS.issuperset(skus)


def mfa(row: Row) -> Known[MfaState]:
    return _member(row, "perUserMfaState", MfaState)


def _member(row: Row, name: str, kind: type[Member]) -> Known[Member]:
    value = row.get(name)
    if isinstance(value, str):
        for member in kind:
            if member.value.casefold() == value.casefold():
                return member
    return unreadable(name)


def resource_account(row: Row) -> Known[bool]:
    kind = row.get("accountType")
    if not isinstance(kind, str) or not kind:
        return unreadable("accountType")
    return kind.casefold() == "resourceaccount"


def phone_numbers(row: Row) -> Known[Sequence[str]]:
    numbers = row.get("telephoneNumbers")
    if not isinstance(numbers, list):
        return unreadable("telephoneNumbers")
    read = [text(each, "telephoneNumber") if isinstance(each, dict) else "" for each in numbers]
    return tuple(read) if all(read) else unreadable("telephoneNumbers")


def effective_policies(row: Row) -> Mapping[PolicyType, Known[str | None]]:
    """The effective policy of each type. No entry for a type means that the Global policy applies."""
    name = "effectivePolicyAssignments"
    entries = row.get(name)
    if not isinstance(entries, list):
        return dict.fromkeys(PolicyType, unreadable(name))
    found: dict[PolicyType, Known[str | None]] = {}
    complete = True
    for each in entries:
        kind = _member(each, "policyType", PolicyType) if isinstance(each, dict) else None
        if isinstance(kind, PolicyType):
            policy = _policy_name(each.get("policyAssignment"))
            found[kind] = policy if found.get(kind, policy) == policy else unreadable(kind)
        elif not isinstance(each, dict) or not text(each, "policyType"):
            complete = False
    absent = None if complete else unreadable(name)
    return {kind: found.get(kind, absent) for kind in PolicyType}


def _policy_name(assignment: object) -> Known[str | None]:
    name = text(assignment, "displayName") if isinstance(assignment, dict) else ""
    name = name[4:] if name[:4].casefold() == "tag:" else name
    if not name:
        return unreadable("policyAssignment")
    return None if name.casefold() == "global" else name


def conditional_access(rows: Sequence[Row]) -> Known[Sequence[ConditionalAccessHit]]:
    """The enforced policies among the results of What If that apply.

    Unknown if a policy is unreadable, or if What If lacked information about an enforced one and no
    other applies.
    """
    hits: list[ConditionalAccessHit] = []
    undecided = ""
    for row in rows:
        name = text(row, "displayName") or text(row, "id")
        state = text(row, "state").casefold()
        applies, controls = row.get("policyApplies"), _controls(row)
        if not state or not isinstance(applies, bool) or controls is None:
            return unreadable(name or "policyApplies")
        if state != "enabled":
            continue
        if applies:
            hits.append(ConditionalAccessHit(name, controls))
        elif "notenoughinformation" in _reasons(row):
            undecided = undecided or name or "analysisReasons"
    return unreadable(undecided) if undecided and not hits else tuple(hits)


def _reasons(row: Row) -> str:
    """Why a policy does not apply, in lower case; unreadable reasons count as a lack of information."""
    return text(row, "analysisReasons").casefold() or "notenoughinformation"


def _controls(row: Row) -> Sequence[str] | None:
    """What a policy asks of a sign-in; empty for null, which asks nothing. None if it is unreadable."""
    grant = row.get("grantControls", "")
    if grant is None:
        return ()
    controls = grant.get("builtInControls") if isinstance(grant, dict) else None
    if not isinstance(grant, dict) or not isinstance(controls, list):
        return None
    names = [clean(each) for each in controls if isinstance(each, str)]
    if len(names) != len(controls):
        return None
    if grant.get("authenticationStrength") is not None and "mfa" not in names:
        names.append("mfa")
    return tuple(names)
