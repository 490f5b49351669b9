"""From verdicts to what people read: issues of the file's rows, and notices about the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bot.phones.issue import Column, Issue, Notice, Severity
from bot.preflight.summary import Gap
from bot.preflight.verdict import LEFT_OUT, AccountReport, Check, Result, Verdict

ISSUE_PREFIX = "account-"  #: of the issues' codes
#: of the notices' codes: on the tenant, and on what is not known
TENANT_PREFIX = "tenant-"
GAP_PREFIX = "unknown-"
NOTICE_PREFIXES = (TENANT_PREFIX, GAP_PREFIX)


def issues(report: AccountReport, row: int) -> Iterator[Issue]:
    """An issue of the account's row for each problem, gravest first."""
    for verdict in report.problems:
        yield Issue(
            row=row,
            column=Column.USERNAME,
            value=report.username,
            code=ISSUE_PREFIX + verdict.code,
            severity=Severity.ERROR if verdict.result in LEFT_OUT else Severity.WARNING,
            arguments=verdict.arguments,
        )


def tenant_problems(notices: Iterable[Notice]) -> Mapping[str, Mapping[str, str | int]]:
    """The problems of the tenant among stored notices: code of the verdict -> its arguments."""
    return {
        notice.code.removeprefix(TENANT_PREFIX): notice.arguments
        for notice in notices
        if notice.code.startswith(TENANT_PREFIX)
    }


def notices(
    tenant: Sequence[Verdict], gaps: Iterable[Gap], name_of: Callable[[Check], str]
) -> Iterator[Notice]:
    """What holds for every account, then one line for each thing that is not known.

    `name_of` gives the words for a check.
    """
    for verdict in tenant:
        if verdict.result in (Result.FAILED, Result.WARNING):
            yield Notice(TENANT_PREFIX + verdict.code, verdict.arguments)
    for gap in gaps:
        yield Notice(
            GAP_PREFIX + gap.reason.value,
            {
                "checks": ", ".join(map(name_of, gap.checks)),
                "detail": gap.detail,
                "accounts": gap.accounts,
            },
        )
