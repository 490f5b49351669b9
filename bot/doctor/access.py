"""What the identity that signs phones in is given: tokens, and the roles and permissions in them."""

from __future__ import annotations

from bot.directory import DirectoryDenied, DirectoryUnavailable
from bot.doctor import Finding, failed, ok, unknown
from bot.doctor.far import Lists
from bot.doctor.roles import held
from bot.gateway.identity import Tokens
from bot.settings import Settings


async def token(step: str, tokens: Tokens, scope: str, settings: Settings) -> tuple[Finding, str]:
    """The finding, and the token: "" if there is none."""
    try:
        got = await tokens.token(scope)
    except PermissionError as error:
        return failed(step, "found-token-refused", message=str(error)), ""
    except ConnectionError as error:
        return failed(step, "found-token-unreachable", message=str(error)), ""
    return ok(step, "found-token" if settings.proves_itself else "found-token-dummy"), got


async def roles(token: str, settings: Settings) -> Finding:
    step = "roles"
    found = held(token)
    if found is None:
        return unknown(
            step, "found-roles-unreadable" if settings.proves_itself else "found-roles-dummy"
        )
    if found.teams and found.authentication:
        return ok(step, "found-roles")
    if found.app:
        return unknown(step, "found-roles-app")
    if found.teams:
        return failed(step, "found-roles-no-authentication")
    return failed(step, "found-roles-no-teams" if found.authentication else "found-roles-none")


async def permission(directory: Lists, step: str, collection: str, permission: str) -> Finding:
    """Ask for the smallest thing that the permission opens."""
    try:
        await directory.try_list(collection)
    except DirectoryDenied:
        return failed(step, "found-permission-missing", permission=permission)
    except DirectoryUnavailable as error:
        return failed(step, "found-permission-no-answer", message=str(error), permission=permission)
    return ok(step, "found-permission", permission=permission)
