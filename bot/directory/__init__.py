"""People and groups of the tenant, as Microsoft Graph knows them, behind one Protocol."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class DirectoryUnavailableError(Exception):
    """Graph gave no usable answer; the message says which and why."""


class DirectoryDeniedError(DirectoryUnavailableError):
    """Graph refused: the identity lacks the permission, or its token is not accepted."""


@dataclass(frozen=True, slots=True)
class Profile:
    object_id: str
    display_name: str
    user_principal_name: str


class Directory(Protocol):
    async def profile(self, object_id: str) -> Profile | None:
        """The user, or None if Graph knows none. Raises `DirectoryUnavailable`."""
        ...

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        """Those of `candidates` (object ids) that are groups with this user in them, nested ones too.

        Raises `DirectoryUnavailable`.
        """
        ...
