"""The command line: `python -m bot serve | doctor | validate FILE | …`; `python -m bot` lists it all.

This module declares the commands and their options. What a command does is in the module of its name,
which is imported only when that command runs, so that light commands start fast.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import manifest.cli
from bot.cli.common import UsageError, load_settings

__all__ = ["UsageError", "app", "load_settings", "main"]

_USAGE_ERROR = 2  # exit code

app = typer.Typer(
    help="Sign in SIP phones in bulk through the Teams SIP Gateway, from chat.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(manifest.cli.app, name="manifest")


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("serve")
def _serve(
    log_level: Annotated[
        LogLevel, typer.Option(help="Minimum level to log.", case_sensitive=False)
    ] = LogLevel.INFO,
) -> None:
    """Run Offhook. Settings are OFFHOOK_* environment variables; see the README."""
    from bot.cli import serve

    serve.run(log_level=log_level.value)


@app.command("doctor")
def _doctor(as_json: Json = False) -> None:
    """Check every dependency, read-only.

    Exit codes: 0 nothing failed, 1 a check failed, 2 the checks could not run.
    """
    from bot.cli import doctor

    raise typer.Exit(doctor.run(as_json=as_json, console=Console()))


@app.command("diagnostics")
def _diagnostics(
    output: Annotated[
        Path | None, typer.Option(help="File to write; by default, named after the current time.")
    ] = None,
) -> None:
    """Write a support bundle: versions, findings, counts. No secrets, names, IDs, or phone numbers."""
    from bot.cli import diagnostics

    diagnostics.run(output, console=Console())


@app.command("demo")
def _demo(
    csv: Annotated[
        Path | None, typer.Option(help="File to sign in; by default, the example.")
    ] = None,
) -> None:
    """Run the main job, start to finish, against simulated remote services. Touches no real phone."""
    from bot.cli import demo

    raise typer.Exit(demo.run(csv, console=Console()))


@app.command("playground")
def _playground() -> None:
    """Run the bot, the simulator, and a Teams-like chat client in the browser."""
    from bot.cli import playground

    raise typer.Exit(playground.run())


@app.command("validate")
def _validate(
    file: Annotated[Path, typer.Argument(help="A CSV or XLSX file.")],
    accounts: Annotated[
        bool,
        typer.Option("--accounts", help="Check the accounts, too, with the app's permissions."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Validate a file without sending anything.

    Exit codes: 0 every row is ready, 1 some rows are not, 2 the file cannot be read.
    """
    from bot.cli import validate

    raise typer.Exit(validate.run(file, accounts=accounts, as_json=as_json, console=Console()))


@app.command("urls")
def _urls(
    region: Annotated[str, typer.Argument(help="NOAM, EMEA, or APAC; default: all.")] = "",
    tenant: Annotated[
        str, typer.Option(help="Tenant ID; default: the first of OFFHOOK_TENANT_IDS.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Print the provisioning URL for every kind of phone."""
    from bot.cli import urls

    urls.run(region, tenant=tenant, as_json=as_json, console=Console())


@app.command("purge")
def _purge(
    older_than: Annotated[str, typer.Option(help="Minimum age: 90d, 12w, or 36h.")],
    as_json: Json = False,
) -> None:
    """Delete old requests and drafts, and everything that belongs to them."""
    from bot.cli import purge

    purge.run(older_than, as_json=as_json)


def main() -> None:
    """Runs the command named on the command line; a `UsageError` ends with exit code 2."""
    try:
        app()
    except UsageError as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(str(error))
        raise SystemExit(_USAGE_ERROR) from None
