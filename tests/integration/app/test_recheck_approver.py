"""The second check of accounts with the rights of the approver: what they read, and what ends with them."""

from __future__ import annotations

from collections.abc import Mapping

import jwt

from bot.simulator.scenario import Call, Fault, FaultKind
from bot.simulator.tenant import Account
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_approver import approve, click, signing_in, sso, submitters
from tests.integration.app.test_preflight import checked, submitted, tenant
from tests.integration.app.test_recheck import FIRST, SECOND, THIRD, approvable, held
from tests.support.running_bot import ADELE, MEGAN, RunningBot, phones_csv, text_of


def without_roles(bot: RunningBot) -> Fault:
    """The identity that reads settings lacks the role for it, until this is removed."""
    denied = Fault(call=Call.POLICIES, fault=FaultKind.FORBIDDEN, times=0)
    bot.gateway.faults.add(denied)
    return denied


async def test_settings_are_read_with_the_rights_of_the_approver(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on", as_approver=True)
    denied = without_roles(bot)
    card = await checked(bot, phones_csv(3))
    assert "Offhook may not read this in your tenant" in text_of(card)
    approval = await bot.request_approval(card)
    bot.gateway.faults.remove(denied)

    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.wait_for_results(since=since)

    headers = bot.gateway.configapi.last_headers[Call.POLICIES]
    assert object_id_of(bot, headers) == MEGAN.object_id
    assert submitted(bot) == [FIRST, SECOND, THIRD]


def object_id_of(bot: RunningBot, headers: Mapping[str, str]) -> str:
    token = headers["Authorization"].removeprefix("Bearer ")
    key = bot.gateway.entra.key.public_key()
    audience = "48ac35b8-9aa8-4d74-927d-1f4a14a0b239"
    return str(jwt.decode(token, key, algorithms=["RS256"], audience=audience)["oid"])


async def test_failure_that_only_an_approver_can_see_stops_the_request(make_bot: MakeBot) -> None:
    off = tenant({}, bulk_sign_in=False)
    bot = await make_bot(gateway=off, preflight="on", as_approver=True)
    denied = without_roles(bot)
    approval = await bot.request_approval(await checked(bot, phones_csv(3)))
    bot.gateway.faults.remove(denied)

    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))

    card = await held(bot, since)
    assert "Bulk sign-in is turned off for this tenant." in text_of(card)
    assert bot.gateway.configapi.submits == []


async def test_rights_of_the_approver_that_do_not_suffice_stop_nothing(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on", as_approver=True)
    without_roles(bot)
    approval = await bot.request_approval(await checked(bot, phones_csv(3)))

    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    results = await bot.wait_for_results(since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]
    sentence = "The approver's roles did not allow reading this, or their sign-in ended."
    assert any(sentence in str(each.versions) for each in bot.teams.connector.messages)
    assert results


async def test_decision_after_a_restart_asks_for_the_access_that_was_lost(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on", as_approver=True)
    approval = await approvable(bot)
    bot.gateway.accounts.set(FIRST, Account(enabled=False))
    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    card = await held(bot, since)
    await bot.stop()
    await bot.start()

    signing_in(await click(bot, ADELE, card, "continue_without"))
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await click(bot, ADELE, card, "continue_without", **sso(bot, ADELE))
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [SECOND, THIRD]
    assert set(submitters(bot)) == {ADELE.object_id}
