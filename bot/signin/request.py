"""The request: what one admin asks for, and its states."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.phones.region import Region
from bot.signin.transition import Transition, terminal


class RequestState(StrEnum):
    DRAFT = "draft"
    WAITING = "waiting"  # for an approver
    RUNNING = "running"
    FINISHED = "finished"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class Hold(StrEnum):
    """Whether nothing of a running request is sent yet, or nothing more. The values are stored."""

    NONE = ""
    CHECKING = "checking"  # its accounts are checked once more
    HELD = "held"  # they have failures that its approver did not see: somebody has to decide
    SCHEDULED = "scheduled"  # its time has not come
    MISSED = "missed"  # it could not start at its time: somebody has to decide
    # It has started, and no change window is open any more: it goes on by itself when one opens.
    PAUSED = "paused"

    @property
    def before_start(self) -> bool:
        """Whether the request waits to be started, so that its requester can still withdraw it."""
        return self in (Hold.SCHEDULED, Hold.MISSED)


def _transition(
    name: str, before: Iterable[RequestState], after: RequestState
) -> Transition[RequestState]:
    return Transition(name, frozenset(before), after)


REQUEST_APPROVAL = _transition("request_approval", [RequestState.DRAFT], RequestState.WAITING)
APPROVE = _transition("approve", [RequestState.WAITING], RequestState.RUNNING)
REJECT = _transition("reject", [RequestState.WAITING], RequestState.REJECTED)
WITHDRAW = _transition(
    "withdraw", [RequestState.DRAFT, RequestState.WAITING], RequestState.WITHDRAWN
)
# Approved, but neither checked nor sent: as `Hold` says.
WITHDRAW_SCHEDULED = _transition(
    "withdraw_scheduled", [RequestState.RUNNING], RequestState.WITHDRAWN
)
EXPIRE = _transition("expire", [RequestState.WAITING], RequestState.EXPIRED)
# The SIP Gateway cannot cancel: a request stays `running` until every phone already sent has ended.
CANCEL = _transition("cancel", [RequestState.RUNNING], RequestState.RUNNING)
END_FINISHED = _transition("end_if_over", [RequestState.RUNNING], RequestState.FINISHED)
END_CANCELLED = _transition("end_if_over", [RequestState.RUNNING], RequestState.CANCELLED)

#: Every change of a request's state that can happen; a new request is a `draft`.
TRANSITIONS = (
    REQUEST_APPROVAL,
    APPROVE,
    REJECT,
    WITHDRAW,
    WITHDRAW_SCHEDULED,
    EXPIRE,
    CANCEL,
    END_FINISHED,
    END_CANCELLED,
)
TERMINAL_REQUEST_STATES = terminal(RequestState, TRANSITIONS)
NOTHING_RAN = frozenset({RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN})

#: Characters of a ticket.
MAX_TICKET = 60


@dataclass(frozen=True, slots=True)
class Person:
    """A user in Entra ID."""

    object_id: str
    name: str  #: for display; decides nothing; "" if the chat client did not send one
    #: the approver for whom they act, as their stand-in; then `name` has both names
    stands_in_for: Person | None = None


@dataclass(frozen=True, slots=True)
class Phone:
    """One sign-in: an account on a phone."""

    username: str  #: UPN
    hardware_id: str  #: XX-XX-XX-XX-XX-XX or, for a port of an ATA, XX-XX-XX-XX-XX-XX:NNN
    region: Region  #: where the phone was provisioned

    @property
    def key(self) -> tuple[str, str]:
        return phone_key(self.username, self.hardware_id)


def phone_key(username: str, hardware_id: str) -> tuple[str, str]:
    """The key that matches results to phones: one account may be on several ports, so never the UPN alone."""
    return username.casefold(), hardware_id.upper()


# No I, L, O, U: ids are read out over the phone. An id grants nothing (policy decides who may act),
# so 40 bits are plenty against collisions.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """An opaque request id of eight characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def parse_id(text: str) -> str | None:
    """The request id in what a person typed, tolerating case, spaces, dashes and look-alikes.

    Returns None if the text holds no id.
    """
    letters = text.strip().strip("#").upper().replace("-", "").replace(" ", "")
    letters = letters.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(letters) == 8 and all(letter in _ALPHABET for letter in letters):
        return letters
    return None
