"""Runs the checkers installed beside the Python that runs the tests, and the project's scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.infra.bicep import PROJECT

TOOLS = Path(sys.executable).parent


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a checker in the project's root."""
    command = [str(TOOLS / tool), *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def passes(tool: str, *arguments: str | Path) -> None:
    """Fails the test, with the checker's output, unless the checker exits with 0."""
    process = run(tool, *arguments)
    assert process.returncode == 0, process.stdout + process.stderr


def script(
    path: Path, *arguments: str, env: Mapping[str, str], tools: Path
) -> subprocess.CompletedProcess[str]:
    """Runs one of the project's scripts with `tools` first on the PATH, and no other environment."""
    environment = {"PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin", **env}
    return subprocess.run(
        ["bash", str(path), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
