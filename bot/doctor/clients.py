"""The far sides, as far as the doctor needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.gateway import SipGateway
from bot.identity.tokens import Tokens


class ConfigApi(Protocol):
    """Reads of the ConfigAPI; both raise as `SipGateway.summaries` does."""

    async def discovered(self) -> str: ...

    async def configurations(self, kind: str) -> Sequence[Mapping[str, object]]: ...


class Lists(Protocol):
    async def try_list(self, collection: str) -> None:
        """Raises `DirectoryDenied`, or `DirectoryUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Scopes:
    """What tokens are asked for, which depends on the cloud."""

    configapi: str
    graph: str
    bot: str


@dataclass(frozen=True, slots=True)
class Rights:
    """Those with which phones are signed in, and what is reached with them."""

    tokens: Tokens
    gateway: SipGateway
    configapi: ConfigApi
