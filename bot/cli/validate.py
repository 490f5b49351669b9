"""`python -m bot validate FILE`: validates a file of phones without sending anything.

With `--accounts`, the accounts are looked up with the app's own permissions, and rows whose accounts would
be left out are not ready.

Exit codes: 0 every row is ready, 1 some rows are not, 2 the file cannot be read, or the settings do not allow
a check of the accounts.

With `--json`, one object. If the file can be read: `file`, `rows`, `ready`, `not_ready`, `notices`
(sentences), `accounts` (how many have which result; null if they were not checked), and `issues` (errors
first), each with `row`, `column`, `value`, `severity`, `code`, `message`, and `fix`. Otherwise: `file`, and
`error` with `code`, `message`, and `fix`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from bot.cli.output import Column, print_line, print_table
from bot.phones import roster
from bot.phones.issue import Issue, Severity
from bot.phones.reader import MAX_BYTES
from bot.phones.roster import Roster, UnreadableFileError
from bot.preflight.verdict import Result
from bot.words import Words
from bot.words.terminal import escape_terminal

if TYPE_CHECKING:
    from bot.cli.account_checks import CheckedRoster

READY = 0
NOT_READY = 1
UNREADABLE = 2

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_ICONS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "i"}


def run(path: Path, *, accounts: bool = False, as_json: bool, console: Console) -> int:
    """Prints the validation of the file at `path` and returns the exit code.

    `accounts`: check them, too. Raises UsageError when the settings do not allow that.
    """
    try:
        validated = roster.read(content(path), path.name)
    except UnreadableFileError as error:
        if as_json:
            _print_json(_error_document(path, error, Words()), console)
        else:
            _print_error(path, error, Words(escape=escape_terminal), console)
        return UNREADABLE
    checked: CheckedRoster | None = None
    if accounts:
        # Imported when somebody asks: it brings along everything that speaks to remote services.
        from bot.cli import account_checks

        checked = account_checks.check(validated, Words())
        validated = checked.roster
    if as_json:
        _print_json(_document(path, validated, checked, Words()), console)
    else:
        words = Words(escape=escape_terminal)
        _print_roster(path, validated, words, console)
        _print_accounts(checked, words, console)
    return NOT_READY if validated.not_ready else READY


def content(path: Path) -> bytes:
    """Returns the file's bytes, at most one more than allowed. Raises UnreadableFileError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableFileError("missing") from error
    except IsADirectoryError as error:
        raise UnreadableFileError("directory") from error
    except OSError as error:
        raise UnreadableFileError("forbidden", reason=error.strerror or str(error)) from error


def _error_and_fix(error: UnreadableFileError, words: Words) -> tuple[str, str]:
    message = f"unreadable-{error.code}"
    return words(message, **error.arguments), words.part(message, "fix", **error.arguments)


def _issue_and_fix(issue: Issue, words: Words) -> tuple[str, str]:
    message = f"issue-{issue.code}"
    return words(message, **issue.arguments), words.part(message, "fix", **issue.arguments)


def _error_document(path: Path, error: UnreadableFileError, words: Words) -> dict[str, Any]:
    message, fix = _error_and_fix(error, words)
    return {
        "file": str(path),
        "error": {"code": error.code, "message": message, "fix": fix},
    }


def _document(
    path: Path, validated: Roster, checked: CheckedRoster | None, words: Words
) -> dict[str, Any]:
    def issue(issue: Issue) -> dict[str, Any]:
        message, fix = _issue_and_fix(issue, words)
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
        "rows": len(validated.rows),
        "ready": validated.ready,
        "not_ready": validated.not_ready,
        "notices": [words(f"notice-{n.code}", **n.arguments) for n in validated.notices],
        "accounts": (
            None
            if checked is None
            else {result.value: checked.results.get(result, 0) for result in Result}
        ),
        "issues": [issue(each) for each in validated.issues],
    }


def _print_json(document: dict[str, Any], console: Console) -> None:
    # Bypasses the console's layout: scripts need the lines unwrapped.
    console.file.write(json.dumps(document, indent=2) + "\n")


def _print_error(path: Path, error: UnreadableFileError, words: Words, console: Console) -> None:
    message, fix = _error_and_fix(error, words)
    print_line(console, words("validate-unreadable", file=str(path)) + " " + message, "red")
    print_line(console, fix)


def _print_roster(path: Path, validated: Roster, words: Words, console: Console) -> None:
    for notice in validated.notices:
        print_line(console, words(f"notice-{notice.code}", **notice.arguments))
    if validated.issues:
        _print_issues(validated.issues, words, console)
    verdict = "validate-some-ready" if validated.not_ready else "validate-all-ready"
    sentence = words(
        verdict,
        file=str(path),
        rows=len(validated.rows),
        ready=validated.ready,
        not_ready=validated.not_ready,
    )
    print_line(console, sentence, "bold")


def _print_accounts(checked: CheckedRoster | None, words: Words, console: Console) -> None:
    """The accounts by verdict, in the words of the card."""
    if checked is None:
        print_line(console, words("validate-accounts-not-checked"), "dim")
        return
    if checked.simulated:
        print_line(console, words("validate-accounts-simulated"), "yellow")
    refused, guarded, failed, warnings, unknown, passed = (
        checked.results.get(each, 0)
        for each in (
            *(Result.REFUSED, Result.GUARDED, Result.FAILED),
            *(Result.WARNING, Result.UNKNOWN, Result.PASSED),
        )
    )
    if refused + guarded:
        sentence = words("accounts-guarded-lead", refused=refused, guarded=guarded, included=0)
        print_line(console, sentence, "bold")
    if failed:
        print_line(console, words("accounts-failed-lead", failed=failed), "bold")
    counts = words(
        "accounts-checked",
        total=sum(checked.results.values()),
        passed=passed,
        warnings=warnings,
        unknown=unknown,
        failing=refused + guarded + failed,
        decided=0,
        included=0,
    )
    print_line(console, f"{words('fact-accounts')}: {counts}", "bold")


def _print_issues(issues: Sequence[Issue], words: Words, console: Console) -> None:
    columns = [
        Column(
            words(f"validate-column-{name}"), wraps=name in ("value", "issue"), right=name == "row"
        )
        for name in ("row", "column", "value", "severity", "issue")
    ]
    rows: list[tuple[str | Text, ...]] = []
    for issue in issues:
        message, fix = _issue_and_fix(issue, words)
        severity = f"{_ICONS[issue.severity]} {words(f'validate-severity-{issue.severity.value}')}"
        rows.append(
            (
                str(issue.row),
                issue.column.value,
                escape_terminal(issue.value),
                Text(severity, style=_STYLES[issue.severity]),
                f"{message}\n{fix}",
            )
        )
    print_table(console, columns, rows)
