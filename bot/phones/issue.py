"""Issues with a row and notices about a file, as codes and arguments.

The catalog has the text: `issue-<code>` is the message, `issue-<code>.fix` the suggested fix, and
`notice-<code>` a remark on the file as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How an issue affects its row."""

    #: The row is never submitted.
    ERROR = "error"
    #: The row is ready, but should be reviewed.
    WARNING = "warning"
    #: The row is ready; a value was normalized.
    NOTE = "note"


#: Codes of the notices that approvers see as well: the sign-in may sign out a phone.
SIGN_OUT_NOTICES = ("accounts-on-several", "signed-in-elsewhere")


#: Codes of the notices about a retry that approvers see as well: what the attempt before has done.
RETRY_NOTICES = ("looked-up", "not-looked-up", "passwords")


class Column(StrEnum):
    """Known columns, by the names in the template."""

    USERNAME = "Username"
    HARDWARE_ID = "HardwareId"
    REGION = "Region"
    PROVISIONED = "Provisioned"


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem with one value in one row."""

    #: Row number as a spreadsheet shows it: the header is 1, the first row 2.
    row: int
    column: Column
    #: As in the file, shortened for display.
    value: str
    code: str
    severity: Severity
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark on the file as a whole, such as ignored columns or a guessed encoding."""

    code: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


def accounts_on_several(usernames: Iterable[str]) -> Iterator[Notice]:
    """A notice if one of the accounts, one per phone, occurs more than once."""
    counts = Counter(username.casefold() for username in usernames)
    repeated = [count for count in counts.values() if count > 1]
    if repeated:
        arguments = {"accounts": len(repeated), "phones": sum(repeated)}
        yield Notice("accounts-on-several", arguments)
