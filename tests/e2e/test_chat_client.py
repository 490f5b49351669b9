"""The page object itself, tested with a bot that echoes what it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from bot.cli.playground import TENANT
from bot.commands.chat import (
    NO_ANSWER,
    Answer,
    CardAction,
    CardAnswer,
    FileConsent,
    IncomingMessage,
    Sender,
)
from bot.identity.delegations import Proof
from bot.runner.messages import Message, Messenger
from bot.settings.model import Settings
from bot.store.conversations import ConversationKind, ConversationReference
from bot.teams.edge import open_edge
from bot.teams.files import ChatFiles, files_session
from bot.words import Words
from tests.e2e.chat_client import ChatClient
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


def card(text: str) -> dict[str, object]:
    return {
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [
            {"type": "TextBlock", "text": text, "wrap": True},
            {"type": "Input.Text", "id": "reason", "label": "Reason"},
            {"type": "Input.Toggle", "id": "sure", "title": "I am sure"},
            {
                "type": "Input.ChoiceSet",
                "id": "region",
                "label": "Region",
                "choices": [{"title": each, "value": each} for each in ("EMEA", "NOAM")],
            },
        ],
        "actions": [
            {"type": "Action.Execute", "verb": "echo", "title": "Echo", "data": {"request": "K7"}}
        ],
    }


@dataclass
class EchoChat:
    """Echoes messages, files and actions on cards."""

    messenger: Messenger
    files: ChatFiles
    conversations: dict[str, ConversationReference] = field(
        default_factory=dict[str, ConversationReference]
    )
    updated: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, conversation: ConversationReference, text: str) -> None:
        await self.messenger.send(conversation, Message(card=card(text), summary=text))

    @asynccontextmanager
    async def receiving(
        self, conversation: ConversationReference, activity_id: str
    ) -> AsyncGenerator[bool]:
        self.conversations[conversation.conversation_id] = conversation
        if conversation.channel_id:
            self.conversations[conversation.channel_id] = conversation.channel
        yield True

    async def removed(self, conversation: ConversationReference, activity_id: str) -> None: ...

    async def installed(self, conversation: ConversationReference, sender: Sender) -> None: ...

    async def message(self, message: IncomingMessage) -> None:
        for file in message.files:
            content = (await self.files.download(file)).decode()
            await self.say(
                message.conversation, f"{file.name} from {message.sender.name}: {content}"
            )
        if not message.files:
            await self.say(message.conversation, f"heard {message.text!r}")

    async def action(self, action: CardAction, *, repeated: bool = False) -> Answer:
        data = ", ".join(f"{name}={action.data[name]}" for name in sorted(action.data))
        updated = card(f"{action.sender.name} {action.verb}: {data}")
        await self.messenger.update(action.conversation, action.activity_id, Message(card=updated))
        return CardAnswer(updated)

    async def consent(self, consent: FileConsent) -> None: ...

    async def signed_in(
        self, sender: Sender, conversation: ConversationReference, proof: Proof
    ) -> Answer:
        return NO_ANSWER

    async def fault(self, conversation: ConversationReference, reference: str) -> None: ...

    def fault_text(self, reference: str) -> str:
        return reference


@dataclass
class Bot:
    url: str
    chat: EchoChat


@pytest.fixture
async def echo() -> AsyncIterator[Bot]:
    settings = Settings(_env_file=None, tenant_ids=(TENANT,))  # pyright: ignore[reportCallIssue]
    async with open_edge(settings) as edge, files_session(settings) as session:
        chat = EchoChat(edge.messenger, ChatFiles(settings, session))
        app = web.Application()
        edge.endpoint(chat, Words()).add_to(app)
        app.router.add_static("/files", Path(__file__).parent)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        yield Bot(str(server.make_url("")).rstrip("/"), chat)
        await server.close()


async def test_chat_client_sends_text_files_and_inputs(
    echo: Bot, browser: Browser, client_url: Callable[[str], Awaitable[str]]
) -> None:
    url = await client_url(echo.url)
    alex = await ChatClient.open(browser, url)

    await alex.send_text("one\ntwo")
    await alex.wait_for_card("heard 'one\\ntwo'")
    (conversation,) = echo.chat.conversations.values()
    assert (conversation.tenant_id, conversation.kind) == (TENANT, ConversationKind.PERSONAL)

    await alex.inject_file(
        "phones.py", f"{echo.url}/files/chat_client.py", sender=alex.user("Megan Bowen")
    )
    file = await alex.wait_for_card("phones.py from Megan Bowen")
    await expect(file).to_contain_text("A page object for the local chat client")

    await alex.fill("Reason", "New lobby")
    await alex.tick("I am sure")
    await alex.choose("Region", "NOAM")
    await alex.click("Echo")
    await alex.wait_for_card(
        "Alex Wilber echo: reason=New lobby, region=NOAM, request=K7, sure=true"
    )


async def test_chat_client_shows_updates_to_other_users(
    echo: Bot, browser: Browser, client_url: Callable[[str], Awaitable[str]]
) -> None:
    """The other person sees the click too, because the bot updates the posted card."""
    url = await client_url(echo.url)
    alex = await ChatClient.open(browser, url)
    await alex.go_to("Telephony - Approvals")
    megan = await ChatClient.open(browser, url, user="Megan Bowen")
    await megan.go_to("Telephony - Approvals")
    await until(lambda: "19:approvals@thread.tacv2" in echo.chat.conversations)
    channel = echo.chat.conversations["19:approvals@thread.tacv2"]
    assert channel.kind is ConversationKind.CHANNEL

    await echo.chat.say(channel, "Approve?")
    await alex.wait_for_card("Approve?")
    await megan.click("Echo", await megan.wait_for_card("Approve?"))
    await alex.wait_for_card("Megan Bowen echo: ")
