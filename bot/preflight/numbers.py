"""A CSV of the accounts that lack a phone number, to be filled in.

Microsoft documents no file that the Teams admin center takes to assign numbers. The columns are named as
in its cmdlets, and the script of `bot.preflight.script` reads them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from bot.phones.formula import escape_formula
from bot.preflight.script import without_number
from bot.preflight.verdict import AccountReport

HEADER = ("UserPrincipalName", "TelephoneNumber")


def numbers_csv(reports: Iterable[AccountReport]) -> bytes:
    """One row for each account without a number. UTF-8 with BOM; b"" if every account has one."""
    accounts = without_number(reports)
    if not accounts:
        return b""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows((escape_formula(account), "") for account in accounts)
    return out.getvalue().encode("utf-8-sig")
