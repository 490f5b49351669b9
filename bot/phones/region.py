"""The regions of the SIP Gateway in which devices are provisioned.

Source: Microsoft, "Configure SIP Gateway" (NOAM, EMEA, APAC, upper case on the wire).
"""

from __future__ import annotations

from enum import StrEnum


class Region(StrEnum):
    NOAM = "NOAM"
    EMEA = "EMEA"
    APAC = "APAC"


def parse(text: str) -> Region | None:
    """The region that `text` names, in any case and with spaces around; None if it names none."""
    try:
        return Region(text.strip().upper())
    except ValueError:
        return None
