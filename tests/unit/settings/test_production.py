"""What production does not start with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.doctor import FindingState, safeguards
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


def test_policy_file_stands_in_for_requesters_and_approvers() -> None:
    with pytest.raises(ValidationError, match="OFFHOOK_REQUESTERS, OFFHOOK_APPROVERS"):
        settings(requesters="", approvers="")
    assert settings(requesters="", approvers="", policy="policy.toml").policy is not None


def test_local_accepts_everyone_as_approver() -> None:
    assert settings(environment="local", approvers="*").may_approve == ("*",)


@pytest.mark.parametrize("environment", ["local", "production"])
def test_digest_key_is_refused_when_it_is_short(environment: str) -> None:
    approvers = "22222222-0000-4000-8000-000000000000"
    with pytest.raises(ValidationError, match="OFFHOOK_DIGEST_KEY has fewer than 16") as error:
        settings(environment=environment, approvers=approvers, digest_key="fifteen-letters")
    assert all("fifteen-letters" not in problem["msg"] for problem in error.value.errors())
    key = settings(environment=environment, digest_key="sixteen-letters!").digest_key
    assert key.get_secret_value() == "sixteen-letters!"


def test_doctor_warns_when_production_has_no_digest_key() -> None:
    found = safeguards.digest_key(settings())
    assert (found.state, found.message) == (FindingState.WARNING, "found-digest-key-missing")
    assert safeguards.digest_key(settings(digest_key="k" * 16)).state is FindingState.OK
    assert safeguards.digest_key(settings(environment="local")).state is FindingState.OK


GOOD_KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.mark.parametrize(
    ("environment", "url", "key", "problem"),
    [
        ("production", "https://siem.example/x?code=hunter2", GOOD_KEY, ""),
        ("local", "http://127.0.0.1:9/hunter2", GOOD_KEY, ""),
        ("production", "http://127.0.0.1:9/hunter2", GOOD_KEY, "must be https"),
        ("local", "http://siem.example/hunter2", GOOD_KEY, "must be https"),
        ("local", "ftp://127.0.0.1/hunter2", GOOD_KEY, "must be https"),
        ("local", "hunter2", GOOD_KEY, "a URL with a host"),
        ("production", "https://ada:hunter2@siem.example/", GOOD_KEY, "without a login"),
        ("production", "https://siem.example/hunter2", "", "need each other"),
        ("production", "", GOOD_KEY, "need each other"),
        ("production", "https://siem.example/", "hunter2 is no Base64", "is not Base64"),
        ("production", "https://siem.example/", "aHVudGVyMg==", "is not Base64"),
    ],
)
def test_webhook_of_the_audit_is_checked_and_never_quoted(
    environment: str, url: str, key: str, problem: str
) -> None:
    given = {"environment": environment, "audit_webhook": url, "audit_webhook_key": key}
    if environment == "local":
        given["approvers"] = "*"
    if not problem:
        assert "hunter2" not in str(settings(**given).told())
        return
    with pytest.raises(ValidationError, match=problem) as error:
        settings(**given)
    assert all("hunter2" not in each["msg"] for each in error.value.errors())
