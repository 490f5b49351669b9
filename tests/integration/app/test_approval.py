"""No sign-in without an approval by somebody who may, who is not the requester, and in time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.lifecycle.notifications import Notifications
from bot.runner.deadlines import Deadlines
from bot.simulator.client import Chat, TeamsClient, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Connector, Fault, FaultKind, Person, Scenario
from bot.store.database import Database
from bot.words import Words
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    Answer,
    Office,
    content,
    csv_of,
    offers,
    request_of,
)
from tests.support.worker_harness import FAST

GROUP = "aaaaaaaa-0000-4000-8000-00000000000a"
FOREIGN = "99999999-2222-4333-8444-555555555555"
YES = {"acknowledge": "true"}


async def nothing_was_sent(office: Office, approval: Posted) -> None:
    """The request is still waiting: it can be approved, and that is the one time it is sent."""
    since = office.now
    await office.approve(approval)
    await office.results(since=since)
    assert len(office.gateway.configapi.submits) == 1
    assert not office.gateway.configapi.run_twice


async def read_only(office: Office, posted: Posted, text: str) -> None:
    """The newest version of a card says so, and decides nothing any more, for everybody."""
    await office.until(
        lambda each: each is posted and not {"approve", "reject"} & set(verbs(each.card))
    )
    assert text in content(posted)


# -- who -----------------------------------------------------------------------------------------


async def test_nobody_approves_their_own_request(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    assert "Someone other than Alex Wilber must decide." in content(approval)
    for verb in ("approve", "reject"):
        answer = await office.click(ALEX, approval, verb, YES)
        assert answer.text == "You can't decide on your own request. Ask another approver."
    await nothing_was_sent(office, approval)


async def test_who_somebody_is_does_not_hang_on_spelling(office: Office) -> None:
    small = Person(
        object_id="aaaaaaaa-0000-4000-8000-0000000000ff", name="Ada", principal="a@x.org"
    )
    large = small.model_copy(update={"object_id": small.object_id.upper(), "name": "Somebody Else"})
    approval = await office.ask(await office.hand_in(csv_of(2), by=small), by=small)
    answer = await office.click(large, approval, "approve", YES)
    assert answer.text == "You can't decide on your own request. Ask another approver."
    await nothing_was_sent(office, approval)


async def test_one_person_alone_if_four_eyes_is_off(make_office: MakeOffice) -> None:
    office = await make_office(four_eyes=False)
    approval = await office.waiting(csv_of(2))
    assert "Four-eyes approval is off: Alex Wilber can approve their own request." in content(
        approval
    )
    await office.approve(approval, by=ALEX)
    await office.results()
    assert len(office.gateway.configapi.submits) == 1


async def test_only_approvers_approve(make_office: MakeOffice) -> None:
    office = await make_office(approvers=(MEGAN.object_id.upper(), "not-even-an-id"))
    approval = await office.waiting(csv_of(2))
    for verb in ("approve", "reject"):
        answer = await office.click(ADELE, approval, verb, YES)
        assert answer.text.startswith("You can't approve or reject sign-ins.")
    await nothing_was_sent(office, approval)


def members(*people: Person) -> Scenario:
    groups = {GROUP: tuple(person.object_id for person in people)}
    return Scenario(batch_seconds=0.1, groups=groups)


async def test_approvers_by_group(make_office: MakeOffice) -> None:
    office = await make_office(approvers=(GROUP.upper(),), gateway=members(MEGAN))
    approval = await office.waiting(csv_of(2))
    answer = await office.click(ADELE, approval, "approve", YES)
    assert answer.text.startswith("You can't approve")
    await nothing_was_sent(office, approval)
    assert office.gateway.graph.calls[Call.GROUPS] <= 3  # remembered for a while, one each


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.GARBAGE, FaultKind.FORBIDDEN])
async def test_a_directory_that_does_not_answer_makes_nobody_an_approver(
    make_office: MakeOffice, kind: FaultKind
) -> None:
    office = await make_office(approvers=(GROUP,), gateway=members(MEGAN))
    approval = await office.waiting(csv_of(2))
    office.gateway.faults.add(Fault(call=Call.GROUPS, fault=kind, times=1))
    answer = await office.approve(approval)
    assert answer.text.startswith("You can't approve")
    # the directory is back: what it could not say was not remembered
    await nothing_was_sent(office, approval)


async def test_people_without_a_part_in_it_see_nothing(make_office: MakeOffice) -> None:
    office = await make_office(requesters=(ALEX.object_id,), approvers=(MEGAN.object_id,))
    approval = await office.waiting(csv_of(2))
    request = request_of(approval)
    for verb in ("page", "refresh", "export", "cancel", "retry_failed", "approve", "withdraw"):
        answer = await office.act(
            ADELE, verb, {"request": request}, chat=CHANNEL, activity_id=approval.activity_id
        )
        assert answer.text == "I can't find this request. Send history to see the latest requests."
    chat = Chat("a:adele")
    for command in ("status", "cancel", "retry"):
        await office.say(f"{command} {request}", chat=chat, by=ADELE)
    await office.say("history", chat=chat, by=ADELE)
    said = [content(each) for each in await office.heard(chat, by=ADELE)]
    assert (
        said[:3]
        == [f'I can\'t find request "{request}". Send history to see the latest requests.'] * 3
    )
    assert "There are no requests yet." in said[3]
    await nothing_was_sent(office, approval)


async def test_another_tenant_is_told_nothing(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    request = request_of(approval)
    before = len(office.teams.connector.messages)
    theirs = TeamsClient(office.session, office.url, office.teams, tenant_id=FOREIGN)
    status, _ = await theirs.say(ADELE, Chat("a:foreign"), f"status {request}")
    assert status == 200
    for verb in ("approve", "page", "refresh", "export"):
        answer = Answer(
            *await theirs.act(
                ADELE, Chat("a:foreign"), verb, {"request": request, **YES}, approval.activity_id
            )
        )
        assert "is not set up for your organization" in answer.text
        assert request not in answer.text
    await office.heard()
    assert len(office.teams.connector.messages) == before + 1  # the barrier's own answer
    await nothing_was_sent(office, approval)


async def test_requests_do_not_leave_their_tenant(make_office: MakeOffice) -> None:
    """Two tenants that both may use the bot know nothing of each other."""
    office = await make_office(tenant_ids=("11111111-2222-4333-8444-555555555555", FOREIGN))
    approval = await office.waiting(csv_of(2))
    request = request_of(approval)
    theirs = TeamsClient(office.session, office.url, office.teams, tenant_id=FOREIGN)
    chat = Chat("a:foreign")
    for verb in ("approve", "reject", "page", "refresh", "export", "cancel", "reconcile"):
        answer = Answer(
            *await theirs.act(MEGAN, chat, verb, {"request": request, **YES}, approval.activity_id)
        )
        assert answer.text == "I can't find this request. Send history to see the latest requests."
    await theirs.say(MEGAN, chat, f"status {request}")
    await theirs.say(MEGAN, chat, "history")
    assert f'"{request}"' in (await office.until_says("I can't find", chat=chat)).text
    assert "no requests yet" in content(await office.until_says("Latest requests", chat=chat))
    await nothing_was_sent(office, approval)


# -- how often, and when -------------------------------------------------------------------------


async def test_without_the_acknowledgement_nothing_runs(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    inputs: Any
    for inputs in ({}, {"acknowledge": "false"}, {"acknowledge": 1}, {"acknowledge": ["true"]}):
        answer = await office.click(MEGAN, approval, "approve", inputs)
        assert answer.text.startswith("Select the check box first")
    await nothing_was_sent(office, approval)


async def test_two_approvers_at_once_start_one_run(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    answers = await asyncio.gather(
        *(office.approve(approval, by=person) for person in (MEGAN, ADELE, ISAIAH) * 2)
    )
    shown = {
        texts(answer.card).split("approved the sign-in")[0].split("\n")[-1] for answer in answers
    }
    assert len(shown) == 1  # everybody is shown the same one as the one who did
    first = shown.pop().strip()
    assert first in ("Megan Bowen", "Adele Vance", "Isaiah Langer")
    for answer in answers:
        assert f"{first} approved on {{{{DATE(" in texts(answer.card)
    await office.results()
    assert len(office.gateway.configapi.submits) == 1
    await read_only(office, approval, f"{first} approved the sign-in of 2 phones.")


async def test_a_click_on_a_card_as_it_was_shows_what_became_of_it(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    old = {"request": request_of(approval), "version": 1, **YES}
    await office.click(MEGAN, approval, "reject", {"comment": "Not before Monday"})
    for verb in ("approve", "reject"):
        answer = await office.act(ADELE, verb, old, chat=CHANNEL, activity_id=approval.activity_id)
        assert "Megan Bowen rejected this request. Nothing was changed." in texts(answer.card)
        assert "Not before Monday" in texts(answer.card)
        assert verbs(answer.card) == []
    await read_only(office, approval, "Megan Bowen rejected this request.")
    await office.heard()
    assert office.gateway.configapi.submits == []


async def test_the_requester_is_told_of_a_rejection(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    since = office.now
    comment = "Wait for [CHG7](https://evil.example.com)\u202e <at>all</at>\nplease"
    await office.click(MEGAN, approval, "reject", {"comment": comment})
    told = await office.until_says("Megan Bowen rejected request", chat=CHAT, since=since)
    assert told.activity.get("textFormat") == "plain"  # no link, no mention is made of it
    assert "Wait for" in told.text
    assert "\u202e" not in told.text
    assert told.text.endswith("Nothing was changed.")
    assert "\n" not in told.text


async def test_somebody_whose_client_does_not_say_their_name(office: Office) -> None:
    nameless = Person(object_id=ALEX.object_id, name="", principal=ALEX.principal)
    approval = await office.ask(await office.hand_in(csv_of(2), by=nameless), by=nameless)
    assert "Someone other than someone must decide." in content(approval)
    await office.approve(approval, by=MEGAN.model_copy(update={"name": " \n"}))
    told = await office.until_says("It has started.")
    assert "someone approved the sign-in of 2 phones, requested by someone." in told.text
    assert "by someone has finished" in (await office.until_says("has finished")).text


async def test_asking_twice_makes_one_approval_card(office: Office) -> None:
    validation = await office.hand_in(csv_of(2))
    data = {"request": request_of(validation), "reason": "x"}
    answers = await asyncio.gather(*(office.act(ALEX, "request_approval", data) for _ in range(5)))
    assert all("is waiting for approval" in texts(answer.card) for answer in answers)
    approval = await office.until_offers("approve")
    await nothing_was_sent(office, approval)
    channel = office.teams.connector.messages
    cards = [each for each in channel if each.conversation_id.startswith(CHANNEL.id) and each.card]
    assert cards == [approval]


async def test_withdrawn_before_the_decision(office: Office) -> None:
    validation = await office.hand_in(csv_of(2))
    approval = await office.ask(validation)
    answer = await office.click(MEGAN, await still(office, validation), "withdraw")
    assert answer.text == "Only the requester can do that."
    answer = await office.click(ALEX, validation, "withdraw")
    assert "Withdrawn. Nothing was changed." in texts(answer.card)
    await read_only(office, approval, "Withdrawn. Nothing was changed.")
    answer = await office.act(
        MEGAN,
        "approve",
        {"request": request_id_of(answer), **YES},
        activity_id=approval.activity_id,
    )
    assert "Withdrawn. Nothing was changed." in texts(answer.card)
    await office.heard()
    assert office.gateway.configapi.submits == []


async def still(office: Office, validation: Posted) -> Posted:
    """The validation card once it shows that approval was asked for."""
    return await office.until(
        lambda each: each is validation and not offers(each, "request_approval")
    )


def request_id_of(answer: Answer) -> str:
    return texts(answer.card).rpartition("Request ")[2].split(",")[0]


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_too_late(make_office: MakeOffice, verb: str) -> None:
    """A click after the time is over is told so, even before the deadlines has noticed."""
    office = await make_office(approval_ttl=0.4)
    approval = await office.waiting(csv_of(2))
    told = await office.until_says("expired before anyone approved it", chat=CHAT)
    assert "send the file again" in told.text
    answer = await office.act(
        MEGAN,
        verb,
        {"request": request_id_of_text(told.text), "version": 2, **YES},
        chat=Chat(approval.conversation_id, "channel"),
        activity_id=approval.activity_id,
    )
    assert "Expired without a decision. Nothing was changed." in texts(answer.card)
    await read_only(office, approval, "Expired without a decision.")
    await office.heard()
    assert office.gateway.configapi.submits == []


def request_id_of_text(text: str) -> str:
    return text.removeprefix("Request ").split()[0]


async def look(office: Office, hours: float) -> None:
    """What the deadlines does when it looks so much later."""
    database = Database(office.settings.database)
    deadlines = Deadlines(
        database,
        Notifications(CHANNEL.id, CHANNEL.id, Words()),
        timing=FAST,
        clock=lambda: datetime.now(UTC) + timedelta(hours=hours),
        changed=lambda: None,
    )
    await deadlines.tick()
    await database.close()


async def test_approvers_are_reminded_and_then_it_expires(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    for hours, left in ((13.0, "11 hours"), (21.5, "2 hours")):
        since = office.now
        await look(office, hours)
        await look(office, hours)  # one reminder, however often one looks
        told = await office.until_says("is still waiting for approval: 2 phones", since=since)
        assert told.conversation_id.startswith(CHANNEL.id)
        assert left in told.text
    await look(office, 23.5)  # the last hour has none
    await look(office, 24.1)
    await office.until_says("expired before anyone approved it", chat=CHAT)
    await read_only(office, approval, "Expired without a decision.")
    reminders = [e for e in office.teams.connector.messages if "is still waiting" in e.text]
    assert len(reminders) == 2


# -- where approvers are not reached -------------------------------------------------------------


async def test_the_requester_hears_that_approvers_were_not_reached(
    make_office: MakeOffice,
) -> None:
    """A bot that is not in the approvers' channel gets 403 there: nobody would ever decide."""
    teams = Scenario(connector=Connector(limits=False))
    office = await make_office(teams=teams)
    office.teams.connector.blocked.add(CHANNEL.id)
    validation = await office.hand_in(csv_of(2))
    await office.click(ALEX, validation, "request_approval", {"reason": "x"})
    told = await office.until_says("could not deliver", chat=CHAT)
    assert request_of(validation) in told.text
    # and it can still be decided, where the card can be shown
    office.teams.connector.blocked.clear()
    since = office.now
    await office.say(f"status {request_of(validation)}", chat=Chat("a:megan"), by=MEGAN)
    approval = await office.until_offers("approve", since=since)
    await nothing_was_sent(office, approval)
