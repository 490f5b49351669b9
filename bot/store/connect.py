"""Opens the database that the settings name, with the login they choose."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential

from bot.settings.model import Settings
from bot.settings.values import DatabaseAuth
from bot.store.database import Database, DatabaseError, Password

# The scope of the token that Azure Database for PostgreSQL takes instead of a password:
# https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-configure-sign-in-azure-ad-authentication
_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


@asynccontextmanager
async def database_of(
    settings: Settings, *, busy_seconds: float = 10.0
) -> AsyncGenerator[Database]:
    """The database, not opened yet, closed at the end. Raises `DatabaseError`."""
    async with AsyncExitStack() as stack:
        password: Password | None = None
        if settings.database_auth is DatabaseAuth.ENTRA:
            password = await _token(settings, stack)
        database = Database(settings.database, busy_seconds=busy_seconds, password=password)
        stack.push_async_callback(database.close)
        yield database


async def _token(settings: Settings, stack: AsyncExitStack) -> Password:
    credential = await stack.enter_async_context(
        ManagedIdentityCredential(client_id=settings.managed_identity or None)
    )

    async def password() -> str:
        try:
            return (await credential.get_token(_SCOPE)).token  # the credential caches it
        except AzureError as error:
            raise DatabaseError(
                f"No token for the database: {error.message}. Check "
                "OFFHOOK_MANAGED_IDENTITY, or set OFFHOOK_DATABASE_AUTH=url"
            ) from error

    return password
