"""Classification of Entra ID errors."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from bot.identity.aadsts import Refusal, classify


class Response:
    """The parts of a response that are read."""

    status_code = 400
    reason = "Bad Request"

    def __init__(self, content: Any) -> None:
        self._content = content

    def json(self) -> Any:
        if isinstance(self._content, Exception):
            raise self._content
        return self._content


def refused(content: Any) -> ClientAuthenticationError:
    error = ClientAuthenticationError("no")
    error.response = Response(content)  # pyright: ignore[reportAttributeAccessIssue]
    return error


@pytest.mark.parametrize(
    ("content", "refusal", "code"),
    [
        ({"error": "interaction_required", "error_codes": [50076]}, Refusal.AGAIN, "AADSTS50076"),
        ({"error": "invalid_grant", "error_codes": [65001]}, Refusal.CONSENT, "AADSTS65001"),
        ({"error": "interaction_required", "error_codes": [53003]}, Refusal.BLOCKED, "AADSTS53003"),
        ({"error": "interaction_required", "error_codes": [1]}, Refusal.AGAIN, "AADSTS1"),
        ({"error": "invalid_grant", "claims": "{}", "error_codes": [2]}, Refusal.AGAIN, "AADSTS2"),
        ({"error": "invalid_grant", "error_codes": [9, 50105]}, Refusal.NOT_ALLOWED, "AADSTS9"),
        ({"error": "invalid_client", "error_codes": []}, Refusal.BOT, ""),
        ({"error": "invalid_client", "error_codes": [7000222]}, Refusal.BOT, "AADSTS7000222"),
        ({"error": "invalid_grant"}, Refusal.OTHER, ""),
        ({"error_codes": "50076"}, Refusal.OTHER, ""),
        ({"error_codes": ["50076"]}, Refusal.OTHER, ""),
        ([], Refusal.OTHER, ""),
        (ValueError("no JSON"), Refusal.OTHER, ""),
    ],
)
def test_error_is_classified_by_its_code(content: Any, refusal: Refusal, code: str) -> None:
    assert classify(refused(content)) == (refusal, code)


def test_error_is_other_when_there_is_no_response() -> None:
    assert classify(ClientAuthenticationError("no")) == (Refusal.OTHER, "")
    assert classify(None) == (Refusal.OTHER, "")
