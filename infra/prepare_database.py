"""Prepares the database before the service starts: its schema, and a login with the least privileges.

With `--purge-older-than`, it also deletes old requests, which the service's login may not.
Runs in the init container of infra/bot.bicep as the server's Entra administrator, an identity that the
service itself cannot use. Idempotent, and safe to run on any number of replicas at once.

https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-manage-azure-ad-users
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from urllib.parse import quote

import psycopg
import structlog
from azure.identity import ManagedIdentityCredential
from psycopg import sql

from bot import logs
from bot.cli.purge import parse_age
from bot.store.database import Database, migrate_to_head
from bot.store.purge import purge

DATABASE = "offhook"
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

log = structlog.get_logger()


def prepare(url: Callable[[str], str], service: str, object_id: str) -> None:
    """Creates or updates database, schema, and login. Raises psycopg.Error.

    `url` returns the administrator's URL of a database. `service` is the name of the login, which is that
    of the service's managed identity; the server ties the login to the identity's `object_id`.
    """
    # Azure provides its functions for logins only in the database `postgres`.
    with psycopg.connect(url("postgres"), autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(hashtextextended('offhook/prepare', 0))")
        if not _exists(session, "SELECT 1 FROM pg_roles WHERE rolname = %s", service):
            session.execute(
                "SELECT pgaadauth_create_principal_with_oid(%s, %s, 'service', false, false)",
                [service, object_id],
            )
            log.info("database.login_created", login=service)
        if not _exists(session, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            log.info("database.created")
        migrate_to_head(url(DATABASE))
        with psycopg.connect(url(DATABASE)) as connection:
            for grant in _GRANTS:
                connection.execute(
                    grant.format(database=sql.Identifier(DATABASE), service=sql.Identifier(service))
                )
    log.info("database.prepared")


async def purge_requests(url: str, age: timedelta) -> None:
    """Deletes what ended longer ago than `age`. `url` has a login that owns the tables."""
    database = Database(url)
    try:
        async with database.write() as tx:
            deleted = await purge(tx, datetime.now(UTC) - age)
    finally:
        await database.close()
    log.info("database.purged", requests=deleted)


# The login may read and change rows, but only read the schema version, and only read and append to the
# audit and its chain. It may not delete requests either: only a purge does.
_GRANTS = (
    sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
    sql.SQL("GRANT CONNECT ON DATABASE {database} TO {service}"),
    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}"),
    sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {service}"),
    sql.SQL("REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {service}"),
    sql.SQL("REVOKE UPDATE, DELETE ON events, audit_chain FROM {service}"),
    sql.SQL("REVOKE DELETE ON requests FROM {service}"),
)


def _exists(
    session: psycopg.Connection[tuple[object, ...]], query: LiteralString, name: str
) -> bool:
    return session.execute(query, [name]).fetchone() is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", required=True, help="host name of the server")
    parser.add_argument(
        "--administrator", required=True, help="name of the identity that this runs as"
    )
    parser.add_argument("--administrator-client-id", required=True, help="its client ID")
    parser.add_argument("--service", required=True, help="name of the service's identity")
    parser.add_argument("--service-object-id", required=True, help="its object ID")
    parser.add_argument("--purge-older-than", help="age of requests to delete, such as 90d")
    arguments = parser.parse_args()
    purge_age = parse_age(arguments.purge_older_than) if arguments.purge_older_than else None
    logs.configure()
    with ManagedIdentityCredential(client_id=arguments.administrator_client_id) as credential:
        token = credential.get_token(SCOPE).token

    def url(database: str) -> str:
        login = f"{quote(arguments.administrator, safe='')}:{quote(token, safe='')}"
        tls = f"sslmode=verify-full&sslrootcert={CA_BUNDLE}"
        return f"postgresql://{login}@{arguments.host}:5432/{database}?{tls}"

    prepare(url, arguments.service, arguments.service_object_id)
    if purge_age is not None:
        asyncio.run(purge_requests(url(DATABASE), purge_age))


if __name__ == "__main__":
    main()
