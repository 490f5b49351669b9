"""Which of Entra ID's roles the SIP Gateway wants, and which of them a token carries.

Microsoft, "Configure SIP Gateway": Teams Administrator, and one of the three that may reset passwords.
Ids: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

import jwt


class EntraRole(StrEnum):
    """By template id, as in the claim `wids`."""

    TEAMS = "69091246-20e8-4a56-aa4d-066075b2a7a8"
    GLOBAL = "62e90394-69f5-4237-9190-012177145e10"
    PRIVILEGED_AUTHENTICATION = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
    AUTHENTICATION = "c4e39bd9-1100-46d3-8c65-fb160da0071f"


PASSWORDS = frozenset(
    {EntraRole.GLOBAL, EntraRole.PRIVILEGED_AUTHENTICATION, EntraRole.AUTHENTICATION}
)


class MissingRoles(StrEnum):
    """What is missing, as the sentence `sign-in-roles` selects by it."""

    NOTHING = ""
    TEAMS = "teams"
    PASSWORDS = "passwords"
    BOTH = "both"


def claims(token: str) -> Mapping[str, Any]:
    """The claims of a token that somebody else has checked or will check; {} if it is not readable."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def missing(wids: Collection[str]) -> MissingRoles:
    held = {wid.lower() for wid in wids}
    passwords = bool(PASSWORDS & held)
    if EntraRole.TEAMS in held:
        return MissingRoles.NOTHING if passwords else MissingRoles.PASSWORDS
    return MissingRoles.TEAMS if passwords else MissingRoles.BOTH
