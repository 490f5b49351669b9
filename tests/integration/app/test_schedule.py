"""Requests that start at a set time, over HTTP, with the service's clock advanced by hand."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from bot.simulator.client import texts, verbs
from bot.simulator.connector import Posted
from bot.store.models.batches import BatchRow
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_approver import approve as approve_as
from tests.integration.app.test_approver import click, sso, submitters
from tests.integration.app.test_windows import submit, table
from tests.support.reading import elements
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    Answer,
    RunningBot,
    has_button,
    request_id_of,
    text_of,
)

NOW = datetime(2026, 10, 20, 10, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YES = {"reason": "New lobby, CHG0042", "acknowledge": "true"}
#: 18:00 in Berlin
TOMORROW = {"run_at": "2026-10-21", "run_at_time": "18:00", "run_at_zone": "Europe/Berlin"}
STARTS = "Wed 21 Oct, 18:00 (Europe/Berlin), 16:00 UTC"
START = datetime(2026, 10, 21, 16, 0, tzinfo=UTC)


class Clock:
    """The service's clock: it goes on, from where it is set."""

    def __init__(self) -> None:
        self.set(NOW)

    def set(self, now: datetime) -> None:
        self._ahead = now - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("bot.app.utc_now", clock)
    return clock


@pytest.fixture
async def bot(clock: Clock, make_bot: MakeBot) -> RunningBot:
    return await make_bot()


async def draft(bot: RunningBot, *provisioned: str, **activity: Any) -> Posted:
    return await submit(bot, table(*(provisioned or ("",) * 3)), **activity)


async def request(bot: RunningBot, card: Posted, **inputs: Any) -> Answer:
    return await bot.click(ALEX, card, "request_approval", {**YES, **inputs})


async def waiting(bot: RunningBot, card: Posted, **inputs: str) -> Posted:
    """Request approval; returns the approval card."""
    since = bot.now
    answer = await request(bot, card, **inputs)
    assert "is waiting for approval" in texts(answer.card)
    return await bot.wait_for_button("approve", since=since)


async def scheduled(bot: RunningBot) -> Posted:
    """An approved request that waits for its time; returns the requester's progress card."""
    approval = await waiting(bot, await draft(bot), **TOMORROW)
    since = bot.now
    await bot.approve(approval)
    return await bot.wait_for(
        lambda message: (
            message.conversation_id == CHAT.id and f"Starts {STARTS}." in text_of(message)
        ),
        since=since,
    )


async def asked(bot: RunningBot, verb: str, since: int) -> Posted:
    """The card among the approvers' that asks them to click."""
    return await bot.wait_for(
        lambda message: (
            message.conversation_id.startswith(CHANNEL.id) and has_button(message, verb)
        ),
        since=since,
    )


async def test_request_starts_at_the_time_that_was_approved(bot: RunningBot, clock: Clock) -> None:
    card = await draft(bot, localTimezone="Europe/Berlin")

    since = bot.now
    answer = await request(bot, card, run_at="2026-10-21", run_at_time="18:00")

    assert f"To start on {STARTS}." in texts(answer.card)
    approval = await bot.wait_for_button("approve", since=since)
    assert f"Starts {STARTS}, if approved by Wed 21 Oct, 12:00 (Europe/Berlin)." in text_of(
        approval
    )
    since = bot.now
    answer = await bot.approve(approval)
    assert "Scheduled" in str(answer.card)
    await bot.wait_for_text(f"It starts {STARTS}.", since=since)
    await bot.say("status")
    await bot.wait_for_text(f"Starts {STARTS}", chat=CHAT, since=since)
    assert not bot.gateway.configapi.submits

    clock.set(START)
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 1


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"run_at": "2026-10-21"}, "Enter both a date and a time"),
        ({"run_at_time": "18:00"}, "Enter both a date and a time"),
        ({"run_at": "tomorrow", "run_at_time": "6 PM"}, "Enter both a date and a time"),
        ({"run_at": "2026-02-29T10:00", "run_at_zone": "UTC"}, "Enter both a date and a time"),
        ({"run_at": "2026-10-21T18:00"}, "Teams doesn't say which time zone you are in."),
        (
            {"run_at": "2026-10-21T18:00", "run_at_zone": "../../etc/passwd"},
            'I don\'t know the time zone "../../etc/passwd".',
        ),
        (
            {"run_at": "2026-10-20T11:59", "run_at_zone": "Europe/Berlin"},
            "Tue 20 Oct, 11:59 (Europe/Berlin) is over.",
        ),
        ({"run_at": "2026-10-20T10:03", "run_at_zone": "UTC"}, "at least 5 minutes away"),
        ({"run_at": "2026-11-25T10:00", "run_at_zone": "UTC"}, "at most 30 days away"),
    ],
)
async def test_start_that_is_none_is_refused_with_a_sentence(
    bot: RunningBot, inputs: dict[str, str], sentence: str
) -> None:
    card = await draft(bot)

    assert sentence in (await request(bot, card, **inputs)).text


@pytest.mark.parametrize(
    ("fields", "zone", "expected"),
    [
        ({"localTimezone": "America/New_York"}, "", "18:00 (America/New\\_York), 22:00 UTC"),
        (
            {"entities": [{"type": "clientInfo", "timezone": "Asia/Kolkata"}]},
            "",
            "18:00 (Asia/Kolkata), 12:30 UTC",
        ),
        ({"localTimezone": "America/New_York"}, "berlin", "18:00 (Europe/Berlin), 16:00 UTC"),
    ],
)
async def test_zone_is_that_of_the_click_unless_it_is_corrected(
    bot: RunningBot, fields: dict[str, Any], zone: str, expected: str
) -> None:
    card = await draft(bot)
    data = {
        "request": request_id_of(card),
        **YES,
        "run_at": "2026-10-21T18:00",
        **({"run_at_zone": zone} if zone else {}),
    }
    action = {"type": "Action.Execute", "verb": "request_approval", "data": data}
    since = bot.now

    status, _ = await bot.client.post(
        bot.client.activity(
            ALEX,
            CHAT,
            type="invoke",
            name="adaptiveCard/action",
            value={"action": action},
            replyToId=card.activity_id,
            **fields,
        )
    )

    assert status == 200
    approval = await bot.wait_for_button("approve", since=since)
    assert f"Starts Wed 21 Oct, {expected}" in text_of(approval)


async def test_time_that_comes_twice_is_asked_about(bot: RunningBot) -> None:
    card = await draft(bot)
    twice = {"run_at": "2026-10-25", "run_at_time": "02:30", "run_at_zone": "Europe/Berlin"}

    answer = await request(bot, card, **twice, ticket="INC 42", batch_size=20)

    assert "The earlier one, UTC+02:00" in str(answer.card)
    kept = {each.get("id"): each.get("value") for each in elements(answer.card)}
    assert kept["reason"] == "New lobby, CHG0042"  # not to be typed again
    assert (kept["ticket"], kept["batch_size"]) == ("INC 42", 20)
    approval = await waiting(bot, card, **twice, run_at_which="later")
    assert "Starts Sun 25 Oct, 02:30 (Europe/Berlin, UTC+01:00), 01:30 UTC" in text_of(approval)


async def test_start_that_misses_deadlines_of_phones_is_asked_about(bot: RunningBot) -> None:
    card = await draft(bot, "2026-10-19 10:00", "2026-10-17 20:00", "", localTimezone="UTC")
    inputs = {"run_at": "2026-10-21", "run_at_time": "18:00"}
    late = "At the start, 1 phone will be too late"

    answer = await request(bot, card, **inputs)

    assert late in texts(answer.card)
    assert "Starts Wed 21 Oct, 18:00 (UTC), if approved before then." in texts(answer.card)
    assert "request_approval" in verbs(answer.card)
    approval = await waiting(bot, card, **inputs)
    assert late in text_of(approval)


async def test_request_without_start_runs_at_once_even_if_one_was_proposed(
    bot: RunningBot,
) -> None:
    card = await draft(bot, "2026-10-17 20:00", localTimezone="UTC")
    await request(bot, card, run_at="2026-10-21", run_at_time="18:00")

    since = bot.now
    approval = await waiting(bot, card)
    await bot.approve(approval)

    await bot.wait_for_results(since=since)


async def test_scheduled_request_is_withdrawn_by_its_requester_only(bot: RunningBot) -> None:
    progress = await scheduled(bot)
    data = {"request": request_id_of(progress), "version": 99}
    for person in (MEGAN, ADELE):
        answer = await bot.send_action(person, "withdraw", data, activity_id=progress.activity_id)
        assert answer.status == 200
        assert "Withdrawn" not in str(answer.body)

    since = bot.now
    answer = await bot.click(ALEX, progress, "withdraw")

    assert "Withdrawn. Nothing was changed." in texts(answer.card)
    await bot.wait_for_text("was withdrawn by Alex Wilber before it started", since=since)
    assert not bot.gateway.configapi.submits


async def test_scheduled_request_is_canceled_by_an_approver(bot: RunningBot, clock: Clock) -> None:
    progress = await scheduled(bot)
    since = bot.now
    await bot.say(f"cancel {request_id_of(progress)}", by=MEGAN)
    await bot.wait_for_results(since=since)

    clock.set(START)
    await bot.wait_until_settled()
    assert not bot.gateway.configapi.submits


async def test_start_that_the_service_missed_by_hours_needs_an_approver(
    bot: RunningBot, clock: Clock
) -> None:
    progress = await scheduled(bot)
    await bot.stop()
    clock.set(START + 6 * HOUR)
    since = bot.now
    await bot.start()

    missed = await asked(bot, "start_now", since)
    assert "Offhook could not start it by Wed 21 Oct, 19:00 (Europe/Berlin)." in text_of(missed)
    assert not bot.gateway.configapi.submits
    data = {"request": request_id_of(progress)}
    answer = await bot.send_action(ALEX, "start_now", data, activity_id=progress.activity_id)
    assert "can't" in answer.text
    assert not bot.gateway.configapi.submits

    since = bot.now
    await bot.click(MEGAN, missed, "start_now")
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 1


async def test_start_that_the_policy_allows_no_more_needs_the_votes_that_it_asks_for(
    clock: Clock, make_bot: MakeBot, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    people = [f'"{each.object_id}"' for each in (MEGAN, ADELE)]
    text = f'requesters = ["{ALEX.object_id}"]\napprovers = [{", ".join(people)}]\n'
    path.write_text(text)
    bot = await make_bot(policy=path)
    await scheduled(bot)
    await bot.stop()
    path.write_text(f"{text}[[rule]]\nstages = [{{ of = [{', '.join(people)}], need = 2 }}]\n")
    clock.set(START)
    since = bot.now
    await bot.start()

    missed = await asked(bot, "start_now", since)
    alone = await bot.click(MEGAN, missed, "start_now")
    assert alone.text.startswith("By the policy in force now, this request needs more approvals: 1")
    assert not bot.gateway.configapi.submits
    since = bot.now
    await bot.click(ADELE, missed, "start_now")
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 1


async def test_start_needs_an_approver_to_sign_in_around_its_time(
    clock: Clock, make_bot: MakeBot
) -> None:
    bot = await make_bot(as_approver=True)
    card = await draft(bot)
    assert "an approver has to sign in around the start" in text_of(card)
    approval = await waiting(bot, card, **TOMORROW)
    assert f"An approver has to sign in at {STARTS}" in text_of(approval)
    since = bot.now
    await approve_as(bot, approval, **sso(bot, MEGAN))
    card = await bot.wait_for(
        lambda message: message.conversation_id == CHAT.id and STARTS in text_of(message),
        since=since,
    )
    early = {"request": request_id_of(card)}
    await bot.client.act(ADELE, CHAT, "sign_in", early, card.activity_id, **sso(bot, ADELE))
    with sqlite3.connect(bot.database) as connection:
        assert connection.execute("SELECT delegation_until FROM requests").fetchone() == (None,)

    since = bot.now
    clock.set(START - timedelta(minutes=14))
    wanted = await asked(bot, "sign_in", since)
    assert "An approver has to sign in for the start" in text_of(wanted)
    since = bot.now
    await click(bot, ADELE, wanted, "sign_in", **sso(bot, ADELE))
    await bot.wait_for(
        lambda message: message is wanted and not has_button(message, "sign_in"), since=since
    )
    assert not bot.gateway.configapi.submits

    clock.set(START)
    await bot.wait_for_results(since=since)
    assert submitters(bot) == [ADELE.object_id]


async def test_start_without_an_approver_signed_in_waits_for_one(
    clock: Clock, make_bot: MakeBot
) -> None:
    bot = await make_bot(as_approver=True)
    approval = await waiting(bot, await draft(bot), **TOMORROW)
    await approve_as(bot, approval, **sso(bot, MEGAN))
    since = bot.now
    clock.set(START)

    late = await asked(bot, "sign_in", since)
    assert f"It was to start {STARTS}." in text_of(late)
    assert not bot.gateway.configapi.submits
    await click(bot, MEGAN, late, "sign_in", **sso(bot, MEGAN))
    await bot.wait_for_results(since=since)
    assert submitters(bot) == [MEGAN.object_id]


async def test_start_that_outlasts_its_window_is_asked_about_and_approvers_are_told(
    clock: Clock, make_bot: MakeBot, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        f"""
        requesters = ["*"]
        approvers = ["{MEGAN.object_id}"]
        [[rule]]
        windows = [{{ days = "mon-sun", from = "18:00", to = "19:00", tz = "Europe/Berlin" }}]
        """
    )
    clock.set(START - DAY)
    bot = await make_bot(policy=path)
    since = bot.now
    await bot.approve(await waiting(bot, await draft(bot)))
    await bot.wait_for_results(since=since)
    # As if that had taken three hours.
    long_ago = START - DAY - 3 * HOUR
    await bot.sql(update(BatchRow).values(sent_at=long_ago, seen_running_at=START - DAY))

    sentence = (
        "It will probably not be over when the change window closes, on {{DATE(2026-10-21T17:00"
    )
    card = await draft(bot)
    answer = await request(bot, card, **TOMORROW)
    assert sentence in texts(answer.card)
    assert "Expected length: About 3 hours once started." in texts(answer.card)
    approval = await waiting(bot, card, **TOMORROW)
    assert sentence in text_of(approval)
