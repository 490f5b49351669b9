"""What production does not start with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.settings.model import Settings

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "app_id": "11111111-0000-4000-8000-000000000000",
    "app_password": "not-a-secret",
    "tenant_ids": ("11111111-2222-4333-8444-555555555555",),
    "requesters": "*",
    "approvers": "22222222-0000-4000-8000-000000000000",
    "gateway": "configapi",
}


def settings(**more: Any) -> Settings:
    return Settings(_env_file=None, **{**PRODUCTION, **more})  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("approvers", ["*", "22222222-0000-4000-8000-000000000000, *"])
def test_production_refuses_everyone_as_approver(approvers: str) -> None:
    settings()
    with pytest.raises(ValidationError, match=r"OFFHOOK_APPROVERS=\* is for `local` only"):
        settings(approvers=approvers)


def test_local_accepts_everyone_as_approver() -> None:
    assert settings(environment="local", approvers="*").may_approve == ("*",)
