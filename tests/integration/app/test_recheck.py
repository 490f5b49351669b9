"""Accounts that are checked again at the approval, in chat: what stops the request, and who decides."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bot.settings.values import REQUESTER_CHAT
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind
from bot.simulator.tenant import PERMISSIONS, Account, GraphApi
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_overlap import audited
from tests.integration.app.test_preflight import checked, submitted, tenant
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE, until

FIRST, SECOND, THIRD = (f"lobby{n}@contoso.com" for n in range(3))
DISABLED = Account(enabled=False)
HELD = "Stopped before anything was sent"


async def age(bot: RunningBot) -> None:
    """Let an hour pass since the accounts were checked."""

    def write() -> None:
        with sqlite3.connect(bot.database, timeout=PATIENCE) as connection:
            for table, column in (
                ("account_checks", "checked_at"),
                ("requests", "accounts_checked_at"),
            ):
                connection.execute(f"UPDATE {table} SET {column} = datetime({column}, '-1 hour')")

    await asyncio.to_thread(write)  # the service writes, too, in this thread's loop


async def approvable(bot: RunningBot, phones: int = 3) -> Posted:
    """An approval card whose accounts were checked an hour ago."""
    validation = await checked(bot, phones_csv(phones))
    await age(bot)
    return await bot.request_approval(validation)


async def held(bot: RunningBot, since: int) -> Posted:
    """The card that asks approvers; the requester's own says it, too, and asks nothing."""
    return await bot.wait_for(
        lambda message: HELD in text_of(message) and has_button(message, "check_accounts"),
        since=since,
    )


async def stopped(bot: RunningBot, changed: Account = DISABLED) -> Posted:
    """The card of a request that is held, since its first account has changed so."""
    approval = await approvable(bot)
    bot.gateway.accounts.set(FIRST, changed)
    since = bot.now
    await bot.approve(approval)
    return await held(bot, since)


@pytest.mark.parametrize("channel", [CHANNEL.id, REQUESTER_CHAT])
async def test_requester_is_told_once_that_a_request_is_held_and_cards_say_for_what(
    make_bot: MakeBot, channel: str
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on", approvals=channel)
    since = bot.now
    card = await stopped(bot)
    assert "It waits for an approver's decision." in text_of(card)
    if channel == CHANNEL.id:
        told = await bot.wait_for_text(
            "is on hold: a problem with 1 account was found", since=since
        )
        assert chat_of(told) == CHAT
    else:  # the new card is the message
        await bot.wait_for(lambda each: HELD in text_of(each) and each is not card, since=since)
        assert not any("is on hold" in text_of(each) for each in bot.teams.connector.messages)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (Account(enabled=False), f"{FIRST}: The account is disabled."),
        (Account(exists=False), f"{FIRST}: The account does not exist in this tenant."),
        (Account(roles=("User Administrator",)), f"{FIRST}: The account is an administrator"),
        (Account(mailbox=True), f"{FIRST}: The account has a mailbox"),
    ],
)
async def test_account_changed_since_its_check_stops_the_request_until_it_is_left_out(
    make_bot: MakeBot, changed: Account, sentence: str
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot, changed)
    assert sentence in text_of(card)
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await bot.click(MEGAN, card, "continue_without")
    results = await bot.wait_for_results(since=since)
    assert submitted(bot) == [SECOND, THIRD]
    assert "Left out by an approver" in text_of(results)


async def test_nobody_releases_it_in_a_freeze(make_bot: MakeBot, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    head = f'requesters = ["*"]\napprovers = ["{MEGAN.object_id}"]\n'
    path.write_text(head)
    bot = await make_bot(gateway=tenant({}), preflight="on", policy=path)
    card = await stopped(bot)
    freeze = "[[freeze]]\nfrom = 2020-01-01T00:00:00Z\nto = 9990-01-01T00:00:00Z\n"
    path.write_text(head + freeze)
    await until(lambda: len(audited(bot, "policy loaded")) == 2)
    for verb in ("continue_without", "check_accounts"):
        answer = await bot.click(MEGAN, card, verb)
        assert answer.text.startswith("The request can't start now. Your organization's change")
    assert bot.gateway.configapi.submits == []
    path.write_text(head)
    await until(lambda: len(audited(bot, "policy loaded")) == 3)
    since = bot.now
    await bot.click(MEGAN, card, "continue_without")
    await bot.wait_for_results(since=since)


async def test_release_needs_the_votes_that_the_policy_asks_for_by_now(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    people = ", ".join(f'"{each.object_id}"' for each in (MEGAN, ADELE))
    head = f'requesters = ["*"]\napprovers = [{people}]\n'
    path.write_text(head)
    bot = await make_bot(gateway=tenant({}), preflight="on", policy=path)
    card = await stopped(bot)
    path.write_text(f"{head}[[rule]]\nstages = [{{ of = [{people}], need = 2 }}]\n")
    await until(lambda: len(audited(bot, "policy loaded")) == 2)
    for verb in ("continue_without", "check_accounts"):
        answer = await bot.click(MEGAN, card, verb)  # whose approval is the only one
        assert answer.text.startswith("By the policy in force now, this request needs more")
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await bot.click(ADELE, card, "continue_without")
    await bot.wait_for_results(since=since)


async def test_fresh_and_known_accounts_are_not_checked_again(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    approval = await bot.request_approval(await checked(bot, phones_csv(3)))
    bot.gateway.accounts.set(FIRST, Account(enabled=False))
    before = bot.gateway.graph.calls.total()

    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    assert bot.gateway.graph.calls.total() == before


async def test_request_starts_by_itself_if_nothing_has_changed(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    approval = await approvable(bot)

    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]
    assert not any(HELD in text_of(each) for each in bot.teams.connector.messages)


async def test_mended_accounts_pass_when_they_are_checked_again(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot)
    bot.gateway.accounts.set(FIRST, Account())

    since = bot.now
    await bot.click(MEGAN, card, "check_accounts")
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]


async def test_held_request_is_canceled_without_a_phone_sent(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot)

    since = bot.now
    await bot.click(ALEX, card, "cancel")
    results = await bot.wait_for_results(since=since)

    assert "canceled" in text_of(results).lower()
    assert bot.gateway.configapi.submits == []


async def test_only_somebody_who_may_approve_decides(make_bot: MakeBot) -> None:
    bot = await make_bot(
        gateway=tenant({}), preflight="on", approvers=(MEGAN.object_id, ALEX.object_id)
    )
    card = await stopped(bot)

    for verb in ("continue_without", "check_accounts"):
        requester = await bot.click(ALEX, card, verb)
        assert requester.text
        stranger = await bot.click(ADELE, card, verb)
        assert stranger.text
    assert bot.gateway.configapi.submits == []
    with sqlite3.connect(bot.database) as connection:
        (hold,) = connection.execute("SELECT hold FROM requests").fetchone()
        denied = connection.execute(
            "SELECT count(*) FROM events WHERE action = 'denied'"
        ).fetchone()
    assert (hold, denied) == ("held", (4,))


async def test_click_on_a_card_from_before_the_latest_check_changes_nothing(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot)
    data = {"request": request_id_of(card), "version": _version(bot)}
    bot.gateway.accounts.set(SECOND, Account(enabled=False))
    await age(bot)
    since = bot.now
    await bot.click(MEGAN, card, "check_accounts")
    await bot.wait_for(
        lambda message: f"{SECOND}: The account is disabled." in text_of(message), since=since
    )

    answer = await bot.send_action(MEGAN, "continue_without", data, activity_id=card.activity_id)

    assert f"{SECOND}: The account is disabled." in str(answer.card)
    assert bot.gateway.configapi.submits == []


def _version(bot: RunningBot) -> int:
    with sqlite3.connect(bot.database) as connection:
        return int(connection.execute("SELECT version FROM requests").fetchone()[0])


async def test_phones_left_out_are_retried_later(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot)
    request_id = request_id_of(card)  # cards lose their buttons later
    since = bot.now
    await bot.click(MEGAN, card, "continue_without")
    await bot.wait_for_results(since=since)
    bot.gateway.accounts.set(FIRST, Account())

    since = bot.now
    await bot.say(f"retry {request_id}")
    retry = await bot.wait_for_button("request_approval", since=since)
    retry_id = request_id_of(retry)
    since = bot.now
    await bot.approve(await bot.request_approval(retry))
    # The first request's card changes meanwhile, too.
    await bot.wait_for_button("export", what="results", request=retry_id, since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]


async def test_missing_permission_is_told_and_does_not_stop(make_bot: MakeBot) -> None:
    graph = GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})
    bot = await make_bot(gateway=tenant({}, graph=graph), preflight="on")
    approval = await bot.request_approval(await checked(bot, phones_csv(3)))

    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]
    with sqlite3.connect(bot.database) as connection:
        (notices,) = connection.execute("SELECT recheck_notices FROM requests").fetchone()
    assert "AuditLog.Read.All" in notices


async def test_policy_changed_since_the_check_stops_the_request(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    approval = await approvable(bot)
    bot.gateway.accounts.policies.bulk_sign_in = False
    since = bot.now

    await bot.approve(approval)

    card = await held(bot, since)
    assert "Bulk sign-in is turned off for this tenant." in text_of(card)
    since = bot.now
    await bot.click(MEGAN, card, "continue_without")
    await bot.wait_for_results(since=since)


async def test_graph_that_is_down_at_the_approval_does_not_stop_the_request(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    approval = await approvable(bot)
    down = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.UNAVAILABLE, times=0)
    bot.gateway.faults.add(down)

    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [FIRST, SECOND, THIRD]


async def test_replica_that_starts_later_resumes_the_check_and_the_hold(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on")
    card = await stopped(bot)
    await bot.stop()
    await bot.start()

    await bot.say(f"status {request_id_of(card)}", by=MEGAN, chat=CHAT)
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await bot.click(MEGAN, card, "continue_without")
    await bot.wait_for_results(since=since)
    assert submitted(bot) == [SECOND, THIRD]
