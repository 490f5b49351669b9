"""The fixtures themselves: a bot that only echoes, seen through the chat client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from bot.cli.playground import TENANT
from bot.commands.chat import (
    Answer,
    CardAction,
    CardAnswer,
    ConversationKind,
    FileConsent,
    IncomingMessage,
    Place,
    Proof,
    Sender,
)
from bot.runner.messenger import Address, Message, Messenger
from bot.settings.model import Settings
from bot.teams.edge import open_edge
from bot.teams.files import ChatFiles, files_session
from bot.words import Words
from tests.e2e.chat_client import ChatClient

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
    """Shows on cards what it was sent."""

    messenger: Messenger
    files: ChatFiles
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    updated: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, place: Place, text: str) -> None:
        address = Address(place.tenant_id, place.conversation_id, place.kind, place.reference)
        await self.messenger.send(address, Message(card=card(text), summary=text))

    async def seen(self, place: Place) -> None:
        self.places[place.conversation_id] = place

    async def installed(self, place: Place, sender: Sender) -> None: ...

    async def message(self, message: IncomingMessage) -> None:
        for file in message.files:
            content = (await self.files.download(file)).decode()
            await self.say(message.place, f"{file.name} from {message.sender.name}: {content}")
        if not message.files:
            await self.say(message.place, f"heard {message.text!r}")

    async def action(self, action: CardAction) -> Answer:
        address = Address(
            action.place.tenant_id,
            action.place.conversation_id,
            action.place.kind,
            action.place.reference,
        )
        told = ", ".join(f"{name}={action.data[name]}" for name in sorted(action.data))
        after = card(f"{action.sender.name} {action.verb}: {told}")
        await self.messenger.update(address, action.activity_id, Message(card=after))
        return CardAnswer(after)

    async def consent(self, consent: FileConsent) -> None: ...

    async def signed_in(self, sender: Sender, place: Place, proof: Proof) -> Answer | None: ...

    async def fault(self, place: Place, reference: str) -> None: ...

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
        edge.route(chat, Words()).add_to(app)
        app.router.add_static("/files", Path(__file__).parent)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        yield Bot(str(server.make_url("")).rstrip("/"), chat)
        await server.close()


async def test_what_a_person_does(
    echo: Bot, browser: Browser, client_url: Callable[[str], Awaitable[str]]
) -> None:
    url = await client_url(echo.url)
    alex = await ChatClient.open(browser, url)

    await alex.send_text("one\ntwo")
    await alex.wait_for_card("heard 'one\\ntwo'")
    (place,) = echo.chat.places.values()
    assert (place.tenant_id, place.kind) == (TENANT, ConversationKind.PERSONAL)

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


async def test_two_people_in_a_channel(
    echo: Bot, browser: Browser, client_url: Callable[[str], Awaitable[str]]
) -> None:
    """A click of one is seen by the other, too, since the bot updates the card."""
    url = await client_url(echo.url)
    alex = await ChatClient.open(browser, url)
    await alex.go_to("Telephony - Approvals")
    megan = await ChatClient.open(browser, url, user="Megan Bowen")
    await megan.go_to("Telephony - Approvals")
    async with asyncio.timeout(10):
        while not (channel := echo.chat.places.get("19:approvals@thread.tacv2")):
            await asyncio.sleep(0.01)
    assert channel.kind is ConversationKind.CHANNEL

    await echo.chat.say(channel, "Approve?")
    await alex.wait_for_card("Approve?")
    await megan.click("Echo", await megan.wait_for_card("Approve?"))
    await alex.wait_for_card("Megan Bowen echo: ")
