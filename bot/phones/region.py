"""SIP Gateway regions in which phones are provisioned.

Source: Microsoft, "Configure SIP Gateway" (NOAM, EMEA, APAC; uppercase on the wire).
"""

from __future__ import annotations

from enum import StrEnum


class Region(StrEnum):
    NOAM = "NOAM"
    EMEA = "EMEA"
    APAC = "APAC"


def parse(text: str) -> Region | None:
    """The region named by `text`, ignoring case and surrounding spaces. Returns None when unknown."""
    try:
        return Region(text.strip().upper())
    except ValueError:
        return None
