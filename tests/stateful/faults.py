"""Faults to plant in the real code, each with a story in which the oracles must notice it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import ColumnElement, update

from bot.gateway import ThrottledError
from bot.runner.submission import Submission
from bot.store.batches import Batch
from bot.store.models.batches import BatchRow
from bot.store.transitions import Rows
from tests.stateful import stories
from tests.stateful.replica import TIMING
from tests.stateful.world import World

_mark_unknown = Submission.mark_unknown


@dataclass(frozen=True, slots=True)
class Fault:
    plant: Callable[[pytest.MonkeyPatch], None]
    story: Callable[[World], Awaitable[None]]
    found: str  #: what an oracle says, a regular expression


def _no_attempt_fencing(patch: pytest.MonkeyPatch) -> None:
    def is_same_id(batch_id: int) -> tuple[ColumnElement[bool], ...]:
        return (BatchRow.id == batch_id,)

    def same_id(batch: Batch) -> Rows:
        return Rows(is_same_id, (batch.id,))

    patch.setattr("bot.store.leases.same_attempt", same_id)


def _resubmit_lapsed_intents(patch: pytest.MonkeyPatch) -> None:
    async def requeue(submission: Submission, batch: Batch, error: str) -> None:
        if error == "the submit's lease expired":
            await _throttled(submission, batch)
        else:
            await _mark_unknown(submission, batch, error)

    patch.setattr(Submission, "mark_unknown", requeue)


def _resubmit_lost_answers(patch: pytest.MonkeyPatch) -> None:
    async def requeue(submission: Submission, batch: Batch, error: str) -> None:
        if error == "the submit's lease expired":
            await _mark_unknown(submission, batch, error)
        else:
            await _throttled(submission, batch)

    patch.setattr(Submission, "mark_unknown", requeue)


def _no_mark(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        pass

    patch.setattr(Submission, "_mark_sending", nothing)


def _mark_whatever_happened(patch: pytest.MonkeyPatch) -> None:
    async def mark(submission: Submission, batch: Batch, _: datetime) -> None:
        async with submission._context.database.write() as tx:  # pyright: ignore[reportPrivateUsage]
            await tx.execute(
                update(BatchRow).where(BatchRow.id == batch.id).values(unsent_attempt=None)
            )

    patch.setattr(Submission, "_mark_sending", mark)


async def _throttled(submission: Submission, batch: Batch) -> None:
    error = ThrottledError("planted", retry_after=0)
    access = submission._context.gateways.for_submit(batch)  # pyright: ignore[reportPrivateUsage]
    assert access is not None
    await submission._not_run(batch, access, error)  # pyright: ignore[reportPrivateUsage]


def _match_any_phones(patch: pytest.MonkeyPatch) -> None:
    def always(*_: object) -> bool:
        return True

    patch.setattr("bot.runner.reconciliation.is_of", always)
    patch.setattr("bot.commands.reconcile.is_of", always)


def _cards_not_told(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object, **__: Any) -> None:
        pass

    patch.setattr("bot.store.requests.touch", nothing)


def _no_settle_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.stateful.replica.TIMING", replace(TIMING, settle_seconds=0.0))


FAULTS = {
    "attempt_fencing_removed": Fault(
        _no_attempt_fencing, stories.answer_of_an_older_attempt, "ran and becomes planned"
    ),
    "lapsed_intent_resubmitted": Fault(
        _resubmit_lapsed_intents, stories.crash_after_a_submit, "ran and becomes planned"
    ),
    "mark_left_out": Fault(_no_mark, stories.sign_in_of_two_phones, "recorded as unsent"),
    "mark_not_fenced": Fault(
        _mark_whatever_happened, stories.paused_before_the_mark, "batch that it does not hold"
    ),
    "lost_answer_resubmitted": Fault(
        _resubmit_lost_answers, stories.lost_answer, "ran and becomes planned"
    ),
    "any_phones_matched": Fault(_match_any_phones, stories.two_batches_in_doubt, "not its phones"),
    "cards_not_updated": Fault(
        _cards_not_told, stories.sign_in_of_two_phones, "changed at version"
    ),
    "settle_time_ignored": Fault(
        _no_settle_time, stories.list_behind_the_submit, "before it can be listed"
    ),
}
