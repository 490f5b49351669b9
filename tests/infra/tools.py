"""Runs the checkers of the environment that the tests run in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.infra.bicep import PROJECT

TOOLS = Path(sys.executable).parent


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A checker from the project's root; what it says is what the test shows when it fails."""
    command = [str(TOOLS / tool), *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def passes(tool: str, *arguments: str | Path) -> None:
    ended = run(tool, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def script(
    path: Path, *arguments: str, env: Mapping[str, str], tools: Path
) -> subprocess.CompletedProcess[str]:
    """One of our scripts, with `tools` before everything on the PATH and no other environment."""
    given = {"PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin", **env}
    return subprocess.run(
        ["bash", str(path), *arguments], env=given, capture_output=True, text=True, check=False
    )
