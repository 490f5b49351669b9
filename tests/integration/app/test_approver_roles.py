"""Which Entra roles of an approver are enough for a sign-in to start."""

from __future__ import annotations

import pytest

from bot.identity.entra_roles import EntraRole
from bot.simulator.client import TENANT, button
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import MEGAN, chat_of, phones_csv


@pytest.mark.parametrize(
    "roles",
    [
        (EntraRole.GLOBAL,),
        (EntraRole.AUTHENTICATION,),
        (EntraRole.PRIVILEGED_AUTHENTICATION,),
        (EntraRole.TEAMS, EntraRole.AUTHENTICATION),
    ],
)
async def test_approval_starts_with_any_role_that_can_reset_passwords(
    make_bot: MakeBot, roles: tuple[EntraRole, ...]
) -> None:
    bot = await make_bot(as_approver=True)
    bot.gateway.entra.roles[MEGAN.object_id] = tuple(map(str, roles))
    approval = await bot.submit_for_approval(phones_csv(1))
    proof = {
        "id": "1",
        "connectionName": "approver",
        "token": bot.gateway.entra.sso(MEGAN, TENANT),
    }
    data = {**button(approval.card, "approve")["data"], "acknowledge": "true"}
    await bot.client.act(
        MEGAN, chat_of(approval), "approve", data, approval.activity_id, authentication=proof
    )
    await bot.wait_for_results()
