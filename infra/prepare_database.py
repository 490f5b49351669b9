"""Prepares the database before the service starts: its schema, and a login that can only work with it.

Runs in the init container of infra/bot.bicep, as the server's Entra administrator; the service itself
cannot become that identity. Any number of replicas may run it at once, as often as they like.

https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-manage-azure-ad-users
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import LiteralString
from urllib.parse import quote

import psycopg
import structlog
from azure.identity import ManagedIdentityCredential
from psycopg import sql

from bot import logs
from bot.store.database import migrate_to_head

DATABASE = "offhook"
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

log = structlog.get_logger()


def prepare(url: Callable[[str], str], service: str, object_id: str) -> None:
    """Bring database, schema and login up to date. `url` gives the administrator's URL of a database.

    `service`: the name of the login, which is that of the service's managed identity; `object_id`: the
    identity's object id, to which the server ties the login. Raises `psycopg.Error`.
    """
    # Databases and logins belong to the server: only in `postgres` does Azure offer its functions.
    with psycopg.connect(url("postgres"), autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(hashtextextended('offhook/prepare', 0))")
        if not _has(session, "SELECT 1 FROM pg_roles WHERE rolname = %s", service):
            session.execute(
                "SELECT pgaadauth_create_principal_with_oid(%s, %s, 'service', false, false)",
                [service, object_id],
            )
            log.info("database.login_created", login=service)
        if not _has(session, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            log.info("database.created")
        migrate_to_head(url(DATABASE))
        with psycopg.connect(url(DATABASE)) as connection:
            for grant in _GRANTS:
                connection.execute(
                    grant.format(database=sql.Identifier(DATABASE), service=sql.Identifier(service))
                )
    log.info("database.prepared")


# Read and change rows, and nothing else; the version of the schema can only be read.
_GRANTS = (
    sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
    sql.SQL("GRANT CONNECT ON DATABASE {database} TO {service}"),
    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}"),
    sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {service}"),
    sql.SQL("REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {service}"),
)


def _has(session: psycopg.Connection[tuple[object, ...]], query: LiteralString, name: str) -> bool:
    return session.execute(query, [name]).fetchone() is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", required=True, help="the server")
    parser.add_argument("--administrator", required=True, help="name of the identity to run as")
    parser.add_argument("--administrator-client-id", required=True, help="its client id")
    parser.add_argument("--service", required=True, help="name of the service's identity")
    parser.add_argument("--service-object-id", required=True, help="its object id")
    given = parser.parse_args()
    logs.configure()
    with ManagedIdentityCredential(client_id=given.administrator_client_id) as credential:
        token = credential.get_token(SCOPE).token

    def url(database: str) -> str:
        login = f"{quote(given.administrator, safe='')}:{quote(token, safe='')}"
        checks = f"sslmode=verify-full&sslrootcert={AUTHORITIES}"
        return f"postgresql://{login}@{given.host}:5432/{database}?{checks}"

    prepare(url, given.service, given.service_object_id)


if __name__ == "__main__":
    main()
