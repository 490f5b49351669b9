"""Mending in chat: what the checks found is changed with an approval, shows, and can be undone."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from bot.preflight.facts import POLICY_NAME
from bot.settings.values import Preflight
from bot.simulator.client import TENANT, Chat, button
from bot.simulator.connector import Posted
from bot.simulator.policies import CALLING, IP_PHONE
from bot.simulator.scenario import Call, Fault, FaultKind, Person, Scenario
from bot.simulator.tenant import PERMISSIONS, Account, CallingPolicy, GraphApi
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    MEGAN,
    Answer,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    text_of,
)

YES = {"acknowledge": "true"}
REASON = {"reason": "New lobby, CHG0042"}
PLAIN = Account(ip_phone_policy="", calling_policy="")
LOBBY = [f"lobby{n}@contoso.com" for n in range(50)]


def tenant(*accounts: str, account: Account = PLAIN, **scenario: Any) -> Scenario:
    return Scenario(batch_seconds=0.1, accounts=dict.fromkeys(accounts, account), **scenario)


def is_checked(message: Posted) -> bool:
    return has_button(message, "withdraw") and "were checked" in text_of(message)


async def checked(bot: RunningBot, file: bytes) -> Posted:
    """The new draft's card as soon as its accounts have been checked."""
    since, earlier = bot.now, [*bot.teams.connector.messages]
    await bot.send_files(("phones.csv", file))
    return await bot.wait_for(
        lambda message: message not in earlier and is_checked(message), since=since
    )


async def asked(bot: RunningBot, draft: Posted) -> Posted:
    """Start a mend from a draft's card and ask for its approval; returns the approvers' card."""
    since = bot.now
    await bot.click(ALEX, draft, "mend")
    card = await bot.wait_for_button("mend_request", since=since)
    await bot.click(ALEX, card, "mend_request", REASON)
    return await bot.wait_for_button("mend_approve", since=since)


async def approved(bot: RunningBot, card: Posted, by: Person = MEGAN) -> Answer:
    return await bot.click(by, card, "mend_approve", YES)


async def mended(bot: RunningBot, file: bytes) -> Posted:
    """Mend what a file needs; returns the approvers' card."""
    card = await asked(bot, await checked(bot, file))
    since = bot.now
    await approved(bot, card)
    await bot.wait_for_text("were checked again", since=since)
    return card


def policies(bot: RunningBot, account: str) -> tuple[str, str]:
    entry = bot.gateway.accounts.find(account)
    assert entry is not None
    return entry.account.ip_phone_policy, entry.account.calling_policy


def audit(bot: RunningBot, action: str) -> list[dict[str, Any]]:
    with sqlite3.connect(bot.database) as connection:
        rows = connection.execute("SELECT detail FROM events WHERE action = ?", [action])
        return [json.loads(detail) for (detail,) in rows]


async def test_mend_is_asked_approved_shown_rechecked_and_undone(make_bot: MakeBot) -> None:
    bot = await make_bot(
        gateway=tenant(*LOBBY[:2], bulk_sign_in=False),
        preflight="on",
        notifications="requester-chat",
    )
    draft = await checked(bot, phones_csv(3))
    assert "Offhook can mend 2 accounts" in text_of(draft)

    card = await asked(bot, draft)
    shown = text_of(card)
    assert "lobby0@contoso.com: IP phone policy Global → Offhook SIP phones" in shown
    assert "Bulk sign-in is turned on for the whole tenant." in shown
    assert bot.gateway.configapi.administration.grants == []

    since = bot.now
    await approved(bot, card)
    await bot.wait_for_text(
        "None of the mended accounts is left out any more. 3 rows are ready.", since=since
    )

    assert policies(bot, LOBBY[0]) == (POLICY_NAME, POLICY_NAME)
    assert policies(bot, LOBBY[2]) == ("CommonAreaPhone", "SIPDevices")
    assert bot.gateway.accounts.policies.bulk_sign_in
    await bot.wait_for(
        lambda message: message is draft and "Offhook can mend" not in text_of(message)
    )

    await bot.wait_for(lambda message: message is card and has_button(message, "mend_undo"))
    since = bot.now
    await bot.click(MEGAN, card, "mend_undo", YES)
    await bot.wait_for_text("Undoing the mend for request", since=since)
    assert policies(bot, LOBBY[0]) == ("", "")
    assert bot.gateway.accounts.policies.bulk_sign_in  # nobody asked to turn it off
    changed = [(each["account"], each["kind"], each["was"]) for each in audit(bot, "mend changed")]
    assert sorted(changed, key=str) == sorted(
        [
            ("", "create-ip-phone", None),
            ("", "create-calling", None),
            ("", "bulk-sign-in", "Disabled"),
            *((each, "ip-phone-policy", None) for each in LOBBY[:2]),
            *((each, "calling-policy", None) for each in LOBBY[:2]),
        ],
        key=str,
    )
    assert len(audit(bot, "mend restored")) == 4


async def test_approver_gets_card_of_mend_by_status_in_own_chat(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0]), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))
    request_id = button(card.card, "mend_approve")["data"]["request"]

    await bot.say(f"status {request_id}", chat=Chat("a:megan"), by=MEGAN)
    own = await bot.wait_for(lambda each: each is not card and has_button(each, "mend_approve"))
    since = bot.now
    await approved(bot, own)
    await bot.wait_for_text("were checked again", since=since)

    await bot.say(f"status {request_id}", chat=Chat("a:megan"), by=MEGAN)
    await bot.wait_for(lambda each: each not in (card, own) and has_button(each, "mend_undo"))


async def test_undo_turns_bulk_sign_in_off_only_if_asked_to(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(bulk_sign_in=False), preflight="on")
    card = await mended(bot, phones_csv(2))
    await bot.wait_for(lambda message: message is card and has_button(message, "mend_undo"))

    since = bot.now
    await bot.click(MEGAN, card, "mend_undo", {**YES, "switch_off": "true"})
    await bot.wait_for_text("Undoing the mend for request", since=since)

    assert not bot.gateway.accounts.policies.bulk_sign_in


async def test_grant_that_takes_its_time_is_waited_for(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0], policy_lag=3600), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))

    await approved(bot, card)
    # The policies have to exist before they can be granted.
    await bot.wait_for(
        lambda message: message is card and "changed, not visible in Teams yet" in text_of(message)
    )
    assert bot.gateway.configapi.administration.grants == []
    since = bot.now
    bot.gateway.accounts.policies.show()

    await bot.wait_for_text("None of the mended accounts is left out any more.", since=since)


async def test_refused_grant_of_one_account_does_not_keep_the_others_from_being_mended(
    make_bot: MakeBot,
) -> None:
    refused = LOBBY[7]
    bot = await make_bot(gateway=tenant(*LOBBY, refused_grants=(refused,)), preflight="on")

    card = await mended(bot, phones_csv(51))

    assert policies(bot, refused) == ("", "")
    assert {policies(bot, each) for each in LOBBY if each != refused} == {
        (POLICY_NAME, POLICY_NAME)
    }
    await bot.wait_for(
        lambda message: (
            message is card
            and "Teams refused it: “The user is not enabled for Teams.”" in text_of(message)
        )
    )
    assert {each["account"] for each in audit(bot, "mend change failed")} == {refused}


async def test_requester_cannot_approve_their_own_mend(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0]), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))

    answer = await approved(bot, card, by=ALEX)

    assert answer.text == "You can't decide on your own request. Ask another approver."
    assert bot.gateway.configapi.administration.grants == []


async def test_mend_that_waits_is_not_approved_after_mending_was_turned_off(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0]), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))
    await bot.stop()
    bot.settings = bot.settings.model_copy(update={"preflight": Preflight.OFF})
    await bot.start()

    answer = await approved(bot, card)

    assert answer.text.startswith("Mending was turned off since this was prepared.")
    assert bot.gateway.configapi.administration.grants == []
    await bot.click(MEGAN, card, "mend_reject")
    await bot.wait_for_text("rejected mending the accounts")


async def test_rejected_mend_changes_nothing_and_its_requester_is_told(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0]), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))
    since = bot.now

    await bot.click(MEGAN, card, "mend_reject", {"comment": "Not now"})

    await bot.wait_for_text("rejected mending the accounts", since=since)
    assert bot.gateway.configapi.administration.grants == []


async def test_guarded_account_is_never_mended(make_bot: MakeBot) -> None:
    person = Account(ip_phone_policy="", calling_policy="", mailbox=True)
    bot = await make_bot(gateway=tenant(LOBBY[0], account=person), preflight="on")

    draft = await checked(bot, phones_csv(2))

    assert not has_button(draft, "mend")
    data = {**button(draft.card, "withdraw")["data"]}
    answer = await bot.send_action(ALEX, "mend", data, activity_id=draft.activity_id)
    assert answer.text == "The checks found nothing that can be mended."


async def test_account_that_may_be_a_persons_is_mended_only_if_named_and_confirmed(
    make_bot: MakeBot,
) -> None:
    unread = GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})
    bot = await make_bot(gateway=tenant(*LOBBY[:2], graph=unread), preflight="on")
    draft = await checked(bot, phones_csv(3))
    assert "2 accounts could be mended, but Offhook can't tell" in text_of(draft)
    since = bot.now
    await bot.click(ALEX, draft, "mend")
    own = await bot.wait_for_button("mend_request", since=since)

    answer = await bot.click(ALEX, own, "mend_request", REASON)
    assert answer.text == "Nothing was chosen. Choose the accounts to mend on the card."
    answer = await bot.click(
        ALEX, own, "mend_request", {**REASON, "include_unknown": f"{LOBBY[0]},{LOBBY[2]}"}
    )
    assert answer.text.startswith(f"{LOBBY[2]} is not among the accounts")
    await bot.click(ALEX, own, "mend_request", {**REASON, "include_unknown": LOBBY[1]})
    card = await bot.wait_for_button("mend_approve", since=since)
    assert f"The requester included it by name: {LOBBY[1]}" in " ".join(text_of(card).split())
    answer = await approved(bot, card)
    assert answer.text == "Confirm first that the accounts named at the top belong to phones."
    await bot.click(MEGAN, card, "mend_approve", {**YES, "confirm_unknown": "true"})
    await bot.wait_for_text("were checked again", since=since)

    assert policies(bot, LOBBY[0]) == ("", "")
    assert policies(bot, LOBBY[1]) == (POLICY_NAME, POLICY_NAME)
    assert audit(bot, "mend approved")[0]["named"] == [LOBBY[1]]


async def test_second_mend_of_an_account_is_refused(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(*LOBBY[:2]), preflight="on")
    await asked(bot, await checked(bot, phones_csv(2)))
    other = await checked(bot, phones_csv(3))
    since = bot.now
    await bot.click(ALEX, other, "mend")
    card = await bot.wait_for_button("mend_request", since=since)

    answer = await bot.click(ALEX, card, "mend_request", REASON)

    assert answer.text.startswith(f"Another mend is about {LOBBY[0]}, too: see request")


@pytest.mark.parametrize(
    ("content", "differs"),
    [
        ({"ip_phone_policies": {POLICY_NAME: "UserSignIn"}}, "SignInMode: UserSignIn"),
        (
            {"calling_policies": {POLICY_NAME: CallingPolicy(sip_devices=False)}},
            "AllowSIPDevicesCalling: False",
        ),
    ],
)
async def test_policy_of_that_name_with_other_content_is_not_touched_and_nothing_is_changed(
    make_bot: MakeBot, content: Mapping[str, Any], differs: str
) -> None:
    defaults = Scenario()
    extended: dict[str, Any] = {
        name: {**getattr(defaults, name), **policies} for name, policies in content.items()
    }
    bot = await make_bot(gateway=tenant(LOBBY[0], **extended), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(2)))
    before = bot.gateway.accounts.policies.configurations()

    await approved(bot, card)
    await bot.wait_for(lambda message: message is card and differs in text_of(message))

    assert "Nothing was changed." in text_of(card)
    assert bot.gateway.configapi.administration.grants == []
    assert bot.gateway.accounts.policies.configurations() == before


async def test_policies_of_that_name_with_right_content_are_used(make_bot: MakeBot) -> None:
    defaults = Scenario()
    bot = await make_bot(
        gateway=tenant(
            LOBBY[0],
            ip_phone_policies={**defaults.ip_phone_policies, POLICY_NAME: "CommonAreaPhoneSignIn"},
            calling_policies={**defaults.calling_policies, POLICY_NAME: CallingPolicy()},
        ),
        preflight="on",
    )

    await mended(bot, phones_csv(2))

    assert bot.gateway.configapi.administration.calls[Call.CREATE_POLICY] == 0
    assert policies(bot, LOBBY[0]) == (POLICY_NAME, POLICY_NAME)


async def test_created_calling_policy_is_otherwise_as_the_global_one(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(LOBBY[0]), preflight="on")

    await mended(bot, phones_csv(2))

    assert bot.gateway.accounts.policies.find(CALLING, POLICY_NAME) == {
        "AllowPrivateCalling": True,
        "AllowSIPDevicesCalling": True,
        "AllowCallRedirect": "Enabled",
    }
    assert bot.gateway.accounts.policies.find(IP_PHONE, POLICY_NAME) == {
        "SignInMode": "CommonAreaPhoneSignIn"
    }


async def test_account_changed_since_its_check_is_left_and_said(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(*LOBBY[:2]), preflight="on")
    card = await asked(bot, await checked(bot, phones_csv(3)))
    own = Account(ip_phone_policy="CommonAreaPhone", calling_policy="SIPDevices")
    bot.gateway.accounts.set(LOBBY[0], own)
    since = bot.now

    await approved(bot, card)

    await bot.wait_for_text("were checked again", since=since)
    assert policies(bot, LOBBY[0]) == ("CommonAreaPhone", "SIPDevices")
    assert policies(bot, LOBBY[1]) == (POLICY_NAME, POLICY_NAME)
    assert "than when it was checked" in text_of(card)


async def test_undo_leaves_what_somebody_changed_later(make_bot: MakeBot) -> None:
    before = Account(ip_phone_policy="", calling_policy="Global2")
    calling = {**Scenario().calling_policies, "Global2": CallingPolicy(sip_devices=False)}
    bot = await make_bot(
        gateway=tenant(*LOBBY[:2], account=before, calling_policies=calling), preflight="on"
    )
    card = await mended(bot, phones_csv(3))
    later = Account(ip_phone_policy="CommonAreaPhone", calling_policy=POLICY_NAME)
    bot.gateway.accounts.set(LOBBY[0], later)
    await bot.wait_for(lambda message: message is card and has_button(message, "mend_undo"))
    since = bot.now

    await bot.click(MEGAN, card, "mend_undo", YES)
    told = await bot.wait_for_text("Undoing the mend for request", since=since)

    assert "3 set back, 1 left as somebody changed them" in text_of(told)
    assert policies(bot, LOBBY[0]) == ("CommonAreaPhone", "Global2")
    assert policies(bot, LOBBY[1]) == ("", "Global2")


async def sign_in(bot: RunningBot, by: Person, card: Posted, verb: str, **inputs: Any) -> Answer:
    """A click with what a Teams client adds after single sign-on."""
    token = bot.gateway.entra.sso(by, TENANT)
    proof = {"id": uuid.uuid4().hex, "connectionName": "approver", "token": token}
    data = {**button(card.card, verb)["data"], **inputs}
    answer = await bot.client.act(
        by, chat_of(card), verb, data, card.activity_id, authentication=proof
    )
    return Answer(*answer)


async def test_mend_goes_on_with_another_approver_when_access_ends_midway(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=tenant(*LOBBY[:20]), preflight="on", as_approver=True)
    card = await asked(bot, await checked(bot, phones_csv(21)))
    ended = Fault(call=Call.GRANT, fault=FaultKind.FORBIDDEN, nth=10, times=0)
    bot.gateway.faults.add(ended)
    since = bot.now

    await sign_in(bot, MEGAN, card, "mend_approve", **YES)
    wanted = await bot.wait_for_button("mend_sign_in", since=since)
    assert "no approver's permissions are available" in text_of(wanted)
    granted = len(bot.gateway.configapi.administration.grants)
    assert 0 < granted < 40
    bot.gateway.faults.remove(ended)
    await sign_in(bot, ADELE, wanted, "mend_sign_in")

    await bot.wait_for_text("None of the mended accounts is left out any more.", since=since)
    assert {policies(bot, each) for each in LOBBY[:20]} == {(POLICY_NAME, POLICY_NAME)}
    changed = [(each["account"], each["kind"]) for each in audit(bot, "mend changed")]
    assert len(changed) == len(set(changed)) == 42


async def test_mend_waits_for_an_approver_after_a_restart(make_bot: MakeBot) -> None:
    bot = await make_bot(
        gateway=tenant(LOBBY[0], policy_lag=3600), preflight="on", as_approver=True
    )
    card = await asked(bot, await checked(bot, phones_csv(2)))
    await sign_in(bot, MEGAN, card, "mend_approve", **YES)
    await bot.wait_for(
        lambda message: message is card and "not visible in Teams yet" in text_of(message)
    )
    await bot.stop()
    bot.gateway.accounts.policies.show()
    since = bot.now

    await bot.start()
    wanted = await bot.wait_for_button("mend_sign_in", since=since)
    await sign_in(bot, MEGAN, wanted, "mend_sign_in")

    await bot.wait_for_text("None of the mended accounts is left out any more.", since=since)
    assert policies(bot, LOBBY[0]) == (POLICY_NAME, POLICY_NAME)


async def test_draft_can_be_requested_after_its_accounts_were_mended(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=tenant(*LOBBY[:2]), preflight="on")
    draft = await checked(bot, phones_csv(3))
    card = await asked(bot, draft)
    since = bot.now
    await approved(bot, card)
    await bot.wait_for_text("were checked again", since=since)
    await bot.wait_for(
        lambda message: (
            message is draft
            and is_checked(message)
            and not has_button(message, "mend")
            and "3 rows" in text_of(message)
        )
    )

    since = bot.now
    await bot.approve(await bot.request_approval(draft))
    await bot.wait_for_results(since=since)

    batches = bot.gateway.configapi.batches.values()
    assert sorted(item.username for batch in batches for item in batch.items) == LOBBY[:3]
