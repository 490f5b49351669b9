"""The app's own permissions serve one tenant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.settings.model import Settings

FIRST = "aaaaaaaa-2222-4333-8444-555555555555"
SECOND = "bbbbbbbb-2222-4333-8444-555555555555"


def settings(**more: Any) -> Settings:
    return Settings(_env_file=None, **more)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("name", "acts_as_app"),
    [("OFFHOOK_RUN_AS=app", {"run_as": "app"}), ("FOLLOW_AS_APP=true", {"follow_as_app": True})],
)
def test_own_permissions_are_refused_when_there_are_several_tenants(
    name: str, acts_as_app: dict[str, Any]
) -> None:
    with pytest.raises(
        ValidationError, match=f"{name} serves one tenant.*OFFHOOK_TENANT_IDS has 2"
    ):
        settings(tenant_ids=f"{FIRST},{SECOND}", **acts_as_app)
    assert settings(tenant_ids=f"{FIRST},{FIRST.upper()}", **acts_as_app).home_tenant == FIRST


def test_several_tenants_are_accepted_when_sign_ins_run_as_the_approver() -> None:
    assert settings(tenant_ids=f"{FIRST},{SECOND}").tenant_ids == (FIRST, SECOND)
