"""Directory roles as an access token names them. Read to tell people, never to let anybody in."""

from __future__ import annotations

from dataclasses import dataclass

import jwt

# Role template ids, as they stand in `wids`:
# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
TEAMS_ADMINISTRATOR = "69091246-20e8-4a56-aa4d-066075b2a7a8"
AUTHENTICATION_ROLES = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",  # Privileged Authentication Administrator
        "c4e39bd9-1100-46d3-8c65-fb160da0071f",  # Authentication Administrator
    }
)


@dataclass(frozen=True, slots=True)
class Held:
    """What bulk sign-in asks for. `app`: the token is an application's own, not a person's."""

    teams: bool
    authentication: bool
    app: bool


def held(token: str) -> Held | None:
    """None if the token cannot be read: its form is its issuer's own affair."""
    try:
        # The signature is the resource's to check; we only look.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    listed = claims.get("wids")
    roles = {str(role).lower() for role in listed} if isinstance(listed, list) else set[str]()
    return Held(
        teams=TEAMS_ADMINISTRATOR in roles,
        authentication=not roles.isdisjoint(AUTHENTICATION_ROLES),
        app=claims.get("idtyp") == "app" or "scp" not in claims,
    )
