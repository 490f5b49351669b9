"""What Entra ID's refusals mean."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from bot.sso.refusal import Why, read


class Response:
    """As much of an answer as is read."""

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
    ("content", "why", "code"),
    [
        ({"error": "interaction_required", "error_codes": [50076]}, Why.AGAIN, "AADSTS50076"),
        ({"error": "invalid_grant", "error_codes": [65001]}, Why.CONSENT, "AADSTS65001"),
        ({"error": "interaction_required", "error_codes": [53003]}, Why.BLOCKED, "AADSTS53003"),
        ({"error": "interaction_required", "error_codes": [1]}, Why.AGAIN, "AADSTS1"),
        ({"error": "invalid_grant", "claims": "{}", "error_codes": [2]}, Why.AGAIN, "AADSTS2"),
        ({"error": "invalid_grant", "error_codes": [9, 50105]}, Why.NOT_ALLOWED, "AADSTS9"),
        ({"error": "invalid_client", "error_codes": []}, Why.BOT, ""),
        ({"error": "invalid_client", "error_codes": [7000222]}, Why.BOT, "AADSTS7000222"),
        ({"error": "invalid_grant"}, Why.OTHER, ""),
        ({"error_codes": "50076"}, Why.OTHER, ""),
        ({"error_codes": ["50076"]}, Why.OTHER, ""),
        ([], Why.OTHER, ""),
        (ValueError("no JSON"), Why.OTHER, ""),
    ],
)
def test_meaning(content: Any, why: Why, code: str) -> None:
    assert read(refused(content)) == (why, code)


def test_without_an_answer() -> None:
    assert read(ClientAuthenticationError("no")) == (Why.OTHER, "")
    assert read(None) == (Why.OTHER, "")
