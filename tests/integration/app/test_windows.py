"""Deadlines in chat: from a column of the file to the cards and the exports."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import update

from bot.simulator.client import CONSENT, has_attachment, texts
from bot.simulator.connector import Posted
from bot.store.models.requests import PhoneRow
from tests.support.running_bot import ALEX, CHAT, RunningBot, has_button, text_of
from tests.support.waiting import PATIENCE

BERLIN = ZoneInfo("Europe/Berlin")


def macro(when: datetime) -> str:
    return f"{{{{DATE({when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ},SHORT)}}}}"


def hours_ago(hours: float) -> datetime:
    return (datetime.now(BERLIN) - timedelta(hours=hours)).replace(second=0, microsecond=0)


def table(*times: str) -> str:
    rows = [f"lobby{n}@contoso.com,80-5E-C0-00-00-{n:02X},EMEA,{t}" for n, t in enumerate(times)]
    return "\n".join(["Username,HardwareId,Region,Provisioned", *rows])


async def submit(bot: RunningBot, text: str, **activity: object) -> Posted:
    """Paste a table from a client that sends these fields, too."""
    since = bot.now
    message = bot.client.activity(ALEX, CHAT, type="message", text=text, **activity)
    status, _ = await bot.client.post(message)
    assert status in (200, 202)
    return await bot.wait_for_button("request_approval", since=since)


async def exported(bot: RunningBot, card: Posted, what: str) -> list[dict[str, str]]:
    since = bot.now
    await bot.click(ALEX, card, "export", what=what)
    offer = await bot.wait_for(lambda message: has_attachment(message, CONSENT), since=since)
    _, upload = await bot.client.answer_consent(ALEX, CHAT, offer, accept=True)
    data = await bot.teams.files.uploaded(upload, PATIENCE)
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


async def test_cards_tell_which_phones_are_too_early_and_too_late(bot: RunningBot) -> None:
    nearest = hours_ago(71)
    times = [hours_ago(0.2), hours_ago(30), nearest, hours_ago(80)]
    card = await submit(
        bot,
        table(*(f"{time:%d.%m.%Y %H:%M}" for time in times), ""),
        localTimezone="Europe/Berlin",
    )

    shown = text_of(card)
    assert "1 in time, 1 too early, 1 nearly too late, 1 too late, 1 without a time" in shown
    assert "1 phone is too late: it was provisioned more than 72 hours ago" in shown
    assert (
        "(lobby3@contoso.com). It is sent all the same, and the SIP Gateway will refuse it" in shown
    )
    assert "Provision it again first, or take it out of the file." in shown
    assert macro(nearest + timedelta(hours=72)) in json.dumps(card.card)
    assert (
        "4 times of provisioning without a time zone were read as Europe/Berlin, your time" in shown
    )

    issues = await exported(bot, card, "issues")
    assert [(row["Row"], row["Column"], row["Severity"]) for row in issues] == [
        ("2", "Provisioned", "warning"),
        ("4", "Provisioned", "warning"),
        ("5", "Provisioned", "warning"),
    ]

    approval = await bot.request_approval(card)
    assert "1 phone is nearly too late" in text_of(approval)
    assert "It is sent all the same, and the SIP Gateway will refuse it" in text_of(approval)
    assert "To have it provisioned again first, reject the request." in text_of(approval)
    assert "Nearest deadline" in text_of(approval)
    assert macro(nearest + timedelta(hours=72)) in json.dumps(approval.card)

    since = bot.now
    await bot.approve(approval)
    results = await bot.wait_for_results(since=since)
    assert has_button(results, "export")
    rows = await exported(bot, results, "results")
    assert [row["Provisioned"] for row in rows] == [
        *(f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for time in times),
        "",
    ]
    assert (
        rows[2]["Deadline"] == f"{nearest.astimezone(UTC) + timedelta(hours=72):%Y-%m-%dT%H:%M:%SZ}"
    )
    assert "Nearest deadline" not in text_of(results)


async def test_utc_is_used_and_told_when_the_time_zone_is_not_known(bot: RunningBot) -> None:
    text = table("2026-11-24 14:00")

    for fields in ({}, {"localTimezone": "../../etc/passwd"}):
        card = await submit(bot, text, **fields)
        assert "was read as UTC, since your own time zone is not known." in text_of(card)


async def test_time_zone_of_the_client_info_is_used(bot: RunningBot) -> None:
    entity = {"type": "clientInfo", "locale": "en-US", "timezone": "America/Chicago"}

    card = await submit(bot, table("2026-11-24 14:00"), entities=[entity])

    assert "read as America/Chicago, your time zone." in text_of(card)


async def test_ambiguous_date_is_an_issue_of_its_row_with_how_to_write_it(bot: RunningBot) -> None:
    card = await submit(bot, table("03/04/2026"))

    assert "This can mean 04 March 2026 or 03 April 2026" in text_of(card)
    assert "Write the year first, like 2026-11-24 14:00." in text_of(card)


async def test_phone_that_is_too_late_by_now_stops_the_approval_and_redraws_every_card(
    bot: RunningBot,
) -> None:
    card = await submit(
        bot, table(f"{hours_ago(30):%d.%m.%Y %H:%M}"), localTimezone="Europe/Berlin"
    )
    approval = await bot.request_approval(card)
    assert "too late" not in text_of(approval)
    await bot.sql(update(PhoneRow).values(provisioned_at=hours_ago(80)))
    answer = await bot.approve(approval)
    assert "More phones are too late by now." in texts(answer.card)
    # Nothing has happened but time; so nobody else would be told.
    await bot.wait_for(
        lambda posted: posted is approval and "1 phone is too late" in text_of(posted)
    )
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)
