"""Overlap: phones or accounts that another request has, too, so that signing them in would reset their
passwords twice. Decides what counts, and whether the requester has accounted for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.signin.outcome import CHANGED, NOT_RUN, REFUSED, PhoneStatus
from bot.signin.request import RequestState

#: How long a request that has ended still counts.
RECENT = timedelta(days=30)
#: States of a request that somebody approved.
APPROVED_STATES = frozenset({RequestState.RUNNING, RequestState.FINISHED, RequestState.CANCELLED})
#: States in which a request counts, whatever its age.
OPEN_STATES = frozenset({RequestState.WAITING, RequestState.RUNNING})
#: States in which a request counts while it is `RECENT`.
ENDED_STATES = APPROVED_STATES - OPEN_STATES
#: Causes of failure that leave the password as it was: nothing was sent, or the row named no account or
#: no hardware ID. Assumption: any other failure may come after the reset.
NOT_RESET_CAUSES = frozenset(
    {"user-not-found", "wrong-hardware-id", NOT_RUN.code, REFUSED.code, CHANGED.code}
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a request has in common with one other request of its tenant."""

    request_id: str  #: of the other request
    requester_id: str  #: object id of who made the other request; decides who may know its id
    state: RequestState  #: of the other request, when this was found
    since: datetime  #: UTC time of that state: asked, approved, or ended
    accounts: int  #: distinct accounts in common
    phones: int  #: distinct hardware ids in common
    examples: Sequence[str] = ()  #: UPNs of the first rows that overlap, up to three

    @property
    def approved(self) -> bool:
        return self.state in APPROVED_STATES


def request_counts(state: RequestState, finished_at: datetime | None, now: datetime) -> bool:
    """Whether another request can overlap. `finished_at`: UTC; None while it has not ended."""
    recent = finished_at is not None and finished_at > now - RECENT
    return state in OPEN_STATES or (state in ENDED_STATES and recent)


def phone_counts(status: PhoneStatus, cause: str) -> bool:
    """Whether a phone of such a request overlaps: its password was or may have been reset, or still may
    be. `cause`: code of its failure, or ""."""
    return status is not PhoneStatus.NOT_RUN and cause not in NOT_RESET_CAUSES


def may_name(overlap: Overlap, viewer_id: str, *, sees_all: bool) -> bool:
    """Whether a viewer may know the id of the other request. `sees_all`: every request of the tenant."""
    return sees_all or overlap.requester_id == viewer_id


class Verdict(StrEnum):
    """Whether a request may go on."""

    CLEAR = "clear"  # it has nothing in common with others
    EXPLAINED = "explained"  # the requester was shown all of it and gave a reason
    UNEXPLAINED = "unexplained"  # the requester was shown all of it and gave no reason
    NEW = "new"  # the requester was not shown all of it


def judge(found: Iterable[Overlap], shown: Iterable[Overlap], reason: str) -> Verdict:
    """Judge what is found now by what the requester was shown, and the `reason` given for it.

    A request that was shown as waiting, and was approved since, is new: what could have been decided
    either way has been.
    """
    now_approved = {each.request_id: each.approved for each in found}
    then_approved = {each.request_id: each.approved for each in shown}
    if not now_approved:
        return Verdict.CLEAR
    for request_id, approved in now_approved.items():
        if request_id not in then_approved or (approved and not then_approved[request_id]):
            return Verdict.NEW
    return Verdict.EXPLAINED if reason.strip() else Verdict.UNEXPLAINED


_ORDER = {RequestState.RUNNING: 0, RequestState.WAITING: 1}


def most_pressing_first(overlaps: Iterable[Overlap]) -> list[Overlap]:
    """Running before waiting before ended, the newest of each first."""
    newest = sorted(overlaps, key=lambda each: (each.since, each.request_id), reverse=True)
    return sorted(newest, key=lambda each: _ORDER.get(each.state, len(_ORDER)))
