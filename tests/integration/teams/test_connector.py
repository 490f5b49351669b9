"""Requests to the connector, and how its responses map to errors for the publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from bot.runner.messages import (
    Attachment,
    ChatThrottledError,
    ChatUnavailableError,
    DeliveryError,
    Message,
    MessageGoneError,
    UndeliverableError,
)
from bot.store.conversations import ConversationKind, ConversationReference
from bot.teams.connector import ConnectorMessenger
from tests.support.teams import TENANT, FakeConnector
from tests.support.waiting import Clock, until

CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Hällo"}]}


def reference(
    connector: FakeConnector, conversation_id: str = "a:chat", *, channel_id: str = ""
) -> ConversationReference:
    return ConversationReference(
        TENANT,
        conversation_id,
        ConversationKind.CHANNEL if channel_id else ConversationKind.PERSONAL,
        service_url=connector.url,
        bot_id="28:offhook",
        bot_name="Offhook",
        channel_id=channel_id,
    )


@pytest.fixture
async def messenger(connector: FakeConnector, session: aiohttp.ClientSession) -> ConnectorMessenger:
    return ConnectorMessenger(session, None)


async def test_send_posts_text(messenger: ConnectorMessenger, connector: FakeConnector) -> None:
    sent = await messenger.send(reference(connector), Message(text="Hello"))
    assert (sent.conversation_id, sent.activity_id) == ("a:chat", "message-1")
    (call,) = connector.calls
    assert (call.method, call.path) == ("POST", "/v3/conversations/a%3Achat/activities")
    assert (call.body["type"], call.body["text"]) == ("message", "Hello")
    assert call.body["from"] == {"id": "28:offhook", "name": "Offhook"}
    assert "Authorization" not in call.headers


async def test_update_puts_card_with_summary(
    messenger: ConnectorMessenger, connector: FakeConnector
) -> None:
    conversation = reference(connector, "19:c@thread.tacv2;messageid=1")
    await messenger.update(conversation, "a/../b", Message(card=CARD, summary="96 phones"))
    (call,) = connector.calls
    assert call.method == "PUT"
    assert call.path == (
        "/v3/conversations/19%3Ac%40thread.tacv2%3Bmessageid%3D1/activities/a%2F..%2Fb"
    )
    assert call.body["summary"] == "96 phones"
    assert call.body["attachments"] == [
        {"contentType": "application/vnd.microsoft.card.adaptive", "content": CARD}
    ]


async def test_send_posts_attachment(
    messenger: ConnectorMessenger, connector: FakeConnector
) -> None:
    consent = "application/vnd.microsoft.teams.card.file.consent"
    message = Message(attachment=Attachment(consent, {"sizeInBytes": 5}, name="results.csv"))
    await messenger.send(reference(connector), message)
    (attachment,) = connector.calls[0].body["attachments"]
    assert attachment["contentType"] == consent
    assert attachment["name"] == "results.csv"
    assert attachment["content"] == {"sizeInBytes": 5}


async def test_send_opens_thread_in_channel(
    messenger: ConnectorMessenger, connector: FakeConnector
) -> None:
    channel = "19:approvals@thread.tacv2"
    sent = await messenger.send(
        reference(connector, channel, channel_id=channel), Message(card=CARD)
    )
    assert (sent.conversation_id, sent.activity_id) == (f"{channel};messageid=7", "7")
    (call,) = connector.calls
    assert call.path == "/v3/conversations"
    assert call.body["isGroup"] is True
    assert call.body["channelData"] == {"channel": {"id": channel}, "tenant": {"id": TENANT}}
    assert call.body["tenantId"] == TENANT, "the SDK writes tenantID"
    assert call.body["activity"]["attachments"][0]["content"] == CARD

    await messenger.send(
        reference(connector, sent.conversation_id, channel_id=channel), Message("x")
    )
    assert connector.calls[1].path.endswith("%3Bmessageid%3D7/activities")


def status(code: int, **headers: str) -> Callable[[], web.Response]:
    """A response with a body that is not JSON, such as a proxy sends."""
    return lambda: web.Response(
        status=code,
        text="<html>",
        content_type="text/html",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("response", "on_send", "on_update"),
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
    messenger: ConnectorMessenger,
    connector: FakeConnector,
    response: Callable[[], web.Response],
    on_send: type[DeliveryError],
    on_update: type[DeliveryError],
) -> None:
    """One attempt for each call; the SDK would send some updates four times."""
    connector.script = [response(), response()]
    with pytest.raises(on_send):
        await messenger.send(reference(connector), Message(text="x"))
    with pytest.raises(on_update):
        await messenger.update(reference(connector), "1", Message(text="x"))
    assert [call.method for call in connector.calls] == ["POST", "PUT"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("", None), ("soon", None), ("-1", None)]
)
async def test_messenger_reads_retry_after_when_valid(
    messenger: ConnectorMessenger, connector: FakeConnector, header: str, seconds: float | None
) -> None:
    connector.script = [status(429, Retry_After=header)()]
    with pytest.raises(ChatThrottledError) as caught:
        await messenger.update(reference(connector), "1", Message(text="x"))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("body", ["", "[]", "not JSON"])
async def test_send_returns_no_activity_id_when_response_has_none(
    messenger: ConnectorMessenger, connector: FakeConnector, body: str
) -> None:
    connector.script = [web.Response(status=201, text=body)]
    sent = await messenger.send(reference(connector), Message(text="x"))
    assert sent.activity_id == ""


async def test_send_fails_when_connector_times_out(
    messenger: ConnectorMessenger, connector: FakeConnector, clock: Clock
) -> None:
    connector.hold = asyncio.Event()
    send = asyncio.create_task(messenger.send(reference(connector), Message(text="x")))
    await until(lambda: connector.calls)
    clock.advance(15)
    with pytest.raises(ChatUnavailableError):
        await send
    assert len(connector.calls) == 1


async def test_send_fails_when_connector_is_unreachable(messenger: ConnectorMessenger) -> None:
    with pytest.raises(ChatUnavailableError):
        await messenger.send(reference(FakeConnector("http://127.0.0.1:9")), Message(text="x"))


async def test_messenger_reuses_connections(
    messenger: ConnectorMessenger, connector: FakeConnector
) -> None:
    """With the SDK, every turn opens a new one."""
    for _ in range(10):
        await messenger.send(reference(connector), Message(text="x"))
    assert len({call.connection for call in connector.calls}) == 1


@pytest.mark.parametrize("error", [PermissionError("no token"), ConnectionError("no token")])
async def test_send_fails_without_token(
    connector: FakeConnector, session: aiohttp.ClientSession, error: OSError
) -> None:
    async def token() -> str:
        raise error

    messenger = ConnectorMessenger(session, token)
    with pytest.raises(ChatUnavailableError):
        await messenger.send(reference(connector), Message(text="x"))
    assert not connector.calls


async def test_sends_to_different_conversations_run_concurrently(
    messenger: ConnectorMessenger, connector: FakeConnector
) -> None:
    connector.hold = asyncio.Event()
    conversations = [reference(connector, f"a:{number}") for number in range(20)]
    sends = [
        asyncio.create_task(messenger.send(conversation, Message(text="x")))
        for conversation in conversations
    ]
    await until(lambda: len(connector.calls) == len(conversations))
    connector.hold.set()
    assert len(await asyncio.gather(*sends)) == 20
