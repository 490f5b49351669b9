"""The command line of the Teams app package: `python -m bot manifest build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from manifest.deployment import EXAMPLE, Developer

app = typer.Typer(help="The Teams app package.", no_args_is_help=True)


@app.command()
def build(
    app_id: Annotated[str, typer.Option(help="Application (client) id of the bot.")],
    tenant: Annotated[str, typer.Option(help="Id of the tenant in which the app is uploaded.")],
    host: Annotated[str, typer.Option(help="Public DNS name of the service.")] = "",
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("dist/offhook.zip"),
    developer: Annotated[str, typer.Option(help="Who runs the app; people see it.")] = "Offhook",
    website: Annotated[str, typer.Option(help="Page about the app.")] = EXAMPLE,
    privacy: Annotated[str, typer.Option(help="Privacy page.")] = f"{EXAMPLE}/privacy",
    terms: Annotated[str, typer.Option(help="Terms of use.")] = f"{EXAMPLE}/terms",
) -> None:
    """Check and write the zip that is uploaded to Teams. The same input gives the same bytes."""
    from manifest import build as building

    raise typer.Exit(
        building.run(
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
