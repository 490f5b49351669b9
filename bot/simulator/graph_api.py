"""What the simulated Graph's endpoints have in common: requests, replies, OData options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from bot.simulator.scenario import Call, Scenario

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
MAX_IN = 15


class Request(NamedTuple):
    """A request, alone or in a `$batch`."""

    version: str
    method: str
    path: str  #: below the version, decoded
    query: Mapping[str, str]
    body: object
    headers: Mapping[str, str]  #: lowercase names
    base: str  #: URL of the version, for links to next pages

    def field(self, name: str) -> object:
        """A property of the body; None if it is missing."""
        return self.body.get(name) if isinstance(self.body, dict) else None


class Reply(NamedTuple):
    """A response."""

    status: int
    content: object
    headers: Mapping[str, str] = {}


Handler = Callable[[Request, re.Match[str]], Reply]


class Endpoint(NamedTuple):
    """One API of Graph."""

    call: Call
    method: str
    pattern: str  #: of the path
    permission: str
    handler: Handler
    version: str = "v1.0"
    filtered: bool | None = None  #: whether it needs `$filter`; None if that does not matter


def error(status: int, code: str, text: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": text}})


def not_found(name: str) -> Reply:
    text = f"Resource '{name}' does not exist or one of its queried reference-property "
    return error(404, "Request_ResourceNotFound", f"{text}objects are not present.")


def literals(text: str) -> Sequence[str]:
    """The string literals of an OData expression."""
    return [each.replace("''", "'") for each in _LITERAL.findall(text)]


def too_many(values: Sequence[str]) -> Reply | None:
    """Graph's refusal of an `in` filter with too many values; None if they are not too many."""
    if len(values) <= MAX_IN:
        return None
    text = (
        "Too many child clauses specified in search filter expression containing 'OR' operators: "
        f"{len(values)}. Max allowed: {MAX_IN}."
    )
    return error(400, "Request_UnsupportedQuery", text)


def page(request: Request, scenario: Scenario, rows: Sequence[Mapping[str, Any]]) -> Reply:
    """One page of `rows`, with a link to the next one, as `$top` and `$skiptoken` say."""
    top = request.query.get("$top", str(scenario.graph.page_size))
    start = request.query.get("$skiptoken", "0")
    if not (top.isdecimal() and start.isdecimal() and int(top)):
        return error(400, "Request_BadRequest", "Invalid value for $top.")
    end = int(start) + min(int(top), scenario.graph.max_page)
    content: dict[str, Any] = {"value": rows[int(start) : end]}
    if request.query.get("$count") == "true":
        content["@odata.count"] = len(rows)
    if end < len(rows):
        options = {**request.query, "$skiptoken": str(end)}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        content["@odata.nextLink"] = f"{request.base}{quote(request.path)}?{query}"
    return Reply(200, content)
