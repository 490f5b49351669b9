"""What many reports come to: counts, and one line for each thing that is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.preflight.facts import UnknownReason
from bot.preflight.verdict import AccountReport, Check, Result


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not known of some accounts, for one reason."""

    reason: UnknownReason
    detail: str  #: the missing permission, or the remote service's words; may be empty
    checks: Sequence[Check]
    accounts: int


@dataclass(frozen=True, slots=True)
class Summary:
    accounts: Mapping[Result, int]  #: accounts by their gravest verdict
    codes: Mapping[str, int]  #: accounts by problem, most frequent first
    gaps: Sequence[Gap]


def summarize(reports: Iterable[AccountReport]) -> Summary:
    results: Counter[Result] = Counter()
    codes: Counter[str] = Counter()
    gaps: dict[tuple[UnknownReason, str], tuple[set[Check], int]] = {}
    for report in reports:
        results[report.result] += 1
        codes.update(verdict.code for verdict in report.problems)
        missing: dict[tuple[UnknownReason, str], set[Check]] = {}
        for verdict in report.verdicts:
            if verdict.unknown:
                key = (verdict.unknown.reason, verdict.unknown.detail)
                missing.setdefault(key, set()).add(verdict.check)
        for key, checks in missing.items():
            known_checks, accounts = gaps.get(key, (set[Check](), 0))
            gaps[key] = (known_checks | checks, accounts + 1)
    return Summary(
        accounts=results,
        codes=dict(codes.most_common()),
        gaps=[
            Gap(reason, detail, sorted(checks), accounts)
            for (reason, detail), (checks, accounts) in gaps.items()
        ],
    )
