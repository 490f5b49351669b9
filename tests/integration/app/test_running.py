"""Running and ended requests: cancel, reconcile, retry, and failures of the SIP Gateway."""

from __future__ import annotations

import asyncio

import pytest

from bot.phones.region import Region
from bot.simulator.client import Chat, button, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario, Summaries
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    Json,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE, Clock, until

SLOW = Scenario(batch_seconds=600)  # not over before the test says so
# The first submit is lost before it reaches the SIP Gateway, and no batch is in the summaries.
LOST = Scenario(
    batch_seconds=0.1,
    faults=(Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_LOST),),
    summaries=Summaries(listed=False),
)
# The first submit runs and its answer is lost; no batch is in the summaries.
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


@pytest.mark.parametrize("origin", ["card", "text"])
async def test_cancel_stops_batches_not_yet_submitted(make_bot: MakeBot, origin: str) -> None:
    bot = await make_bot(gateway=SLOW)
    await bot.approve(await bot.submit_for_approval(phones_csv(500)))
    progress = await bot.wait_for_button("cancel")
    await bot.gateway.configapi.wait_for_submits(3, PATIENCE)
    request = request_id_of(progress)
    if origin == "card":
        answer = await bot.click(ALEX, progress, "cancel")
        assert "Canceling." in texts(answer.card)
        assert "cancel" not in verbs(answer.card)
        again = await bot.send_action(
            ALEX, "cancel", {"request": request}, activity_id=progress.activity_id
        )
        assert "Canceling." in texts(again.card)
    else:
        await bot.say(f"CANCEL  {request.lower()[:4]}-{request[4:]}")
        message = await bot.wait_for_text("is being canceled", chat=CHAT)
        assert "will run to completion" in message.text
        since = bot.now
        await bot.say(f"cancel {request}")
        await bot.wait_for_text("is already being canceled", chat=CHAT, since=since)
    bot.gateway.configapi.finish()
    results = await bot.wait_for_results()
    assert "Canceled. 300 of 500 phones signed in." in text_of(results)
    assert len(bot.gateway.configapi.submits) == 3
    notification = await bot.wait_for_text("was canceled: 300 of 500 phones signed in")
    assert notification.conversation_id.startswith(CHANNEL.id)
    since = bot.now
    await bot.say(f"cancel {request}")
    await bot.wait_for_text("The request is not running.", chat=CHAT, since=since)


async def test_cancel_stops_nothing_when_everything_is_submitted(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=SLOW)
    await bot.approve(await bot.submit_for_approval(phones_csv(2)))
    await bot.gateway.configapi.wait_for_submits(1, PATIENCE)
    await bot.click(ALEX, await bot.wait_for_button("cancel"), "cancel")
    bot.gateway.configapi.finish()
    results = await bot.wait_for_results()
    assert "phones are signed in" in text_of(results)
    assert "Canceled." not in text_of(results)


async def test_cancel_is_denied_to_non_participants(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=SLOW, approvers=(MEGAN.object_id,))
    await bot.approve(await bot.submit_for_approval(phones_csv(2)))
    progress = await bot.wait_for_button("cancel")
    data = button(progress.card, "cancel")["data"]  # which goes once the batch is sent
    answer = await bot.send_action(
        ADELE, "cancel", data, chat=chat_of(progress), activity_id=progress.activity_id
    )
    assert answer.text == "Only the requester or an approver can cancel a request. Ask one of them."
    await bot.say(f"cancel {request_id_of(progress)}", chat=Chat("a:adele"), by=ADELE)
    await bot.wait_for_text("I can't find request", chat=Chat("a:adele"))
    answer = await bot.send_action(  # approvers may
        MEGAN, "cancel", data, chat=chat_of(progress), activity_id=progress.activity_id
    )
    assert "Canceling." in texts(answer.card)
    bot.gateway.configapi.finish()
    await bot.wait_for_results()


# -- reconciliation ------------------------------------------------------------------------------


async def unsettled_batch(bot: RunningBot, file: bytes) -> Posted:
    """Approve a request whose batch ends up with an unknown outcome; returns the reconciliation card."""
    await bot.approve(await bot.submit_for_approval(file))
    card = await bot.wait_for_button("reconcile", answer="ran")
    assert card.conversation_id.startswith(CHANNEL.id)
    assert "Did this batch of 2 phones in EMEA run?" in text_of(card)
    return card


def is_settled_question(card: Json) -> bool:
    """True for a reconciliation card that asks no more. The request may have ended by then."""
    shown = texts(card)
    settled = "This question is settled." in shown or "Finished" in shown
    return settled and "reconcile" not in verbs(card)


async def test_reconciliation_is_denied_to_requester_and_non_approvers(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=LOST, approvers=(MEGAN.object_id, ALEX.object_id))
    card = await unsettled_batch(bot, phones_csv(2))
    answer = await bot.click(ADELE, card, "reconcile", answer="not_run")
    assert answer.text.startswith("You can't approve or reject")
    answer = await bot.click(ALEX, card, "reconcile", answer="not_run")
    assert answer.text == "You can't decide on your own request. Ask another approver."
    data = {**button(card.card, "reconcile", answer="not_run")["data"], "answer": "perhaps"}
    answer = await bot.send_action(MEGAN, "reconcile", data, activity_id=card.activity_id)
    assert answer.text == "Select one of the three answers."
    assert len(bot.gateway.configapi.submits) == 1


@pytest.mark.database_thread
async def test_batch_is_resubmitted_once_when_approvers_say_it_did_not_run(
    make_bot: MakeBot,
) -> None:
    """Several approvers give the same answer at the same time."""
    bot = await make_bot(gateway=LOST)
    card = await unsettled_batch(bot, phones_csv(2))
    data = button(card.card, "reconcile", answer="not_run")["data"]
    answers = await asyncio.gather(
        *(
            bot.send_action(person, "reconcile", data, chat=CHANNEL, activity_id=card.activity_id)
            for person in (MEGAN, ADELE, ISAIAH) * 2
        )
    )
    assert all(is_settled_question(answer.card) for answer in answers)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 2
    assert not bot.gateway.configapi.run_twice
    await bot.wait_for(lambda message: message is card and not has_button(message, "reconcile"))


async def test_outdated_reconciliation_answer_is_ignored_for_next_attempt(
    make_bot: MakeBot,
) -> None:
    """The batch is lost twice: the answer "it did not run" is about the first attempt only."""
    bot = await make_bot(gateway=LOST)
    first = await unsettled_batch(bot, phones_csv(2))
    outdated = button(first.card, "reconcile", answer="not_run")["data"]
    bot.gateway.faults.add(Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_ACCEPTED))
    since = bot.now
    await bot.send_action(MEGAN, "reconcile", outdated)
    second = await bot.wait_for(
        lambda message: message is not first and has_button(message, "reconcile", answer="ran"),
        since=since,
    )
    await bot.send_action(ADELE, "reconcile", outdated, chat=CHANNEL, activity_id=first.activity_id)
    assert has_button(second, "reconcile")
    batch = next(iter(bot.gateway.configapi.batches))
    await bot.click(MEGAN, second, "reconcile", {"batch_id": batch}, answer="ran")
    await bot.wait_for_results()
    assert not bot.gateway.configapi.run_twice


async def test_batch_is_accepted_as_run_only_with_matching_batch_id(make_bot: MakeBot) -> None:
    """The batch must hold exactly these phones and belong to no other Offhook batch."""
    bot = await make_bot(gateway=RAN)
    card = await unsettled_batch(bot, phones_csv(2))
    since = bot.now
    # The same phones in another request.
    await bot.approve(await bot.submit_for_approval(phones_csv(2)))
    await bot.wait_for_results(since=since)
    other = await bot.submit_foreign_batch(Region.EMEA, phones_csv(3, start=5))
    own, taken, foreign = (*list(bot.gateway.configapi.batches), other)[:3]
    for batch_id, text in (
        ("", "Enter the batch ID"),
        ({"x": 1}, "Enter the batch ID"),
        ("no-such-batch", "no usable answer about batch no-such-batch: Batch not found. Check"),
        (foreign, "doesn't contain exactly these phones"),
        (taken, "already belongs to another Offhook batch"),
        (taken.upper(), "already belongs to another Offhook batch"),
    ):
        answer = await bot.click(MEGAN, card, "reconcile", {"batch_id": batch_id}, answer="ran")
        assert text in answer.text
    since = bot.now
    answer = await bot.click(MEGAN, card, "reconcile", {"batch_id": f" {own} "}, answer="ran")
    assert is_settled_question(answer.card)
    results = await bot.wait_for_results(since=since)
    assert "2 phones are signed in" in text_of(results)
    assert len(bot.gateway.configapi.submits) == 3


async def test_reconciliation_answers_in_time_when_gateway_does_not_respond(
    make_bot: MakeBot, clock: Clock
) -> None:
    """The click is answered before the client gives up."""
    bot = await make_bot(gateway=RAN)
    card = await unsettled_batch(bot, phones_csv(2))
    (batch,) = bot.gateway.configapi.batches
    bot.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.TIMEOUT_LOST))
    reads = bot.gateway.configapi.calls[Call.BATCH_STATUS]
    click = asyncio.create_task(
        bot.click(MEGAN, card, "reconcile", {"batch_id": batch}, answer="ran")
    )
    await until(lambda: bot.gateway.configapi.calls[Call.BATCH_STATUS] > reads)
    clock.advance(6)
    answer = await click
    assert answer.text.startswith(
        "The SIP Gateway did not respond in time, so nothing was changed."
    )
    await bot.click(MEGAN, card, "reconcile", {"batch_id": batch}, answer="ran")
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_reconciliation_card_is_posted_again_after_check_again(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=RAN)
    card = await unsettled_batch(bot, phones_csv(2))
    since = bot.now
    answer = await bot.click(MEGAN, card, "reconcile", answer="check")
    assert "Offhook is checking this batch again." in texts(answer.card)
    card = await bot.wait_for(
        lambda message: has_button(message, "reconcile", answer="ran"), since=since
    )
    assert len(bot.gateway.configapi.submits) == 1
    assert has_button(card, "reconcile", answer="not_run")
    assert "Check some of these phones: " in texts(card.card)


async def test_status_posts_reconciliation_card_again_for_approver(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=LOST)
    card = await unsettled_batch(bot, phones_csv(2))
    request = request_id_of(card)
    chat, since = Chat("a:megan"), bot.now
    await bot.say(f"status {request}", chat=chat, by=MEGAN)
    second_card = await bot.wait_for(
        lambda message: message.conversation_id == chat.id and has_button(message, "reconcile"),
        since=since,
    )
    assert (
        len(await bot.received(chat, by=MEGAN)) == 2
    )  # the progress card and the reconciliation card
    await bot.click(MEGAN, second_card, "reconcile", answer="not_run")
    await bot.wait_for(lambda message: message is card and not has_button(message, "reconcile"))
    await bot.wait_for_results()


# -- retry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["card", "text"])
async def test_retry_drafts_failed_phones_and_requires_approval(
    make_bot: MakeBot, origin: str
) -> None:
    bot = await make_bot(gateway=FAILING)
    results = await bot.run_job(phones_csv(6, "EMEA", "NOAM"))
    first, since = request_id_of(results), bot.now
    assert "3 of 6 phones are signed in." in text_of(results)
    if origin == "card":
        text = (await bot.click(ALEX, results, "retry_failed")).text
    else:
        await bot.say(f"retry {first}")
        text = (await bot.wait_for_text("needs its own approval", chat=CHAT, since=since)).text
    assert "has the 3 phones that were not signed in" in text
    draft = await bot.wait_for_button("request_approval", since=since)
    second = request_id_of(draft)
    assert second in text
    assert f"Retry of request {first}." in text_of(draft)
    for person in (ALEX, MEGAN):
        answer = await bot.click(person, results, "retry_failed")
        assert answer.text.startswith(f"There is already a request for these phones: {second}.")
    assert len(bot.gateway.configapi.submits) == 2

    since = bot.now
    approval = await bot.request_approval(draft)
    assert "resets the passwords of 3 accounts" in text_of(approval)
    await bot.approve(approval)
    second_results = await bot.wait_for_results(since=since)
    assert "3 phones are signed in." in text_of(second_results)
    retried = {
        item.username for submit in bot.gateway.configapi.submits[2:] for item in submit.items
    }
    assert retried == {"lobby1@contoso.com", "lobby3@contoso.com", "lobby4@contoso.com"}
    # They are signed in now: the first request's button must not reset their passwords again.
    answer = await bot.click(ALEX, results, "retry_failed")
    assert answer.text.startswith(f"There is already a request for these phones: {second}.")
    since = bot.now
    await bot.say(f"retry {second}")
    await bot.wait_for_text(f"Every phone in request {second} is signed in.", since=since)


async def test_retry_can_be_repeated_after_withdrawal(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=FAILING)
    results = await bot.run_job(phones_csv(6))
    since = bot.now
    await bot.click(ALEX, results, "retry_failed")
    draft = await bot.wait_for_button("request_approval", since=since)
    await bot.click(ALEX, draft, "withdraw")
    answer = await bot.click(ALEX, results, "retry_failed")
    assert "has the 3 phones" in answer.text


async def test_retry_looks_up_phones_without_a_result_first(make_bot: MakeBot) -> None:
    unclear = {"batch_seconds": 0.2, "statuses": {"item_success": "Whatever"}}
    outcomes = {"outcomes": {"lobby1@contoso.com": "device-offline"}}
    bot = await make_bot(gateway=Scenario.model_validate({**unclear, **outcomes}))
    results = await bot.run_job(phones_csv(6))
    assert "5 phones have no result and may be signed in." in text_of(results)
    bot.gateway.configapi.scenario = Scenario.model_validate({"batch_seconds": 0.2, **outcomes})
    since = bot.now
    answers = [(await bot.click(ALEX, results, "retry_failed")).text for _ in range(2)]
    assert "5 phones" in answers[0]
    assert "The retry follows here" in answers[0]
    draft = await bot.wait_for_button("request_approval", since=since)
    assert "5 signed in after all and left out of this retry." in text_of(draft)
    assert "0 surely reset, 1 maybe reset, 0 surely not reset." in text_of(draft)
    await bot.wait_for(
        lambda each: (
            each.activity_id == results.activity_id
            and "5 of 6 phones are signed in." in text_of(each)
        )
    )
    approval = await bot.request_approval(draft)
    assert "5 signed in after all" in text_of(approval)
    assert answers[1] == answers[0] or "There is already a request" in answers[1]


@pytest.mark.database_thread
async def test_concurrent_retry_clicks_draft_one_request(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=FAILING)
    results = await bot.run_job(phones_csv(6))
    answers = await asyncio.gather(*(bot.click(ALEX, results, "retry_failed") for _ in range(10)))
    assert sum("needs its own approval" in answer.text for answer in answers) == 1
    drafts = [
        message for message in await bot.received() if has_button(message, "request_approval")
    ]
    assert len(drafts) == 1


# -- failures of the SIP Gateway -----------------------------------------------------------------


async def test_job_finishes_after_gateway_outage(bot: RunningBot) -> None:
    """Nothing is lost or submitted twice, and the progress card shows the outage."""
    approval = await bot.submit_for_approval(phones_csv(150))
    await bot.gateway.__aexit__(None, None, None)
    await bot.approve(approval)
    progress = await bot.wait_for_text("The SIP Gateway has not responded since", chat=CHAT)
    assert "cancel" in verbs(progress.card)
    async with bot.gateway:
        results = await bot.wait_for_results()
        assert "150 phones are signed in" in text_of(results)
        await bot.wait_for(
            lambda message: message is progress and "has not responded" not in text_of(message)
        )
        assert not bot.gateway.configapi.run_twice


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (Call.CREATE_BATCH, FaultKind.FORBIDDEN, "The SIP Gateway is refusing requests."),
        (Call.BATCH_STATUS, FaultKind.SERVER_ERROR, "The SIP Gateway has not responded since"),
        (Call.BATCH_STATUS, FaultKind.DROP_LOST, "The SIP Gateway has not responded since"),
    ],
)
async def test_progress_card_shows_gateway_failure_until_recovery(
    bot: RunningBot, clock: Clock, call: Call, kind: FaultKind, text: str
) -> None:
    fault = Fault(call=call, fault=kind, times=0)
    bot.gateway.faults.add(fault)
    await bot.approve(await bot.submit_for_approval(phones_csv(2)))
    if call is Call.BATCH_STATUS:
        # A read is tried three times before it counts as failed, and twice each by the HTTP client if
        # the connection drops. The pauses in between need not be waited for.
        for reads in range(6 if kind is FaultKind.DROP_LOST else 3):
            await until(lambda reads=reads: bot.gateway.configapi.calls[call] > reads)
            clock.advance(2.5)
    progress = await bot.wait_for_text(text, chat=CHAT)
    bot.gateway.faults.remove(fault)
    assert "2 phones are signed in" in text_of(await bot.wait_for_results())
    await bot.wait_for(lambda message: message is progress and text not in text_of(message))
    assert not bot.gateway.configapi.run_twice


async def test_results_explain_rejected_batch(bot: RunningBot) -> None:
    text = "TargetRegion <b>is</b> [not](https://evil.example.com) valid"
    bot.gateway.faults.add(Fault(call=Call.CREATE_BATCH, fault=FaultKind.BAD_REQUEST, message=text))
    await bot.approve(await bot.submit_for_approval(phones_csv(2)))
    results = await bot.wait_for_results()
    assert "None of the 2 phones are signed in." in text_of(results)
    assert "TargetRegion" in text_of(results)
    assert "[not](" not in text_of(results)
    assert has_button(results, "retry_failed")
