"""People who click: a requester and an approver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from bot.commands import approval, cancel, reconcile, retry
from bot.commands.context import Context, Rules, Turn
from bot.commands.inputs import Inputs
from bot.lifecycle import drafts as lifecycle
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.runner.projection import Projection
from bot.settings.values import Exports
from bot.signin.batch import BatchState
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import simple
from bot.signin.request import Person
from bot.store import batches, requests
from bot.store.batches import Batch
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.models.batches import BatchRow
from bot.store.requests import Request
from bot.words import Words
from tests.stateful.databases import ObservedDatabase
from tests.stateful.ledger import Ledger, LedgerGateway
from tests.stateful.oracles import Oracles
from tests.stateful.replica import Clock
from tests.support.jobs import ADMIN, APPROVER, CHAT, NOTIFY, TENANT, new_request

APPROVAL_TTL = 7200.0
WORDS = Words()
POLICY = simple([ADMIN.object_id, APPROVER.object_id], [APPROVER.object_id], four_eyes=True)
REFERENCE = ConversationReference(
    TENANT, CHAT, ConversationKind.PERSONAL, "https://smba.test", "28:bot", "Offhook"
)


class NoDirectory:
    async def profile(self, _object_id: str) -> None:
        return None


def commands(
    database: ObservedDatabase, ledger: Ledger, clock: Clock, projection: Projection
) -> Context:
    """The commands as the bot runs them, for people whose roles are known."""
    return Context(
        database,
        LedgerGateway(ledger, None),
        projection,
        NOTIFY,
        roles=cast(Any, NoDirectory()),  # resolved already: who acts is in the turn
        files=cast(Any, None),
        words=WORDS,
        rules=Rules(APPROVAL_TTL, Exports.CONSENT),
        clock=clock,
        changed=lambda: None,
        run_checks=cast(Any, None),
        link=cast(Any, None),
    )


@dataclass(eq=False)
class People:
    database: ObservedDatabase
    ledger: Ledger
    clock: Clock
    oracles: Oracles
    commands: Context
    _rows: int = 0

    async def draft(self, regions: list[Region], *, with_bad_row: bool) -> str:
        rows = [self._row(region, ready=True) for region in regions]
        if with_bad_row:
            rows.append(self._row(regions[0], ready=False))
        roster = Roster("phones.csv", rows, (), ())
        return await lifecycle.draft(self.database, NOTIFY, new_request(), roster, self.clock)

    def _row(self, region: Region, *, ready: bool) -> RosterRow:
        self._rows += 1
        return RosterRow(
            self._rows + 1,
            f"lobby{self._rows}@contoso.com",
            f"80-5E-C0-00-00-{self._rows:02X}",
            region,
            ready,
        )

    async def load(self, request_id: str) -> Request:
        async with self.database.read() as tx:
            request = await requests.load(tx, request_id)
        assert request is not None
        return request

    async def request_approval(self, request_id: str) -> None:
        request = await self.load(request_id)
        await approval.request_approval(self.commands, _turn(ADMIN), request, _inputs())

    async def approve(self, request_id: str) -> None:
        request = await self.load(request_id)
        inputs = _inputs(acknowledge=True, digest=request.digest)
        await approval.approve(self.commands, _turn(APPROVER), request, inputs)

    async def reject(self, request_id: str) -> None:
        await approval.reject(
            self.commands, _turn(APPROVER), await self.load(request_id), _inputs()
        )

    async def withdraw(self, request_id: str) -> None:
        await approval.withdraw(self.commands, _turn(ADMIN), await self.load(request_id), _inputs())

    async def cancel(self, request_id: str) -> None:
        await cancel.cancel(self.commands, _turn(ADMIN), await self.load(request_id), _inputs())

    async def retry(self, request_id: str) -> None:
        await retry.retry_failed(
            self.commands, _turn(ADMIN), await self.load(request_id), _inputs()
        )

    async def questions(self) -> list[Batch]:
        async with self.database.read() as tx:
            return await batches.select_where(tx, BatchRow.state == BatchState.NEEDS_PERSON.value)

    async def answer(self, question: Batch, answer: str, remote_batch_id: str = "") -> None:
        """An approver answers, as on the card."""
        ran = self.ledger.of((question.id, question.attempt))
        if answer == "not_run" and ran is not None:
            self.oracles.denied_wrongly.add((question.id, question.attempt))
        await reconcile.reconcile(
            self.commands,
            _turn(APPROVER),
            await self.load(question.request_id),
            _inputs(
                batch=question.id,
                attempt=question.attempt,
                answer=answer,
                batch_id=remote_batch_id,
            ),
        )

    async def answer_rightly(self, question: Batch) -> None:
        """As an approver does who looks at what the SIP Gateway has."""
        ran = self.ledger.of((question.id, question.attempt))
        if ran is None:
            await self.answer(question, "not_run")
            return
        async with self.database.read() as tx:
            taken = await batches.known_remote_batch_ids(tx, question.tenant_id)
        if ran.id not in taken:
            await self.answer(question, "ran", ran.id)
            return
        # Only after a wrong answer: the batch that ran was found for another attempt since.
        if not self.oracles.is_tainted(question.id):
            self.oracles.observer.fail(
                f"{ran.id} of batch {question.id} was taken for another batch"
            )
        await self.answer(question, "not_run")


def _turn(person: Person) -> Turn:
    return Turn(POLICY, Actor(person, TENANT), REFERENCE)


def _inputs(**data: object) -> Inputs:
    return Inputs(data)
