"""The request: what one admin asks for, its states, and the digest that an approval is bound to."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bot.phones.region import Region


class RequestState(StrEnum):
    DRAFT = "draft"
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


# Every change that can happen, and no other. A running request that is cancelled while phones are
# with the service stays `running` until the last of them is explained; the service has no cancel.
TRANSITIONS: Mapping[RequestState, frozenset[RequestState]] = MappingProxyType(
    {
        RequestState.DRAFT: frozenset({RequestState.WAITING, RequestState.WITHDRAWN}),
        RequestState.WAITING: frozenset(
            {
                RequestState.RUNNING,
                RequestState.REJECTED,
                RequestState.EXPIRED,
                RequestState.WITHDRAWN,
            }
        ),
        RequestState.RUNNING: frozenset({RequestState.FINISHED, RequestState.CANCELLED}),
        RequestState.FINISHED: frozenset(),
        RequestState.REJECTED: frozenset(),
        RequestState.EXPIRED: frozenset(),
        RequestState.CANCELLED: frozenset(),
        RequestState.WITHDRAWN: frozenset(),
    }
)

TERMINAL_REQUEST_STATES = frozenset(
    state for state, following in TRANSITIONS.items() if not following
)
NOTHING_RAN = frozenset({RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as Entra ID knows them; `name` is for display and decides nothing."""

    object_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Phone:
    """One sign-in: this account on this phone, in the region where the phone was provisioned."""

    username: str
    hardware_id: str  # XX-XX-XX-XX-XX-XX or, for a port of an ATA, XX-XX-XX-XX-XX-XX:NNN
    region: Region

    @property
    def key(self) -> tuple[str, str]:
        return phone_key(self.username, self.hardware_id)


def phone_key(username: str, hardware_id: str) -> tuple[str, str]:
    """What results are matched by: an account may sit on several ports, so never the name alone."""
    return username.casefold(), hardware_id.upper()


def digest(devices: Iterable[Phone]) -> str:
    """SHA-256 over the devices in order, as hex: two requests with one digest run the same sign-ins."""
    seal = hashlib.sha256()
    for device in devices:
        fields = [device.region.value, device.username, device.hardware_id]
        seal.update(json.dumps(fields).encode())  # JSON: no two lists of fields look alike
    return seal.hexdigest()


# No I, L, O, U: an id is read out over the phone. Ids open nothing by themselves; who may act is
# decided by policy, so 40 bits against collisions are plenty.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """An opaque request id of eight characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def parse_id(text: str) -> str | None:
    """The request id that a person typed, forgiving case, spaces, dashes and look-alikes; else None."""
    plain = text.strip().strip("#").upper().replace("-", "").replace(" ", "")
    plain = plain.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(plain) == 8 and all(letter in _ALPHABET for letter in plain):
        return plain
    return None
