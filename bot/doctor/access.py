"""What the identity that signs phones in is given: tokens, and the roles and permissions in them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.directory import DirectoryDeniedError, DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown
from bot.doctor.clients import Lists
from bot.identity.entra_roles import MissingRoles, claims, missing
from bot.identity.tokens import Tokens
from bot.settings.model import Settings

_LACKING: Mapping[MissingRoles, str] = MappingProxyType(
    {
        MissingRoles.TEAMS: "found-roles-no-teams",
        MissingRoles.PASSWORDS: "found-roles-no-authentication",
        MissingRoles.BOTH: "found-roles-none",
    }
)


async def token(step: str, tokens: Tokens, scope: str, settings: Settings) -> tuple[Finding, str]:
    """The finding, and the token: "" if there is none."""
    try:
        got = await tokens.token(scope)
    except PermissionError as error:
        return failed(step, "found-token-refused", message=_why(error)), ""
    except ConnectionError as error:
        return failed(step, "found-token-unreachable", message=_why(error)), ""
    return ok(step, "found-token" if settings.proves_itself else "found-token-dummy"), got


def _why(error: Exception) -> str:
    return str(error).removeprefix("no token: ")


async def roles(token: str, settings: Settings) -> Finding:
    step = "roles"
    said = claims(token)
    if not said:
        return unknown(
            step, "found-roles-unreadable" if settings.proves_itself else "found-roles-dummy"
        )
    listed = said.get("wids")
    lacking = missing([str(role) for role in listed] if isinstance(listed, list) else ())
    if lacking is MissingRoles.NOTHING:
        return ok(step, "found-roles")
    if said.get("idtyp") == "app" or "scp" not in said:
        return unknown(step, "found-roles-app")
    return failed(step, _LACKING[lacking])


async def permission(directory: Lists, step: str, collection: str, permission: str) -> Finding:
    """Ask for the smallest thing that the permission opens."""
    try:
        await directory.try_list(collection)
    except DirectoryDeniedError:
        return failed(step, "found-permission-missing", permission=permission)
    except DirectoryUnavailableError as error:
        return failed(step, "found-permission-no-answer", message=str(error), permission=permission)
    return ok(step, "found-permission", permission=permission)
