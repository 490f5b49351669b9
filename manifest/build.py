"""`python -m bot manifest build`: checks the options, builds the package, checks and writes it.

Exit codes: 0 the package is written, 2 it is not, and stderr has every reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bot import __version__
from bot.words import Words
from bot.words.terminal import escape_terminal
from manifest import package, rules, validation
from manifest.deployment import EXAMPLE, Deployment, Developer, normalize
from manifest.document import SCHEMA
from manifest.problem import PackageError, Problem

WRITTEN = 0
NOT_WRITTEN = 2


def run(
    app_id: str,
    tenant_id: str,
    host: str,
    developer: Developer,
    *,
    output: Path,
    console: Console,
    errors: Console,
) -> int:
    """Writes the package to `output`, prints the outcome, and returns the exit code."""
    words = Words(escape=escape_terminal)
    try:
        deployment = normalize(app_id, tenant_id, host, developer)
        files = package.contents(deployment, __version__)
        schema_checked = _check(files)
        content = package.pack(files)
        _write(output, content)
    except PackageError as error:
        _print_problems(error.problems, words, errors)
        return NOT_WRITTEN
    digest = hashlib.sha256(content).hexdigest()
    console.print(words("package-written", file=str(output), bytes=len(content), digest=digest))
    console.print(words("package-follows-rules"))
    verdict = "package-follows-schema" if schema_checked else "package-schema-not-installed"
    console.print(words(verdict, version=SCHEMA))
    _print_next_steps(deployment, words, console)
    return WRITTEN


def _check(files: Mapping[str, bytes]) -> bool:
    """Returns whether Microsoft's schemas were available. Raises PackageError with every problem."""
    if problems := rules.check(files):
        raise PackageError(problems)
    try:
        problems = validation.violations(files)
    except validation.SchemaNotInstalledError:
        return False
    if problems:
        raise PackageError(problems)
    return True


def _write(output: Path, content: bytes) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PackageError([Problem("output", {"file": str(output), "reason": reason})]) from error


def _print_problems(problems: Sequence[Problem], words: Words, errors: Console) -> None:
    for problem in problems:
        message = f"package-{problem.code}"
        errors.print(words(message, **problem.arguments))
        errors.print(words.part(message, "fix", **problem.arguments))


def _print_next_steps(deployment: Deployment, words: Words, console: Console) -> None:
    if any(link.startswith(EXAMPLE) for link in deployment.developer.links.values()):
        console.print(words("package-example-links"))
    console.print(words("package-next", tenant=deployment.tenant_id))
    console.print(words("package-settings", app=deployment.app_id))
