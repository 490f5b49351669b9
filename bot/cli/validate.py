"""`python -m bot validate FILE`: check a file of phones from the command line, touching nothing.

Exit codes: 0 every row is ready, 1 some row is not, 2 the file cannot be read.

With `--json` one object is printed. Read: `file`, `rows`, `ready`, `not_ready`, `notices` (sentences) and
`issues` (errors first), each with `row`, `column`, `value`, `severity`, `code`, `message` and `fix`.
Not read: `file` and `error` with `code`, `message` and `fix`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.phones import roster
from bot.phones.issue import Issue, Severity
from bot.phones.reader import MAX_BYTES
from bot.phones.roster import Roster, UnreadableFileError
from bot.words import Words
from bot.words.terminal import escape_terminal

READY = 0
NOT_READY = 1
UNREADABLE = 2

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_ICONS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "i"}


def run(path: Path, *, as_json: bool, console: Console) -> int:
    """Check the file at `path`, print what there is to say on `console`, return the exit code."""
    try:
        found = roster.read(content(path), path.name)
    except UnreadableFileError as trouble:
        if as_json:
            _print_json(_failure(path, trouble, Words()), console)
        else:
            _print_failure(path, trouble, Words(escape=escape_terminal), console)
        return UNREADABLE
    if as_json:
        _print_json(_findings(path, found, Words()), console)
    else:
        _print_findings(path, found, Words(escape=escape_terminal), console)
    return NOT_READY if found.not_ready else READY


def content(path: Path) -> bytes:
    """At most one byte more than a file may have. Raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableFileError("missing") from error
    except IsADirectoryError as error:
        raise UnreadableFileError("directory") from error
    except OSError as error:
        raise UnreadableFileError("forbidden", reason=error.strerror or str(error)) from error


def _why(trouble: UnreadableFileError, words: Words) -> tuple[str, str]:
    message = f"unreadable-{trouble.code}"
    return words(message, **trouble.arguments), words.part(message, "fix", **trouble.arguments)


def _what(issue: Issue, words: Words) -> tuple[str, str]:
    message = f"issue-{issue.code}"
    return words(message, **issue.arguments), words.part(message, "fix", **issue.arguments)


def _failure(path: Path, trouble: UnreadableFileError, words: Words) -> dict[str, Any]:
    message, fix = _why(trouble, words)
    return {
        "file": str(path),
        "error": {"code": trouble.code, "message": message, "fix": fix},
    }


def _findings(path: Path, found: Roster, words: Words) -> dict[str, Any]:
    def issue(issue: Issue) -> dict[str, Any]:
        message, fix = _what(issue, words)
        return {
            "row": issue.row,
            "column": issue.column.value,
            "value": issue.value,
            "severity": issue.severity.value,
            "code": issue.code,
            "message": message,
            "fix": fix,
        }

    return {
        "file": str(path),
        "rows": len(found.rows),
        "ready": found.ready,
        "not_ready": found.not_ready,
        "notices": [words(f"notice-{n.code}", **n.arguments) for n in found.notices],
        "issues": [issue(each) for each in found.issues],
    }


def _print_json(value: dict[str, Any], console: Console) -> None:
    # Not through the console's layout: a script wants the lines as they are.
    console.file.write(json.dumps(value, indent=2) + "\n")


def _print_failure(
    path: Path, trouble: UnreadableFileError, words: Words, console: Console
) -> None:
    message, fix = _why(trouble, words)
    console.print(Text(words("validate-unreadable", file=str(path)) + " " + message, style="red"))
    console.print(Text(fix))


def _print_findings(path: Path, found: Roster, words: Words, console: Console) -> None:
    for notice in found.notices:
        console.print(Text(words(f"notice-{notice.code}", **notice.arguments)))
    if found.issues:
        console.print(_table(found, words))
    verdict = "validate-some-ready" if found.not_ready else "validate-all-ready"
    console.print(
        Text(
            words(
                verdict,
                file=str(path),
                rows=len(found.rows),
                ready=found.ready,
                not_ready=found.not_ready,
            ),
            style="bold",
        )
    )


def _table(found: Roster, words: Words) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("row", "column", "value", "severity", "issue"):
        table.add_column(
            words(f"validate-column-{name}"),
            justify="right" if name == "row" else "left",
            overflow="fold",
        )
    for issue in found.issues:
        message, fix = _what(issue, words)
        severity = f"{_ICONS[issue.severity]} {words(f'validate-severity-{issue.severity.value}')}"
        table.add_row(
            Text(str(issue.row)),
            Text(issue.column.value),
            Text(escape_terminal(issue.value)),
            Text(severity, style=_STYLES[issue.severity]),
            Text(f"{message}\n{fix}"),
        )
    return table
