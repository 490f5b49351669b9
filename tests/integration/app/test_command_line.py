"""`python -m bot …`: exit codes, output for scripts, and one sentence where something cannot be done."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.store import database
from bot.store.database import Database
from tests.support import service
from tests.support.running_bot import ALEX, CHAT, DATABASE, Office, content, csv_of

PRODUCTION = {
    "OFFHOOK_ENVIRONMENT": "production",
    "OFFHOOK_APP_ID": "11111111-0000-4000-8000-000000000000",
    "OFFHOOK_APP_PASSWORD": "not-a-secret",
    "OFFHOOK_TENANT_IDS": "11111111-2222-4333-8444-555555555555",
    "OFFHOOK_REQUESTERS": ALEX.object_id,
    "OFFHOOK_APPROVERS": ALEX.object_id,
    "OFFHOOK_GATEWAY": "configapi",
    "OFFHOOK_RUN_AS": "app",
}

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs the program in this process, with these settings; returns its exit code."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def start(*arguments: str, **settings: str) -> int:
        monkeypatch.setattr(sys, "argv", ["offhook", *arguments])
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(bool(end.code))
        return 0

    yield start
    root.handlers[:], root.level = handlers, level


# -- validate, urls ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        (csv_of(2), 0, "all 2 rows are ready"),
        (csv_of(2) + b"\r\nlobby,80-5E-C0-00-00-09,EMEA", 1, "2 of 3 rows are ready"),
        (b"", 2, "The file is empty."),
        (b"\x89PNG\r\n\x1a\n", 2, "This is a picture"),
        (None, 2, "There is no such file."),
    ],
)
def test_validate(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: bytes | None,
    code: int,
    said: str,
) -> None:
    path = tmp_path / "phones.csv"
    if file is not None:
        path.write_bytes(file)
    assert run("validate", str(path)) == code
    assert said in " ".join(capsys.readouterr().out.split())
    assert run("validate", str(path), "--json") == code
    printed = json.loads(capsys.readouterr().out)
    assert ("error" in printed) is (code == 2)
    if code < 2:
        assert printed["not_ready"] == code


def test_urls(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("urls", "emea", "--tenant", "my-tenant", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {line["region"] for line in found} == {"EMEA"}
    assert "http://emea.ipp.sdg.teams.microsoft.com/tenantid/my-tenant" in {
        line["url"] for line in found
    }
    assert run("urls", OFFHOOK_TENANT_IDS="first, second") == 0
    printed = capsys.readouterr().out
    assert "tenantid/first" in printed
    assert "second" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("urls", "MARS", "--tenant", "t"), "There is no region 'MARS'."),
        (("urls",), "Which tenant? Give --tenant, or set OFFHOOK_TENANT_IDS."),
    ],
)
def test_urls_that_cannot_be_told(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


# -- purge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", ["", "soon", "90", "-5d", "1.5d", "1y", "d", "999999d", "5 d d"])
def test_a_bad_age(run: Run, capsys: pytest.CaptureFixture[str], age: str) -> None:
    assert run("purge", f"--older-than={age}") == 2
    assert "is no age. Write for example 90d, 12w or 36h." in capsys.readouterr().err


def make_older(path: Path, days: int) -> None:
    then = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S.%f}"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE requests SET created_at = ?", (then,))
        database.execute("UPDATE requests SET finished_at = ? WHERE finished_at NOTNULL", (then,))


async def test_purge(office: Office) -> None:
    """What is over goes, what still waits stays, and the service runs on."""
    await office.finished(csv_of(1))
    await office.waiting(csv_of(1, start=1))
    await asyncio.to_thread(make_older, office.database, 100)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "purge", "--older-than", "12w", "--json"),
        env=service.environment(office.gateway, office.settings.data_dir),
        cwd=service.ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert json.loads(printed) == {"deleted": 1}
    await office.say("history")
    told = await office.until_says("Latest requests", chat=CHAT)
    assert content(told).count("phones.csv") == 1
    assert "Waiting for approval" in content(told)


def test_purge_of_a_database_that_is_in_use(
    run: Run,
    tmp_path: Path,
    migrated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(migrated, tmp_path / DATABASE)
    monkeypatch.setattr(database, "Database", partial(Database, busy_seconds=0.05))
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run("purge", "--older-than=1d", OFFHOOK_DATA_DIR=str(tmp_path)) == 2
    assert "Nothing was deleted: database is locked." in capsys.readouterr().err


# -- serve ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"OFFHOOK_PORT": "abc"}, "OFFHOOK_PORT: "),
        ({"OFFHOOK_PORT": "70000"}, "OFFHOOK_PORT: "),
        ({"OFFHOOK_HOST": "0.0.0.0"}, "OFFHOOK_HOST is '0.0.0.0'"),
        ({"OFFHOOK_HOST": "example.com"}, "OFFHOOK_HOST is 'example.com'"),
        ({"OFFHOOK_APPROVAL_TTL": "0"}, "OFFHOOK_APPROVAL_TTL: "),
        ({"OFFHOOK_ENVIRONMENT": "staging"}, "OFFHOOK_ENVIRONMENT: "),
        ({"OFFHOOK_GATEWAY": "fax"}, "OFFHOOK_GATEWAY: "),
        ({"OFFHOOK_GRAPH_URL": "http://graph.example.com"}, "OFFHOOK_GRAPH_URL is "),
        ({"OFFHOOK_SCENARIO": "/nowhere.toml"}, "OFFHOOK_SCENARIO: /nowhere.toml: cannot be read"),
        ({"OFFHOOK_APROVERS": "x"}, "OFFHOOK_APROVERS"),
        ({"OFFHOOK_DATABASE_URL": "postgres"}, "OFFHOOK_DATABASE_URL is no address"),
        ({"OFFHOOK_DATABASE_URL": "postgresql://h:x/y"}, "OFFHOOK_DATABASE_URL is no address"),
        ({"OFFHOOK_DATABASE_URL": "mysql://h/y"}, "OFFHOOK_DATABASE_URL names 'mysql'"),
        ({"OFFHOOK_DATABASE_URL": "sqlite://"}, "OFFHOOK_DATABASE_URL must name a file"),
        ({"OFFHOOK_DATABASE_URL": "postgresql://u:pw@127.0.0.1:1/y"}, "Check OFFHOOK_DATABASE_URL"),
        ({"OFFHOOK_DATA_DIR": "/dev/null/here"}, "Set OFFHOOK_DATA_DIR or OFFHOOK_DATABASE_URL"),
        ({"OFFHOOK_ENVIRONMENT": "production"}, "production needs OFFHOOK_APP_ID"),
        ({**PRODUCTION, "OFFHOOK_APP_ID": ""}, "production needs OFFHOOK_APP_ID"),
        ({**PRODUCTION, "OFFHOOK_APP_PASSWORD": ""}, "OFFHOOK_APP_PASSWORD"),
        ({**PRODUCTION, "OFFHOOK_TENANT_IDS": " , "}, "production needs OFFHOOK_TENANT_IDS"),
        ({**PRODUCTION, "OFFHOOK_APPROVERS": ""}, "production needs OFFHOOK_APPROVERS"),
        ({**PRODUCTION, "OFFHOOK_GATEWAY": "simulator"}, "production needs OFFHOOK_GATEWAY"),
        ({**PRODUCTION, "OFFHOOK_EXPORTS": "link"}, "OFFHOOK_EXPORTS=link is for `local` only"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) and len(value) == 1 else None,
)
def test_settings_that_cannot_be_served(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    said: str,
) -> None:
    given = {"OFFHOOK_DATA_DIR": str(tmp_path), "OFFHOOK_PORT": "0", **settings}
    assert run("serve", "--log-level=error", **given) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert "Traceback" not in told.err
    assert "pw@" not in told.err
    assert told.out == ""


def test_a_port_that_is_taken(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT=str(port))
    assert code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"Cannot listen on 127.0.0.1:{port}: ")
    assert "Set OFFHOOK_HOST or OFFHOOK_PORT" in said


def test_a_database_that_another_service_has(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Database(f"sqlite:///{tmp_path / DATABASE}")
    asyncio.run(other.open())
    assert run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT="0") == 2
    asyncio.run(other.close())
    assert "Another Offhook already works on" in capsys.readouterr().err


def test_a_file_that_is_no_database(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / DATABASE).write_text("Username,HardwareId\n" * 100)
    assert run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT="0") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "The database cannot be used: file is not a database. Check OFFHOOK_DATABASE_URL"
    )


@pytest.mark.parametrize("arguments", [("serve", "--log-level=loud"), ("fly",), ("purge",)])
def test_what_cannot_be_asked(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve", "--log-level", "WARNING"),
        env={
            **{name: value for name, value in os.environ.items() if "OFFHOOK_" not in name},
            "OFFHOOK_PORT": "0",
            "OFFHOOK_DATA_DIR": str(tmp_path / "made" / "here"),
        },
        cwd=service.ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    process.terminate()
    rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")
