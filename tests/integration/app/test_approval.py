"""No sign-in without a timely approval by an approver other than the requester."""

from __future__ import annotations

import asyncio
import itertools
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.runner.deadlines import Deadlines
from bot.settings.values import REQUESTER_CHAT
from bot.signin.digest import UNKEYED
from bot.signin.request import Phone
from bot.simulator.client import Chat, TeamsClient, button, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Connector, Fault, FaultKind, Person, Scenario
from bot.store.database import Database
from bot.words import Words
from tests.integration.app.conftest import MakeBot
from tests.support.jobs import zone_where
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    Answer,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import FAST

GROUP = "aaaaaaaa-0000-4000-8000-00000000000a"
FOREIGN = "99999999-2222-4333-8444-555555555555"
YES = {"acknowledge": "true"}


async def assert_still_waiting(bot: RunningBot, approval: Posted) -> None:
    """The request can still be approved, and is then submitted for the first time."""
    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 1
    assert not bot.gateway.configapi.run_twice


async def wait_until_decided(bot: RunningBot, posted: Posted, text: str) -> None:
    """Wait until a card offers no decision; asserts that it contains `text`."""
    await bot.wait_for(
        lambda message: message is posted and not {"approve", "reject"} & set(verbs(message.card))
    )
    assert text in text_of(posted)


# -- roles ----------------------------------------------------------------------------------------


async def test_requester_cannot_decide_on_own_request(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    assert "Someone other than Alex Wilber must decide." in text_of(approval)
    for verb in ("approve", "reject"):
        answer = await bot.click(ALEX, approval, verb, YES)
        assert answer.text == "You can't decide on your own request. Ask another approver."
    await assert_still_waiting(bot, approval)


async def test_four_eyes_compares_object_ids_case_insensitively(bot: RunningBot) -> None:
    requester = Person(
        object_id="aaaaaaaa-0000-4000-8000-0000000000ff", name="Ada", principal="a@x.org"
    )
    same_person = requester.model_copy(
        update={"object_id": requester.object_id.upper(), "name": "Somebody Else"}
    )
    approval = await bot.request_approval(
        await bot.submit_file(phones_csv(2), by=requester), by=requester
    )
    answer = await bot.click(same_person, approval, "approve", YES)
    assert answer.text == "You can't decide on your own request. Ask another approver."
    await assert_still_waiting(bot, approval)


async def test_requester_approves_own_request_when_four_eyes_is_off(make_bot: MakeBot) -> None:
    bot = await make_bot(four_eyes=False)
    approval = await bot.submit_for_approval(phones_csv(2))
    assert "Self-approval is on: Alex Wilber can approve their own request." in text_of(approval)
    await bot.approve(approval, by=ALEX)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_decision_is_denied_to_non_approvers(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id.upper(), "not-even-an-id"))
    approval = await bot.submit_for_approval(phones_csv(2))
    for verb in ("approve", "reject"):
        answer = await bot.click(ADELE, approval, verb, YES)
        assert answer.text.startswith("You can't approve or reject sign-ins.")
    await assert_still_waiting(bot, approval)


_EVERY_VERB = (
    "page",
    "refresh",
    "export",
    "cancel",
    "retry_failed",
    "approve",
    "reject",
    "withdraw",
    "request_approval",
)


def scenario_with_group(*people: Person) -> Scenario:
    groups = {GROUP: tuple(person.object_id for person in people)}
    return Scenario(batch_seconds=0.1, groups=groups)


async def test_group_members_approve_when_approvers_is_a_group(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(GROUP.upper(),), gateway=scenario_with_group(MEGAN))
    approval = await bot.submit_for_approval(phones_csv(2))
    answer = await bot.click(ADELE, approval, "approve", YES)
    assert answer.text.startswith("You can't approve")
    await assert_still_waiting(bot, approval)
    assert bot.gateway.graph.calls[Call.GROUPS] <= 3  # cached, one call for each person


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.GARBAGE, FaultKind.FORBIDDEN])
async def test_approval_cannot_be_judged_while_directory_is_unavailable(
    make_bot: MakeBot, kind: FaultKind
) -> None:
    bot = await make_bot(approvers=(GROUP,), gateway=scenario_with_group(MEGAN))
    approval = await bot.submit_for_approval(phones_csv(2))
    bot.gateway.faults.add(Fault(call=Call.GROUPS, fault=kind, times=1))
    answer = await bot.approve(approval)
    assert answer.text.startswith("I can't tell right now whether you may do that")
    # The directory is available again; the failure was not cached.
    await assert_still_waiting(bot, approval)


@pytest.mark.parametrize("may_request", [False, True])
@pytest.mark.parametrize("named", [False, True])
async def test_request_is_hidden_from_all_but_requester_and_approvers(
    make_bot: MakeBot, may_request: bool, named: bool
) -> None:
    """From people without a role, and from those who may only request; whether or not the click names
    the message in the channel, where the buttons for a decision say why they are not theirs."""
    requesters = (ALEX.object_id, *((ADELE.object_id,) if may_request else ()))
    bot = await make_bot(requesters=requesters, approvers=(MEGAN.object_id,))
    approval = await bot.submit_for_approval(phones_csv(2))
    request = request_id_of(approval)
    activity_id = approval.activity_id if named else ""
    explained = {"approve", "reject", "cancel"} if may_request and named else set[str]()
    hidden = "I can't find this request. Send history to see the latest requests."
    for verb in _EVERY_VERB:
        answer = await bot.send_action(
            ADELE,
            verb,
            {"request": request},
            chat=Chat(approval.conversation_id, "channel"),
            activity_id=activity_id,
        )
        if verb == "refresh" and named:
            # Teams asks for whoever looks at the channel: a card that says nothing about the request.
            assert verbs(answer.card) == []
            assert "Only its requester, approvers, and auditors can see it." in texts(answer.card)
            assert "lobby" not in texts(answer.card)
            continue
        assert (answer.text == hidden) is (verb not in explained), verb
    chat = Chat("a:adele")
    for command in ("status", "cancel", "retry"):
        await bot.say(f"{command} {request}", chat=chat, by=ADELE)
    await bot.say("history", chat=chat, by=ADELE)
    texts_sent = [text_of(message) for message in await bot.received(chat, by=ADELE)]
    assert (
        texts_sent[:3]
        == [f'I can\'t find request "{request}". Send history to see the latest requests.'] * 3
    )
    assert "There are no requests yet." in texts_sent[3]
    await assert_still_waiting(bot, approval)


async def test_request_is_hidden_from_foreign_tenant(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    request = request_id_of(approval)
    before = len(bot.teams.connector.messages)
    foreign_client = TeamsClient(bot.session, bot.url, bot.teams, tenant_id=FOREIGN)
    status, _ = await foreign_client.say(ADELE, Chat("a:foreign"), f"status {request}")
    assert status == 200
    for verb in ("approve", "page", "refresh", "export"):
        answer = Answer(
            *await foreign_client.act(
                ADELE, Chat("a:foreign"), verb, {"request": request, **YES}, approval.activity_id
            )
        )
        assert "is not set up for your organization" in answer.text
        assert request not in answer.text
    await bot.received()
    assert len(bot.teams.connector.messages) == before + 1  # the answer to `received`'s own command
    await assert_still_waiting(bot, approval)


async def test_request_is_hidden_from_other_allowed_tenant(make_bot: MakeBot) -> None:
    """Both tenants may use the bot."""
    bot = await make_bot(
        tenant_ids=("11111111-2222-4333-8444-555555555555", FOREIGN),
        approvals=REQUESTER_CHAT,
        notifications=REQUESTER_CHAT,
    )
    approval = await bot.submit_for_approval(phones_csv(2))
    request = request_id_of(approval)
    foreign_client = TeamsClient(bot.session, bot.url, bot.teams, tenant_id=FOREIGN)
    chat = Chat("a:foreign")
    for verb in ("approve", "reject", "page", "refresh", "export", "cancel", "reconcile"):
        answer = Answer(
            *await foreign_client.act(
                MEGAN, chat, verb, {"request": request, **YES}, approval.activity_id
            )
        )
        assert answer.text == "I can't find this request. Send history to see the latest requests."
    await foreign_client.say(MEGAN, chat, f"status {request}")
    await foreign_client.say(MEGAN, chat, "history")
    assert f'"{request}"' in (await bot.wait_for_text("I can't find", chat=chat)).text
    assert "no requests yet" in text_of(await bot.wait_for_text("Latest requests", chat=chat))
    await assert_still_waiting(bot, approval)


# -- concurrency and timing ----------------------------------------------------------------------


async def test_approval_is_ignored_without_acknowledgement(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    inputs: Any
    for inputs in ({}, {"acknowledge": "false"}, {"acknowledge": 1}, {"acknowledge": ["true"]}):
        answer = await bot.click(MEGAN, approval, "approve", inputs)
        assert answer.text.startswith("Select the check box first")
    await assert_still_waiting(bot, approval)


@pytest.mark.database_thread
async def test_concurrent_approvals_start_one_run(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    answers = await asyncio.gather(
        *(bot.approve(approval, by=person) for person in (MEGAN, ADELE, ISAIAH) * 2)
    )
    approvers = {
        texts(answer.card).split("approved the sign-in")[0].split("\n")[-1] for answer in answers
    }
    assert len(approvers) == 1  # everyone is shown the same approver
    first = approvers.pop().strip()
    assert first in ("Megan Bowen", "Adele Vance", "Isaiah Langer")
    for answer in answers:
        assert f"{first} approved on {{{{DATE(" in texts(answer.card)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1
    await wait_until_decided(bot, approval, f"{first} approved the sign-in of 2 phones.")


async def test_approval_is_refused_when_card_shows_another_digest(bot: RunningBot) -> None:
    """Rows, and even the digest in the database, changed after the card was posted."""
    approval = await bot.submit_for_approval(phones_csv(2))
    for verb in ("approve", "reject"):
        data = button(approval.card, verb)["data"]
        shown = {"shown"} if verb == "approve" else set[str]()
        assert set(data) == {"request", "version", "digest"} | shown
        assert re.fullmatch(r"[0-9a-f]{64}", data["digest"])
    changed = [
        Phone("ceo@contoso.com", "80-5E-C0-00-00-00", Region.EMEA),
        Phone("lobby1@contoso.com", "80-5E-C0-00-00-01", Region.EMEA),
    ]
    await bot.stop()
    engine = create_engine(f"sqlite:///{bot.database}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE phones SET username = 'ceo@contoso.com' WHERE username LIKE 'lobby0@%'")
        )
        digest = {"digest": UNKEYED.request(changed, batch_size=100)}
        connection.execute(text("UPDATE requests SET digest = :digest"), digest)
    engine.dispose()
    await bot.start()
    answer = await bot.approve(approval)
    assert answer.text.startswith("The rows don't match the ones that approval was requested for")
    assert bot.gateway.configapi.submits == []
    answer = await bot.click(MEGAN, approval, "reject", {"comment": "Changed"})
    assert "rejected" in texts(answer.card)


async def test_click_without_digest_approves_nothing(make_bot: MakeBot) -> None:
    """It would be compared with nothing: the card comes back as it is now, with its digest."""
    bot = await make_bot()
    approval = await bot.submit_for_approval(phones_csv(2))
    answer = await bot.send_action(
        MEGAN,
        "approve",
        {"request": request_id_of(approval), "version": 1, **YES},
        chat=Chat(approval.conversation_id, "channel"),
        activity_id=approval.activity_id,
    )
    assert button(answer.card, "approve")["data"]["digest"]
    assert bot.gateway.configapi.submits == []
    await bot.approve(approval)
    await bot.wait_for_results()


async def test_job_runs_with_digest_key_and_not_with_another(make_bot: MakeBot) -> None:
    bot = await make_bot(digest_key="sixteen-letters!")
    approval = await bot.submit_for_approval(phones_csv(2))
    await bot.stop()
    key = bot.settings.digest_key
    bot.settings = bot.settings.model_copy(update={"digest_key": SecretStr("another-key-of-16")})
    await bot.start()
    answer = await bot.approve(approval)
    assert answer.text.startswith("The rows don't match")
    await bot.stop()
    bot.settings = bot.settings.model_copy(update={"digest_key": key})
    await bot.start()
    await assert_still_waiting(bot, approval)


async def test_click_on_outdated_card_shows_who_decided(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    outdated = {"request": request_id_of(approval), "version": 1, **YES}
    await bot.click(MEGAN, approval, "reject", {"comment": "Not before Monday"})
    for verb in ("approve", "reject"):
        answer = await bot.send_action(
            ADELE, verb, outdated, chat=CHANNEL, activity_id=approval.activity_id
        )
        assert "Megan Bowen rejected this request. Nothing was changed." in texts(answer.card)
        assert "Not before Monday" in texts(answer.card)
        assert verbs(answer.card) == []
    await wait_until_decided(bot, approval, "Megan Bowen rejected this request.")
    await bot.received()
    assert bot.gateway.configapi.submits == []


async def test_requester_is_notified_of_rejection_in_plain_text(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    since = bot.now
    comment = "Wait for [CHG7](https://evil.example.com)\u202e <at>all</at>\nplease"
    await bot.click(MEGAN, approval, "reject", {"comment": comment})
    message = await bot.wait_for_text("Megan Bowen rejected request", chat=CHAT, since=since)
    assert message.activity.get("textFormat") == "plain"  # renders no link or mention
    assert "Wait for" in message.text
    assert "\u202e" not in message.text
    assert message.text.endswith("Nothing was changed.")
    assert "\n" not in message.text


async def test_cards_say_someone_when_name_is_missing(bot: RunningBot) -> None:
    nameless = Person(object_id=ALEX.object_id, name="", principal=ALEX.principal)
    approval = await bot.request_approval(
        await bot.submit_file(phones_csv(2), by=nameless), by=nameless
    )
    assert "Someone other than someone must decide." in text_of(approval)
    await bot.approve(approval, by=MEGAN.model_copy(update={"name": " \n"}))
    message = await bot.wait_for_text("It has started.")
    assert "someone approved the sign-in of 2 phones, requested by someone." in message.text
    assert "by someone has finished" in (await bot.wait_for_text("has finished")).text


@pytest.mark.database_thread
async def test_repeated_approval_requests_post_one_approval_card(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(2))
    data = {"request": request_id_of(validation), "reason": "x"}
    answers = await asyncio.gather(
        *(bot.send_action(ALEX, "request_approval", data) for _ in range(5))
    )
    assert all("is waiting for approval" in texts(answer.card) for answer in answers)
    approval = await bot.wait_for_button("approve")
    await assert_still_waiting(bot, approval)
    cards = [
        message
        for message in bot.teams.connector.messages
        if message.conversation_id.startswith(CHANNEL.id) and message.card
    ]
    assert cards == [approval]


async def test_approval_is_ignored_after_withdrawal(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(2))
    approval = await bot.request_approval(validation)
    answer = await bot.click(MEGAN, await wait_until_requested(bot, validation), "withdraw")
    assert answer.text == "Only the requester can do that."
    answer = await bot.click(ALEX, validation, "withdraw")
    assert "Withdrawn. Nothing was changed." in texts(answer.card)
    await wait_until_decided(bot, approval, "Withdrawn. Nothing was changed.")
    answer = await bot.send_action(
        MEGAN,
        "approve",
        {"request": request_id_on_card(answer), **YES},
        activity_id=approval.activity_id,
    )
    assert "Withdrawn. Nothing was changed." in texts(answer.card)
    await bot.received()
    assert bot.gateway.configapi.submits == []


async def wait_until_requested(bot: RunningBot, validation: Posted) -> Posted:
    """The validation card once it shows that approval was requested."""
    return await bot.wait_for(
        lambda message: message is validation and not has_button(message, "request_approval")
    )


def request_id_on_card(answer: Answer) -> str:
    return texts(answer.card).rpartition("Request ")[2].split(",")[0]


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_decision_is_ignored_after_expiry(make_bot: MakeBot, verb: str) -> None:
    """The card says that the request has expired."""
    bot = await make_bot(approval_ttl=0.4)
    approval = await bot.submit_for_approval(phones_csv(2))
    message = await bot.wait_for_text("expired before anyone approved it", chat=CHAT)
    assert "send the file again" in message.text
    answer = await bot.send_action(
        MEGAN,
        verb,
        {"request": request_id_in(message.text), "version": 2, **YES},
        chat=Chat(approval.conversation_id, "channel"),
        activity_id=approval.activity_id,
    )
    assert "Expired without a decision. Nothing was changed." in texts(answer.card)
    await wait_until_decided(bot, approval, "Expired without a decision.")
    await bot.received()
    assert bot.gateway.configapi.submits == []


def request_id_in(text: str) -> str:
    return text.removeprefix("Request ").split()[0]


async def run_deadlines(bot: RunningBot, *, hours_ahead: float) -> None:
    """Run the deadlines loop with a clock that is ahead, until at least one round is complete. It is 20:00
    for the approvers."""
    database = Database(bot.settings.database)
    round_complete = asyncio.Event()
    calls = itertools.count(1)

    def clock() -> datetime:
        # Called when a round starts and for each request that is due, of which there is at most one.
        if next(calls) == 4:
            round_complete.set()
        return datetime.now(UTC) + timedelta(hours=hours_ahead)

    deadlines = Deadlines(
        database,
        Notifications(CHANNEL.id, CHANNEL.id, Words()),
        timing=FAST,
        clock=clock,
        changed=lambda: None,
        zone=zone_where(20),
    )
    loop = asyncio.create_task(deadlines.run())
    async with asyncio.timeout(PATIENCE):
        await round_complete.wait()
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop
    await database.close()


async def test_approvers_are_reminded_until_request_expires(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    for hours, left in ((13.0, "11 hours"), (21.5, "2 hours")):
        since = bot.now
        await run_deadlines(bot, hours_ahead=hours)
        await run_deadlines(bot, hours_ahead=hours)  # sends no second reminder
        message = await bot.wait_for_text("is still waiting for approval: 2 phones", since=since)
        assert message.conversation_id.startswith(CHANNEL.id)
        assert left in message.text
    await run_deadlines(bot, hours_ahead=23.5)  # no reminder in the last hour
    await run_deadlines(bot, hours_ahead=24.1)
    await bot.wait_for_text("expired before anyone approved it", chat=CHAT)
    await wait_until_decided(bot, approval, "Expired without a decision.")
    reminders = [
        message for message in bot.teams.connector.messages if "is still waiting" in message.text
    ]
    assert len(reminders) == 2


# -- undeliverable approval cards -----------------------------------------------------------------


async def test_requester_is_notified_when_approval_card_is_undeliverable(
    make_bot: MakeBot,
) -> None:
    """Teams answers 403 in a channel where the app is not installed."""
    teams = Scenario(connector=Connector(limits=False))
    bot = await make_bot(teams=teams)
    bot.teams.connector.blocked.add(CHANNEL.id)
    validation = await bot.submit_file(phones_csv(2))
    await bot.click(ALEX, validation, "request_approval", {"reason": "x"})
    message = await bot.wait_for_text("could not deliver", chat=CHAT)
    assert request_id_of(validation) in message.text
    # The request can still be decided where its card can be posted.
    bot.teams.connector.blocked.clear()
    since = bot.now
    await bot.say(f"status {request_id_of(validation)}", chat=Chat("a:megan"), by=MEGAN)
    approval = await bot.wait_for_button("approve", since=since)
    await assert_still_waiting(bot, approval)
