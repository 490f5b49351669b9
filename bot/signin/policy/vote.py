"""Votes as cards show them, and where an approval stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.signin.policy.decision import Wanted
from bot.signin.request import Person


class Void(StrEnum):
    """Why a vote does not count any more. The values are stored."""

    LEFT = "left"  # the voter may not approve it any more
    CHANGED = "changed"  # the request is not what they approved


@dataclass(frozen=True, slots=True)
class Vote:
    voter: Person  #: with the approver for whom they voted, if it was in somebody's place
    at: datetime  #: UTC
    ids: frozenset[str]  #: of those that the policy names, the voter and their groups
    void: Void | None = None  #: None if it counts


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the approval of a request stands, if it needs more than a click."""

    votes: Sequence[Vote]  #: of each person the latest, in order
    wanted: Sequence[Wanted] = ()  #: what is missing; empty once it is decided
    opens_at: datetime | None = None  #: UTC; when a change window opens that is closed now
    never_opens: bool = False
