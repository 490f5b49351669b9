"""The Entra roles that bulk sign-in needs, and which of them a token has.

Microsoft, "Configure SIP Gateway": one of three roles that can reset passwords. Teams Administrator in
addition is the word of one article (https://www.myteamslab.com/2024/06/bulk-sign-in-for-microsoft-teams-sip.html),
and a Global Administrator may do what a Teams Administrator may. So without any of the three Offhook sends
nothing; about Teams Administrator it only warns, and the SIP Gateway decides.
IDs: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

import jwt


class EntraRole(StrEnum):
    """Role template IDs, as in the `wids` claim."""

    TEAMS = "69091246-20e8-4a56-aa4d-066075b2a7a8"
    GLOBAL = "62e90394-69f5-4237-9190-012177145e10"
    PRIVILEGED_AUTHENTICATION = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
    AUTHENTICATION = "c4e39bd9-1100-46d3-8c65-fb160da0071f"


PASSWORD_RESET_ROLES = frozenset(
    {EntraRole.GLOBAL, EntraRole.PRIVILEGED_AUTHENTICATION, EntraRole.AUTHENTICATION}
)


class MissingRoles(StrEnum):
    """Missing roles, as the selector in the message `sign-in-roles`."""

    NOTHING = ""
    #: May be needed: a warning.
    TEAMS = "teams"
    PASSWORDS = "passwords"
    BOTH = "both"

    @property
    def denies(self) -> bool:
        """Whether the SIP Gateway will refuse a sign-in for certain."""
        return self in (MissingRoles.PASSWORDS, MissingRoles.BOTH)


def unverified_claims(token: str) -> Mapping[str, Any]:
    """The claims of a token, without verifying its signature. Returns {} when it is not a readable JWT.

    Only for tokens that Entra ID or the receiving API verifies.
    """
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def missing_roles(wids: Collection[str]) -> MissingRoles:
    """Which roles are absent from a token's `wids`. Global Administrator alone is enough."""
    held = {wid.lower() for wid in wids}
    passwords = bool(PASSWORD_RESET_ROLES & held)
    if held & {EntraRole.TEAMS, EntraRole.GLOBAL}:
        return MissingRoles.NOTHING if passwords else MissingRoles.PASSWORDS
    return MissingRoles.TEAMS if passwords else MissingRoles.BOTH


def decided_by_teams(_wids: Collection[str]) -> MissingRoles:
    """For changes to accounts: Teams decides, and refuses without changing anything."""
    return MissingRoles.NOTHING
