"""Prepares the database before the service starts: its schema, and a login with the least privileges.

Runs in the init container of infra/bot.bicep as the server's Entra administrator, an identity that the
service itself cannot use. Idempotent, and safe to run on any number of replicas at once.

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


# The login may read and change rows, but only read the schema version.
_GRANTS = (
    sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
    sql.SQL("GRANT CONNECT ON DATABASE {database} TO {service}"),
    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}"),
    sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {service}"),
    sql.SQL("REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {service}"),
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
    arguments = parser.parse_args()
    logs.configure()
    with ManagedIdentityCredential(client_id=arguments.administrator_client_id) as credential:
        token = credential.get_token(SCOPE).token

    def url(database: str) -> str:
        login = f"{quote(arguments.administrator, safe='')}:{quote(token, safe='')}"
        tls = f"sslmode=verify-full&sslrootcert={CA_BUNDLE}"
        return f"postgresql://{login}@{arguments.host}:5432/{database}?{tls}"

    prepare(url, arguments.service, arguments.service_object_id)


if __name__ == "__main__":
    main()
