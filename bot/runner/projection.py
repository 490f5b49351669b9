"""From a post to the message that it should be now. Used by the publisher, and for answers to clicks."""

from __future__ import annotations

from dataclasses import dataclass

from bot.runner.messenger import Attachment, Message
from bot.signin.request import TERMINAL_REQUEST_STATES
from bot.store import snapshots
from bot.store.database import Transaction
from bot.store.posts import Post
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Panel, View


@dataclass(frozen=True, slots=True)
class Projected:
    """`version` is the request's version that the message shows; `final`: it will not change again."""

    message: Message
    version: int
    final: bool


@dataclass(frozen=True, slots=True)
class Projection:
    """`home_tenant` goes into provisioning URLs; empty: the request's own tenant."""

    words: Words
    home_tenant: str

    async def card(
        self, tx: Transaction, request_id: str, kind: CardKind, view: View
    ) -> Projected | None:
        """The card of a request as committed; None if the request is not there (any more)."""
        snapshot = await snapshots.load(
            tx,
            request_id,
            page=view.page,
            only_failed=view.panel is Panel.FAILED,
            issues=view.panel in (Panel.NONE, Panel.ISSUES),
        )
        if snapshot is None:
            return None
        rendered = render(
            kind, snapshot, view, self.words, home_tenant=self.home_tenant or snapshot.tenant_id
        )
        return Projected(
            Message(card=rendered.card, summary=rendered.summary),
            snapshot.version,
            snapshot.state in TERMINAL_REQUEST_STATES,
        )

    async def post(self, tx: Transaction, post: Post) -> Projected | None:
        if not post.kind:
            return Projected(_fixed(post), 0, final=True)
        view = View(panel=Panel(post.panel), page=post.page, batch=post.batch_id)
        return await self.card(tx, post.request_id, CardKind(post.kind), view)


def _fixed(post: Post) -> Message:
    content = post.content
    attachment = content.get("attachment")
    return Message(
        text=content.get("text", ""),
        card=content.get("card"),
        summary=content.get("summary", ""),
        attachment=None if attachment is None else Attachment(**attachment),
    )
