"""The simulated Teams connector: stored messages, rejected calls, and rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.connector import ADAPTIVE_CARD, SENDS, Budget, Posted
from bot.simulator.scenario import PEOPLE, Call, Connector, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from tests.support.waiting import PATIENCE

CHANNEL = "19:lobby@thread.tacv2"


def message(text: str = "Hello", card: Mapping[str, Any] | None = None) -> dict[str, Any]:
    attachments = [] if card is None else [{"contentType": ADAPTIVE_CARD, "content": card}]
    return {"type": "message", "text": text, "attachments": attachments}


class Bot:
    """Calls the connector as a bot does."""

    def __init__(self, session: aiohttp.ClientSession, simulator: Simulator) -> None:
        self._session = session
        self._base = f"{simulator.connector_url}/v3/conversations"

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any, str]:
        """Returns the response's status, JSON and Retry-After."""
        async with self._session.request(method, f"{self._base}{path}", json=body) as answer:
            content = await answer.json() if answer.content_type == "application/json" else None
            return answer.status, content, answer.headers.get("Retry-After", "")

    async def send(self, conversation: str, activity: object = None) -> tuple[int, Any, str]:
        return await self.call("POST", f"/{conversation}/activities", activity or message())

    async def update(
        self, conversation: str, identifier: str, activity: object = None
    ) -> tuple[int, Any, str]:
        path = f"/{conversation}/activities/{identifier}"
        return await self.call("PUT", path, activity or message("Changed"))

    async def statuses(self, conversation: str, count: int) -> list[int]:
        return [(await self.send(conversation))[0] for _ in range(count)]


async def test_message_keeps_all_versions(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        status, sent, _ = await bot.send("19:a", message("one", {"type": "AdaptiveCard"}))
        assert status == 201
        status, updated, _ = await bot.update("19:a", sent["id"], message("two"))
        assert (status, updated) == (200, sent)
        (posted,) = far.connector.in_conversation("19:a")
        assert [each["text"] for each in posted.versions] == ["one", "two"]
        assert (posted.text, posted.card) == ("two", None)
        assert (await bot.call("DELETE", f"/19:a/activities/{sent['id']}"))[0] == 200
        assert posted.deleted
        status, answer, _ = await bot.update("19:a", sent["id"])
        assert (status, answer["error"]["code"]) == (404, "ActivityNotFoundInConversation")


async def test_update_is_404_when_message_is_not_in_conversation(
    session: aiohttp.ClientSession,
) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        _, sent, _ = await bot.send("19:a")
        assert (await bot.update("19:b", sent["id"]))[0] == 404
        assert (await bot.update("19:a", "1"))[0] == 404


async def test_replies_are_recorded_and_typing_is_not(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        _, sent, _ = await bot.send("19:a")
        await bot.call("POST", f"/19:a/activities/{sent['id']}", message("reply"))
        assert (await bot.send("19:a", {"type": "typing"}))[0] == 201
        assert [each.reply_to for each in far.connector.messages] == ["", sent["id"]]


async def test_channel_thread_is_created(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        body = {
            "isGroup": True,
            "channelData": {"channel": {"id": CHANNEL}},
            "activity": message("first"),
        }
        bot = Bot(session, far)
        status, created, _ = await bot.call("POST", "", body)
        assert status == 201
        assert created["id"] == f"{CHANNEL};messageid={created['activityId']}"
        assert created["serviceUrl"] == far.connector_url
        assert (await bot.update(created["id"], created["activityId"]))[0] == 200
        assert (await bot.send(created["id"], message("second")))[0] == 201
        assert [each.text for each in far.connector.in_conversation(created["id"])] == [
            "Changed",
            "second",
        ]


async def test_personal_chat_is_created_once_per_person(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        body = {"isGroup": False, "members": [{"id": PEOPLE[1].object_id}], "tenantID": "t"}
        answers = [(await Bot(session, far).call("POST", "", body))[1] for _ in range(2)]
        assert answers[0] == answers[1]
        assert "activityId" not in answers[0]
        assert (await Bot(session, far).call("POST", "", {"members": []}))[0] == 400


async def test_members_can_be_read(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        _, members, _ = await bot.call("GET", "/19:a/members")
        _, paged, _ = await bot.call("GET", "/19:a/pagedmembers?pageSize=10")
        assert paged == {"members": members}
        _, member, _ = await bot.call("GET", f"/19:a/members/29:{PEOPLE[1].object_id}")
        assert (member["name"], member["aadObjectId"]) == ("Megan Bowen", PEOPLE[1].object_id)
        assert (await bot.call("GET", "/19:a/members/29:nobody"))[0] == 404


async def test_eighth_message_in_a_second_is_throttled(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        assert await bot.statuses("19:a", 7) == [201] * 7
        status, answer, retry_after = await bot.send("19:a")
        assert (status, answer["error"]["code"], retry_after) == (429, "Throttled", "1")
        assert await bot.statuses("19:b", 1) == [201]
        assert far.connector.answers == {201: 8, 429: 1}


async def test_updates_count_as_messages(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        _, sent, _ = await bot.send("19:a")
        statuses = [(await bot.update("19:a", sent["id"]))[0] for _ in range(7)]
        assert statuses == [200] * 6 + [429]


async def test_channel_threads_share_a_rate_limit(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        statuses = [(await bot.send(f"{CHANNEL};messageid={number}"))[0] for number in range(8)]
        assert statuses == [201] * 7 + [429]


@given(st.lists(st.floats(0, 5), max_size=300))
def test_budget_never_exceeds_a_window(pauses: list[float]) -> None:
    budget = Budget(SENDS)
    now, sent = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if budget.wait(now) == 0:
            budget.spend(now)
            sent.append(now)
    for most, seconds in SENDS:
        assert all(
            later - first > seconds - 1e-6 for first, later in zip(sent, sent[most:], strict=False)
        )


def test_budget_allows_an_operation_after_the_wait() -> None:
    budget = Budget(SENDS)
    now, waits = 0.0, list[float]()
    for _ in range(1801):
        if wait := budget.wait(now):
            waits.append(wait)
            now += wait
            assert budget.wait(now) == 0
        budget.spend(now)
    assert now >= 3600
    assert waits[0] == 1


async def test_rate_limit_windows_can_be_scaled(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(connector=Connector(scale=1e-9))) as far:
        assert await Bot(session, far).statuses("19:a", 30) == [201] * 30


async def test_tenant_limit_is_fifty_operations_per_second(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(connector=Connector(scale=10))) as far:
        bot = Bot(session, far)
        statuses = [(await bot.send(f"19:{number}"))[0] for number in range(51)]
        assert statuses == [201] * 50 + [429]


async def test_rate_limits_can_be_disabled(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(connector=Connector(limits=False))) as far:
        assert await Bot(session, far).statuses("19:a", 100) == [201] * 100


async def test_throttling_can_omit_retry_after(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(connector=Connector(retry_after=False))) as far:
        bot = Bot(session, far)
        await bot.statuses("19:a", 7)
        status, _, retry_after = await bot.send("19:a")
        assert (status, retry_after) == (429, "")


async def test_concurrent_operations_on_a_conversation_conflict(
    session: aiohttp.ClientSession,
) -> None:
    async with Simulator(Scenario(connector=Connector(latency=0.1))) as far:
        bot = Bot(session, far)
        first, second, elsewhere = await asyncio.gather(
            bot.send("19:a"), bot.send("19:a"), bot.send("19:b")
        )
        assert sorted((first[0], second[0])) == [201, 412]
        assert elsewhere[0] == 201
        assert (await bot.send("19:a"))[0] == 201


@pytest.mark.parametrize(
    ("activity", "status"),
    [
        (message("x" * 50_000), 201),
        (message("x" * 52_000), 413),
        (message("é" * 52_000), 413),
        (message("", {"body": "x" * 28_000}), 201),
        (message("", {"body": "x" * 28_700}), 413),
        (message("", {"body": "é" * 14_400}), 413),
    ],
)
async def test_message_is_rejected_when_too_large(
    session: aiohttp.ClientSession, activity: dict[str, Any], status: int
) -> None:
    async with Simulator() as far:
        bot = Bot(session, far)
        assert (await bot.send("19:a", activity))[0] == status
        _, sent, _ = await bot.send("19:a")
        assert (await bot.update("19:a", sent["id"], activity))[0] == (
            200 if status == 201 else 413
        )


async def test_conversation_can_be_blocked_or_missing(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(connector=Connector(blocked=("19:blocked",)))) as far:
        bot = Bot(session, far)
        status, answer, _ = await bot.send("19:blocked")
        assert (status, answer["error"]["code"]) == (403, "BotNotInConversationRoster")
        far.connector.missing.add("19:missing")
        status, answer, _ = await bot.send("19:missing")
        assert (status, answer["error"]["code"]) == (404, "ConversationNotFound")


@pytest.mark.parametrize("body", ["[]", "{", "7"])
async def test_body_is_rejected_when_not_an_activity(
    session: aiohttp.ClientSession, body: str
) -> None:
    async with Simulator() as far:
        url = f"{far.connector_url}/v3/conversations/19:a/activities"
        async with session.post(url, data=body) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("fault", "status", "kept"),
    [
        (FaultKind.THROTTLED, 429, False),
        (FaultKind.PRECONDITION_FAILED, 412, False),
        (FaultKind.BAD_GATEWAY, 502, False),
        (FaultKind.BAD_GATEWAY_ACCEPTED, 502, True),
        (FaultKind.FORBIDDEN, 403, False),
    ],
)
async def test_send_faults_keep_the_message_only_when_accepted(
    session: aiohttp.ClientSession, fault: FaultKind, status: int, kept: bool
) -> None:
    rule = Fault(call=Call.SEND, nth=2, fault=fault)
    async with Simulator(Scenario(faults=(rule,))) as far:
        bot = Bot(session, far)
        assert await bot.statuses("19:a", 3) == [201, status, 201]
        assert len(far.connector.messages) == 2 + kept
        assert far.connector.calls[Call.SEND] == 3


@pytest.mark.parametrize("fault", [FaultKind.DROP_LOST, FaultKind.DROP_ACCEPTED])
async def test_dropped_response_keeps_the_message_only_when_accepted(
    session: aiohttp.ClientSession, fault: FaultKind
) -> None:
    rule = Fault(call=Call.SEND, fault=fault)
    async with Simulator(Scenario(faults=(rule,))) as far:
        bot = Bot(session, far)
        with pytest.raises(aiohttp.ClientConnectionError):
            await bot.send("19:a")
        assert len(far.connector.messages) == fault.accepted
        assert (await bot.send("19:a"))[0] == 201


async def test_message_can_be_gone(session: aiohttp.ClientSession) -> None:
    rule = Fault(call=Call.UPDATE, nth=2, fault=FaultKind.GONE)
    async with Simulator(Scenario(faults=(rule,))) as far:
        bot = Bot(session, far)
        _, sent, _ = await bot.send("19:a")
        statuses = [(await bot.update("19:a", sent["id"]))[0] for _ in range(3)]
        assert statuses == [200, 404, 404]
        assert far.connector.messages[0].deleted


async def test_wait_for_returns_matching_message(session: aiohttp.ClientSession) -> None:
    def is_changed(posted: Posted) -> bool:
        return posted.text == "Changed"

    async with Simulator() as far:
        bot = Bot(session, far)
        waiting = asyncio.create_task(far.connector.wait_for(is_changed, PATIENCE))
        _, sent, _ = await bot.send("19:a")
        assert not waiting.done()
        await bot.update("19:a", sent["id"])
        assert (await waiting).activity_id == sent["id"]

        seen = far.connector.changes
        with pytest.raises(TimeoutError, match=r"within 0\.01 s, but \[\]"):
            await far.connector.wait_for(is_changed, 0.01, since=seen)
        await bot.send("19:a", message("new"))
        await bot.update("19:a", sent["id"])
        assert [each.text for each in far.connector.since(seen)] == ["new", "Changed"]
        with pytest.raises(TimeoutError, match=r"\['new', 'Changed'\]"):
            await far.connector.wait_for(lambda each: each.text == "never", 0.01, since=seen)
