"""Why Entra ID gave no token, and what that means for whoever wants to sign in.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast

from azure.core.exceptions import ClientAuthenticationError


class Refusal(StrEnum):
    """The sentence is `sign-in-<why>`; AGAIN is answered with a sign-in instead."""

    AGAIN = "again"  # another factor, a newer sign-in: the person can see to it
    CONSENT = "consent"
    BLOCKED = "blocked"  # a policy says no to this person, device or place
    NOT_ALLOWED = "not-allowed"  # this account may not use the app
    BOT = "bot"  # the app's own proof was refused
    OTHER = "other"


_CODES: Mapping[Refusal, tuple[int, ...]] = MappingProxyType(
    {
        Refusal.AGAIN: (
            *(50013, 500131, 500133),  # the sign-in as such: signature, audience, age
            *(50055, 50058, 50072, 50074, 50076, 50078, 50079, 50097, 50158, 50173),
            *(70043, 70044, 700082, 700084),
        ),
        Refusal.CONSENT: (65001, 65004, 90094),
        Refusal.BLOCKED: (50005, 53000, 53001, 53002, 53003, 530034),
        Refusal.NOT_ALLOWED: (50020, 50034, 50057, 50105),
        Refusal.BOT: (500011, 700016, 70021, 700211, 700213, 700024, 700027, 7000215, 7000222),
    }
)
_BY_CODE: Mapping[int, Refusal] = MappingProxyType(
    {code: why for why, codes in _CODES.items() for code in codes}
)


def read(error: BaseException | None) -> tuple[Refusal, str]:
    """What it means, and Entra ID's code for it as people look it up ("AADSTS50076", or "")."""
    fields = _fields(error)
    given: Any = fields.get("error_codes")
    codes = [code for code in cast(list[Any], given) if isinstance(code, int)] if given else []
    named = f"AADSTS{codes[0]}" if codes else ""
    for code in codes:
        if code in _BY_CODE:
            return _BY_CODE[code], named
    if fields.get("claims") or fields.get("error") == "interaction_required":
        return Refusal.AGAIN, named
    return (Refusal.BOT if fields.get("error") == "invalid_client" else Refusal.OTHER), named


def _fields(error: BaseException | None) -> Mapping[str, Any]:
    if not isinstance(error, ClientAuthenticationError):
        return {}
    try:
        content: Any = cast(Any, error.response).json()
    except (AttributeError, ValueError):
        return {}
    fields = cast(Mapping[str, Any], content) if isinstance(content, dict) else {}
    return fields if isinstance(fields.get("error_codes", []), list) else {}
