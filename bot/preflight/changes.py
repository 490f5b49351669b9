"""What a second check changes: which failures are new to whoever approved, and what to say of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.preflight.facts import UnknownReason
from bot.preflight.verdict import LEFT_OUT, Check, Result, Verdict, graver

#: Reasons that do not go away within a day: another look would find the same.
_LASTING = frozenset({UnknownReason.CLOUD, UnknownReason.LICENSE})


@dataclass(frozen=True, slots=True)
class Recheck:
    """An account that was checked again. Verdicts that are not listed are passed."""

    account: str  #: case-folded
    username: str  #: as the file names it
    approved: Sequence[Verdict]  #: as its approver saw them
    now: Sequence[Verdict]
    included: bool  #: signed in although the checks that its approver saw failed

    @property
    def failures(self) -> Sequence[Verdict]:
        return new_failures(self.approved, self.now, accepted=self.included)


def may_change(verdicts: Iterable[Verdict]) -> bool:
    """Whether another look can tell what is not known."""
    return any(each.unknown and each.unknown.reason not in _LASTING for each in verdicts)


def carried(before: Iterable[Verdict], now: Iterable[Verdict]) -> Sequence[Verdict]:
    """The verdicts of now, with each failure of before that they do not answer.

    A failure that stops a request stands until it is known to be gone: an outage must not release it.
    """
    found = {each.check: each for each in now}
    exists = found.get(Check.EXISTS)
    unanswered = exists is not None and exists.unknown is not None  # nor what depends on it
    for each in before:
        if each.result not in LEFT_OUT:
            continue
        answer = found.get(each.check)
        if answer.unknown if answer else unanswered:
            found[each.check] = each
    return list(found.values())


def new_failures(
    approved: Iterable[Verdict], now: Iterable[Verdict], *, accepted: bool
) -> Sequence[Verdict]:
    """The failures of now that the approver did not accept, gravest first.

    `accepted`: the failures among `approved` were, each as grave as it was. Nobody can accept that
    an account is refused. What is not known fails nothing.
    """
    seen = {each.check: each.result for each in approved if accepted}
    new = [
        each
        for each in now
        if each.result in LEFT_OUT
        and (
            each.result is Result.REFUSED
            or graver(each.result, seen.get(each.check, Result.PASSED))
        )
    ]
    return sorted(new, key=lambda each: sum(graver(other.result, each.result) for other in new))


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed without failing. Numbers count accounts."""

    known: int = 0  #: something is known that was not
    warnings: int = 0  #: there is a new warning
    mended: int = 0  #: something does not fail any more

    @property
    def any(self) -> bool:
        return bool(self.known or self.warnings or self.mended)


def changes(rechecks: Iterable[Recheck]) -> Changes:
    """Sum up what changed for accounts without a new failure."""
    known = warnings = mended = 0
    for each in rechecks:
        if each.failures:
            continue
        not_known = {verdict.check for verdict in each.now if verdict.unknown}
        before = {verdict.check: verdict for verdict in each.approved}
        failing = {verdict.check for verdict in each.now if verdict.result in LEFT_OUT}
        known += any(
            verdict.unknown and check not in not_known for check, verdict in before.items()
        )
        warnings += any(
            verdict.result is Result.WARNING
            and (verdict.check not in before or before[verdict.check].code != verdict.code)
            for verdict in each.now
        )
        mended += any(
            verdict.result in LEFT_OUT and check not in failing | not_known
            for check, verdict in before.items()
        )
    return Changes(known, warnings, mended)
