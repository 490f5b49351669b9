"""From what the checks found to the changes that mend it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.mending.change import CREATIONS, OFF, ON, ChangeKind, NewChange
from bot.preflight.facts import POLICY_NAME
from bot.preflight.verdict import AccountReport, Result

#: By the verdict's code: the grant that mends it.
_MENDS = {
    "no-common-area-policy": ChangeKind.IP_PHONE_POLICY,
    "no-sip-devices-policy": ChangeKind.CALLING_POLICY,
    "no-call-redirect": ChangeKind.CALLING_POLICY,
}
SWITCH_IS_OFF = "bulk-sign-in-off"  #: code of the verdict on the tenant


def plan(
    reports: Iterable[AccountReport], *, switch_off: bool, named: Collection[str] = ()
) -> Sequence[NewChange]:
    """What is changed, in the order of doing it: the tenant's policies and switch, then accounts.

    Accounts that the guard keeps out are left alone, whatever else is wrong with them; so are those of
    which its checks do not know, unless they are `named`, case-folded. Numbers, licenses, multifactor
    authentication and Conditional Access are never changed.
    """
    grants = [
        NewChange(
            _MENDS[verdict.code],
            report.username,
            str(verdict.arguments["policy"]),
            POLICY_NAME,
            report.guard_unknown,
        )
        for report in reports
        if _mends(report) and (not report.guard_unknown or report.username.casefold() in named)
        for verdict in report.verdicts
        if verdict.code in _MENDS
    ]
    granted = {grant.kind.policy_type for grant in grants}
    changes = [
        NewChange(kind, "", "", POLICY_NAME) for kind in CREATIONS if kind.policy_type in granted
    ]
    if switch_off:
        changes.append(NewChange(ChangeKind.BULK_SIGN_IN, "", OFF, ON))
    return [*changes, *grants]


def nameable(reports: Iterable[AccountReport]) -> Sequence[str]:
    """The accounts that are mended only if they are named, as the file has them, in order."""
    return [each.username for each in reports if _mends(each) and each.guard_unknown]


def _mends(report: AccountReport) -> bool:
    return report.result not in (Result.REFUSED, Result.GUARDED) and any(
        verdict.code in _MENDS for verdict in report.verdicts
    )


@dataclass(frozen=True, slots=True)
class Mendable:
    """How much of what the checks found can be mended."""

    accounts: int = 0
    ip_phone: int = 0  #: accounts that need an IP phone policy
    calling: int = 0  #: accounts that need a calling policy
    switch: bool = False  #: whether bulk sign-in has to be switched on
    nameable: int = 0  #: accounts that are mended only if they are named

    @property
    def planned(self) -> bool:
        """Whether there is something to mend without a name."""
        return bool(self.accounts) or self.switch

    @property
    def anything(self) -> bool:
        return self.planned or bool(self.nameable)


def mendable(changes: Sequence[NewChange], nameable: int = 0) -> Mendable:
    return Mendable(
        accounts=len({each.account.casefold() for each in changes if each.account}),
        ip_phone=sum(each.kind is ChangeKind.IP_PHONE_POLICY for each in changes),
        calling=sum(each.kind is ChangeKind.CALLING_POLICY for each in changes),
        switch=any(each.kind is ChangeKind.BULK_SIGN_IN for each in changes),
        nameable=nameable,
    )
