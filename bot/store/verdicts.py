"""Verdicts as JSON objects: what the rows of accounts and requests keep of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.preflight.facts import Unknown, UnknownReason
from bot.preflight.verdict import Check, Result, Verdict


def document_of(verdict: Verdict) -> dict[str, Any]:
    document: dict[str, Any] = {"check": verdict.check.value, "result": verdict.result.value}
    if verdict.code:
        document |= {"code": verdict.code, "arguments": dict(verdict.arguments)}
    if verdict.unknown:
        document |= {"reason": verdict.unknown.reason.value, "detail": verdict.unknown.detail}
    return document


def verdict_of(document: Mapping[str, Any]) -> Verdict:
    why = document.get("reason")
    return Verdict(
        Check(document["check"]),
        Result(document["result"]),
        document.get("code", ""),
        document.get("arguments", {}),
        Unknown(UnknownReason(why), document.get("detail", "")) if why else None,
    )
