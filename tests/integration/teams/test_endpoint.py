"""The endpoint over HTTP: every kind of activity, malformed and foreign ones, and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import structlog

from bot.commands.chat import CardAnswer, TextAnswer
from bot.settings.model import Settings
from bot.store.conversations import ConversationKind, ConversationReference
from tests.integration.teams.conftest import Post, Serve
from tests.support.teams import ALEX, TENANT, FakeConnector, RecordingChat, activity, click
from tests.support.waiting import Clock, until

SERVICE = "http://127.0.0.1:9/connector"


async def test_message_is_passed_on_with_sender_and_conversation(
    post: Post, chat: RecordingChat
) -> None:
    response = await post(activity(SERVICE, text="status K7"))
    assert response.status == 200
    (message,) = chat.messages
    assert message.text == "status K7"
    assert (message.sender.object_id, message.sender.name) == (ALEX, "Alex Wilber")
    assert message.conversation == ConversationReference(
        TENANT,
        "a:chat",
        ConversationKind.PERSONAL,
        service_url=SERVICE,
        bot_id="28:offhook",
        bot_name="Offhook",
        channel_id="",
    )
    assert chat.remembered == [message.conversation]


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        (CardAnswer({"type": "AdaptiveCard"}), "card.adaptive", {"type": "AdaptiveCard"}),
        (TextAnswer("Done"), "activity.message", "Done"),
    ],
)
async def test_click_is_answered_with_card_or_text(
    post: Post, chat: RecordingChat, answer: Any, kind: str, value: Any
) -> None:
    """The SDK's own `process` turns every such answer into HTTP 500."""
    chat.answer = answer
    response = await post(click(SERVICE))
    assert response.status == 200
    assert await response.json() == {
        "statusCode": 200,
        "type": f"application/vnd.microsoft.{kind}",
        "value": value,
    }
    (action,) = chat.actions
    assert (action.verb, action.activity_id) == ("approve", "card-1")
    assert action.data == {"request": "K7", "version": 3}
    assert action.sender.object_id == ALEX


async def test_tenant_is_read_from_conversation_without_channel_data(
    post: Post, chat: RecordingChat
) -> None:
    """The SDK's model of a conversation loses the tenant."""
    await post(activity(SERVICE, channelData=None))
    assert chat.messages[0].conversation.tenant_id == TENANT


async def test_local_client_is_accepted_without_tenant_or_object_id(
    post: Post, chat: RecordingChat
) -> None:
    anonymous = {"conversation": {"id": "c"}, "channelData": None, "from": {"id": "user-id-0"}}
    assert (await post(activity(SERVICE, **anonymous))).status == 200
    (message,) = chat.messages
    assert message.sender.object_id == "user-id-0"
    assert message.conversation.tenant_id.startswith("00000000-")
    assert message.conversation.kind is ConversationKind.PERSONAL


async def test_message_in_channel_thread_names_its_channel(post: Post, chat: RecordingChat) -> None:
    in_thread = {
        "conversation": {"id": "19:c@thread.tacv2;messageid=1", "conversationType": "channel"},
        "channelData": {"tenant": {"id": TENANT}, "channel": {"id": "19:c@thread.tacv2"}},
        "text": "<at>Offhook</at>&nbsp;status <at>Megan Bowen</at> &amp; co",
        "entities": [
            {"type": "clientInfo", "locale": "en-US"},
            {"type": "mention", "text": "<at>Offhook</at>", "mentioned": {"id": "28:offhook"}},
            {"type": "mention", "text": "<at>Megan Bowen</at>", "mentioned": {"id": "29:megan"}},
        ],
    }
    await post(activity(SERVICE, **in_thread))
    assert chat.messages[0].text == "status Megan Bowen & co"
    (thread,) = chat.remembered
    assert [thread.conversation_id, thread.channel.conversation_id] == [
        "19:c@thread.tacv2;messageid=1",
        "19:c@thread.tacv2",
    ]
    assert {thread.kind, thread.channel.kind} == {ConversationKind.CHANNEL}


FILE = {
    "contentType": "application/vnd.microsoft.teams.file.download.info",
    "name": "phones.csv",
    "contentUrl": "https://contoso.sharepoint.com/phones.csv",
    "content": {"downloadUrl": "https://contoso.sharepoint.com/d?t=secret", "fileType": "csv"},
}
HTML = {"contentType": "text/html", "content": '<p>hi</p><attachment id="1"></attachment>'}


@pytest.mark.parametrize(
    ("kind", "attachments", "names", "unreachable"),
    [
        ("personal", [FILE, {**FILE, "name": "more.xlsx"}], ["phones.csv", "more.xlsx"], 0),
        (
            "personal",
            [FILE, {"contentType": "text/html", "content": "<p>hi</p>"}],
            ["phones.csv"],
            0,
        ),
        ("personal", [HTML], [], 0),
        ("personal", [{"contentType": "image/png", "contentUrl": "https://x"}], [], 1),
        ("personal", [{**FILE, "content": {"downloadUrl": 5}}], [], 1),
        ("personal", [{"contentType": "application/vnd.microsoft.card.hero"}], [], 0),
        ("groupChat", [HTML], [], 1),
        ("channel", [{"contentType": "text/html", "content": "<p>hi</p>"}], [], 0),
        ("groupChat", [{"contentType": "reference", "name": "phones.csv"}], [], 1),
    ],
)
async def test_attachments_are_split_into_files_and_unreachable_ones(
    post: Post,
    chat: RecordingChat,
    kind: str,
    attachments: list[Any],
    names: list[str],
    unreachable: int,
) -> None:
    conversation = {"id": "c", "conversationType": kind}
    await post(activity(SERVICE, conversation=conversation, attachments=attachments, text=None))
    (message,) = chat.messages
    assert [file.name for file in message.files] == names
    assert message.unreachable_files == unreachable
    assert "secret" not in repr(message)


async def test_installation_is_passed_on_and_removal_is_not(
    post: Post, chat: RecordingChat
) -> None:
    await post(activity(SERVICE, type="installationUpdate", action="add"))
    await post(activity(SERVICE, type="installationUpdate", action="remove"))
    await post(activity(SERVICE, type="conversationUpdate", membersAdded=[{"id": "28:offhook"}]))
    assert len(chat.installs) == 1


@pytest.mark.parametrize("kind", ["typing", "messageReaction", "endOfConversation", "no such type"])
async def test_activity_is_ignored_when_type_is_unknown(
    post: Post, chat: RecordingChat, kind: str
) -> None:
    assert (await post(activity(SERVICE, type=kind))).status == 200
    assert not chat.messages


async def test_invoke_is_answered_501_when_name_is_unknown(post: Post) -> None:
    response = await post(activity(SERVICE, type="invoke", name="task/fetch"))
    assert response.status == 501


@pytest.mark.parametrize("accepted", [True, False])
async def test_file_consent_is_passed_on_when_accepted_or_declined(
    post: Post, chat: RecordingChat, accepted: bool
) -> None:
    upload = {"uploadUrl": "https://contoso.sharepoint.com/upload"}
    value: dict[str, Any] = {"action": "decline", "context": {"request": "K7"}}
    if accepted:
        value |= {"action": "accept", "uploadInfo": upload}
    response = await post(
        activity(SERVICE, type="invoke", name="fileConsent/invoke", value=value, replyToId="card-2")
    )
    assert response.status == 200
    (consent,) = chat.consents
    assert consent.context == {"request": "K7"}
    assert consent.upload == (upload if accepted else None)
    assert consent.activity_id == "card-2"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in activity(SERVICE).items() if key != name}


MALFORMED: list[tuple[Any, str]] = [
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"\xff\xfe\x00", "JSON"),
    (b"[" * 100_000, "JSON"),
    (b'"text"', "JSON"),
    ([], "JSON"),
    ({}, "type"),
    (without("type"), "type"),
    (without("serviceUrl"), "serviceUrl"),
    (without("from"), "from"),
    (without("recipient"), "recipient"),
    (without("conversation"), "conversation"),
    (activity(SERVICE, type=""), "type"),
    (activity(SERVICE, type=7), "type"),
    (activity(SERVICE, conversation={}), "conversation.id"),
    (activity(SERVICE, conversation="c"), "conversation"),
    (activity(SERVICE, channelData={"tenant": {"id": 5}}), "channelData.tenant.id"),
    (activity(SERVICE, text={"a": 1}), "text"),
    (activity(SERVICE, attachments=[{"contentType": 3}]), "attachments.0.contentType"),
    (activity(SERVICE, attachments=[FILE] * 51), "attachments"),
    (activity(SERVICE, type="invoke", name="adaptiveCard/action"), "value"),
    (activity(SERVICE, type="invoke", name="adaptiveCard/action", value={}), "value.action"),
    (click(SERVICE, type="Action.Submit"), "value.action.verb"),
    (click(SERVICE, verb=None), "value.action.verb"),
    (click(SERVICE, verb=["approve"]), "value.action.verb"),
    (click(SERVICE, data="K7"), "value.action.data"),
    (activity(SERVICE, type="invoke", name="fileConsent/invoke", value=[]), "value"),
]


@pytest.mark.parametrize(("body", "field"), MALFORMED)
async def test_malformed_activity_is_refused_with_field_and_reference(
    post: Post, chat: RecordingChat, body: Any, field: str
) -> None:
    """The reference in the answer is also in the log."""
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        response = await post(body)
    assert response.status == 400
    message = (await response.json())["error"]["message"]
    assert field in message
    assert logs[-1]["reference"] in message
    assert not chat.messages
    assert not chat.actions


async def test_activity_is_refused_when_too_large(post: Post) -> None:
    assert (await post(activity(SERVICE, text="x" * 1_100_000))).status == 413
    assert (await post(click(SERVICE, data={"comment": "x" * 70_000}))).status == 413


@pytest.mark.parametrize(
    "url",
    [
        "https://smba.trafficmanager.net/teams/",
        "http://169.254.169.254/latest",
        "http://example.org/",
        "http://127.0.0.1@example.org/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1/?to=http://example.org",
        "file://127.0.0.1/etc/passwd",
        "http://127.0.0.1:99999/",
        "127.0.0.1",
        "//127.0.0.1/",
    ],
)
async def test_local_endpoint_refuses_non_loopback_service_url(
    post: Post, chat: RecordingChat, url: str
) -> None:
    assert (await post(activity(url))).status == 403
    assert not chat.remembered


async def test_foreign_tenant_is_refused(
    serve: Serve, chat: RecordingChat, connector: FakeConnector, session: aiohttp.ClientSession
) -> None:
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        tenant_ids=("99999999-2222-3333-4444-555555555555",),
    )
    url = await serve(settings)
    async with session.post(url, json=activity(connector.url)) as response:
        assert response.status == 200
    async with session.post(url, json=click(connector.url)) as response:
        assert "is not set up for your organization" in (await response.json())["value"]
    allowed = {
        "channelData": {"tenant": {"id": settings.tenant_ids[0].upper()}},
        "conversation": {"id": "c", "tenantId": settings.tenant_ids[0]},
    }
    async with session.post(url, json=activity(connector.url, **allowed)) as response:
        assert response.status == 200
    assert len(chat.messages) == len(chat.remembered) == 1
    assert not connector.calls


async def test_message_fault_is_reported_with_reference(post: Post, chat: RecordingChat) -> None:
    chat.error = RuntimeError("database is locked")
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        response = await post(activity(SERVICE))
    assert response.status == 200, "or Bot Service would send the message again"
    ((conversation, reference),) = chat.faults
    assert conversation.conversation_id == "a:chat"
    (entry,) = [entry for entry in logs if entry["event"] == "turn.failed"]
    assert entry["reference"] == reference
    assert len(reference) == 8
    assert entry["exc_info"]


async def test_message_fault_is_sent_directly_when_it_cannot_be_recorded(
    post: Post, chat: RecordingChat, connector: FakeConnector
) -> None:
    chat.error = chat.fault_error = RuntimeError("database is locked")
    assert (await post(activity(connector.url))).status == 200
    (call,) = connector.calls
    assert call.body["text"].startswith("Something went wrong: ")


async def test_click_fault_is_answered_with_reference(post: Post, chat: RecordingChat) -> None:
    chat.error = RuntimeError("database is locked")
    response = await post(click(SERVICE))
    assert response.status == 200
    body = await response.json()
    assert body["type"] == "application/vnd.microsoft.activity.message"
    assert "Something went wrong: " in body["value"]
    assert "locked" not in body["value"]
    assert not chat.faults


async def test_slow_turn_is_answered_early_and_continues(
    post: Post, chat: RecordingChat, clock: Clock
) -> None:
    chat.hold = asyncio.Event()
    message = asyncio.ensure_future(post(activity(SERVICE)))
    clicked = asyncio.ensure_future(post(click(SERVICE)))
    await until(lambda: chat.held == 2)
    clock.advance(8)
    assert (await message).status == 200
    assert "still working on it" in (await (await clicked).json())["value"]
    assert not chat.messages
    assert not chat.actions
    chat.hold.set()
    await until(lambda: chat.messages and chat.actions)


async def test_slow_click_fault_is_reported_in_conversation(
    post: Post, chat: RecordingChat, clock: Clock
) -> None:
    chat.hold, chat.error = asyncio.Event(), RuntimeError("late")
    clicked = asyncio.ensure_future(post(click(SERVICE)))
    await until(lambda: chat.held)
    clock.advance(8)
    await clicked
    chat.hold.set()
    await until(lambda: chat.faults)
