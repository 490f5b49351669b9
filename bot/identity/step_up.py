"""Step-up: whether an access token proves that its user has just satisfied an authentication context.

An authentication context is a name (`c1` to `c99`) that Conditional Access policies of a tenant apply to.
A claims request for it has Entra ID evaluate these policies in the exchange: it issues a token whose `acrs`
has the name, or answers `interaction_required`. How fresh a sign-in has to be is for the policy to say
(sign-in frequency), and so is which factors it wants: Offhook believes `acrs`, and nothing else.
https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context

Assumptions: the SIP Gateway's resource, like any that has not opted in to `acrs`, has the claim in its
access tokens when it is asked for explicitly, and these are readable JWTs. If not, nothing is approved.
`acrs` is a list of names; a single name is read, too. `auth_time` and `amr` are kept if they are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class StepUp:
    """What a token says of the sign-in behind it."""

    #: Authentication contexts that were satisfied.
    acrs: tuple[str, ...]
    #: When the user signed in (Unix time, seconds); None if the token does not say.
    auth_time: int | None = None
    #: How they signed in, such as `mfa`; empty if the token does not say.
    amr: tuple[str, ...] = ()

    @property
    def detail(self) -> Mapping[str, Any]:
        """For the audit; JSON-safe, without what is not known."""
        known: dict[str, Any] = {"acrs": list(self.acrs)}
        if self.auth_time is not None:
            known["auth_time"] = self.auth_time
        if self.amr:
            known["amr"] = list(self.amr)
        return known


def claims_request(context: str) -> str:
    """Asks for an access token of a user who has satisfied `context`."""
    return json.dumps({"access_token": {"acrs": {"essential": True, "value": context}}})


def proved(claims: Mapping[str, Any], context: str) -> StepUp | None:
    """What `claims` say of the sign-in, if it satisfied `context`. Returns None if they do not say that."""
    acrs = _names(claims.get("acrs"))
    if not context or context not in acrs:
        return None
    auth_time = claims.get("auth_time")
    return StepUp(acrs, auth_time if type(auth_time) is int else None, _names(claims.get("amr")))


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        return ()
    return tuple(each for each in cast(list[object], value) if isinstance(each, str))
