"""The command line for the Teams app package: `python -m bot manifest build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from manifest.deployment import EXAMPLE, Developer

app = typer.Typer(help="Build the Teams app package.", no_args_is_help=True)


@app.command()
def build(
    app_id: Annotated[str, typer.Option(help="Application (client) ID of the bot.")],
    tenant: Annotated[str, typer.Option(help="ID of the tenant to upload the app to.")],
    host: Annotated[str, typer.Option(help="Public DNS name of the service.")] = "",
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("dist/offhook.zip"),
    developer: Annotated[str, typer.Option(help="Developer name that Teams shows.")] = "Offhook",
    website: Annotated[str, typer.Option(help="Website of the app.")] = EXAMPLE,
    privacy: Annotated[str, typer.Option(help="Privacy policy.")] = f"{EXAMPLE}/privacy",
    terms: Annotated[str, typer.Option(help="Terms of use.")] = f"{EXAMPLE}/terms",
) -> None:
    """Check and write the ZIP file to upload to Teams. The same options give the same bytes."""
    from manifest.build import run

    raise typer.Exit(
        run(
            app_id,
            tenant,
            host,
            Developer(developer, website, privacy, terms),
            output=output,
            console=_console(stderr=False),
            errors=_console(stderr=True),
        )
    )


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)
