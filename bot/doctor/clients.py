"""Protocols for the remote services that the doctor reads from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.directory import Profile
from bot.directory.authentication_context import AuthenticationContext
from bot.gateway import SipGateway
from bot.gateway.administration import Administrator
from bot.identity.tokens import Tokens
from bot.preflight.facts import Unknown


class ConfigApi(Protocol):
    """ConfigAPI reads. Both raise the same errors as `SipGateway.summaries`."""

    async def discover_admin_host(self) -> str: ...

    async def configurations(self, kind: str) -> Sequence[Mapping[str, object]]: ...


class DirectoryProbe(Protocol):
    """Graph reads that test a permission or the settings."""

    async def try_read(self, path: str, permission: str) -> Unknown | None:
        """As `bot.directory.graph.GraphDirectory.try_read`."""
        ...

    async def profile(self, object_id: str) -> Profile | None:
        """As `bot.directory.Directory.profile`."""
        ...

    async def members(self, group_id: str) -> frozenset[str] | None:
        """As `bot.directory.Directory.members`."""
        ...

    async def authentication_context(self, context: str) -> AuthenticationContext:
        """As `bot.directory.authentication_context.read`."""
        ...


class WebhookProbe(Protocol):
    async def probe(self) -> str:
        """Why the receiver cannot be reached; "" if it can."""
        ...


@dataclass(frozen=True, slots=True)
class Scopes:
    """Token scopes, which depend on the cloud."""

    configapi: str
    graph: str
    bot: str


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """Clients that act with the identity that signs phones in: the app or an approver."""

    tokens: Tokens
    gateway: SipGateway
    configapi: ConfigApi
    #: For mends.
    administrator: Administrator
