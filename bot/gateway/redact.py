"""What may be seen of a request or an answer in a log: its shape and states, nobody's name or phone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

_SHOWN = frozenset(
    {
        *("status", "batchstatus", "batchid", "error", "message", "code", "region", "createdat"),
        *("configapiendpoint", "adminserviceendpoint", "x-ms-forest"),
    }
)
_LONGEST = 200
_ITEMS = 3
HIDDEN = "…"


def redacted(body: bytes) -> Any:
    """JSON with every text hidden that is not known to be harmless, and long lists cut; the number of
    bytes of anything else."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return f"{len(body)} bytes"
    return _shown(content, "", 8)


def _shown(node: Any, name: str, depth: int) -> Any:
    if isinstance(node, str):
        return node[:_LONGEST] if name.lower() in _SHOWN else HIDDEN
    if not isinstance(node, dict | list):
        return node
    if depth == 0:
        return HIDDEN
    if isinstance(node, dict):
        fields = cast(Mapping[str, Any], node)
        return {
            key[:_LONGEST]: _shown(value, key, depth - 1)
            for key, value in list(fields.items())[:50]
        }
    items = cast(list[Any], node)
    shown = [_shown(item, name, depth - 1) for item in items[:_ITEMS]]
    return [*shown, f"and {len(items) - _ITEMS} more"] if len(items) > _ITEMS else shown
