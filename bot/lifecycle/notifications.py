"""What people are told, and where, when a request moves: posts for the outbox, in the same transaction
as the move, so that nothing is announced that did not happen and nothing that happened is kept quiet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.settings.model import REQUESTER_CHAT
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import Tally
from bot.store import posts, requests, snapshots
from bot.store.database import Transaction
from bot.store.posts import NewPost, Post
from bot.store.requests import Request
from bot.words import Words
from cards.types import CardKind


@dataclass(frozen=True, slots=True)
class Notifications:
    """`approvals` and `notifications` are channel ids, or `requester-chat`."""

    approvals: str
    notifications: str
    words: Words

    def _approvals(self, request: Request) -> str:
        return request.conversation_id if self.approvals == REQUESTER_CHAT else self.approvals

    def _name(self, person: Person) -> str:
        """Chat clients do not always say."""
        return person.name or self.words("somebody")

    async def _card(
        self, tx: Transaction, request: Request, kind: CardKind, place: str, now: datetime
    ) -> None:
        post = NewPost(request.tenant_id, place, kind=kind.value, request_id=request.id)
        await posts.add(tx, post, now)

    async def _say(
        self, tx: Transaction, request: Request, place: str, text: str, now: datetime
    ) -> None:
        post = NewPost(request.tenant_id, place, request_id=request.id, content={"text": text})
        await posts.add(tx, post, now)

    async def _tell_requester(
        self, tx: Transaction, request: Request, text: str, now: datetime
    ) -> None:
        await self._say(tx, request, request.conversation_id, text, now)

    async def _tell_channel(
        self, tx: Transaction, request: Request, text: str, now: datetime
    ) -> None:
        """Those who were not part of it. In the requester's chat the cards have said it already."""
        if self.notifications not in (REQUESTER_CHAT, request.conversation_id):
            await self._say(tx, request, self.notifications, text, now)

    async def drafted(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._card(tx, request, CardKind.VALIDATION, request.conversation_id, now)

    async def asked(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._card(tx, request, CardKind.APPROVAL, self._approvals(request), now)

    async def reminded(self, tx: Transaction, request: Request, now: datetime) -> None:
        hours = (
            max(1, round((request.expires_at - now).total_seconds() / 3600))
            if (request.expires_at)
            else 1
        )
        text = self.words(
            "notice-reminder",
            request=request.id,
            requester=self._name(request.requester),
            phones=request.ready_rows,
            hours=hours,
        )
        await self._say(tx, request, self._approvals(request), text, now)

    async def approved(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._card(tx, request, CardKind.PROGRESS, request.conversation_id, now)
        text = self.words(
            "notice-started",
            request=request.id,
            approver=self._name(request.decided_by),
            requester=self._name(request.requester),
            phones=request.ready_rows,
        )
        await self._tell_channel(tx, request, text, now)

    async def rejected(
        self, tx: Transaction, request: Request, comment: str, now: datetime
    ) -> None:
        message = "notice-rejected-why" if comment else "notice-rejected"
        text = self.words(
            message, request=request.id, approver=self._name(request.decided_by), comment=comment
        )
        await self._tell_requester(tx, request, text, now)

    async def expired(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._tell_requester(
            tx, request, self.words("notice-expired", request=request.id), now
        )

    async def sign_in_wanted(self, tx: Transaction, request: Request, now: datetime) -> None:
        """A new message, which rings the bell; its card has the button."""
        await self._card(tx, request, CardKind.PROGRESS, self._approvals(request), now)

    async def question(self, tx: Transaction, request: Request, batch: int, now: datetime) -> None:
        """Ask a person what became of a batch."""
        post = NewPost(
            request.tenant_id,
            self._approvals(request),
            kind=CardKind.RECONCILIATION.value,
            request_id=request.id,
            batch_id=batch,
        )
        await posts.add(tx, post, now)

    async def undeliverable(self, tx: Transaction, post: Post, now: datetime) -> None:
        """A card that waits for a decision reaches nobody: then whoever asked has to know."""
        waits_for = {
            CardKind.APPROVAL: RequestState.WAITING,
            CardKind.RECONCILIATION: RequestState.RUNNING,
        }
        state = waits_for.get(CardKind(post.kind)) if post.kind else None
        request = await requests.load(tx, post.request_id)
        if (
            request is None
            or request.state is not state
            or post.rate_limit_key == request.conversation_id
        ):
            return
        text = self.words("notice-undeliverable", request=request.id)
        await self._tell_requester(tx, request, text, now)

    async def stalled(self, tx: Transaction, request: Request, region: str, now: datetime) -> None:
        text = self.words("notice-stuck", request=request.id, region=region)
        await self._tell_requester(tx, request, text, now)

    async def end_if_over(
        self, tx: Transaction, request_id: str, now: datetime
    ) -> RequestState | None:
        """End a running request of which no batch is open any more, and tell it; None if one is."""
        after = await requests.finish(tx, request_id, now)
        request = await requests.load(tx, request_id)
        if after is not None and request is not None:
            await self._ended(tx, request, after, now)
        return after

    async def _ended(
        self, tx: Transaction, request: Request, after: RequestState, now: datetime
    ) -> None:
        """The end is a new message, since an update of a card rings no bell."""
        await self._card(tx, request, CardKind.RESULTS, request.conversation_id, now)
        tally = (await snapshots.tallies(tx, [request.id])).get(request.id, Tally())
        text = self.words(
            "notice-cancelled" if after is RequestState.CANCELLED else "notice-finished",
            request=request.id,
            requester=self._name(request.requester),
            total=tally.total,
            signed_in=tally.signed_in,
            failed=tally.failed,
            rest=tally.not_run + tally.unconfirmed,
        )
        await self._tell_channel(tx, request, text, now)
