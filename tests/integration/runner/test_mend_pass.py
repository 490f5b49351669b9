"""Passes over a mend's changes when Teams refuses what it may have written before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.gateway import AccessDeniedError, ChangeRefusedError, GatewayError, UnavailableError
from bot.gateway.administration import Assigned
from bot.mending.change import GRANTS, ChangeState
from bot.preflight.facts import POLICY_NAME, PolicyType
from bot.runner.mend_pass import MendPass
from bot.store import mend_snapshots, mends
from bot.store.database import Database
from bot.store.mends import Mend
from tests.integration.lifecycle.test_mends import OWNER, approve, load, settle, waiting
from tests.support.jobs import utc_now

OURS: Mapping[str, object] = {"signinmode": "CommonAreaPhoneSignIn"}
OTHER: Mapping[str, object] = {"signinmode": "UserSignIn"}
REFUSED = ChangeRefusedError("another assignment is in progress")


class Teams:
    """Has our policy; each read of an account and each grant raises what it is told to."""

    def __init__(self) -> None:
        self.policy = OURS
        self.reads: list[GatewayError] = []
        self.grants: list[GatewayError] = []
        self.assigns: str | None = None  #: to every account
        self.granted = 0

    async def instances(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        del kind
        return {POLICY_NAME.casefold(): self.policy}

    async def assigned(self, account: str) -> Assigned:
        if self.reads:
            raise self.reads.pop(0)
        return Assigned(account, dict.fromkeys(PolicyType, self.assigns))

    async def grant(self, account: str, policy: PolicyType, name: str | None) -> None:
        del account, policy, name
        self.granted += 1
        if self.grants:
            raise self.grants.pop(0)

    async def create(self, policy: PolicyType, name: str) -> None:
        del policy, name

    async def switch(self, value: str) -> None:
        del value


async def approved(database: Database, phones: int = 1) -> Mend:
    mend = await waiting(database, phones)
    assert await approve(database, mend)
    return await load(database, mend.id)


async def run(database: Database, mend: Mend, teams: Teams) -> list[ChangeState]:
    """Make a pass; returns the states of the grants."""
    one = MendPass(database, teams, mend, OWNER, utc_now, timedelta(hours=1), lambda: None)
    await one.run()
    async with database.read() as tx:
        return [each.state for each in await mends.changes(tx, mend.id) if each.kind in GRANTS]


async def interrupted(database: Database, teams: Teams, phones: int = 1) -> Mend:
    """A mend whose grants got no answer."""
    mend = await approved(database, phones)
    teams.grants = [UnavailableError("answer lost") for _ in range(phones)]
    assert await run(database, mend, teams) == [ChangeState.INTENT] * phones
    return mend


async def test_grant_refused_at_once_has_failed(database: Database) -> None:
    teams = Teams()
    teams.grants = [REFUSED]
    assert await run(database, await approved(database), teams) == [ChangeState.FAILED]


@pytest.mark.parametrize("call", ["grants", "reads"])
async def test_grant_refused_after_a_lost_answer_can_be_undone(
    database: Database, call: str
) -> None:
    teams = Teams()
    mend = await interrupted(database, teams)
    setattr(teams, call, [REFUSED])
    assert await run(database, mend, teams) == [ChangeState.UNSHOWN]


async def test_pass_goes_on_after_accounts_without_an_answer(database: Database) -> None:
    teams = Teams()
    mend = await approved(database, phones=9)
    teams.reads = [UnavailableError("no answer")] * 2
    states = await run(database, mend, teams)
    assert sorted(states) == [ChangeState.APPLIED] * 7 + [ChangeState.PLANNED] * 2


async def test_pass_ends_when_nothing_is_answered(database: Database) -> None:
    teams = Teams()
    mend = await approved(database, phones=9)
    teams.grants = [UnavailableError("no answer")] * 9
    await run(database, mend, teams)
    assert 3 <= teams.granted < 9


async def test_account_that_somebody_changed_after_a_lost_answer_is_not_overwritten(
    database: Database,
) -> None:
    teams = Teams()
    mend = await interrupted(database, teams)
    teams.assigns, granted = "Lobby2", teams.granted

    assert await run(database, mend, teams) == [ChangeState.UNSHOWN]

    assert teams.granted == granted
    async with database.read() as tx:
        snapshot = await mend_snapshots.load(tx, mend.request_id, mend.id, 1)
    assert snapshot is not None
    assert (snapshot.lines.items[0].error, snapshot.lines.items[0].detail) == (
        "changed-meanwhile",
        "Lobby2",
    )


async def test_grant_denied_after_a_lost_answer_can_be_undone(database: Database) -> None:
    teams = Teams()
    mend = await interrupted(database, teams, phones=2)
    # The other account's grant is accepted, so the denial is about this account.
    teams.grants = [AccessDeniedError("not this account")]
    assert sorted(await run(database, mend, teams)) == [ChangeState.APPLIED, ChangeState.UNSHOWN]


async def test_grant_with_a_lost_answer_can_be_undone_when_a_policy_differs(
    database: Database,
) -> None:
    teams = Teams()
    mend = await approved(database)
    await settle(database, mend, ChangeState.INTENT)
    teams.policy = OTHER
    assert await run(database, mend, teams) == [ChangeState.UNSHOWN]
