"""Changes: what a mend does to one account or to the tenant, and how far each has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.preflight.facts import PolicyType
from bot.signin.transition import Transition

ON, OFF = "Enabled", "Disabled"  #: of the tenant's switch for bulk sign-in


class ChangeKind(StrEnum):
    """What is changed. The values are stored."""

    CREATE_IP_PHONE_POLICY = "create-ip-phone"  # of the tenant, unless it exists
    CREATE_CALLING_POLICY = "create-calling"  # of the tenant, unless it exists
    BULK_SIGN_IN = "bulk-sign-in"  # the tenant's switch
    IP_PHONE_POLICY = "ip-phone-policy"  # granted to an account
    CALLING_POLICY = "calling-policy"  # granted to an account

    @property
    def policy_type(self) -> PolicyType | None:
        """The type of the policy that is created or granted; None for the switch."""
        return _POLICY_TYPES.get(self)


_POLICY_TYPES = {
    ChangeKind.CREATE_IP_PHONE_POLICY: PolicyType.IP_PHONE,
    ChangeKind.IP_PHONE_POLICY: PolicyType.IP_PHONE,
    ChangeKind.CREATE_CALLING_POLICY: PolicyType.CALLING,
    ChangeKind.CALLING_POLICY: PolicyType.CALLING,
}
#: Made of the tenant, before any account is changed.
CREATIONS = (ChangeKind.CREATE_IP_PHONE_POLICY, ChangeKind.CREATE_CALLING_POLICY)
GRANTS = (ChangeKind.IP_PHONE_POLICY, ChangeKind.CALLING_POLICY)


class ChangeState(StrEnum):
    """How far a change has come. The values are stored."""

    PLANNED = "planned"  # nothing was read or written yet
    INTENT = "intent"  # what was before is recorded; it may have been written
    APPLIED = "applied"  # written; does not show yet
    SHOWN = "shown"  # read back as wanted
    UNSHOWN = "unshown"  # may have been written; did not show in time, or was refused later
    KEPT = "kept"  # it was so already: nothing to change, and nothing to undo
    FAILED = "failed"  # refused: nothing was changed
    UNDOING = "undoing"  # to be set back
    RESTORED = "restored"  # set back; does not show yet
    UNDONE = "undone"  # read back as it was before
    LEFT = "left"  # not set back: somebody else changed it since, or nobody asked to
    UNDO_FAILED = "undo_failed"  # refused, or does not show in time


def _transition(
    name: str, before: Iterable[ChangeState], after: ChangeState
) -> Transition[ChangeState]:
    return Transition(name, frozenset(before), after)


_S = ChangeState
INTEND = _transition("intend", [_S.PLANNED], _S.INTENT)
KEEP = _transition("keep", [_S.PLANNED], _S.KEPT)
APPLY = _transition("apply_change", [_S.INTENT], _S.APPLIED)
SHOW = _transition("show_change", [_S.APPLIED], _S.SHOWN)
FAIL = _transition("fail_change", [_S.PLANNED, _S.INTENT], _S.FAILED)
GIVE_UP = _transition("give_up_change", [_S.INTENT, _S.APPLIED], _S.UNSHOWN)
UNDO = _transition("undo_changes", [_S.SHOWN, _S.UNSHOWN], _S.UNDOING)
LEAVE_UNASKED = _transition("leave_changes", [_S.SHOWN, _S.UNSHOWN], _S.LEFT)
RESTORE = _transition("restore_change", [_S.UNDOING], _S.RESTORED)
SHOW_UNDONE = _transition("show_undone", [_S.RESTORED], _S.UNDONE)
LEAVE = _transition("leave_change", [_S.UNDOING], _S.LEFT)
FAIL_UNDO = _transition("fail_undo", [_S.UNDOING, _S.RESTORED], _S.UNDO_FAILED)

#: Every change of a change's state that can happen; a new one is `planned`.
TRANSITIONS = (
    INTEND,
    KEEP,
    APPLY,
    SHOW,
    FAIL,
    GIVE_UP,
    UNDO,
    LEAVE_UNASKED,
    RESTORE,
    SHOW_UNDONE,
    LEAVE,
    FAIL_UNDO,
)
#: Something is left to do or to wait for: going forward, and going back.
OPEN_FORWARD = frozenset({_S.PLANNED, _S.INTENT, _S.APPLIED})
OPEN_BACK = frozenset({_S.UNDOING, _S.RESTORED})


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change as it is planned and approved."""

    kind: ChangeKind
    account: str  #: UPN as the file has it; "" for the tenant
    replaces: str  #: the effective policy by name, as the checks found it; for people, and compared
    after: str  #: the policy's name, or `ON`
    #: the account may be a person's or an administrator's for all that is known
    guard_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A stored change."""

    number: int  #: in the mend, from 0
    kind: ChangeKind
    account: str
    object_id: str  #: Entra object ID, from the first read on; "" before, and for the tenant
    replaces: str
    #: assigned to the account itself before the first write, None if nothing was; of the switch, its value
    before: str | None
    after: str
    state: ChangeState
    since: datetime | None = None  #: UTC time of the write whose effect is waited for
    guard_unknown: bool = False  #: as of `NewChange`
