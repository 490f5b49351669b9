"""What goes out to the connector, and what each of its answers means to the publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from bot.runner.messenger import (
    Address,
    Attachment,
    ChatThrottledError,
    ChatUnavailableError,
    DeliveryError,
    Message,
    MessageGoneError,
    UndeliverableError,
)
from bot.teams import connector as module
from bot.teams.connector import ConnectorMessenger
from tests.support.teams import TENANT, FakeConnector

CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Hällo"}]}


def address(far: FakeConnector, conversation_id: str = "a:chat", **extra: str) -> Address:
    reference = {"service_url": far.url, "bot_id": "28:offhook", "bot_name": "Offhook", **extra}
    return Address(TENANT, conversation_id, "personal", reference)


@pytest.fixture
async def to_teams(connector: FakeConnector, session: aiohttp.ClientSession) -> ConnectorMessenger:
    return ConnectorMessenger(session, None)


async def test_send_posts_text(to_teams: ConnectorMessenger, connector: FakeConnector) -> None:
    sent = await to_teams.send(address(connector), Message(text="Hello"))
    assert (sent.conversation_id, sent.activity_id) == ("a:chat", "message-1")
    (call,) = connector.calls
    assert (call.method, call.path) == ("POST", "/v3/conversations/a%3Achat/activities")
    assert (call.body["type"], call.body["text"]) == ("message", "Hello")
    assert call.body["from"] == {"id": "28:offhook", "name": "Offhook"}
    assert "Authorization" not in call.headers


async def test_update_puts_card_with_summary(to_teams: ConnectorMessenger, connector: FakeConnector) -> None:
    where = address(connector, "19:c@thread.tacv2;messageid=1")
    await to_teams.update(where, "a/../b", Message(card=CARD, summary="96 phones"))
    (call,) = connector.calls
    assert call.method == "PUT"
    assert call.path == (
        "/v3/conversations/19%3Ac%40thread.tacv2%3Bmessageid%3D1/activities/a%2F..%2Fb"
    )
    assert call.body["summary"] == "96 phones"
    assert call.body["attachments"] == [
        {"contentType": "application/vnd.microsoft.card.adaptive", "content": CARD}
    ]


async def test_send_posts_attachment(to_teams: ConnectorMessenger, connector: FakeConnector) -> None:
    consent = "application/vnd.microsoft.teams.card.file.consent"
    message = Message(attachment=Attachment(consent, {"sizeInBytes": 5}, name="results.csv"))
    await to_teams.send(address(connector), message)
    (attachment,) = connector.calls[0].body["attachments"]
    assert attachment["contentType"] == consent
    assert attachment["name"] == "results.csv"
    assert attachment["content"] == {"sizeInBytes": 5}


async def test_send_opens_thread_in_channel(
    to_teams: ConnectorMessenger, connector: FakeConnector
) -> None:
    channel = "19:approvals@thread.tacv2"
    sent = await to_teams.send(address(connector, channel, channel_id=channel), Message(card=CARD))
    assert (sent.conversation_id, sent.activity_id) == (f"{channel};messageid=7", "7")
    (call,) = connector.calls
    assert call.path == "/v3/conversations"
    assert call.body["isGroup"] is True
    assert call.body["channelData"] == {"channel": {"id": channel}, "tenant": {"id": TENANT}}
    assert call.body["tenantId"] == TENANT, "the SDK writes tenantID"
    assert call.body["activity"]["attachments"][0]["content"] == CARD

    await to_teams.send(address(connector, sent.conversation_id, channel_id=channel), Message("x"))
    assert connector.calls[1].path.endswith("%3Bmessageid%3D7/activities")


def status(code: int, **headers: str) -> Callable[[], web.Response]:
    """An answer with a body that is not JSON, as a proxy on the way sends it."""
    return lambda: web.Response(
        status=code,
        text="<html>",
        content_type="text/html",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("answer", "on_send", "on_update"),
    [
        (status(429), ChatThrottledError, ChatThrottledError),
        (status(412), ChatThrottledError, ChatThrottledError),
        (status(500), ChatUnavailableError, ChatUnavailableError),
        (status(502), ChatUnavailableError, ChatUnavailableError),
        (status(503, Retry_After="1"), ChatUnavailableError, ChatUnavailableError),
        (status(504), ChatUnavailableError, ChatUnavailableError),
        (status(401), ChatUnavailableError, ChatUnavailableError),
        (status(403), UndeliverableError, MessageGoneError),
        (status(404), UndeliverableError, MessageGoneError),
        (status(413), UndeliverableError, UndeliverableError),
        (status(400), UndeliverableError, UndeliverableError),
        (status(302, Location="/v3/elsewhere"), UndeliverableError, UndeliverableError),
    ],
)
async def test_messenger_maps_status_to_error(
    to_teams: ConnectorMessenger,
    connector: FakeConnector,
    answer: Callable[[], web.Response],
    on_send: type[DeliveryError],
    on_update: type[DeliveryError],
) -> None:
    """One attempt each: the SDK would send some updates four times."""
    connector.script = [answer(), answer()]
    with pytest.raises(on_send):
        await to_teams.send(address(connector), Message(text="x"))
    with pytest.raises(on_update):
        await to_teams.update(address(connector), "1", Message(text="x"))
    assert [call.method for call in connector.calls] == ["POST", "PUT"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("", None), ("soon", None), ("-1", None)]
)
async def test_messenger_reads_retry_after_when_valid(
    to_teams: ConnectorMessenger, connector: FakeConnector, header: str, seconds: float | None
) -> None:
    connector.script = [status(429, Retry_After=header)()]
    with pytest.raises(ChatThrottledError) as caught:
        await to_teams.update(address(connector), "1", Message(text="x"))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("body", ["", "[]", "not JSON"])
async def test_send_returns_no_activity_id_when_response_has_none(
    to_teams: ConnectorMessenger, connector: FakeConnector, body: str
) -> None:
    connector.script = [web.Response(status=201, text=body)]
    sent = await to_teams.send(address(connector), Message(text="x"))
    assert sent.activity_id == ""


async def test_send_fails_when_connector_times_out(
    to_teams: ConnectorMessenger, connector: FakeConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CALL_SECONDS", 0.05)
    connector.hold = asyncio.Event()
    with pytest.raises(ChatUnavailableError):
        await to_teams.send(address(connector), Message(text="x"))
    assert len(connector.calls) == 1


async def test_send_fails_when_connector_is_unreachable(to_teams: ConnectorMessenger) -> None:
    with pytest.raises(ChatUnavailableError):
        await to_teams.send(address(FakeConnector("http://127.0.0.1:9")), Message(text="x"))


async def test_messenger_reuses_connections(to_teams: ConnectorMessenger, connector: FakeConnector) -> None:
    """With the SDK each turn opens one."""
    for _ in range(10):
        await to_teams.send(address(connector), Message(text="x"))
    assert len({call.connection for call in connector.calls}) == 1


@pytest.mark.parametrize("trouble", [PermissionError("no token"), ConnectionError("no token")])
async def test_send_fails_without_token(
    connector: FakeConnector, session: aiohttp.ClientSession, trouble: OSError
) -> None:
    async def get() -> str:
        raise trouble

    to_teams = ConnectorMessenger(session, get)
    with pytest.raises(ChatUnavailableError):
        await to_teams.send(address(connector), Message(text="x"))
    assert not connector.calls


async def test_sends_to_different_conversations_run_concurrently(
    to_teams: ConnectorMessenger, connector: FakeConnector
) -> None:
    connector.hold = asyncio.Event()
    where = [address(connector, f"a:{number}") for number in range(20)]
    sends = [asyncio.create_task(to_teams.send(each, Message(text="x"))) for each in where]
    async with asyncio.timeout(5):
        while len(connector.calls) < len(where):
            await asyncio.sleep(0)
    connector.hold.set()
    assert len(await asyncio.gather(*sends)) == 20
