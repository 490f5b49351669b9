"""`python -m bot manifest build`: exit codes, output, and the written package."""

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
from bot.cli import app
from manifest import package, validation
from tests.support.app_package import APP_ID, TENANT


def build(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["manifest", "build", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("schema")
def test_build_writes_package_and_reports_digest(tmp_path: Path) -> None:
    package_file = tmp_path / "new" / "offhook.zip"
    status, output, errors = build(
        "--app-id", APP_ID, "--tenant", TENANT, "--host", "offhook.contoso.com",
        "--output", str(package_file),
    )  # fmt: skip
    assert (status, errors) == (0, "")
    assert hashlib.sha256(package_file.read_bytes()).hexdigest() in output
    assert f"schema {validation.SCHEMA}." in output
    assert TENANT in output
    assert f"OFFHOOK_APP_ID={APP_ID} " in output
    with zipfile.ZipFile(package_file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["color.png", "manifest.json", "outline.png"]
        assert json.loads(archive.read("manifest.json"))["version"] == __version__


def test_package_bytes_depend_only_on_input(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Not on process, time zone, hash seed, umask, or the order of the files."""
    packages: list[bytes] = []
    for seed, (zone, mask) in enumerate([("UTC0", 0o022), ("XYZ-11", 0o077)]):
        package_file = tmp_path / f"{seed}.zip"
        subprocess.run(
            [sys.executable, "-m", "bot", "manifest", "build", "--app-id", APP_ID,
             "--tenant", TENANT, "--output", package_file],
            check=True, capture_output=True, umask=mask,
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": str(seed)},
        )  # fmt: skip
        packages.append(package_file.read_bytes())
    assert packages[0] == packages[1]
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
        (
            ("--app-id", APP_ID, "--tenant", APP_ID),
            f"The app ID and the tenant ID are both {APP_ID}.",
        ),
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
def test_build_writes_nothing_for_invalid_options(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    package_file = tmp_path / "offhook.zip"
    status, output, errors = build(*arguments, "--output", str(package_file))
    assert (status, output) == (2, "")
    assert sentence in errors
    assert not package_file.exists()


@pytest.mark.parametrize("arguments", [(), ("--app-id", APP_ID), ("--tenant", TENANT)])
def test_build_requires_app_and_tenant(arguments: tuple[str, ...]) -> None:
    status, output, errors = build(*arguments)
    assert (status, output) == (2, "")
    assert "Missing option" in errors


def test_build_reports_unwritable_output(tmp_path: Path) -> None:
    status, _, errors = build("--app-id", APP_ID, "--tenant", TENANT, "--output", str(tmp_path))
    assert status == 2
    assert f"can't be written to {tmp_path}: Is a directory." in errors


def test_build_reports_skipped_validation_when_schemas_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(files: object) -> list[object]:
        raise validation.SchemaNotInstalledError

    monkeypatch.setattr(validation, "violations", not_installed)
    package_file = tmp_path / "offhook.zip"
    status, output, _ = build("--app-id", APP_ID, "--tenant", TENANT, "--output", str(package_file))
    assert status == 0
    assert "were not validated against it" in output
    assert "follows Microsoft's schema" not in output
