"""PowerShell clients in front of a fake `pwsh` in front of a simulator."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from bot.gateway.powershell import PowerShellGateway
from bot.gateway.powershell_administration import ACCOUNTS, PowerShellAdministrator
from bot.gateway.pwsh import GRAPH_SCOPE, TEAMS_SCOPE, Pwsh
from bot.identity.tokens import Tokens
from bot.simulator.server import Simulator
from tests.support import fake_pwsh
from tests.support.fake_pwsh import Behavior
from tests.support.waiting import PATIENCE

GRAPH_TOKEN = "eyJ0eXAiOiJKV1QiLCJncmFwaA.eyJhdWQiOiJncmFwaA.c2lnbmF0dXJlLWdyYXBo"
TEAMS_TOKEN = "eyJ0eXAiOiJKV1QiLCJ0ZWFtcw.eyJhdWQiOiJ0ZWFtcw.c2lnbmF0dXJlLXRlYW1z"


class TwoTokens:
    """One token per resource; records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        self.calls.append((scope, refresh))
        return {GRAPH_SCOPE: GRAPH_TOKEN, TEAMS_SCOPE: TEAMS_TOKEN}[scope]


class Bench:
    """A gateway in front of a fake `pwsh` in front of a simulator."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.tokens = TwoTokens()

    def gateway(
        self,
        behavior: Behavior | None = None,
        *,
        tokens: Tokens | None = None,
        at_once: int = 2,
    ) -> PowerShellGateway:
        launcher = fake_pwsh.install(self.folder, self.simulator.configapi_url, behavior)
        return PowerShellGateway(
            tokens or self.tokens,
            pwsh=str(launcher),
            submit_timeout=PATIENCE,
            read_timeout=PATIENCE,
            slots=asyncio.Semaphore(at_once),
            pauses=(),
        )

    def administrator(
        self, behavior: Behavior | None = None, *, accounts: int = ACCOUNTS
    ) -> PowerShellAdministrator:
        launcher = fake_pwsh.install(self.folder, self.simulator.configapi_url, behavior)
        return PowerShellAdministrator(
            Pwsh(self.tokens, program=str(launcher)),
            accounts=accounts,
            connect_timeout=PATIENCE,
            answer_timeout=PATIENCE,
        )

    @property
    def runs(self) -> list[dict[str, Any]]:
        return fake_pwsh.runs(self.folder)

    def did(self) -> list[str]:
        return [run["what"] for run in self.runs]

    async def until(self, what: str, times: int = 1) -> dict[str, Any]:
        """Wait until processes have noted `what` that many times. Returns the newest note."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [run for run in self.runs if run["what"] == what]) < times:
                await asyncio.sleep(0.01)
        return found[-1]

    async def nothing_left(self) -> None:
        """Wait until no process is left, and assert that no temporary folder is."""
        async with asyncio.timeout(PATIENCE):
            while any(
                lives(run[name]) for run in self.runs for name in ("pid", "child") if name in run
            ):
                await asyncio.sleep(0.01)
        assert not list(self.temporary.glob("offhook-*"))

    @property
    def temporary(self) -> Path:
        return Path(tempfile.gettempdir())


def lives(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
