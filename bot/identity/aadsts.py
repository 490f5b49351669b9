"""Classifies Entra ID's AADSTS error codes by what the user can do about them.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast

from azure.core.exceptions import ClientAuthenticationError


class Refusal(StrEnum):
    """Why Entra ID refused a token. All but AGAIN have a message `sign-in-<value>`."""

    #: Signing in again helps: another factor or a fresh sign-in is needed.
    AGAIN = "again"
    #: The organization has not consented to the app's permissions.
    CONSENT = "consent"
    #: Conditional Access blocks this user, device or location.
    BLOCKED = "blocked"
    #: This account may not use the app.
    NOT_ALLOWED = "not-allowed"
    #: The app's own credentials were refused.
    BOT = "bot"
    OTHER = "other"


_CODES: Mapping[Refusal, tuple[int, ...]] = MappingProxyType(
    {
        Refusal.AGAIN: (
            *(50013, 500131, 500133),  # the user assertion: signature, audience, age
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
    {code: refusal for refusal, codes in _CODES.items() for code in codes}
)


def of_code(code: int) -> Refusal:
    """The refusal that an error code (the number after AADSTS) stands for."""
    return _BY_CODE.get(code, Refusal.OTHER)


def classify(error: BaseException | None) -> tuple[Refusal, str]:
    """The refusal behind `error`, and its code as documented ("AADSTS50076"), or "" if it has none."""
    fields = _fields(error)
    values: Any = fields.get("error_codes")
    codes = [code for code in cast(list[Any], values) if isinstance(code, int)] if values else []
    code_text = f"AADSTS{codes[0]}" if codes else ""
    for code in codes:
        if code in _BY_CODE:
            return _BY_CODE[code], code_text
    if fields.get("claims") or fields.get("error") == "interaction_required":
        return Refusal.AGAIN, code_text
    return (Refusal.BOT if fields.get("error") == "invalid_client" else Refusal.OTHER), code_text


def _fields(error: BaseException | None) -> Mapping[str, Any]:
    if not isinstance(error, ClientAuthenticationError):
        return {}
    try:
        content: Any = cast(Any, error.response).json()
    except (AttributeError, ValueError):
        return {}
    fields = cast(Mapping[str, Any], content) if isinstance(content, dict) else {}
    return fields if isinstance(fields.get("error_codes", []), list) else {}
