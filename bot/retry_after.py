"""The `Retry-After` header of HTTP responses."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 3600.0


def seconds(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header (a number or an HTTP date), at most `MAX_SECONDS`.

    Returns None when the header is missing or unreadable.
    """
    if not header:
        return None
    try:
        wait = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), MAX_SECONDS) if math.isfinite(wait) else None
