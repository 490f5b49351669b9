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
_audit = typer.Typer(help="Verify and export the audit.", no_args_is_help=True)
app.add_typer(_audit, name="audit")
_policy = typer.Typer(help="Check a policy file, and explain decisions.", no_args_is_help=True)
app.add_typer(_policy, name="policy")
_person = typer.Typer(help="Export and erase what is stored about a person.", no_args_is_help=True)
app.add_typer(_person, name="person")


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


@app.command("history")
def _history(
    filters: Annotated[
        list[str] | None,
        typer.Argument(
            help="As in chat: a hardware ID, an account or lobby*, by NAME, since, until, last 7 days."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Requests to print, at most.")] = 100,
    as_json: Json = False,
) -> None:
    """Find requests by phone, account, person, and period: who asked, who decided, what came of it."""
    from bot.cli import history

    history.run(" ".join(filters or ()), limit=limit, as_json=as_json, console=Console())


@app.command("purge")
def _purge(
    older_than: Annotated[str, typer.Option(help="Minimum age: 90d, 12w, or 36h.")],
    audit_older_than: Annotated[
        str, typer.Option(help="Minimum age of the audit's events; default: all are kept.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Delete old requests and drafts, and everything that belongs to them except the audit."""
    from bot.cli import purge

    purge.run(older_than, audit_older_than, as_json=as_json)


@_audit.command("verify")
def _audit_verify(
    file: Annotated[
        Path | None, typer.Option(help="Verify this export instead of the database.")
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="Number and hash of a link, such as 17:9f86d0…")
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(help="A log of Offhook, or messages copied from its channel: their anchors."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the audit's chain, and name the first broken link.

    Exit codes: 0 whole, 1 broken, 2 it cannot be read.
    """
    from bot.cli import audit

    raise typer.Exit(audit.verify(file, anchor or (), anchors, as_json=as_json))


@_audit.command("export")
def _audit_export(
    since: Annotated[str, typer.Option(help="A date or time; default: from the start.")] = "",
    output: Annotated[Path | None, typer.Option(help="File to write; default: stdout.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write a table instead of JSON lines.")] = (
        False
    ),
) -> None:
    """Export the audit as OCSF events: JSON lines, which can be verified, or a table."""
    from bot.cli import audit

    audit.export(since, output, as_csv=as_csv)


@_audit.command("evidence")
def _audit_evidence(
    request: Annotated[str, typer.Argument(help="ID of a request.")],
    output: Annotated[Path | None, typer.Option(help="File to write; default: stdout.")] = None,
) -> None:
    """Write one document about a request: who asked, saw, and approved what, what ran, what came of it."""
    from bot.cli import evidence

    evidence.run(request, output)


@_policy.command("check")
def _policy_check(
    file: Annotated[Path, typer.Argument(help="A policy file.")],
    directory: Annotated[
        bool, typer.Option("--directory", help="Look up whether its groups are large enough.")
    ] = False,
) -> None:
    """Check a policy file.

    Exit codes: 0 it can be used, 1 something is wrong with it, 2 it cannot be read or looked up.
    """
    from bot.cli import policy

    raise typer.Exit(policy.check(file, directory=directory))


@_policy.command("explain")
def _policy_explain(
    actor: Annotated[str, typer.Option(help="Object ID of a user.")],
    action: Annotated[str, typer.Option(help="Such as approve; see docs/policy.md.")],
    request: Annotated[
        str, typer.Option(help="ID of a request; only with it, the database is read.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Explain who may do what, and by which rule of the policy in force.

    Exit codes: 0 they may, 1 they may not, 2 it cannot be told.
    """
    from bot.cli import policy

    raise typer.Exit(policy.explain(actor, action, request, as_json=as_json))


_Identifiers = Annotated[
    list[str], typer.Argument(help="Object ID, user principal name, full name: all that are known.")
]


@_person.command("export")
def _person_export(identifiers: _Identifiers) -> None:
    """Export every row about a person, as JSON lines."""
    from bot.cli import person

    person.export(identifiers)


@_person.command("erase")
def _person_erase(identifiers: _Identifiers, as_json: Json = False) -> None:
    """Erase a person everywhere. The audit's chain stays whole. Needs the login that owns the tables."""
    from bot.cli import person

    person.erase(identifiers, as_json=as_json)


def main() -> None:
    """Runs the command named on the command line; a `UsageError` ends with exit code 2."""
    try:
        app()
    except UsageError as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(str(error))
        raise SystemExit(_USAGE_ERROR) from None
