"""The command line: `python -m bot serve | doctor | validate FILE | …`; `python -m bot` lists it all."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import Coroutine
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

import manifest.cli
from bot import logs
from bot.phones import provisioning
from bot.phones.region import Region
from bot.phones.region import parse as parse_region
from bot.settings.model import Settings
from bot.settings.unknown import given, strangers

app = typer.Typer(
    help="Sign in SIP phones in bulk through the Teams SIP Gateway, from chat.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(manifest.cli.app, name="manifest")
Result = TypeVar("Result")
_UNUSABLE = 2  # exit code: what was asked for cannot be done as it was asked


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class UsageError(Exception):
    """Ends the program with exit code 2 and the message."""


def _settings(*, strict: bool = True) -> Settings:
    """`strict`: variables that look like settings and are none end the program, too."""
    if strict:
        _refuse_strangers()
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # fields come from the environment
    except ValidationError as error:
        lines: list[str] = []
        for problem in error.errors():
            name = "".join(f"OFFHOOK_{part}".upper() for part in map(str, problem["loc"][:1]))
            text = problem["msg"].removeprefix("Value error, ")
            given = f" (it is {problem['input']!r})" if name and problem["loc"] else ""
            lines.append(f"{name}: {text}{given}" if name else text)
        raise UsageError("\n".join(lines)) from None


def _refuse_strangers() -> None:
    lines = [
        f"{name}: no setting has this name." + (f" Did you mean {nearest}?" if nearest else "")
        for name, nearest in strangers(given()).items()
    ]
    if lines:
        raise UsageError("\n".join(lines))


@app.command()
def serve(
    log_level: Annotated[
        LogLevel, typer.Option(help="The least that is logged.", case_sensitive=False)
    ] = LogLevel.INFO,
) -> None:
    """Run the service. Settings are environment variables, OFFHOOK_*; see the README."""
    from bot.app import running
    from bot.identity.credentials import CredentialError
    from bot.simulator.scenario import ScenarioError
    from bot.store.database import DatabaseError

    logs.configure(level=log_level.value)
    settings = _settings()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        async with running(settings) as service:
            sys.stdout.write(f"listening on {service.url}\n")
            sys.stdout.flush()
            await stop.wait()

    try:
        asyncio.run(run())
    except (DatabaseError, CredentialError) as error:
        raise UsageError(str(error)) from error
    except ScenarioError as error:
        raise UsageError(f"OFFHOOK_SCENARIO: {error}") from error
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. "
            "Set OFFHOOK_HOST or OFFHOOK_PORT; port 0 takes any free one."
        ) from error


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check, by looking only, all that the service needs. Exit code 0: nothing failed, 1: something
    did, 2: it could not look."""
    from bot.cli import doctor

    settings = _settings(strict=False)
    console = Console()
    raise typer.Exit(_examined(doctor.doctor(settings, json_wanted=as_json, console=console)))


@app.command()
def diagnostics(
    output: Annotated[
        Path | None, typer.Option(help="The file to write; default: named after the time.")
    ] = None,
) -> None:
    """Write a bundle for support: versions, findings, counts. No secrets, names, ids or numbers."""
    from bot.cli import doctor

    file = output or Path(f"offhook-diagnostics-{datetime.now():%Y%m%d-%H%M%S}.zip")
    settings = _settings(strict=False)
    try:
        _examined(doctor.diagnostics(settings, file, Console()))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error


def _examined(work: Coroutine[None, None, Result]) -> Result:
    from bot.identity.credentials import CredentialError
    from bot.simulator.scenario import ScenarioError
    from bot.store.database import DatabaseError

    logs.configure(level="error")
    try:
        return asyncio.run(work)
    except (DatabaseError, CredentialError) as error:
        raise UsageError(str(error)) from error
    except ScenarioError as error:
        raise UsageError(f"OFFHOOK_SCENARIO: {error}") from error


@app.command()
def demo(
    csv: Annotated[
        Path | None, typer.Option(help="The file to sign in; default: the example.")
    ] = None,
) -> None:
    """Play the main job, start to end, against simulated far sides. Touches no real phone."""
    from bot.cli import demo as played

    raise typer.Exit(asyncio.run(played.run(csv, Console())))


@app.command()
def playground() -> None:
    """Run the bot, the simulator and a Teams-like chat client in the browser."""
    from bot.cli import playground as client

    raise typer.Exit(asyncio.run(client.run()))


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A CSV or XLSX file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a file without sending anything. Exit code 0: every row is ready, 1: some are not,
    2: the file cannot be read."""
    from bot.cli import validate as checked

    raise typer.Exit(checked.run(file, as_json=as_json, console=Console()))


@app.command()
def urls(
    region: Annotated[str, typer.Argument(help="NOAM, EMEA or APAC; default: all.")] = "",
    tenant: Annotated[
        str, typer.Option(help="Tenant id; default: the first of OFFHOOK_TENANT_IDS.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the provisioning URL of every kind of phone."""
    chosen = parse_region(region) if region else None
    if region and chosen is None:
        raise UsageError(f"There is no region {region!r}. The regions are NOAM, EMEA and APAC.")
    home = tenant or next(iter(_settings().tenant_ids), "")
    if not home:
        raise UsageError("Which tenant? Give --tenant, or set OFFHOOK_TENANT_IDS.")
    found = [
        (one, url)
        for one in ([chosen] if chosen else list(Region))
        for url in provisioning.all_urls(home, one)
    ]
    if as_json:
        lines = [
            {"region": one.value, "kind": url.kind.value, "url": url.url} for one, url in found
        ]
        sys.stdout.write(json.dumps(lines, indent=2) + "\n")
        return
    table = Table()
    rows = [(one.value, url.kind.value, url.url) for one, url in found]
    for title, *cells in zip(("Region", "Phone", "URL"), *rows, strict=True):
        # Whole, however narrow the terminal: they are there to be copied.
        table.add_column(title, no_wrap=True, min_width=max(map(len, (title, *cells))))
    for row in rows:
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


@app.command()
def purge(
    older_than: Annotated[str, typer.Option(help="An age: 90d, 12w, 36h.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete requests that ended longer ago than this, drafts as old, and all that belongs to them."""
    age = parse_age(older_than)

    async def run() -> int:
        from bot.app import utc_now
        from bot.store import requests
        from bot.store.connect import database_of

        async with database_of(_settings()) as database:
            await database.open(alone=False)
            async with database.write() as tx:
                return await requests.purge(tx, utc_now() - age)

    from sqlalchemy.exc import DBAPIError

    from bot.store.database import DatabaseError, describe_error

    try:
        deleted = asyncio.run(run())
    except DatabaseError as error:
        raise UsageError(str(error)) from error
    except DBAPIError as error:
        raise UsageError(
            f"Nothing was deleted: {describe_error(error)}. Try again when the database is not in use."
        ) from error
    if as_json:
        sys.stdout.write(json.dumps({"deleted": deleted}) + "\n")
    else:
        sys.stdout.write(f"Deleted {deleted} {'request' if deleted == 1 else 'requests'}.\n")


_AGE = re.compile(r"(\d{1,5})\s*([hdw])", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 168}


def parse_age(text: str) -> timedelta:
    """`90d`, `12w` or `36h` as a span of time; raises `Unusable`."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no age. Write for example 90d, 12w or 36h.")
    return timedelta(hours=int(found[1]) * _HOURS[found[2].lower()])


def main() -> None:
    try:
        app()
    except UsageError as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(str(error))
        raise SystemExit(_UNUSABLE) from None


if __name__ == "__main__":
    main()
