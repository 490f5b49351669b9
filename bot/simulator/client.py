"""A simulated Teams client: users write in chats, drop files, and click buttons on posted cards.

It sends what Teams sends: the data of the button on the card's current version, plus its inputs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from bot.simulator.connector import Posted
from bot.simulator.scenario import Person
from bot.simulator.server import Simulator

Json = Mapping[str, Any]
TENANT = "11111111-2222-4333-8444-555555555555"
FILE = "application/vnd.microsoft.teams.file.download.info"
CONSENT = "application/vnd.microsoft.teams.card.file.consent"
_BOT = {"id": "28:offhook", "name": "Offhook"}


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation."""

    id: str
    #: `personal`, `groupChat` or `channel`.
    kind: str = "personal"


class NoSuchButtonError(LookupError):
    """The current version of the card has no such button."""


def elements(node: Any) -> Iterator[dict[str, Any]]:
    """Every object with a `type` in a card, including the card itself, in document order. What refreshes the
    card is no part of it."""
    if isinstance(node, dict):
        element = cast(dict[str, Any], node)
        if "type" in element:
            yield element
        for name, value in element.items():
            if name != "refresh":
                yield from elements(value)
    elif isinstance(node, list):
        for value in cast(list[Any], node):
            yield from elements(value)


def button(card: Json | None, verb: str, **having: Any) -> dict[str, Any]:
    """The `Action.Execute` with this verb and with `having` in its data.

    Raises `NoSuchButtonError` when there is none.
    """
    for node in elements(card):
        if node["type"] == "Action.Execute" and node.get("verb") == verb:
            data = node.get("data") or {}
            if all(data.get(name) == value for name, value in having.items()):
                return node
    raise NoSuchButtonError(verb)


def verbs(card: Json | None) -> list[str]:
    """The verbs of a card's buttons, in document order."""
    return [str(each.get("verb")) for each in elements(card) if each["type"] == "Action.Execute"]


def acknowledgment(card: Json | None) -> str:
    """What an approver enters: a tick, or the number of passwords, as the button names it."""
    typed = [each for each in elements(card) if each["type"] == "Input.Number"]
    if not any(each.get("id") == "acknowledge" for each in typed):
        return "true"
    return "".join(filter(str.isdigit, str(button(card, "approve")["title"])))


def texts(card: Json | None) -> str:
    """A card's text, one line per element."""
    return "\n".join(str(each["text"]) for each in elements(card) if "text" in each)


class TeamsClient:
    """A Teams client for every user. `url` is the bot's base URL.

    Methods that send an activity return the HTTP status and the body of the bot's response.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        simulator: Simulator,
        *,
        tenant_id: str = TENANT,
    ) -> None:
        self._session = session
        self._endpoint = f"{url}/api/messages"
        self._simulator = simulator
        self._tenant_id = tenant_id

    def activity(self, person: Person, chat: Chat, **more: Any) -> dict[str, Any]:
        """An activity from `person` in `chat`, with `more` fields."""
        channel_data: dict[str, Any] = {"tenant": {"id": self._tenant_id}}
        if chat.kind == "channel":
            channel = chat.id.split(";")[0]
            channel_data |= {"channel": {"id": channel}, "team": {"id": channel}}
        return {
            "id": uuid.uuid4().hex,
            "channelId": "msteams",
            "serviceUrl": self._simulator.connector_url,
            "from": {
                "id": f"29:{person.object_id}",
                "name": person.name,
                "aadObjectId": person.object_id,
            },
            "recipient": _BOT,
            "conversation": {
                "id": chat.id,
                "conversationType": chat.kind,
                "tenantId": self._tenant_id,
                "isGroup": chat.kind != "personal",
            },
            "channelData": channel_data,
            **more,
        }

    async def post(self, activity: Json) -> tuple[int, Any]:
        """Send an activity unchanged. The body is parsed if it is JSON, otherwise text."""
        async with self._session.post(self._endpoint, json=activity) as response:
            body = await response.text()
            is_json = response.content_type == "application/json" and body
            return response.status, await response.json() if is_json else body

    async def install(self, person: Person, chat: Chat) -> tuple[int, Any]:
        return await self.post(self.activity(person, chat, type="installationUpdate", action="add"))

    async def say(self, person: Person, chat: Chat, text: str) -> tuple[int, Any]:
        return await self.post(
            self.activity(person, chat, type="message", text=text, textFormat="plain")
        )

    async def drop(
        self, person: Person, chat: Chat, *files: tuple[str, str], text: str = ""
    ) -> tuple[int, Any]:
        """Drop files in a personal chat. Each file is (name, download URL)."""
        attachments = [
            {
                "contentType": FILE,
                "name": name,
                "contentUrl": link,
                "content": {
                    "downloadUrl": link,
                    "uniqueId": uuid.uuid4().hex,
                    "fileType": name.rpartition(".")[2],
                },
            }
            for name, link in files
        ]
        return await self.post(
            self.activity(person, chat, type="message", text=text, attachments=attachments)
        )

    async def click(
        self,
        person: Person,
        chat: Chat,
        posted: Posted,
        verb: str,
        inputs: Json | None = None,
        **having: Any,
    ) -> tuple[int, Any]:
        """Click the button with `verb`, and with `having` in its data, on the card's current version."""
        action = button(posted.card, verb, **having)
        data = {**(action.get("data") or {}), **(inputs or {})}
        return await self.act(person, chat, verb, data, posted.activity_id)

    async def act(
        self,
        person: Person,
        chat: Chat,
        verb: str,
        data: Json,
        activity_id: str = "",
        **proof: Any,
    ) -> tuple[int, Any]:
        """Send a card action with any data. `proof` holds the result of a sign-in."""
        action = {"type": "Action.Execute", "verb": verb, "data": data}
        return await self.post(
            self.activity(
                person,
                chat,
                type="invoke",
                name="adaptiveCard/action",
                value={"action": action, "trigger": "manual", **proof},
                replyToId=activity_id,
            )
        )

    async def answer_consent(
        self, person: Person, chat: Chat, posted: Posted, *, accept: bool, status: int = 201
    ) -> tuple[int, Any]:
        """Answer a file consent card. Returns the HTTP status and the upload's ID ("" if declined).

        `status` of 400 or more makes the upload itself fail.
        """
        attachment = next(
            each for each in attachments(posted) if each.get("contentType") == CONSENT
        )
        content = attachment["content"]
        value: dict[str, Any] = {
            "type": "fileUpload",
            "action": "accept" if accept else "decline",
            "context": content["acceptContext" if accept else "declineContext"],
        }
        upload_id = ""
        if accept:
            value["uploadInfo"] = self._simulator.files.accept(attachment["name"], status=status)
            upload_id = value["uploadInfo"]["uniqueId"]
        code, _ = await self.post(
            self.activity(
                person,
                chat,
                type="invoke",
                name="fileConsent/invoke",
                value=value,
                replyToId=posted.activity_id,
            )
        )
        return code, upload_id


def attachments(posted: Posted) -> Sequence[dict[str, Any]]:
    return cast(Sequence[dict[str, Any]], posted.activity.get("attachments") or [])


def has_attachment(posted: Posted, content_type: str) -> bool:
    return any(each.get("contentType") == content_type for each in attachments(posted))
