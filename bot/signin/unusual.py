"""What is unusual about a waiting request, for its approver: decided here, worded on the card."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from bot.phones.issue import RETRY_NOTICES, SIGN_OUT_NOTICES
from bot.signin.evidence import is_large
from bot.signin.snapshot import RequestSnapshot


class Unusual(StrEnum):
    """The gravest first: cards show them in this order."""

    GUARDED = "guarded"  # accounts that look like people's, included by name
    FAILED = "failed"  # accounts that failed their checks, included anyway
    WINDOWS = "windows"  # phones outside the time that the SIP Gateway gives them
    OVERLAP = "overlap"  # phones or accounts that other requests have, too
    RESET = "reset"  # accounts whose passwords Offhook reset lately
    SIGN_OUT = "sign-out"  # phones that the sign-in may sign out
    RETRY = "retry"  # what the attempt before did
    CHANGED = "changed"  # rows that differ from the latest approved ones
    FIRST_REQUEST = "first-request"
    LARGE = "large"  # far more phones than the requester's requests have


#: Those about accounts that the checks would have left out.
_AGAINST_CHECKS = frozenset({Unusual.GUARDED, Unusual.FAILED})


def unusual(request: RequestSnapshot) -> Sequence[Unusual]:
    """All that applies, the gravest first. Empty if nothing does."""
    roster, evidence = request.roster, request.evidence
    checks, windows, compared = roster.account_checks, roster.windows, evidence.compared
    guarded = len(checks.included_accounts) if checks else 0
    notices = {notice.code for notice in roster.notices}
    applies = {
        Unusual.GUARDED: guarded > 0,
        Unusual.FAILED: checks is not None and checks.included > guarded,
        Unusual.WINDOWS: windows is not None
        and windows.too_late + windows.nearly_too_late + windows.too_early > 0,
        Unusual.OVERLAP: bool(request.overlaps),
        Unusual.RESET: evidence.reset_accounts > 0,
        Unusual.SIGN_OUT: not notices.isdisjoint(SIGN_OUT_NOTICES),
        Unusual.RETRY: not notices.isdisjoint(RETRY_NOTICES),
        Unusual.CHANGED: compared is not None and compared.differs,
        Unusual.FIRST_REQUEST: evidence.first_request,
        Unusual.LARGE: is_large(roster.ready, evidence.usual_phones),
    }
    return [each for each in Unusual if applies[each]]


def against_checks(request: RequestSnapshot) -> bool:
    """Whether accounts are included that the checks would have left out."""
    return not _AGAINST_CHECKS.isdisjoint(unusual(request))
