"""Redacts requests and responses for the log: structure and states stay, names and phones do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

_SAFE_FIELDS = frozenset(
    {
        *("status", "batchstatus", "batchid", "error", "message", "code", "region", "createdat"),
        *("configapiendpoint", "adminserviceendpoint", "x-ms-forest"),
    }
)
_MAX_TEXT = 200
_MAX_ITEMS = 3
HIDDEN = "…"


def redacted(body: bytes) -> Any:
    """`body` as JSON, with every string hidden except known safe fields, and long lists truncated.

    Returns only the size for a body that is not JSON.
    """
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return f"{len(body)} bytes"
    return _redact(content, "", 8)


def _redact(node: Any, name: str, depth: int) -> Any:
    if isinstance(node, str):
        return node[:_MAX_TEXT] if name.lower() in _SAFE_FIELDS else HIDDEN
    if not isinstance(node, dict | list):
        return node
    if depth == 0:
        return HIDDEN
    if isinstance(node, dict):
        fields = cast(Mapping[str, Any], node)
        return {
            key[:_MAX_TEXT]: _redact(value, key, depth - 1)
            for key, value in list(fields.items())[:50]
        }
    items = cast(list[Any], node)
    shown = [_redact(item, name, depth - 1) for item in items[:_MAX_ITEMS]]
    return [*shown, f"and {len(items) - _MAX_ITEMS} more"] if len(items) > _MAX_ITEMS else shown
