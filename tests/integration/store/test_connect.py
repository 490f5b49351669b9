"""Logging in with a token as the password: fetched for each new connection, since tokens expire."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.core.exceptions import ClientAuthenticationError
from pydantic import ValidationError

from bot.settings.model import Settings
from bot.settings.values import DatabaseAuth
from bot.store import connect, requests
from bot.store.database import Database, DatabaseError


@pytest.fixture
async def asked() -> list[str]:
    """The tokens handed out, in order."""
    return []


@pytest.fixture
async def postgresql(postgres_url: str, asked: list[str]) -> AsyncIterator[Database]:
    async def password() -> str:
        asked.append(f"token-{len(asked) + 1}")
        return asked[-1]

    database = Database(postgres_url, password=password)
    yield database
    await database.close()


async def test_each_new_connection_logs_in_with_fresh_token(
    postgresql: Database, asked: list[str]
) -> None:
    await postgresql.open()
    assert asked == ["token-1"]  # for the migrations
    async with postgresql.read() as first, postgresql.read() as second:
        passwords = [
            (await transaction.get_raw_connection()).driver_connection.info.password  # pyright: ignore[reportOptionalMemberAccess]
            for transaction in (first, second)
        ]
        assert await requests.counts(first) == {}
    assert passwords == ["token-2", "token-3"]


async def test_open_names_setting_to_change_when_no_token_is_issued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ClientAuthenticationError("no identity here")

    monkeypatch.setattr(connect.ManagedIdentityCredential, "get_token", fail)
    settings = Settings(
        database_url="postgresql://offhook@db.example/offhook", database_auth=DatabaseAuth.ENTRA
    )  # pyright: ignore[reportCallIssue]
    async with connect.database_of(settings) as database:
        with pytest.raises(DatabaseError, match="OFFHOOK_MANAGED_IDENTITY"):
            await database.open()


def test_settings_reject_entra_login_for_sqlite() -> None:
    with pytest.raises(ValidationError, match="OFFHOOK_DATABASE_URL"):
        Settings(database_auth=DatabaseAuth.ENTRA)  # pyright: ignore[reportCallIssue]
