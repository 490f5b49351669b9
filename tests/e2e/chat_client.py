"""A page object for the local chat client: what a person does and sees there.

Selectors and routes are those of m365agentsplayground 0.2.28. Methods wait for elements to appear,
never for a fixed time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.support.waiting import PATIENCE

PERSONAL = "Personal Chat"
FILE = "application/vnd.microsoft.teams.file.download.info"

_CARD = ".ac-preview-panel > .ac-adaptiveCard"  # without the panel, nested cards match too


@dataclass(frozen=True)
class User:
    """A user in the client's configuration."""

    id: str
    name: str
    object_id: str


class ChatClient:
    """One browser page, in which one user chats. A new page does not show earlier messages."""

    def __init__(self, page: Page, url: str, config: dict[str, Any]) -> None:
        self.page = page
        self.url = url
        self._config = config

    @classmethod
    async def open(cls, browser: Browser, url: str, *, user: str | None = None) -> ChatClient:
        """Opens the client as its configured user, or as the one named `user`."""
        page = await browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE * 1000)
        response = await page.request.get(f"{url}/_internal/v1/config")
        content = cast(dict[str, Any], await response.json())
        if user is not None:
            content = {**content, "config": _as_user(content["config"], user)}

            async def config(route: Route) -> None:
                await route.fulfill(json=content)

            await page.route("**/_internal/v1/config", config)
        client = cls(page, url, content["config"])
        await page.goto(url, wait_until="domcontentloaded")
        await client._composer.wait_for()
        return client

    @property
    def me(self) -> User:
        return _user(self._config["currentUser"])

    def user(self, name: str) -> User:
        return _user(next(user for user in self._config["users"] if user["name"] == name))

    @property
    def _composer(self) -> Locator:
        return self.page.locator("[contenteditable=true][role=textbox]").first

    async def go_to(self, conversation: str) -> None:
        """Opens a chat or channel by its name in the list, such as `Telephony - Approvals`."""
        await self.page.get_by_role("treeitem", name=conversation).click()
        await self._composer.wait_for()

    async def send_text(self, text: str) -> None:
        """Sends `text` as one message, even if it has several lines."""
        await self._composer.click()
        await self.page.keyboard.insert_text(text)
        await self.page.keyboard.press("Enter")

    async def inject_file(
        self, name: str, url: str, *, sender: User | None = None, conversation: str = ""
    ) -> None:
        """Shares a file in a conversation (by id; default: the 1:1 chat).

        The client has no button for this and does not show the message.
        """
        conversation_id = conversation or self._config["personalChat"]["id"]
        route = f"{self.url}/_internal/v1/customActivities"
        response = await self.page.request.get(
            f"{route}/template", params={"conversationId": conversation_id}
        )
        user = sender or self.me
        activity: dict[str, Any] = {
            **cast(dict[str, Any], await response.json()),
            "type": "message",
            "text": "",
            "from": {"id": user.id, "name": user.name, "aadObjectId": user.object_id},
            "channelData": {"tenant": {"id": self._config["tenantId"]}},
            "attachments": [
                {
                    "contentType": FILE,
                    "name": name,
                    "contentUrl": url,
                    "content": {
                        "downloadUrl": url,
                        "uniqueId": name,
                        "fileType": name.rpartition(".")[2],
                    },
                }
            ],
        }
        response = await self.page.request.post(route, data=json.dumps(activity), headers=_JSON)
        assert response.ok, await response.text()

    @property
    def cards(self) -> Locator:
        return self.page.locator(_CARD)

    def card(self, text: str) -> Locator:
        """The newest card that contains `text`."""
        return self.cards.filter(has_text=text).last

    async def wait_for_card(self, text: str) -> Locator:
        card = self.card(text)
        await card.wait_for()
        return card

    async def wait_for_text(self, text: str) -> None:
        await expect(self.page.locator("body")).to_contain_text(text)

    async def text(self) -> str:
        return await self.page.locator("body").inner_text()

    async def click(self, button: str, card: Locator | None = None) -> None:
        """Clicks the action titled `button` on a card (default: the newest)."""
        await (card or self.cards.last).get_by_role("button", name=button, exact=True).click()

    async def fill(self, label: str, value: str, card: Locator | None = None) -> None:
        await (card or self.cards.last).get_by_label(label).fill(value)

    async def tick(self, label: str, card: Locator | None = None) -> None:
        await (card or self.cards.last).get_by_role("checkbox", name=label).click(force=True)

    async def choose(self, label: str, option: str, card: Locator | None = None) -> None:
        """Selects an option of a choice set, whether rendered as radio buttons or as a list."""
        scope = card or self.cards.last
        radio = scope.get_by_role("radio", name=option)
        if await radio.count():
            await radio.click(force=True)
            return
        await scope.get_by_role("combobox", name=label).click()
        await self.page.get_by_role("option", name=option).click()

    async def link(self, title: str, card: Locator | None = None) -> str:
        """The URL that an action opens."""
        link = (card or self.cards.last).get_by_role("link", name=title)
        return await link.get_attribute("href") or ""


_JSON = {"Content-Type": "application/json"}


def _user(entry: dict[str, str]) -> User:
    return User(entry["id"], entry["name"], entry["aadObjectId"])


def _as_user(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the configuration with the current user and the one named `name` swapped."""
    current = config["currentUser"]
    other = next(user for user in config["users"] if user["name"] == name)
    swapped_ids = {current["id"]: other["id"], other["id"]: current["id"]}

    def with_members_swapped(chat: dict[str, Any]) -> dict[str, Any]:
        return {**chat, "members": [swapped_ids.get(each, each) for each in chat["members"]]}

    return {
        **config,
        "currentUser": other,
        "users": [current if user is other else user for user in config["users"]],
        "groupChats": [with_members_swapped(chat) for chat in config["groupChats"]],
        "teams": [with_members_swapped(chat) for chat in config["teams"]],
    }
