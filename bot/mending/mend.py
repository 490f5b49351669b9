"""The mend: a request of its own to change accounts, and its states."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from bot.signin.transition import Transition, terminal

MAX_CHANGES = 20_000  #: of one mend
#: accounts of one mend of which the guard's checks do not know; each is named
MAX_NAMED = 20


class MendState(StrEnum):
    """Where a mend stands. The values are stored."""

    DRAFT = "draft"  # shown to the requester
    WAITING = "waiting"  # for an approver
    RUNNING = "running"  # changes are made, and read back until they show
    FINISHED = "finished"  # can be undone
    UNDOING = "undoing"
    UNDONE = "undone"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


def _transition(name: str, before: Iterable[MendState], after: MendState) -> Transition[MendState]:
    return Transition(name, frozenset(before), after)


REQUEST = _transition("request_mend", [MendState.DRAFT], MendState.WAITING)
APPROVE = _transition("approve_mend", [MendState.WAITING], MendState.RUNNING)
REJECT = _transition("reject_mend", [MendState.WAITING], MendState.REJECTED)
WITHDRAW = _transition("withdraw_mend", [MendState.DRAFT, MendState.WAITING], MendState.WITHDRAWN)
EXPIRE = _transition("expire_mend", [MendState.WAITING], MendState.EXPIRED)
FINISH = _transition("finish_mend", [MendState.RUNNING], MendState.FINISHED)
UNDO = _transition("undo_mend", [MendState.FINISHED], MendState.UNDOING)
FINISH_UNDO = _transition("finish_undo", [MendState.UNDOING], MendState.UNDONE)

#: Every change of a mend's state that can happen; a new mend is a `draft`.
TRANSITIONS = (REQUEST, APPROVE, REJECT, WITHDRAW, EXPIRE, FINISH, UNDO, FINISH_UNDO)
TERMINAL_MEND_STATES = terminal(MendState, TRANSITIONS)
#: No other mend of the same accounts may be asked for or approved.
OPEN_MEND_STATES = frozenset({MendState.WAITING, MendState.RUNNING, MendState.UNDOING})
#: Changes are being made.
WORKING_STATES = frozenset({MendState.RUNNING, MendState.UNDOING})
