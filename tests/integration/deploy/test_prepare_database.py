"""infra/prepare_database.py on a real PostgreSQL: what the service's login can and cannot do."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from bot.lifecycle import requests as lifecycle
from bot.store import batches, health
from bot.store.database import Database
from bot.store.health import Writing
from bot.store.purge import purge, sweep
from tests.support import jobs
from tests.support.postgres import Postgres

SCRIPT = Path(__file__).parents[3] / "infra" / "prepare_database.py"
SERVICE = "offhook-abc-bot"
OBJECT_ID = "5b404cf4-a79d-4cfe-b866-24bf8e1a4921"
# Replaces Azure's function of this name: creates the login, and records whose it is.
AZURE = """
CREATE FUNCTION pgaadauth_create_principal_with_oid(
    name text, object_id text, kind text, admin boolean, mfa boolean) RETURNS text AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', name);
    EXECUTE format('COMMENT ON ROLE %I IS %L', name, concat_ws(' ', object_id, kind, admin, mfa));
    RETURN name;
END $$ LANGUAGE plpgsql
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server, and the script under test."""

    #: Folder of its Unix socket.
    socket: str
    #: `prepare` of the script.
    prepare: Callable[[Callable[[str], str], str, str], None]

    def url(self, database: str, login: str = "postgres") -> str:
        return f"postgresql://{login}@/{database}?host={quote(self.socket, safe='')}"

    def execute(
        self, query: str, *, login: str = "postgres", database: str = "offhook"
    ) -> list[Any]:
        with psycopg.connect(self.url(database, login), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self) -> None:
        self.prepare(self.url, SERVICE, OBJECT_ID)


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Server]:
    spec = importlib.util.spec_from_file_location("prepare_database", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = Server(postgres.socket, module.prepare)
    server.execute(AZURE, database="postgres")
    yield server
    for statement in (
        "DROP DATABASE IF EXISTS offhook WITH (FORCE)",
        f'DROP ROLE IF EXISTS "{SERVICE}"',
        "DROP FUNCTION pgaadauth_create_principal_with_oid",
    ):
        server.execute(statement, database="postgres")


async def test_prepared_login_can_run_the_service(server: Server) -> None:
    server.run()
    database = Database(server.url("offhook", SERVICE))
    await database.open()
    async with database.read() as tx:
        assert sum((await batches.counts(tx)).values()) == 0
    await database.close()


async def test_prepared_login_runs_a_request_and_leaves_purge_to_the_owner(server: Server) -> None:
    server.run()
    service = Database(server.url("offhook", SERVICE))
    owner = Database(server.url("offhook"))
    await service.open()
    try:
        request_id = await jobs.draft(service, 3)
        request = await jobs.load(service, request_id)
        async with service.write() as tx:
            assert await lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())
        assert await jobs.cancel(service, await jobs.approved(service, 3))
        async with service.write() as tx:
            await sweep(tx, jobs.utc_now())
        with pytest.raises(DBAPIError, match="permission denied"):
            async with service.write() as tx:
                await purge(tx, jobs.utc_now())
        async with owner.write() as tx:
            assert await purge(tx, jobs.utc_now()) == 2
    finally:
        await service.close()
        await owner.close()
    found = await asyncio.to_thread(health.examine, server.url("offhook", SERVICE))
    assert (found.writing, found.audit_protected) == (Writing.ALLOWED, True)
    found = await asyncio.to_thread(health.examine, server.url("offhook"))
    assert (found.writing, found.audit_protected) == (Writing.ALLOWED, False)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE requests",
        "ALTER TABLE requests ADD COLUMN mine int",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE ROLE other",
        "CREATE DATABASE other",
        "CREATE SCHEMA mine",
        "UPDATE events SET actor_name = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE audit_chain SET hash = 'x'",
        "DELETE FROM audit_chain",
        "TRUNCATE audit_chain",
        "DELETE FROM requests",
        "TRUNCATE requests CASCADE",
    ],
)
def test_prepared_login_can_change_rows_but_not_schema_and_audit(
    server: Server, statement: str
) -> None:
    server.run()
    server.execute("DELETE FROM posts", login=SERVICE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.execute(statement, login=SERVICE)


def test_prepared_login_belongs_to_identity_and_is_not_administrator(server: Server) -> None:
    server.run()
    [(comment,)] = server.execute(
        f"SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{SERVICE}'"
    )
    assert comment == f"{OBJECT_ID} service f f"


def test_prepared_database_denies_other_logins(server: Server) -> None:
    server.run()
    server.execute("CREATE ROLE stranger LOGIN", database="postgres")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            server.execute("SELECT 1", login="stranger")
    finally:
        server.execute("DROP ROLE stranger", database="postgres")


def test_prepare_is_idempotent_and_safe_on_concurrent_replicas(server: Server) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except psycopg.Error as error:
            errors.append(error)

    replicas = [threading.Thread(target=run) for _ in range(3)]
    for replica in replicas:
        replica.start()
    for replica in replicas:
        replica.join()
    server.run()
    assert not errors


def test_prepare_grants_access_to_tables_of_later_versions(server: Server) -> None:
    server.run()
    server.execute("CREATE TABLE later (id int)")
    server.run()
    assert server.execute("SELECT * FROM later", login=SERVICE) == []
