"""`python -m bot …`: exit codes, JSON output, and one line on stderr when a command fails."""

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

from bot.cli import main
from bot.store import database
from bot.store.database import Database
from tests.support import service
from tests.support.running_bot import ALEX, CHAT, DATABASE, RunningBot, phones_csv, text_of

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
    """Runs the command line in this process with the given settings; returns its exit code."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def start(*arguments: str, **settings: str) -> int:
        monkeypatch.setattr(sys, "argv", ["offhook", *arguments])
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        try:
            main()
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else int(bool(error.code))
        return 0

    yield start
    root.handlers[:], root.level = handlers, level


# -- validate, urls ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "code", "sentence"),
    [
        (phones_csv(2), 0, "all 2 rows are ready"),
        (phones_csv(2) + b"\r\nlobby,80-5E-C0-00-00-09,EMEA", 1, "2 of 3 rows are ready"),
        (b"", 2, "The file is empty."),
        (b"\x89PNG\r\n\x1a\n", 2, "This is a picture"),
        (None, 2, "There is no such file."),
    ],
)
def test_validate_prints_outcome_and_returns_exit_code(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: bytes | None,
    code: int,
    sentence: str,
) -> None:
    path = tmp_path / "phones.csv"
    if file is not None:
        path.write_bytes(file)
    assert run("validate", str(path)) == code
    assert sentence in " ".join(capsys.readouterr().out.split())
    assert run("validate", str(path), "--json") == code
    document = json.loads(capsys.readouterr().out)
    assert ("error" in document) is (code == 2)
    if code < 2:
        assert document["not_ready"] == code


SCENARIO = """
[accounts."lobby0@contoso.com"]
enabled = false
[accounts."lobby1@contoso.com"]
roles = ["User Administrator"]
"""


def test_validate_checks_accounts_and_prints_the_verdicts_of_the_card(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, scenario = tmp_path / "phones.csv", tmp_path / "scenario.toml"
    path.write_bytes(phones_csv(3))
    scenario.write_text(SCENARIO)

    assert run("validate", str(path), "--accounts", OFFHOOK_SCENARIO=str(scenario)) == 1

    printed = " ".join(capsys.readouterr().out.split())
    assert "The account is disabled." in printed
    assert "The account is an administrator: User Administrator" in printed
    assert "1 of 3 rows is ready" in printed or "1 of 3 rows are ready" in printed
    assert "The sign-in of 1 account will probably fail." in printed
    assert "Accounts: 3 checked: 1 without a problem, 2 with a problem" in printed
    assert "accounts of the simulated tenant" in printed

    assert run("validate", str(path), "--accounts", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["accounts"] == {
        "passed": 1,
        "failed": 1,
        "refused": 1,
        "guarded": 0,
        "warning": 0,
        "unknown": 0,
    }
    assert [(each["row"], each["code"]) for each in document["issues"]] == [
        (2, "account-disabled"),
        (3, "account-holds-role"),
    ]


def test_validate_says_that_accounts_were_not_checked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "phones.csv"
    path.write_bytes(phones_csv(1))

    assert run("validate", str(path)) == 0
    assert "The accounts were not checked, only the file." in capsys.readouterr().out
    assert run("validate", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["accounts"] is None


def test_validate_of_accounts_fails_without_usable_settings(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "phones.csv"
    path.write_bytes(phones_csv(1))

    assert (
        run("validate", str(path), "--accounts", OFFHOOK_GRAPH_URL="http://graph.example.com") == 2
    )
    assert "OFFHOOK_GRAPH_URL" in capsys.readouterr().err


def test_urls_prints_urls_of_region_and_home_tenant(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("urls", "emea", "--tenant", "my-tenant", "--json") == 0
    urls = json.loads(capsys.readouterr().out)
    assert {each["region"] for each in urls} == {"EMEA"}
    assert "http://emea.ipp.sdg.teams.microsoft.com/tenantid/my-tenant" in {
        each["url"] for each in urls
    }
    assert run("urls", OFFHOOK_TENANT_IDS="first, second") == 0
    output = capsys.readouterr().out
    assert "tenantid/first" in output
    assert "second" not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("urls", "MARS", "--tenant", "t"), "There is no region 'MARS'."),
        (("urls",), "Which tenant? Pass --tenant, or set OFFHOOK_TENANT_IDS."),
    ],
)
def test_urls_fails_for_unknown_region_or_missing_tenant(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err


# -- purge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", ["", "soon", "90", "-5d", "1.5d", "1y", "d", "999999d", "5 d d"])
def test_purge_rejects_invalid_age(run: Run, capsys: pytest.CaptureFixture[str], age: str) -> None:
    assert run("purge", f"--older-than={age}") == 2
    assert "is not an age. Write, for example, 90d, 12w, or 36h." in capsys.readouterr().err


def backdate_requests(path: Path, days: int) -> None:
    past = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S.%f}"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE requests SET created_at = ?", (past,))
        database.execute("UPDATE requests SET finished_at = ? WHERE finished_at NOTNULL", (past,))


async def test_purge_deletes_only_ended_requests_while_service_runs(bot: RunningBot) -> None:
    await bot.run_job(phones_csv(1))
    await bot.submit_for_approval(phones_csv(1, start=1))
    await asyncio.to_thread(backdate_requests, bot.database, 100)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "purge", "--older-than", "12w", "--json"),
        env=service.environment(bot.gateway, bot.settings.data_dir),
        cwd=service.ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert json.loads(output) == {"deleted": 1}
    await bot.say("history")
    history = await bot.wait_for_text("Latest requests", chat=CHAT)
    assert text_of(history).count("phones.csv") == 1
    assert "Waiting for approval" in text_of(history)


def test_purge_deletes_nothing_when_database_is_locked(
    run: Run,
    tmp_path: Path,
    migrated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(migrated, tmp_path / DATABASE)
    monkeypatch.setattr(database, "Database", partial(Database, busy_seconds=0.05))
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert run("purge", "--older-than=1d", OFFHOOK_DATA_DIR=str(tmp_path)) == 2
    assert "Nothing was deleted: database is locked." in capsys.readouterr().err


# -- serve ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
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
        ({"OFFHOOK_DATABASE_URL": "postgres"}, "OFFHOOK_DATABASE_URL is not a database URL"),
        (
            {"OFFHOOK_DATABASE_URL": "postgresql://h:x/y"},
            "OFFHOOK_DATABASE_URL is not a database URL",
        ),
        ({"OFFHOOK_DATABASE_URL": "mysql://h/y"}, "OFFHOOK_DATABASE_URL names 'mysql'"),
        ({"OFFHOOK_DATABASE_URL": "sqlite://"}, "OFFHOOK_DATABASE_URL must name a file"),
        ({"OFFHOOK_DATABASE_URL": "postgresql://u:pw@127.0.0.1:1/y"}, "Check OFFHOOK_DATABASE_URL"),
        ({"OFFHOOK_DATA_DIR": "/dev/null/here"}, "Set OFFHOOK_DATA_DIR or OFFHOOK_DATABASE_URL"),
        ({"OFFHOOK_ENVIRONMENT": "production"}, "production needs OFFHOOK_APP_ID"),
        ({**PRODUCTION, "OFFHOOK_APP_ID": ""}, "production needs OFFHOOK_APP_ID"),
        ({**PRODUCTION, "OFFHOOK_APP_PASSWORD": ""}, "OFFHOOK_APP_PASSWORD"),
        ({**PRODUCTION, "OFFHOOK_DIGEST_KEY": "too-short"}, "OFFHOOK_DIGEST_KEY has fewer than 16"),
        ({**PRODUCTION, "OFFHOOK_TENANT_IDS": " , "}, "production needs OFFHOOK_TENANT_IDS"),
        ({**PRODUCTION, "OFFHOOK_APPROVERS": ""}, "production needs OFFHOOK_APPROVERS"),
        ({**PRODUCTION, "OFFHOOK_GATEWAY": "simulator"}, "production needs OFFHOOK_GATEWAY"),
        ({**PRODUCTION, "OFFHOOK_EXPORTS": "link"}, "OFFHOOK_EXPORTS=link is for `local` only"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) and len(value) == 1 else None,
)
def test_serve_exits_with_one_line_for_invalid_settings(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    message: str,
) -> None:
    environment = {"OFFHOOK_DATA_DIR": str(tmp_path), "OFFHOOK_PORT": "0", **settings}
    assert run("serve", "--log-level=error", **environment) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert len(output.err.splitlines()) == 1
    assert "Traceback" not in output.err
    assert "pw@" not in output.err
    assert "too-short" not in output.err
    assert output.out == ""


def test_serve_names_settings_when_port_is_taken(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT=str(port))
    assert code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"Cannot listen on 127.0.0.1:{port}: ")
    assert "Set OFFHOOK_HOST or OFFHOOK_PORT" in message


def test_serve_fails_when_another_service_owns_database(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Database(f"sqlite:///{tmp_path / DATABASE}")
    asyncio.run(other.open())
    assert run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT="0") == 2
    asyncio.run(other.close())
    assert "Another Offhook is already using" in capsys.readouterr().err


def test_serve_fails_when_file_is_not_a_database(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / DATABASE).write_text("Username,HardwareId\n" * 100)
    assert run("serve", OFFHOOK_DATA_DIR=str(tmp_path), OFFHOOK_PORT="0") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == (
        "The database cannot be used: file is not a database. Check OFFHOOK_DATABASE_URL"
    )


@pytest.mark.parametrize("arguments", [("serve", "--log-level=loud"), ("fly",), ("purge",)])
def test_command_line_exits_with_two_for_invalid_usage(
    run: Run, arguments: tuple[str, ...]
) -> None:
    assert run(*arguments) == 2


async def test_serve_runs_until_sigterm(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve", "--log-level", "WARNING"),
        env={
            **{name: value for name, value in os.environ.items() if "OFFHOOK_" not in name},
            "OFFHOOK_PORT": "0",
            "OFFHOOK_DATA_DIR": str(tmp_path / "new" / "folder"),
        },
        cwd=service.ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    process.terminate()
    output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (0, b"", b"")
