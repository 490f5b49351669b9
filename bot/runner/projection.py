"""Projection: from a post to the message it should be now. Used to publish and to answer clicks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.mending.mend import TERMINAL_MEND_STATES
from bot.runner.messages import Attachment, Message
from bot.settings.values import REQUESTER_CHAT
from bot.signin.acknowledgment import TYPED_ABOVE
from bot.signin.policy.decision import Ruling
from bot.signin.policy.model import Policy, Rule, no_rules
from bot.signin.request import TERMINAL_REQUEST_STATES, Person, RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.signin.windows import CutShort
from bot.store import evidence, mend_snapshots, policy_facts, requests, snapshots
from bot.store.database import Transaction
from bot.store.posts import Post
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Panel, View, Viewer

log = structlog.get_logger()


#: Of which cards say where the approval stands.
_OF_APPROVAL = (CardKind.VALIDATION, CardKind.APPROVAL)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Projected:
    message: Message
    version: int  #: of the request that the message shows; 0 for a fixed message
    final: bool  #: the message will not change any more
    failed: bool = False  #: a text in place of a card that could not be drawn: to be tried again


@dataclass(frozen=True, slots=True)
class Projection:
    words: Words
    runs_as_approver: bool = False  #: sign-ins use the permissions of the approver
    approvals: str = REQUESTER_CHAT  #: where approval cards go: a channel id, or `requester-chat`
    mends: bool = True  #: whether accounts can be mended
    typed_above: int = TYPED_ABOVE  #: phones up to which an approver ticks a box, without more
    clock: Callable[[], datetime] = _utc_now
    policy: Callable[[], Policy] = no_rules  #: the one in force

    async def card(
        self, tx: Transaction, request_id: str, kind: CardKind, view: View
    ) -> Projected | None:
        """The card of a request as committed. Returns None if there is no such request (any more)."""
        snapshot = await snapshots.load(
            tx,
            request_id,
            page=view.page,
            only_failed=view.panel is Panel.FAILED,
            issues=view.panel in (Panel.NONE, Panel.ISSUES),
            now=self.clock(),
            phone_filter=view.phone_filter,
        )
        if snapshot is None:
            return None
        of_mend = None
        if view.mend_id:
            of_mend = await mend_snapshots.load(tx, request_id, view.mend_id, view.page)
        policy = self.policy()
        snapshot = replace(snapshot, four_eyes=policy.four_eyes)  # as it is decided, not drafted
        if of_mend is not None:
            of_mend = replace(of_mend, four_eyes=policy.four_eyes)
        standing = None
        if kind in _OF_APPROVAL and snapshot.state is not RequestState.DRAFT:
            standing = await policy_facts.standing(
                tx,
                policy,
                request_id,
                self.clock(),
                waiting=snapshot.state is RequestState.WAITING,
            )
        is_draft = kind is CardKind.VALIDATION and snapshot.state is RequestState.DRAFT
        rendered = render(
            kind,
            snapshot,
            view,
            self.words,
            tenant_id=snapshot.tenant_id,
            runs_as_approver=self.runs_as_approver,
            of_mend=of_mend,
            standing=standing,
            offer=await mend_snapshots.offer(tx, request_id) if is_draft and self.mends else None,
            typed_above=self.typed_above,
            break_glass=_break_glass(policy, snapshot.requester, view.viewer),
            cut_short=await self._cut_short(tx, policy, kind, snapshot),
            ticket_rule=await _rule_of_ticket(tx, policy, request_id) if is_draft else None,
        )
        # A mend goes on, and can be undone, after its request has ended.
        final = snapshot.state in TERMINAL_REQUEST_STATES
        if kind is CardKind.REVIEW:
            final = snapshot.review is None or snapshot.review.reviewed_at is not None
        if of_mend is not None:
            final = of_mend.state in TERMINAL_MEND_STATES
        return Projected(
            Message(card=rendered.card, summary=rendered.summary), snapshot.version, final
        )

    async def _cut_short(
        self, tx: Transaction, policy: Policy, kind: CardKind, snapshot: RequestSnapshot
    ) -> CutShort | None:
        """For those who choose a start, and those who approve it."""
        waits = kind is CardKind.APPROVAL and snapshot.state is RequestState.WAITING
        drafts = kind is CardKind.VALIDATION and snapshot.state is RequestState.DRAFT
        if not policy.timed or not (waits or (drafts and snapshot.run_at)):
            return None
        request = await requests.load(tx, snapshot.id)
        if request is None:
            return None
        at = snapshot.run_at or self.clock()
        known = snapshot.evidence.expected_seconds
        seconds = known if waits else await evidence.expected_length(tx, request)
        return await policy_facts.cut_short(tx, policy, request, at, seconds)

    async def post(self, tx: Transaction, post: Post) -> Projected | None:
        """The message of a post as committed. Returns None if its request is gone."""
        if not post.kind:
            return Projected(_fixed(post), 0, final=True)
        view = View(
            panel=Panel(post.panel),
            page=post.page,
            batch_id=post.batch_id,
            mend_id=post.mend_id,
            # The approval cards of all requests are there.
            for_approvers=post.rate_limit_key == self.approvals,
            for_requester=await self._for_requester(tx, post),
            limited=bool(self.policy().views),
        )
        try:
            return await self.card(tx, post.request_id, CardKind(post.kind), view)
        except SQLAlchemyError:
            raise
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("card.failed", post=post.id, request=post.request_id, reference=reference)
            return await self._fallback(tx, post, reference)

    async def _for_requester(self, tx: Transaction, post: Post) -> bool:
        """Whether a card is where its request was made, while approvers have one of their own elsewhere."""
        if post.kind != CardKind.PROGRESS.value or self.approvals == REQUESTER_CHAT:
            return False
        request = await requests.load(tx, post.request_id)
        return request is not None and request.conversation_id == post.conversation_id

    async def _fallback(self, tx: Transaction, post: Post, reference: str) -> Projected | None:
        """A card that cannot be drawn becomes a short text: it must not hold up its conversation."""
        request = await requests.load(tx, post.request_id)
        if request is None:
            return None
        text = self.words("card-failed", request=request.id, reference=reference)
        return Projected(Message(text=text), 0, final=False, failed=True)


async def _rule_of_ticket(tx: Transaction, policy: Policy, request_id: str) -> Rule | None:
    request = await requests.load(tx, request_id) if policy.rules else None
    return None if request is None else await policy_facts.rule_of_ticket(tx, policy, request)


def _break_glass(policy: Policy, requester: Person, viewer: Viewer | None) -> Ruling:
    """Whether the card has it: for those who are named, and for members of groups, who are asked for only
    when they look at it."""
    if policy.breaks_glass(requester.object_id):
        return Ruling.YES
    if viewer is not None:
        return Ruling.YES if viewer.breaks_glass else Ruling.NO
    return Ruling.CANNOT_TELL if policy.break_glass else Ruling.NO


def _fixed(post: Post) -> Message:
    content = post.content
    attachment = content.get("attachment")
    return Message(
        text=content.get("text", ""),
        card=content.get("card"),
        summary=content.get("summary", ""),
        attachment=None if attachment is None else Attachment(**attachment),
    )
