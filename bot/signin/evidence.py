"""Evidence: what is known about a request besides its rows, as it was when approval was requested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Self

from bot.signin.batch import MAX_BATCHES_PER_REGION

#: How long a password reset by Offhook counts as a recent one.
RECENT_RESET = timedelta(days=30)
_USUAL_OF = 3  # approved requests that it takes to know what is usual
_LARGE = 3  # times the usual number of phones
_SMALL = 10  # phones that nobody calls large


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the rows differ from those of an earlier approved request. Numbers are of accounts."""

    request_id: str  #: of the approved request
    approved_at: datetime  #: UTC
    added: int  #: that it did not have
    gone: int  #: that only it has
    changed: int  #: that have other phones, or more or fewer of them
    examples: Sequence[str] = ()  #: UPNs of the first rows added or changed, up to three

    @property
    def differs(self) -> bool:
        return bool(self.added or self.gone or self.changed)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Empty if approval has not been requested, or was requested of an earlier version of Offhook."""

    gathered: bool = False
    first_request: bool = False  #: the requester never requested an approval in this tenant before
    usual_phones: int = 0  #: of the requester's earlier approved requests; 0 if that is not known
    reset_accounts: int = 0  #: accounts whose password Offhook reset lately, see `RECENT_RESET`
    reset_at: datetime | None = None  #: UTC time of the latest of these resets
    reset_examples: Sequence[str] = ()  #: UPNs of the first rows with one, up to three
    compared: Comparison | None = None  #: None if there is none to compare with
    expected_seconds: int = 0  #: from the start to the end; 0 if that is not known

    def document(self) -> dict[str, Any]:
        """JSON, as it is stored."""
        compared = self.compared
        return {
            "first_request": self.first_request,
            "usual_phones": self.usual_phones,
            "reset_accounts": self.reset_accounts,
            "reset_at": self.reset_at.isoformat() if self.reset_at else "",
            "reset_examples": list(self.reset_examples),
            "compared": {
                "request_id": compared.request_id,
                "approved_at": compared.approved_at.isoformat(),
                "added": compared.added,
                "gone": compared.gone,
                "changed": compared.changed,
                "examples": list(compared.examples),
            }
            if compared
            else {},
            "expected_seconds": self.expected_seconds,
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of `document`; also takes the empty document."""
        if not document:
            return cls()
        reset_at = document["reset_at"]
        return cls(
            gathered=True,
            first_request=document["first_request"],
            usual_phones=document["usual_phones"],
            reset_accounts=document["reset_accounts"],
            reset_at=datetime.fromisoformat(reset_at) if reset_at else None,
            reset_examples=document["reset_examples"],
            compared=_comparison(document["compared"]),
            expected_seconds=document["expected_seconds"],
        )


def _comparison(document: Mapping[str, Any]) -> Comparison | None:
    if not document:
        return None
    return Comparison(
        document["request_id"],
        datetime.fromisoformat(document["approved_at"]),
        added=document["added"],
        gone=document["gone"],
        changed=document["changed"],
        examples=document["examples"],
    )


NO_EVIDENCE = Evidence()


def usual(sizes: Sequence[int]) -> int:
    """The usual number of phones, from those of earlier approved requests; 0 if they are too few to tell."""
    return round(median(sizes)) if len(sizes) >= _USUAL_OF else 0


def is_large(phones: int, usual_phones: int) -> bool:
    """Whether so many phones are far more than usual."""
    return usual_phones > 0 and phones > max(_SMALL, _LARGE * usual_phones)


def expected_seconds(batches: Mapping[str, int], seconds: Mapping[str, float]) -> int:
    """How long a request takes, with all slots free; 0 if that is not known.

    `batches`: by region; `seconds`: how long a batch of the region takes. A region without a known time
    takes as long as the slowest of the others.
    """
    if not batches or not seconds:
        return 0
    slowest = max(seconds.values())
    return round(
        max(
            -(-count // MAX_BATCHES_PER_REGION) * seconds.get(region, slowest)
            for region, count in batches.items()
        )
    )
