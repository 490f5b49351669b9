"""The tenant's users, groups, accounts and settings in Microsoft Graph."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class DirectoryUnavailableError(Exception):
    """Graph gave no usable response. The message gives the reason."""


class DirectoryDeniedError(DirectoryUnavailableError):
    """Graph denied access: the identity lacks a permission, or its token was refused."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A user in the directory."""

    #: Entra object ID.
    object_id: str
    display_name: str
    user_principal_name: str
    #: Whether the user is a guest in the tenant; None if Graph does not say.
    guest: bool | None = False


class Directory(Protocol):
    """Reads of the tenant's directory."""

    async def profile(self, object_id: str) -> Profile | None:
        """The user's profile. Returns None when not found. Raises `DirectoryUnavailableError`."""
        ...

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        """The groups among `candidates` (object IDs) that contain the user, directly or nested.

        Returns an empty set when the user is not found. Raises `DirectoryUnavailableError`.
        """
        ...

    async def members(self, group_id: str) -> frozenset[str] | None:
        """Object IDs of the users in a group, directly or nested, in lower case.

        Returns None if there is no such group. Raises `DirectoryUnavailableError`, also for a group that
        is too large to be listed.
        """
        ...
