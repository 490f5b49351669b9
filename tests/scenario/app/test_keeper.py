"""What reaches the chats, and how often: the keeper through the whole service."""

from __future__ import annotations

import asyncio

from bot.simulator.client import Chat
from tests.support.office import ALEX, Office, content


async def test_every_message_is_sent_once_and_in_order(office: Office) -> None:
    chats = [Chat(f"a:chat-{n}") for n in range(4)]

    async def talk(chat: Chat) -> None:
        for number in range(25):
            await office.say(f"status {number:08}", chat=chat)

    await asyncio.gather(*map(talk, chats))
    for chat in chats:
        said = [content(each) for each in await office.heard(chat)]
        expected = [f'I cannot find a request "{number:08}".' for number in range(25)]
        assert [text.partition(" Send")[0] for text in said] == expected
