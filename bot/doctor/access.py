"""Checks on tokens, the Entra roles in them, and Graph permissions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from bot.directory.permissions import (
    GROUPS,
    SIGN_INS_CHECK,
    UNITS,
    UNITS_CHECK,
    Permission,
    Tier,
)
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.identity.entra_roles import MissingRoles, missing_roles, unverified_claims
from bot.identity.tokens import Tokens
from bot.preflight.facts import Unknown, UnknownReason
from bot.settings.model import Settings

_MAX_LOOKUPS = 50  # groups and units looked up one by one
_NO_ANSWER = "found-permission-no-answer"
#: Why a permission does not work; all else is no answer.
_GAPS: Mapping[UnknownReason, str] = MappingProxyType(
    {
        UnknownReason.PERMISSION: "found-permission-missing",
        UnknownReason.LICENSE: "found-permission-no-license",
        UnknownReason.CLOUD: "found-permission-no-api",
        UnknownReason.UNAVAILABLE: _NO_ANSWER,
    }
)
_MISSING_MESSAGES: Mapping[MissingRoles, str] = MappingProxyType(
    {
        MissingRoles.PASSWORDS: "found-roles-no-authentication",
        MissingRoles.BOTH: "found-roles-none",
    }
)


async def token(check: str, tokens: Tokens, scope: str, settings: Settings) -> tuple[Finding, str]:
    """Returns the finding, and the token ("" if there is none)."""
    try:
        token_value = await tokens.token(scope)
    except PermissionError as error:
        return failed(check, "found-token-refused", message=_reason(error)), ""
    except ConnectionError as error:
        return failed(check, "found-token-unreachable", message=_reason(error)), ""
    return ok(check, "found-token" if settings.proves_itself else "found-token-dummy"), token_value


def _reason(error: Exception) -> str:
    return str(error).removeprefix("no token: ")


async def roles(token: str, settings: Settings) -> Finding:
    """Check that the token has the Entra roles that bulk sign-in needs."""
    check = "roles"
    claims = unverified_claims(token)
    if not claims:
        return unknown(
            check, "found-roles-unreadable" if settings.proves_itself else "found-roles-dummy"
        )
    wids = claims.get("wids")
    missing = missing_roles([str(role) for role in wids] if isinstance(wids, list) else ())
    if missing is MissingRoles.NOTHING:
        return ok(check, "found-roles")
    if claims.get("idtyp") == "app" or "scp" not in claims:
        return unknown(check, "found-roles-app")
    if not missing.denies:
        return warning(check, "found-roles-no-teams")
    return failed(check, _MISSING_MESSAGES[missing])


async def permission(directory: DirectoryProbe, tested: Permission) -> Finding:
    """Check a Graph permission with the smallest read that needs it."""
    gap = await directory.try_read(tested.path, tested.name)
    return _permission(tested.check, tested.name, tested.tier, gap)


def _permission(check: str, name: str, tier: Tier, gap: Unknown | None) -> Finding:
    """Without the first tier, people and groups are unknown; without the second, checks are left out."""
    if gap is None:
        works = "found-sign-in-log" if check == SIGN_INS_CHECK else "found-permission"
        return ok(check, works, permission=name)
    make = unknown
    if tier is Tier.BASIC:
        make = failed
    elif gap.reason in (UnknownReason.PERMISSION, UnknownReason.LICENSE):
        make = warning
    return make(
        check,
        _GAPS.get(gap.reason, _NO_ANSWER),
        permission=name,
        check=check,
        tier=tier.value,
        message=gap.detail or gap.reason.value,
    )


async def units(directory: DirectoryProbe, ids: Collection[str]) -> Finding:
    """Check that the administrative units among the allowed accounts (object IDs) can be read."""
    found = False
    for each in sorted(ids)[:_MAX_LOOKUPS]:
        if await directory.try_read(f"/groups/{each}?$select=id", GROUPS.name) is None:
            continue
        unit = f"/directory/administrativeUnits/{each}?$select=id"
        gap = await directory.try_read(unit, UNITS)
        if gap is not None and gap.reason is not UnknownReason.UNREADABLE:
            return _permission(UNITS_CHECK, UNITS, Tier.READING, gap)
        found |= gap is None
    if found:
        return ok(UNITS_CHECK, "found-permission", permission=UNITS)
    return ok(UNITS_CHECK, "found-no-units", permission=UNITS, setting="OFFHOOK_ACCOUNTS")
