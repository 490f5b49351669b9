"""Account checks in chat: what the cards show, what is left out, and how it is included."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from bot.commands.export import HEADER
from bot.simulator.client import CONSENT, attachments, has_attachment
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.tenant import PERMISSIONS, Account, GraphApi
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ALEX,
    CHAT,
    MEGAN,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE

PERSON, ADMINISTRATOR, DISABLED, MISSING = (f"lobby{n}@contoso.com" for n in range(4))
HEALTHY = "lobby4@contoso.com"
ACCOUNTS: Mapping[str, Account] = {
    PERSON: Account(mailbox=True),
    ADMINISTRATOR: Account(roles=("User Administrator",)),
    DISABLED: Account(enabled=False),
    MISSING: Account(exists=False),
}
YES = {"acknowledge": "true"}


def tenant(accounts: Mapping[str, Account] = ACCOUNTS, **scenario: Any) -> Scenario:
    return Scenario(batch_seconds=0.1, accounts=accounts, **scenario)


def is_checked(message: Posted) -> bool:
    return has_button(message, "withdraw") and "were checked" in text_of(message)


async def checked(bot: RunningBot, file: bytes) -> Posted:
    """The validation card as soon as the accounts have been checked."""
    since = bot.now
    await bot.send_files(("phones.csv", file))
    return await bot.wait_for(is_checked, since=since)


def submitted(bot: RunningBot) -> list[str]:
    batches = bot.gateway.configapi.batches.values()
    return sorted(item.username for batch in batches for item in batch.items)


async def test_card_shows_what_is_wrong_with_each_account(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")

    card = await checked(bot, phones_csv(5))

    shown = text_of(card)
    assert "1 account is an administrator's, a guest's, or not allowed here." in shown
    assert "1 account may not be for a phone, or is protected." in shown
    assert "The sign-in of 2 accounts will probably fail. They are left out." in shown
    assert "The account is an administrator: User Administrator" in shown
    assert "The account has a mailbox" in shown
    assert "The account is disabled." in shown
    assert "The account does not exist in this tenant." in shown
    assert has_button(card, "request_approval")


async def test_approval_is_offered_only_when_the_accounts_have_been_checked(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    slow = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.TIMEOUT_LOST, times=0)
    bot.gateway.faults.add(slow)

    card = await bot.submit_file(phones_csv(5))

    assert "Checking 5 accounts before anything is sent: 0 done." in text_of(card)
    assert not has_button(card, "request_approval")
    data = {"request": request_id_of(card), "version": 1, **YES, "reason": "now"}
    answer = await bot.send_action(ALEX, "request_approval", data, activity_id=card.activity_id)
    assert answer.text == "The accounts are still being checked. Try again in a moment."


async def test_accounts_that_fail_are_not_signed_in(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    since = bot.now

    await bot.approve(await bot.request_approval(await checked(bot, phones_csv(5))))
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [HEALTHY]


async def test_failing_accounts_are_included_only_with_a_reason(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    card = await checked(bot, phones_csv(5))
    include = {"include_failed": "true", **YES}

    refused = await bot.click(ALEX, card, "request_approval", {**include, "reason": ""})
    assert (
        refused.text == "Say in the reason why these accounts are right in spite of their checks."
    )
    approval = await bot.request_approval(card, include_failed="true")
    assert "2 accounts are included although their checks failed." in text_of(approval)
    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    assert submitted(bot) == [DISABLED, MISSING, HEALTHY]


async def test_guarded_account_needs_the_approver_to_confirm_it_by_name(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    card = await checked(bot, phones_csv(5))
    approval = await bot.request_approval(card, include_guarded=PERSON)
    assert f"These may not be phones' accounts: {PERSON}." in text_of(approval)

    unconfirmed = await bot.approve(approval)
    assert unconfirmed.text.startswith("Confirm that the accounts named at the top are for phones")
    assert bot.gateway.configapi.submits == []

    since = bot.now
    await bot.click(MEGAN, approval, "approve", {"acknowledge": "2", "confirm_guarded": "true"})
    await bot.wait_for_results(since=since)
    assert submitted(bot) == [PERSON, HEALTHY]


@pytest.mark.parametrize("named", [ADMINISTRATOR, DISABLED, HEALTHY, "ceo@contoso.com"])
async def test_no_other_account_can_be_included_by_a_forged_name(
    make_bot: MakeBot, named: str
) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    card = await checked(bot, phones_csv(5))

    inputs = {**YES, "reason": "trust me", "include_guarded": f"{PERSON},{named}"}
    answer = await bot.click(ALEX, card, "request_approval", inputs)

    assert answer.text.startswith(f"{named} is not an account that can be included by name.")
    assert has_button(card, "request_approval")


async def test_missing_permission_is_told_in_one_line_and_the_rest_goes_on(
    make_bot: MakeBot,
) -> None:
    graph = GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})
    bot = await make_bot(gateway=tenant(graph=graph), preflight="on")

    card = await checked(bot, phones_csv(5))

    lines = [line for line in text_of(card).splitlines() if "Not checked" in line]
    assert len(lines) == 1
    assert "consent to AuditLog.Read.All" in lines[0]
    assert "The account is disabled." in text_of(card)


async def test_misspelled_account_gets_the_nearest_name(make_bot: MakeBot) -> None:
    accounts = {"lobby.berlin.02@contoso.com": Account()}
    elsewhere = tenant(accounts, account_domains=("elsewhere.example",))
    bot = await make_bot(gateway=elsewhere, preflight="on")
    file = b"Username,HardwareId,Region\r\nlobby.berlin.2@contoso.com,80-5E-C0-00-00-01,EMEA\r\n"

    card = await checked(bot, file)

    assert "Did you mean lobby.berlin.02@contoso.com?" in text_of(card)


async def test_account_outside_of_the_allowed_ones_is_refused(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({}), preflight="on", accounts=("lobby0@*",))

    card = await checked(bot, phones_csv(2))

    assert "not among those that may be signed in on phones here" in text_of(card)
    since = bot.now
    await bot.approve(await bot.request_approval(card))
    await bot.wait_for_results(since=since)
    assert submitted(bot) == ["lobby0@contoso.com"]


async def test_retry_is_checked_too(make_bot: MakeBot) -> None:
    outcomes = {"lobby0@contoso.com": "device-offline", "lobby1@contoso.com": "device-offline"}
    bot = await make_bot(gateway=tenant({}, outcomes=outcomes), preflight="on")
    since = bot.now
    card = await checked(bot, phones_csv(3))
    request_id = request_id_of(card)
    await bot.approve(await bot.request_approval(card))
    await bot.wait_for_results(since=since)
    bot.gateway.accounts.set("lobby0@contoso.com", Account(enabled=False))

    since = bot.now
    await bot.say(f"retry {request_id}")
    card = await bot.wait_for(is_checked, since=since)

    assert "The account is disabled." in text_of(card)
    assert "The sign-in of 1 account will probably fail." in text_of(card)


async def test_card_says_so_if_accounts_are_not_checked(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(), preflight="off")

    card = await bot.submit_file(phones_csv(5))

    assert "The accounts and the phones have not been checked." in text_of(card)
    assert has_button(card, "request_approval")


async def test_draft_made_while_checks_were_off_is_checked_before_it_is_requested(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    card = await checked(bot, phones_csv(5))
    with sqlite3.connect(bot.database) as connection:  # as it would have been stored
        connection.execute("UPDATE requests SET preflight = 'off'")
        connection.execute("UPDATE phones SET ready = 1, left_out = 0")
        connection.execute("UPDATE requests SET ready_rows = 5, accounts = 5")
        connection.execute("DELETE FROM account_checks")
    since = bot.now

    answer = await bot.click(ALEX, card, "request_approval", {**YES, "reason": "new lobby"})

    assert answer.text == "The accounts are still being checked. Try again in a moment."
    again = await bot.wait_for(is_checked, since=since)
    since = bot.now
    await bot.approve(await bot.request_approval(again))
    await bot.wait_for_results(since=since)
    assert submitted(bot) == [HEALTHY]


MENDABLE: Mapping[str, Account] = {
    PERSON: Account(mailbox=True, number=False),
    ADMINISTRATOR: Account(roles=("User Administrator",), enabled=False),
    DISABLED: Account(enabled=False),
    MISSING: Account(number=False, ip_phone_policy=""),
}


async def saved(bot: RunningBot, card: Posted, what: str) -> tuple[str, str]:
    """Select the card's export button and accept the file. Returns its name and text."""
    since = bot.now
    assert has_button(card, "export", what=what)
    answer = await bot.click(ALEX, card, "export", what=what)
    assert answer.text == "The file is in the next message."
    offer = await bot.wait_for(lambda message: has_attachment(message, CONSENT), since=since)
    _, upload = await bot.client.answer_consent(ALEX, CHAT, offer, accept=True)
    data = await bot.teams.files.uploaded(upload, PATIENCE)
    return str(attachments(offer)[0]["name"]), data.decode("utf-8-sig")


async def test_script_and_numbers_for_the_accounts_that_fail_are_saved_from_the_card(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(MENDABLE), preflight="on")
    card = await checked(bot, phones_csv(5))
    request = request_id_of(card)

    name, script = await saved(bot, card, "script")

    assert name == f"offhook-{request}-script.ps1"
    assert request in script.splitlines()[0]
    assert f"@(\r\n    '{DISABLED}'\r\n)" in script
    assert f"@(\r\n    '{MISSING}'\r\n)" in script
    assert "Update-MgUser -UserId $account -AccountEnabled:$true -WhatIf:$dryRun" in script
    assert PERSON not in script
    assert ADMINISTRATOR not in script
    assert HEALTHY not in script

    assert await saved(bot, card, "numbers") == (
        f"offhook-{request}-numbers.csv",
        f"UserPrincipalName,TelephoneNumber\r\n{MISSING},\r\n",
    )


async def test_results_say_in_their_column_what_the_checks_came_to(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(), preflight="on")
    since = bot.now
    await bot.approve(await bot.request_approval(await checked(bot, phones_csv(5))))

    _, text = await saved(bot, await bot.wait_for_results(since=since), "results")

    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["Username"]: row["AccountCheck"] for row in rows} == {
        PERSON: "guarded",
        ADMINISTRATOR: "refused",
        DISABLED: "failed",
        MISSING: "failed",
        HEALTHY: "passed",
    }
    assert {len(row) for row in csv.reader(io.StringIO(text))} == {len(HEADER)}


async def test_script_is_linked_where_the_chat_takes_no_files(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(MENDABLE), preflight="on", exports="link")
    card = await checked(bot, phones_csv(5))
    since = bot.now

    await bot.click(ALEX, card, "export", what="script")

    posted = await bot.wait_for(
        lambda message: "/exports/" in json.dumps(message.card), since=since
    )
    (link,) = set(re.findall(r"http://[^\s\"]+/exports/[\w-]+", json.dumps(posted.card)))
    async with aiohttp.ClientSession() as session, session.get(link) as response:
        assert response.content_type == "text/plain"
        assert "script.ps1" in response.headers["Content-Disposition"]
        assert DISABLED in await response.text("utf-8-sig")


async def test_no_script_is_offered_where_cmdlets_mend_nothing(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant({MISSING: Account(exists=False)}), preflight="on")
    card = await checked(bot, phones_csv(5))

    assert not has_button(card, "export", what="script")
    assert not has_button(card, "export", what="numbers")
    data = {"request": request_id_of(card), "what": "script"}
    answer = await bot.send_action(ALEX, "export", data)
    assert answer.text.startswith("There is nothing to put into this file")
