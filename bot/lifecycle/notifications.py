"""Who is told what, and where, when something changes: posts for the outbox, in the transaction of the
change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bot.mending.mend import OPEN_MEND_STATES
from bot.phones.region import Region
from bot.settings.values import REQUESTER_CHAT
from bot.signin import period
from bot.signin.policy.decision import Wanted
from bot.signin.request import Person, RequestState
from bot.signin.schedule import start_text
from bot.signin.snapshot import Tally
from bot.store import conversations, mends, posts, requests, reviews
from bot.store.database import Transaction
from bot.store.mends import Mend
from bot.store.posts import NewPost, Post
from bot.store.requests import Request
from bot.store.stand_ins import StandIn
from bot.words import Words
from cards.types import CardKind
from cards.votes import wanted_text

#: In which state of its request a card of this kind asks approvers for something.
_ASKS_IN = {
    CardKind.APPROVAL: RequestState.WAITING,
    CardKind.PROGRESS: RequestState.RUNNING,  # among the approvals: for a delegation
    CardKind.RECONCILIATION: RequestState.RUNNING,
}


async def _asks(tx: Transaction, post: Post, request: Request) -> bool:
    """Whether the card asks approvers for something, as its request or mend stands."""
    if not post.kind:
        return False
    if post.mend_id:
        mend = await mends.load(tx, post.mend_id)
        return (
            mend is not None
            and CardKind(post.kind) is CardKind.MEND_APPROVAL
            and mend.state in OPEN_MEND_STATES
        )
    if CardKind(post.kind) is CardKind.REVIEW:
        review = await reviews.load(tx, request.id)
        return review is not None and review.reviewed_at is None
    return request.state is _ASKS_IN.get(CardKind(post.kind))


@dataclass(frozen=True, slots=True)
class Notifications:
    approvals: str  #: where approval cards go: a channel id, or `requester-chat`
    notifications: str  #: where notifications go: a channel id, or `requester-chat`
    words: Words
    zone: tzinfo = UTC  #: of the approvers

    async def drafted(
        self,
        tx: Transaction,
        tenant_id: str,
        conversation_id: str,
        request_id: str,
        now: datetime,
    ) -> None:
        post = NewPost(
            tenant_id, conversation_id, kind=CardKind.VALIDATION.value, request_id=request_id
        )
        await posts.add(tx, post, now)

    async def approval_requested(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._post_card(tx, request, CardKind.APPROVAL, self._approvals_of(request), now)

    async def reason_wanted(self, tx: Transaction, request: Request, now: datetime) -> None:
        text = self.words("notification-reason-wanted", request=request.id)
        await self._tell_requester(tx, request, text, now)

    async def reminded(self, tx: Transaction, request: Request, now: datetime) -> None:
        left = (request.expires_at - now).total_seconds() if request.expires_at else 0
        text = self.words(
            "notification-reminder",
            request=request.id,
            requester=self._name(request.requester),
            phones=request.ready_rows,
            hours=max(1, round(left / 3600)),
        )
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def voted(
        self,
        tx: Transaction,
        request: Request,
        voter: Person,
        wanted: Sequence[Wanted],
        now: datetime,
    ) -> None:
        """A new message, since updating a card notifies nobody, and others have to approve, too."""
        text = self.words(
            "notification-voted",
            request=request.id,
            person=self._name(voter),
            wanted=wanted_text(self.words, wanted),
        )
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def votes_void(
        self, tx: Transaction, request: Request, voters: Sequence[Person], now: datetime
    ) -> None:
        people = ", ".join(map(self._name, voters))
        text = self.words("notification-votes-void", request=request.id, people=people)
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def nudged(self, tx: Transaction, request: Request, now: datetime) -> None:
        text = self.words(
            "notification-nudge",
            request=request.id,
            requester=self._name(request.requester),
            phones=request.ready_rows,
        )
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def escalated(self, tx: Transaction, request: Request, now: datetime) -> None:
        text = self.words(
            "notification-escalated",
            request=request.id,
            requester=self._name(request.requester),
            phones=request.ready_rows,
        )
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def break_glass_used(
        self,
        tx: Transaction,
        request: Request,
        actor: Person,
        *,
        reason: str,
        ticket: str,
        now: datetime,
    ) -> None:
        """To everybody who could have approved it, and to those who follow; with the card of its review."""
        text = self.words(
            "notification-break-glass",
            request=request.id,
            person=self._name(actor),
            accounts=request.accounts,
            reason=reason,
            ticket=ticket,
        )
        places = {self._approvals_of(request), request.conversation_id}
        if self.notifications != REQUESTER_CHAT:
            places.add(self.notifications)
        for conversation_id in sorted(places):
            await self._post_text(tx, request, conversation_id, text, now)
        await self._post_card(tx, request, CardKind.REVIEW, self._approvals_of(request), now)

    async def review_open(self, tx: Transaction, request: Request, now: datetime) -> None:
        text = self.words(
            "notification-review-open",
            request=request.id,
            person=self._name(request.approver),
        )
        await self._post_text(tx, request, self._approvals_of(request), text, now)

    async def stand_in_named(self, tx: Transaction, stand_in: StandIn, now: datetime) -> None:
        await self._tell_approvers(tx, stand_in, "notification-stand-in", now)

    async def stand_in_ended(self, tx: Transaction, stand_in: StandIn, now: datetime) -> None:
        await self._tell_approvers(tx, stand_in, "notification-stand-in-ended", now)

    async def _tell_approvers(
        self, tx: Transaction, stand_in: StandIn, message: str, now: datetime
    ) -> None:
        """Where the approval cards of all requests are; nowhere if each is in its requester's chat."""
        if self.approvals == REQUESTER_CHAT:
            return
        text = self.words(
            message,
            person=self._name(stand_in.person),
            approver=self._name(stand_in.approver),
            until=period.told(stand_in.until, self.zone),
        )
        post = NewPost(stand_in.tenant_id, self.approvals, content={"text": text})
        await posts.add(tx, post, now)

    async def approved(self, tx: Transaction, request: Request, now: datetime) -> None:
        await self._post_card(tx, request, CardKind.PROGRESS, request.conversation_id, now)

    async def held(self, tx: Transaction, request: Request, accounts: int, now: datetime) -> None:
        """New messages, since updating a card notifies nobody: to approvers a card with the buttons, to
        the requester a text, unless the card is in their chat. `accounts`: how many hold it."""
        text = self.words("notification-held", request=request.id, accounts=accounts)
        await self._ask_approvers(tx, request, text, now)

    async def missed(self, tx: Transaction, request: Request, now: datetime) -> None:
        """The same for a request that did not start at its time."""
        text = self.words("notification-missed", request=request.id)
        await self._ask_approvers(tx, request, text, now)

    async def paused(
        self, tx: Transaction, request: Request, opens_at: datetime | None, now: datetime
    ) -> None:
        """To the requester, since updating a card notifies nobody."""
        opens = start_text(opens_at, request.run_zone or "UTC")
        text = self.words(
            "notification-paused", request=request.id, opens=opens, known=int(bool(opens))
        )
        await self._tell_requester(tx, request, text, now)

    async def _ask_approvers(
        self, tx: Transaction, request: Request, text: str, now: datetime
    ) -> None:
        approvals = self._approvals_of(request)
        await self._post_card(tx, request, CardKind.PROGRESS, approvals, now)
        if approvals != request.conversation_id:
            await self._tell_requester(tx, request, text, now)

    async def scheduled(
        self, tx: Transaction, request: Request, approver: Person, now: datetime
    ) -> None:
        text = self.words(
            "notification-scheduled",
            request=request.id,
            approver=self._name(approver),
            requester=self._name(request.requester),
            phones=request.ready_rows,
            start=start_text(request.run_at, request.run_zone),
        )
        await self._tell_channel(tx, request, text, now)

    async def withdrawn(self, tx: Transaction, request: Request, now: datetime) -> None:
        """Of a request that was approved: those who heard of that hear of this."""
        text = self.words(
            "notification-withdrawn",
            request=request.id,
            requester=self._name(request.requester),
        )
        await self._tell_channel(tx, request, text, now)

    async def started(
        self,
        tx: Transaction,
        request: Request,
        approver: Person | None,
        phones: int,
        now: datetime,
    ) -> None:
        text = self.words(
            "notification-started",
            request=request.id,
            approver=self._name(approver),
            requester=self._name(request.requester),
            phones=phones,
        )
        await self._tell_channel(tx, request, text, now)

    async def rejected(
        self, tx: Transaction, request: Request, approver: Person, comment: str, now: datetime
    ) -> None:
        message = "notification-rejected-with-comment" if comment else "notification-rejected"
        text = self.words(
            message, request=request.id, approver=self._name(approver), comment=comment
        )
        await self._tell_requester(tx, request, text, now)

    async def expired(self, tx: Transaction, request: Request, now: datetime) -> None:
        text = self.words("notification-expired", request=request.id)
        await self._tell_requester(tx, request, text, now)

    async def delegation_wanted(self, tx: Transaction, request: Request, now: datetime) -> None:
        """A new message, since updating a card notifies nobody; its card has the button."""
        await self._post_card(tx, request, CardKind.PROGRESS, self._approvals_of(request), now)

    async def reconciliation_asked(
        self, tx: Transaction, request: Request, batch_id: int, now: datetime
    ) -> None:
        await self._post_card(
            tx,
            request,
            CardKind.RECONCILIATION,
            self._approvals_of(request),
            now,
            batch_id=batch_id,
        )

    async def nothing_to_retry(
        self, tx: Transaction, request: Request, conversation_id: str, now: datetime
    ) -> None:
        """To whoever asked for the retry, where they asked."""
        text = self.words("retry-nothing", request=request.id)
        await self._post_text(tx, request, conversation_id, text, now)

    async def stalled(
        self, tx: Transaction, request: Request, region: Region, now: datetime
    ) -> None:
        text = self.words("notification-stalled", request=request.id, region=region.value)
        await self._tell_requester(tx, request, text, now)

    async def ran_after_all(
        self,
        tx: Transaction,
        request: Request,
        region: Region,
        phones: int,
        remote_batch_id: str,
        now: datetime,
        *,
        sent_again: bool,
    ) -> None:
        """To the approvers, one of whom said that it did not run, and to the requester."""
        text = self.words(
            "notification-ran-after-all",
            request=request.id,
            region=region.value,
            phones=phones,
            batch=remote_batch_id,
            again=int(sent_again),
        )
        for conversation_id in {self._approvals_of(request), request.conversation_id}:
            await self._post_text(tx, request, conversation_id, text, now)

    async def ended(
        self,
        tx: Transaction,
        request: Request,
        state: RequestState,
        tally: Tally,
        now: datetime,
    ) -> None:
        """A new message, since updating a card notifies nobody."""
        await self._post_card(tx, request, CardKind.RESULTS, request.conversation_id, now)
        cancelled = state is RequestState.CANCELLED
        text = self.words(
            "notification-cancelled" if cancelled else "notification-finished",
            request=request.id,
            requester=self._name(request.requester),
            total=tally.total,
            signed_in=tally.signed_in,
            failed=tally.failed,
            rest=tally.not_run + tally.unconfirmed,
        )
        await self._tell_channel(tx, request, text, now)

    async def mend_drafted(
        self, tx: Transaction, request: Request, mend: Mend, now: datetime
    ) -> None:
        await self._post_card(
            tx, request, CardKind.MEND, mend.conversation_id, now, mend_id=mend.id
        )

    async def mend_asks_approvers(
        self, tx: Transaction, request: Request, mend: Mend, now: datetime
    ) -> None:
        """For a decision, or for an approver's access: a new message, since an update notifies nobody."""
        await self._post_card(
            tx,
            request,
            CardKind.MEND_APPROVAL,
            self._approvals_of(request),
            now,
            mend_id=mend.id,
        )

    async def mend_ended(
        self,
        tx: Transaction,
        request: Request,
        mend: Mend,
        message: str,
        now: datetime,
        **arguments: str | int,
    ) -> None:
        """Tell the mend's requester how it ended; `message` is its ID in the catalog."""
        text = self.words(message, request=request.id, **arguments)
        await self._post_text(tx, request, mend.conversation_id, text, now)

    async def audit_anchor(
        self, tx: Transaction, channel: str, seq: int, hash_: str, now: datetime
    ) -> bool:
        """Post an anchor of the audit. Returns False if Offhook is not in the channel."""
        text = self.words("notification-audit-anchor", anchor=f"{seq}:{hash_}")
        return await self._tell_operators(tx, channel, text, now)

    async def audit_broken(self, tx: Transaction, seq: int, now: datetime) -> bool:
        """Returns False if there is no channel for notifications, or Offhook is not in it."""
        if self.notifications == REQUESTER_CHAT:
            return False
        text = self.words("notification-audit-broken", seq=seq)
        return await self._tell_operators(tx, self.notifications, text, now)

    async def _tell_operators(
        self, tx: Transaction, channel: str, text: str, now: datetime
    ) -> bool:
        """What is about no request goes to a channel, if Offhook is in it."""
        tenant_id = await conversations.tenant_of(tx, channel)
        if tenant_id is None:
            return False
        await posts.add(tx, NewPost(tenant_id, channel, content={"text": text}), now)
        return True

    async def dead_letter(self, tx: Transaction, post: Post, now: datetime) -> None:
        """Give up a post that cannot be delivered. If it was a card that asks approvers for something,
        the requester is told that it reaches nobody."""
        if not await posts.give_up(tx, post):
            return
        request = await requests.load(tx, post.request_id)
        if (
            request is None
            or not await _asks(tx, post, request)
            or post.rate_limit_key == request.conversation_id
            or post.rate_limit_key != self._approvals_of(request)
        ):
            return
        text = self.words("notification-undeliverable", request=request.id)
        await self._tell_requester(tx, request, text, now)

    def _approvals_of(self, request: Request) -> str:
        return request.conversation_id if self.approvals == REQUESTER_CHAT else self.approvals

    def _name(self, person: Person | None) -> str:
        """Chat clients do not always send a name."""
        return (person.name if person else "") or self.words("someone")

    async def _post_card(
        self,
        tx: Transaction,
        request: Request,
        kind: CardKind,
        conversation_id: str,
        now: datetime,
        *,
        batch_id: int = 0,
        mend_id: int = 0,
    ) -> None:
        post = NewPost(
            request.tenant_id,
            conversation_id,
            kind=kind.value,
            request_id=request.id,
            batch_id=batch_id,
            mend_id=mend_id,
        )
        await posts.add(tx, post, now)

    async def _post_text(
        self, tx: Transaction, request: Request, conversation_id: str, text: str, now: datetime
    ) -> None:
        post = NewPost(
            request.tenant_id, conversation_id, request_id=request.id, content={"text": text}
        )
        await posts.add(tx, post, now)

    async def _tell_requester(
        self, tx: Transaction, request: Request, text: str, now: datetime
    ) -> None:
        await self._post_text(tx, request, request.conversation_id, text, now)

    async def _tell_channel(
        self, tx: Transaction, request: Request, text: str, now: datetime
    ) -> None:
        """Tell those who were not part of it. In the requester's chat the cards have said it already."""
        if self.notifications not in (REQUESTER_CHAT, request.conversation_id):
            await self._post_text(tx, request, self.notifications, text, now)
