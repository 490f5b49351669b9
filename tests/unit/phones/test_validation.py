from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bot.cli.validate import NOT_READY, READY, UNREADABLE, run
from bot.words.terminal import escape_terminal

READY_FILE = "Username,HardwareId\nanna@contoso.com,80-5E-C0-00-00-01\n"
HOSTILE = "\x1b]0;owned\x07\u202e[red]x[/red]@contoso.com"


def validated(path: Path, *, as_json: bool = False, width: int = 200) -> tuple[int, str]:
    output = io.StringIO()
    console = Console(file=output, width=width, force_terminal=False)
    return run(path, as_json=as_json, console=console), output.getvalue()


def as_json(path: Path) -> tuple[int, dict[str, Any]]:
    code, output = validated(path, as_json=True, width=20)
    return code, json.loads(output)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "phones.csv"


def test_validate_exits_0_when_every_row_is_ready(file: Path) -> None:
    file.write_text(READY_FILE)
    code, output = validated(file)
    assert code == READY
    assert output.splitlines() == [
        f"{file}: the only row is ready.",
        "The accounts were not checked, only the file. "
        "Add --accounts to check them with the app's own permissions.",
    ]


def test_validate_exits_1_when_a_row_is_not_ready(file: Path) -> None:
    file.write_text(READY_FILE + "bo,80-5E-C0-00-00-02\n")
    code, output = validated(file)
    assert code == NOT_READY
    assert "The username has no @." in output
    assert "Enter the full UPN, such as lobby@contoso.com." in output
    assert "1 of 2 rows are ready; 1 has an error." in output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n", "This is a picture"),
        (b"x" * 6_000_000, "The file is larger than 5 MB."),
    ],
)
def test_validate_exits_2_when_the_file_is_unreadable(
    file: Path, content: bytes, sentence: str
) -> None:
    file.write_bytes(content)
    code, output = validated(file)
    assert code == UNREADABLE
    assert sentence in output


def test_validate_exits_2_when_the_path_is_missing_or_a_folder(tmp_path: Path) -> None:
    code, output = validated(tmp_path / "missing.csv")
    assert (code, "There is no such file." in output) == (UNREADABLE, True)
    code, output = validated(tmp_path)
    assert (code, "This is a folder." in output) == (UNREADABLE, True)


def test_json_lists_issues_and_notices(file: Path) -> None:
    file.write_text(f"{READY_FILE.replace('HardwareId', 'HardwareId,Site')}bo,80-5E-C0-00-00-02\n")
    assert as_json(file) == (
        NOT_READY,
        {
            "file": str(file),
            "rows": 2,
            "ready": 1,
            "not_ready": 1,
            "notices": ["Columns that are not needed were ignored: Site."],
            "accounts": None,
            "issues": [
                {
                    "row": 3,
                    "column": "Username",
                    "value": "bo",
                    "severity": "error",
                    "code": "username-no-at",
                    "message": "The username has no @.",
                    "fix": "Enter the full UPN, such as lobby@contoso.com.",
                }
            ],
        },
    )


def test_json_gives_the_error_when_the_file_is_unreadable(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert as_json(missing) == (
        UNREADABLE,
        {
            "file": str(missing),
            "error": {
                "code": "missing",
                "message": "There is no such file.",
                "fix": "Check the path.",
            },
        },
    )


@pytest.mark.parametrize("in_json", [True, False])
def test_output_escapes_control_characters_in_values(file: Path, in_json: bool) -> None:
    file.write_text(f"Username,HardwareId,{HOSTILE}\n{HOSTILE},{HOSTILE}\n")
    _, output = validated(file, as_json=in_json)
    assert not {"\x1b", "\x07", "\u202e"} & set(output)
    assert "[red]x[/red]@contoso.com" in output


def test_escape_terminal_escapes_invisible_characters() -> None:
    assert (
        escape_terminal("a\x1b\u202e\u200b\u2028ä📞\t") == "a\\u001b\\u202e\\u200b\\u2028ä📞\\u0009"
    )
