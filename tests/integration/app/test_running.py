"""A request that runs, and one that has ended: cancel, the question, retry."""

from __future__ import annotations

import asyncio

import pytest

from bot.commands import running
from bot.phones.region import Region
from bot.simulator.client import Chat, button, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario, Summaries
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    Office,
    content,
    csv_of,
    offers,
    request_of,
)

SLOW = Scenario(batch_seconds=0.6)
# The answer to the first batch is lost, and the service's list does not help to find it.
LOST = Scenario(
    batch_seconds=0.1,
    faults=(Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_LOST),),
    summaries=Summaries(listed=False),
)
RAN = Scenario(
    batch_seconds=0.1,
    faults=(Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_ACCEPTED),),
    summaries=Summaries(listed=False),
)
FAILING = Scenario(
    batch_seconds=0.1,
    outcomes={f"lobby{n}@contoso.com": ("device-offline", "success") for n in (1, 3, 4)},
)


# -- cancel --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["card", "text"])
async def test_cancel_stops_what_was_not_sent(make_office: MakeOffice, how: str) -> None:
    office = await make_office(gateway=SLOW)
    await office.approve(await office.waiting(csv_of(500)))
    progress = await office.until_offers("cancel")
    await office.gateway.configapi.wait_for_submits(3, 10)
    request = request_of(progress)
    if how == "card":
        answer = await office.click(ALEX, progress, "cancel")
        assert "Canceling." in texts(answer.card)
        assert "cancel" not in verbs(answer.card)
        again = await office.act(
            ALEX, "cancel", {"request": request}, activity_id=progress.activity_id
        )
        assert "Canceling." in texts(again.card)
    else:
        await office.say(f"CANCEL  {request.lower()[:4]}-{request[4:]}")
        told = await office.until_says("is being canceled", chat=CHAT)
        assert "will run to completion" in told.text
        since = office.now
        await office.say(f"cancel {request}")
        await office.until_says("is already being canceled", chat=CHAT, since=since)
    results = await office.results()
    assert "Canceled. 300 of 500 phones signed in." in content(results)
    assert len(office.gateway.configapi.submits) == 3
    notice = await office.until_says("was canceled: 300 of 500 phones signed in")
    assert notice.conversation_id.startswith(CHANNEL.id)
    since = office.now
    await office.say(f"cancel {request}")
    await office.until_says("The request is not running.", chat=CHAT, since=since)


async def test_a_cancel_that_comes_too_late_stops_nothing(make_office: MakeOffice) -> None:
    office = await make_office(gateway=SLOW)
    await office.approve(await office.waiting(csv_of(2)))
    await office.gateway.configapi.wait_for_submits(1, 10)
    await office.click(ALEX, await office.until_offers("cancel"), "cancel")
    results = await office.results()
    assert "phones are signed in" in content(results)
    assert "Canceled." not in content(results)


async def test_strangers_do_not_cancel(make_office: MakeOffice) -> None:
    office = await make_office(gateway=SLOW, approvers=(MEGAN.object_id,))
    await office.approve(await office.waiting(csv_of(2)))
    progress = await office.until_offers("cancel")
    answer = await office.click(ADELE, progress, "cancel")
    assert answer.text == "Only the requester can do that."
    await office.say(f"cancel {request_of(progress)}", chat=Chat("a:adele"), by=ADELE)
    await office.until_says("Only the requester can do that", chat=Chat("a:adele"))
    answer = await office.click(MEGAN, progress, "cancel")  # an approver may
    assert "Canceling." in texts(answer.card)
    await office.results()


# -- the question --------------------------------------------------------------------------------


async def question(office: Office, file: bytes) -> Posted:
    await office.approve(await office.waiting(file))
    card = await office.until_offers("reconcile", answer="ran")
    assert card.conversation_id.startswith(CHANNEL.id)
    assert "Did this batch of 2 phones in EMEA run?" in content(card)
    return card


async def test_who_may_answer_the_question(make_office: MakeOffice) -> None:
    office = await make_office(gateway=LOST, approvers=(MEGAN.object_id, ALEX.object_id))
    card = await question(office, csv_of(2))
    answer = await office.click(ADELE, card, "reconcile", answer="not_run")
    assert answer.text.startswith("You can't approve or reject")
    answer = await office.click(ALEX, card, "reconcile", answer="not_run")
    assert answer.text == "You can't decide on your own request. Ask another approver."
    data = {**button(card.card, "reconcile", answer="not_run")["data"], "answer": "perhaps"}
    answer = await office.act(MEGAN, "reconcile", data, activity_id=card.activity_id)
    assert answer.text == "Select one of the three answers."
    assert len(office.gateway.configapi.submits) == 1


async def test_it_did_not_run(make_office: MakeOffice) -> None:
    """It is sent again on a person's word, once, however often that is said."""
    office = await make_office(gateway=LOST)
    card = await question(office, csv_of(2))
    data = button(card.card, "reconcile", answer="not_run")["data"]
    answers = await asyncio.gather(
        *(
            office.act(person, "reconcile", data, chat=CHANNEL, activity_id=card.activity_id)
            for person in (MEGAN, ADELE, ISAIAH) * 2
        )
    )
    assert all("This question has been answered." in texts(answer.card) for answer in answers)
    await office.results()
    assert len(office.gateway.configapi.submits) == 2
    assert not office.gateway.configapi.run_twice
    await office.until(lambda each: each is card and not offers(each, "reconcile"))


async def test_an_old_answer_is_not_taken_for_the_next_question(make_office: MakeOffice) -> None:
    """The batch is lost twice: "it did not run", said of the first time, says nothing of the second."""
    office = await make_office(gateway=LOST)
    first = await question(office, csv_of(2))
    old = button(first.card, "reconcile", answer="not_run")["data"]
    office.gateway.faults.add(Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_ACCEPTED))
    since = office.now
    await office.act(MEGAN, "reconcile", old)
    second = await office.until(
        lambda each: each is not first and offers(each, "reconcile", answer="ran"), since=since
    )
    await office.act(ADELE, "reconcile", old, chat=CHANNEL, activity_id=first.activity_id)
    assert offers(second, "reconcile")
    batch = next(iter(office.gateway.configapi.batches))
    await office.click(MEGAN, second, "reconcile", {"batch_id": batch}, answer="ran")
    await office.results()
    assert not office.gateway.configapi.run_twice


async def test_it_ran(make_office: MakeOffice) -> None:
    """Believed only with the id of a batch that holds these phones, and that is no other of ours."""
    office = await make_office(gateway=RAN)
    card = await question(office, csv_of(2))
    since = office.now
    await office.approve(await office.waiting(csv_of(2)))  # the same phones, by another request
    await office.results(since=since)
    other = await office.gateway_batch(Region.EMEA, csv_of(3, start=5))
    ours, theirs, strange = (*list(office.gateway.configapi.batches), other)[:3]
    for given, said in (
        ("", "Enter the batch ID"),
        ({"x": 1}, "Enter the batch ID"),
        ("no-such-batch", "says nothing useful of batch no-such-batch"),
        (strange, "doesn't contain exactly these phones"),
        (theirs, "already belongs to another Offhook batch"),
        (theirs.upper(), "already belongs to another Offhook batch"),
    ):
        answer = await office.click(MEGAN, card, "reconcile", {"batch_id": given}, answer="ran")
        assert said in answer.text
    since = office.now
    answer = await office.click(MEGAN, card, "reconcile", {"batch_id": f" {ours} "}, answer="ran")
    assert "This question has been answered." in texts(answer.card)
    results = await office.results(since=since)
    assert "2 phones are signed in" in content(results)
    assert len(office.gateway.configapi.submits) == 3


async def test_it_ran_says_a_person_but_the_service_says_nothing(
    make_office: MakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever clicked hears about it before their client gives up."""
    monkeypatch.setattr(running, "_ANSWER_SECONDS", 0.2)
    office = await make_office(gateway=RAN)
    card = await question(office, csv_of(2))
    (batch,) = office.gateway.configapi.batches
    office.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.TIMEOUT_LOST))
    answer = await office.click(MEGAN, card, "reconcile", {"batch_id": batch}, answer="ran")
    assert answer.text.startswith(
        "The SIP Gateway did not respond in time, so nothing was changed."
    )
    await office.click(MEGAN, card, "reconcile", {"batch_id": batch}, answer="ran")
    await office.results()
    assert len(office.gateway.configapi.submits) == 1


async def test_check_again(make_office: MakeOffice) -> None:
    office = await make_office(gateway=RAN)
    card = await question(office, csv_of(2))
    since = office.now
    answer = await office.click(MEGAN, card, "reconcile", answer="check")
    assert "This question has been answered." in texts(answer.card)
    again = await office.until(lambda each: offers(each, "reconcile", answer="ran"), since=since)
    assert len(office.gateway.configapi.submits) == 1
    assert offers(again, "reconcile", answer="not_run")


async def test_an_approver_gets_the_question_anew(make_office: MakeOffice) -> None:
    office = await make_office(gateway=LOST)
    card = await question(office, csv_of(2))
    request = request_of(card)
    chat, since = Chat("a:megan"), office.now
    await office.say(f"status {request}", chat=chat, by=MEGAN)
    anew = await office.until(
        lambda each: each.conversation_id == chat.id and offers(each, "reconcile"), since=since
    )
    assert len(await office.heard(chat, by=MEGAN)) == 2  # how it goes, and the question
    await office.click(MEGAN, anew, "reconcile", answer="not_run")
    await office.until(lambda each: each is card and not offers(each, "reconcile"))
    await office.results()


# -- retry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["card", "text"])
async def test_retry_takes_only_what_failed_and_needs_approval_again(
    make_office: MakeOffice, how: str
) -> None:
    office = await make_office(gateway=FAILING)
    results = await office.finished(csv_of(6, "EMEA", "NOAM"))
    first, since = request_of(results), office.now
    assert "3 of 6 phones are signed in." in content(results)
    if how == "card":
        said = (await office.click(ALEX, results, "retry_failed")).text
    else:
        await office.say(f"retry {first}")
        said = (await office.until_says("needs its own approval", chat=CHAT, since=since)).text
    assert "has the 3 phones that were not signed in" in said
    draft = await office.until_offers("request_approval", since=since)
    second = request_of(draft)
    assert second in said
    assert f"Retry of request {first}." in content(draft)
    for again in (ALEX, MEGAN):
        answer = await office.click(again, results, "retry_failed")
        assert answer.text.startswith(f"There is already a request for these phones: {second}.")
    assert len(office.gateway.configapi.submits) == 2

    since = office.now
    approval = await office.ask(draft)
    assert "resets the passwords of 3 accounts" in content(approval)
    await office.approve(approval)
    again = await office.results(since=since)
    assert "3 phones are signed in." in content(again)
    retried = {
        item.username for each in office.gateway.configapi.submits[2:] for item in each.items
    }
    assert retried == {"lobby1@contoso.com", "lobby3@contoso.com", "lobby4@contoso.com"}
    # They are signed in now: the first request's button does not reset their passwords once more.
    answer = await office.click(ALEX, results, "retry_failed")
    assert answer.text.startswith(f"There is already a request for these phones: {second}.")
    since = office.now
    await office.say(f"retry {second}")
    await office.until_says(f"Every phone in request {second} is signed in.", since=since)


async def test_a_retry_that_came_to_nothing_can_be_made_again(make_office: MakeOffice) -> None:
    office = await make_office(gateway=FAILING)
    results = await office.finished(csv_of(6))
    since = office.now
    await office.click(ALEX, results, "retry_failed")
    draft = await office.until_offers("request_approval", since=since)
    await office.click(ALEX, draft, "withdraw")
    answer = await office.click(ALEX, results, "retry_failed")
    assert "has the 3 phones" in answer.text


async def test_ten_clicks_on_retry_make_one_request(make_office: MakeOffice) -> None:
    office = await make_office(gateway=FAILING)
    results = await office.finished(csv_of(6))
    answers = await asyncio.gather(
        *(office.click(ALEX, results, "retry_failed") for _ in range(10))
    )
    assert sum("needs its own approval" in answer.text for answer in answers) == 1
    drafts = [each for each in await office.heard() if offers(each, "request_approval")]
    assert len(drafts) == 1


# -- the service in trouble ----------------------------------------------------------------------


async def test_the_gateway_is_away_for_a_while(office: Office) -> None:
    """Nothing is lost, nothing is sent twice, and the card says how things are."""
    approval = await office.waiting(csv_of(150))
    await office.gateway.__aexit__(None, None, None)
    await office.approve(approval)
    progress = await office.until_says("The SIP Gateway has not responded since", chat=CHAT)
    assert "cancel" in verbs(progress.card)
    async with office.gateway:
        results = await office.results()
        assert "150 phones are signed in" in content(results)
        await office.until(
            lambda each: each is progress and "has not responded" not in content(each)
        )
        assert not office.gateway.configapi.run_twice


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (Call.CREATE_BATCH, FaultKind.FORBIDDEN, "The SIP Gateway is refusing requests."),
        (Call.BATCH_STATUS, FaultKind.SERVER_ERROR, "The SIP Gateway has not responded since"),
        (Call.BATCH_STATUS, FaultKind.DROP_LOST, "The SIP Gateway has not responded since"),
    ],
)
async def test_the_gateway_in_trouble(
    office: Office, call: Call, kind: FaultKind, said: str
) -> None:
    # A read is tried three times before it is told, and by the HTTP client twice if it was dropped.
    # The trouble comes several times over, since a card shows only what lasts until its turn.
    times = 20 if call is Call.CREATE_BATCH else 24 if kind is FaultKind.DROP_LOST else 12
    office.gateway.faults.add(Fault(call=call, fault=kind, times=times))
    await office.approve(await office.waiting(csv_of(2)))
    progress = await office.until_says(said, chat=CHAT)
    assert "2 phones are signed in" in content(await office.results())
    await office.until(lambda each: each is progress and said not in content(each))
    assert not office.gateway.configapi.run_twice


async def test_a_batch_that_is_refused_is_explained(office: Office) -> None:
    text = "TargetRegion <b>is</b> [not](https://evil.example.com) valid"
    office.gateway.faults.add(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.BAD_REQUEST, message=text)
    )
    await office.approve(await office.waiting(csv_of(2)))
    results = await office.results()
    assert "None of the 2 phones are signed in." in content(results)
    assert "TargetRegion" in content(results)
    assert "[not](" not in content(results)
    assert offers(results, "retry_failed")
