"""`python -m bot manifest build`, as it is called."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import __version__
from bot.__main__ import app
from manifest import package, validation
from tests.support.app_package import APP_ID, TENANT


def build(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["manifest", "build", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("schema")
def test_writes_a_package(tmp_path: Path) -> None:
    output = tmp_path / "new" / "offhook.zip"
    status, said, troubles = build(
        "--app-id", APP_ID, "--tenant", TENANT, "--host", "offhook.contoso.com",
        "--output", str(output),
    )  # fmt: skip
    assert (status, troubles) == (0, "")
    assert hashlib.sha256(output.read_bytes()).hexdigest() in said
    assert f"schema {validation.SCHEMA}." in said
    assert TENANT in said
    assert f"OFFHOOK_APP_ID={APP_ID} " in said
    with zipfile.ZipFile(output) as made:
        assert made.testzip() is None
        assert made.namelist() == ["color.png", "manifest.json", "outline.png"]
        assert json.loads(made.read("manifest.json"))["version"] == __version__


def test_same_input_same_bytes(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Another process, time zone, hash seed and umask; another order of the files."""
    made: list[bytes] = []
    for at, (zone, mask) in enumerate([("UTC0", 0o022), ("XYZ-11", 0o077)]):
        output = tmp_path / f"{at}.zip"
        subprocess.run(
            [sys.executable, "-m", "bot", "manifest", "build", "--app-id", APP_ID,
             "--tenant", TENANT, "--output", output],
            check=True, capture_output=True, umask=mask,
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": str(at)},
        )  # fmt: skip
        made.append(output.read_bytes())
    assert made[0] == made[1]
    assert package.pack(files) == package.pack(dict(reversed(files.items())))
    assert package.pack(files) != package.pack({**files, "more": b""})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--app-id", "offhook", "--tenant", TENANT), 'The app ID "offhook" is not a GUID.'),
        (
            ("--app-id", APP_ID, "--tenant", "contoso.com"),
            'The tenant ID "contoso.com" is not a GUID.',
        ),
        (("--app-id", APP_ID, "--tenant", APP_ID), f"The app ID and the tenant ID are both {APP_ID}."),
        (
            ("--app-id", APP_ID, "--tenant", TENANT, "--host", "https://x.example"),
            'The host "https://x.example" is not a name that Teams can reach.',
        ),
        (
            ("--app-id", APP_ID, "--tenant", TENANT, "--terms", "http://x.example"),
            '--terms is "http://x.example", which is not an https link.',
        ),
        (("--app-id", APP_ID, "--tenant", "\x1b[2J"), 'The tenant ID "\\u001b[2j" is not a GUID.'),
    ],
)
def test_refuses(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    output = tmp_path / "offhook.zip"
    status, said, troubles = build(*arguments, "--output", str(output))
    assert (status, said) == (2, "")
    assert sentence in troubles
    assert not output.exists()


@pytest.mark.parametrize("arguments", [(), ("--app-id", APP_ID), ("--tenant", TENANT)])
def test_needs_app_and_tenant(arguments: tuple[str, ...]) -> None:
    status, said, troubles = build(*arguments)
    assert (status, said) == (2, "")
    assert "Missing option" in troubles


def test_output_cannot_be_written(tmp_path: Path) -> None:
    status, _, troubles = build("--app-id", APP_ID, "--tenant", TENANT, "--output", str(tmp_path))
    assert status == 2
    assert f"can't be written to {tmp_path}: Is a directory." in troubles


def test_says_what_was_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(files: object) -> list[object]:
        raise validation.SchemaNotInstalledError

    monkeypatch.setattr(validation, "violations", absent)
    output = tmp_path / "offhook.zip"
    status, said, _ = build("--app-id", APP_ID, "--tenant", TENANT, "--output", str(output))
    assert status == 0
    assert "were not validated against it" in said
    assert "follows Microsoft's schema" not in said
