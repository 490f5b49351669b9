"""Checks on tokens, the Entra roles in them, and Graph permissions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.directory import DirectoryDeniedError, DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.identity.entra_roles import MissingRoles, missing_roles, unverified_claims
from bot.identity.tokens import Tokens
from bot.settings.model import Settings

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


async def permission(
    directory: DirectoryProbe, check: str, collection: str, permission: str
) -> Finding:
    """Check a Graph permission with the smallest read that needs it."""
    try:
        await directory.try_list(collection)
    except DirectoryDeniedError:
        return failed(check, "found-permission-missing", permission=permission)
    except DirectoryUnavailableError as error:
        return failed(
            check, "found-permission-no-answer", message=str(error), permission=permission
        )
    return ok(check, "found-permission", permission=permission)
