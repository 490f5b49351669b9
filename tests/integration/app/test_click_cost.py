"""What a click costs in the database: statements of the turns that clicks over HTTP start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from bot.simulator.client import button
from bot.store import snapshots
from tests.support.running_bot import MEGAN, RunningBot, chat_of, phones_csv, request_id_of

_REQUEST_BY_ID = re.compile(
    r"SELECT .+ FROM requests WHERE requests\.id = \?( AND requests\.total_rows > \?)?"
)
_WRITE = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (?!conversations|received_activities)")


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The SQL statements of turns, each on one line; those of the background loops are left out.

    A turn binds its reference ID to the context of its task.
    """
    executed: list[str] = []

    def record(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "reference" in structlog.contextvars.get_contextvars():
            executed.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", record)
    yield executed
    event.remove(Engine, "before_cursor_execute", record)


@pytest.fixture
def loaded_snapshots(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The request IDs of the snapshots that turns load."""
    loaded: list[str] = []
    load = snapshots.load

    async def recorded(tx: Any, request_id: str, **view: Any) -> Any:
        if "reference" in structlog.contextvars.get_contextvars():
            loaded.append(request_id)
        return await load(tx, request_id, **view)

    monkeypatch.setattr(snapshots, "load", recorded)
    return loaded


@pytest.mark.parametrize(
    ("verb", "data", "writes", "reads"),
    [
        ("approve", {"acknowledge": "true"}, True, 2),
        ("reject", {"comment": "Not now"}, True, 1),
        ("page", {"panel": "phones", "page": 2}, True, 1),
        ("refresh", {}, False, 1),
    ],
)
async def test_click_loads_request_and_projects_card_once(
    bot: RunningBot,
    statements: list[str],
    loaded_snapshots: list[str],
    verb: str,
    data: dict[str, Any],
    writes: bool,
    reads: int,
) -> None:
    approval = await bot.submit_for_approval(phones_csv(23))
    request_id = request_id_of(approval)
    if verb == "approve":
        data = {**button(approval.card, verb)["data"], **data}
    statements.clear()
    loaded_snapshots.clear()

    answer = await bot.send_action(
        MEGAN,
        verb,
        {"request": request_id, **data},
        chat=chat_of(approval),
        activity_id=approval.activity_id,
    )

    assert answer.card
    first_write = next((at for at, sql in enumerate(statements) if _WRITE.match(sql)), None)
    assert (first_write is not None) is writes
    # The request once to decide on the click, and once more in the snapshot of the card. An approval
    # reads it again within its transaction: overlaps are judged by what is true then.
    loads = [at for at, sql in enumerate(statements) if _REQUEST_BY_ID.fullmatch(sql)]
    assert len(loads) == reads + 1
    if first_write is not None:
        assert loads[-2] < first_write < loads[-1]
    assert loaded_snapshots == [request_id]
