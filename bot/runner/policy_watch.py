"""The policy in force: of the settings, or of a file that is read again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import structlog

from bot.lifecycle import policy as lifecycle
from bot.runner.loop import Loop
from bot.signin.policy.file import parse
from bot.signin.policy.model import Policy
from bot.signin.policy.problem import PolicyError
from bot.signin.policy.settings import PolicySettings
from bot.store.database import Database

_EVERY_SECONDS = 5.0

log = structlog.get_logger()


class PolicyWatch:
    """Keeps the last good policy: a file that has become wrong is said in the log and by the doctor, and
    changes nothing."""

    def __init__(
        self,
        policy: Policy,
        path: Path | None,
        database: Database,
        *,
        settings: PolicySettings,
        clock: Callable[[], datetime],
        changed: Callable[[], None],
        seconds: float = _EVERY_SECONDS,
    ) -> None:
        """`path` is None for a policy of settings. `seconds`: between looks at the file."""
        self._policy = policy
        self._path = path
        self._database = database
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._seconds = seconds
        self._recorded = ""  #: hash of the policy whose loading is in the audit
        self._wrong = ""  #: hash of the content that is no policy, said already
        self._loop = Loop("policy", pause_seconds=seconds)

    def current(self) -> Policy:
        return self._policy

    async def run(self) -> None:
        await self._loop.run(self.check)

    async def check(self) -> float:
        """Look at the file once. Returns the seconds until the next look."""
        if self._path is not None:
            await asyncio.to_thread(self._reload, self._path)
        if self._recorded != self._policy.hash:
            policy = self._policy
            async with self._database.write() as tx:
                await lifecycle.loaded(tx, policy, self._clock())
            self._recorded = policy.hash
            self._changed()
        return self._seconds

    def _reload(self, path: Path) -> None:
        digest = ""
        try:
            content = lifecycle.read(path)
            digest = sha256(content).hexdigest()
            if digest == self._wrong or (digest == self._policy.hash and not self._wrong):
                return
            self._policy = parse(content, self._settings)
            problem = ""
        except PolicyError as error:
            problem = str(error)
            digest = digest or sha256(problem.encode()).hexdigest()
        if not problem:
            self._wrong = ""
            log.info("policy.loaded", path=str(path), hash=self._policy.hash)
        elif digest != self._wrong:
            self._wrong = digest
            log.error("policy.invalid", path=str(path), reason=problem, kept=self._policy.hash)
