"""Jobs from file and validation through approval and run to results and export."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from bot.simulator.client import CONSENT, Chat, attachments, has_attachment, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.files import ServedFile
from bot.simulator.scenario import Scenario
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE

INFO = "application/vnd.microsoft.teams.card.file.info"
HEADER = (
    "Username,HardwareId,Region,Status,Error,Cause,Fix,BatchId,ProvisioningUrl,"
    "Provisioned,Deadline,AccountCheck,SeenSignedIn"
)
# Two phones fail, one row is not ready, and one account looks like a formula to a spreadsheet.
MIXED = (
    b"Username,HardwareId,Region\r\n"
    b"lobby@contoso.com,80-5E-C0-00-00-01,EMEA\r\n"
    b"fax@contoso.com,80-5e-c0-00-00-02,NOAM\r\n"
    b"+4930@contoso.com,80-5E-C0-00-00-03,EMEA\r\n"
    b"\"=cmd|' /C calc'!A0\",80-5E-C0-00-00-04,EMEA\r\n"
    b"gate@contoso.com,80-5E-C0-00-00-05,EMEA\r\n"
)
FAILURES = Scenario(
    batch_seconds=0.1,
    outcomes={"fax@contoso.com": ("device-offline",), "gate@contoso.com": ("=HYPERLINK(0x8007)",)},
)


async def test_job_signs_in_every_phone_after_approval(bot: RunningBot) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        validation = await bot.submit_file(phones_csv(150, "EMEA", "NOAM"), "lobby phones.csv")
        assert "150 rows" in text_of(validation)
        assert "lobby phones.csv" in text_of(validation)
        assert bot.gateway.configapi.submits == []

        approval = await bot.request_approval(validation)
        assert approval.conversation_id.startswith(f"{CHANNEL.id};messageid=")
        for expected in (
            "Resets 150 passwords",
            "Alex Wilber",
            "CHG0042",
            "75 phones in 1 batch",
        ):
            assert expected in text_of(approval)
        assert bot.gateway.configapi.submits == []

        answer = await bot.approve(approval)
        assert "Megan Bowen approved the sign-in of 150 phones." in texts(answer.card)
        results = await bot.wait_for_results()
        messages = await bot.received()

    assert [message.conversation_id for message in messages] == [CHAT.id] * 3
    first, progress, last = messages
    assert last is results
    assert first is validation
    assert "request_approval" in verbs(first.versions[0]["attachments"][0]["content"])
    await bot.wait_for(lambda message: message is progress and "cancel" not in verbs(message.card))
    assert "150" in text_of(results)
    channel = [
        text_of(message)
        for message in bot.teams.connector.messages
        if message.conversation_id.startswith(CHANNEL.id)
    ]
    assert len(channel) == 3  # the approval card and two notifications
    assert any("Megan Bowen approved" in text and "It has started" in text for text in channel)
    assert any("has finished: 150 of 150 phones signed in, 0 failed" in text for text in channel)

    configapi = bot.gateway.configapi
    assert sorted(len(submit.items) for submit in configapi.submits) == [75, 75]
    assert len(configapi.runs) == 150
    assert not configapi.run_twice
    log_text = json.dumps(logs, default=repr)
    assert "tempauth" not in log_text
    assert "Bearer" not in log_text
    turns = [entry for entry in logs if entry["event"] in ("action.received", "request.drafted")]
    assert {entry["event"] for entry in turns} == {"action.received", "request.drafted"}
    assert all(entry.get("reference") for entry in turns)


async def export(
    bot: RunningBot, results: Posted, *, accept: bool = True, status: int = 201
) -> str:
    """Click Export and answer the consent card; returns the ID of the upload."""
    since = bot.now
    answer = await bot.click(ALEX, results, "export", what="results")
    assert answer.text == "The file is in the next message."
    consent = await bot.wait_for(lambda message: has_attachment(message, CONSENT), since=since)
    response_status, upload = await bot.client.answer_consent(
        ALEX, CHAT, consent, accept=accept, status=status
    )
    assert response_status == 200
    return upload


async def test_export_lists_every_row_and_can_be_submitted_again(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=FAILURES)
    results = await bot.run_job(MIXED)
    upload = await export(bot, results)
    data = await bot.teams.files.uploaded(upload, PATIENCE)
    info = await bot.wait_for(lambda message: has_attachment(message, INFO))
    (attachment,) = attachments(info)
    assert attachment["name"].endswith("-results.csv")
    assert attachment["content"] == {"uniqueId": upload, "fileType": "csv"}

    assert data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8-sig")
    assert text.splitlines()[0] == HEADER
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["Username"] for row in rows] == [
        "lobby@contoso.com",
        "fax@contoso.com",
        "'+4930@contoso.com",
        "'=cmd|' /C calc'!A0",
        "gate@contoso.com",
    ]
    assert [row["Status"] for row in rows] == [
        "signed_in",
        "failed",
        "signed_in",
        "not_ready",
        "failed",
    ]
    assert rows[1]["HardwareId"] == "80-5E-C0-00-00-02"
    assert rows[1]["Region"] == "NOAM"
    assert rows[1]["Error"] == "Device is offline."
    assert rows[1]["Cause"] == "The phone is offline."
    assert "power and network" in rows[1]["Fix"]
    assert rows[1]["BatchId"] in bot.gateway.configapi.batches
    assert rows[1]["ProvisioningUrl"].startswith(
        "http://noam.ipp.sdg.teams.microsoft.com/tenantid/"
    )
    assert "formula" in rows[3]["Error"]
    assert rows[4]["Error"] == "'=HYPERLINK(0x8007)"
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]

    resubmitted = await bot.submit_file(data, "offhook-results.csv")
    assert "4 of 5 rows are ready" in text_of(resubmitted)
    assert "not needed were ignored" not in text_of(resubmitted)


@pytest.mark.parametrize(
    ("accept", "status", "text"),
    [
        (False, 201, "OK, I did not save a file."),
        (True, 500, "couldn't save"),
        (True, 507, "your OneDrive is full"),
        (True, 404, "couldn't save"),
    ],
)
async def test_export_can_be_repeated_when_file_was_not_saved(
    bot: RunningBot, accept: bool, status: int, text: str
) -> None:
    results = await bot.run_job(phones_csv(1))
    since = bot.now
    await export(bot, results, accept=accept, status=status)
    message = await bot.wait_for_text(text, chat=CHAT, since=since)
    assert "elect the export button" in text_of(message)
    upload = await export(bot, results)
    assert await bot.teams.files.uploaded(upload, PATIENCE)


async def test_unanswered_export_blocks_nothing(bot: RunningBot) -> None:
    results = await bot.run_job(phones_csv(1))
    await bot.click(ALEX, results, "export", what="results")
    await bot.wait_for(lambda message: has_attachment(message, CONSENT))
    since = bot.now
    assert await bot.run_job(phones_csv(1, start=1))
    assert len(bot.gateway.configapi.submits) == 2
    assert not [
        message for message in bot.teams.connector.since(since) if has_attachment(message, INFO)
    ]


async def test_issues_can_be_exported_before_approval(bot: RunningBot) -> None:
    validation = await bot.submit_file(MIXED)
    assert "4 of 5 rows are ready" in text_of(validation)
    answer = await bot.click(ALEX, validation, "export", what="issues")
    assert answer.text
    consent = await bot.wait_for(lambda message: has_attachment(message, CONSENT))
    _, upload = await bot.client.answer_consent(ALEX, CHAT, consent, accept=True)
    data = await bot.teams.files.uploaded(upload, PATIENCE)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[-1]["Row"] == "5"
    assert rows[-1]["Value"] == "'=cmd|' /C calc'!A0"


# -- input --------------------------------------------------------------------------------------


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["User Principal Name", "MAC address", "Region", "Floor"])
    sheet.append(["lobby@contoso.com", "805ec0123456", "emea", 3])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_workbook_and_pasted_table_are_signed_in(bot: RunningBot) -> None:
    validation = await bot.submit_file(workbook(), "phones.xlsx")
    assert "Floor" in text_of(validation)  # names the ignored column
    since = bot.now
    await bot.say("Username;HardwareId;Region\nfax@contoso.com;80:5E:C0:12:34:57;NOAM")
    pasted = await bot.wait_for_button("request_approval", since=since)
    assert "pasted table" in text_of(pasted)
    for card in (validation, pasted):
        since = bot.now
        await bot.approve(await bot.request_approval(card))
        await bot.wait_for_results(since=since)
    submitted = [item for submit in bot.gateway.configapi.submits for item in submit.items]
    assert submitted == [
        ("lobby@contoso.com", "80-5E-C0-12-34-56"),
        ("fax@contoso.com", "80-5E-C0-12-34-57"),
    ]


async def test_each_file_is_answered_when_message_has_several(bot: RunningBot) -> None:
    await bot.send_files(
        ("one.csv", phones_csv(1)),
        ("notes.txt", b"just some notes\n"),
        ("gone.csv", ServedFile(b"", status=404)),
        ("two.csv", phones_csv(2, start=1)),
    )
    answers = [text_of(message) for message in await bot.received()]
    assert len(answers) == 4
    for name, text in zip(("one.csv", "notes.txt", "gone.csv", "two.csv"), answers, strict=True):
        assert name in text


async def test_approval_request_requires_region_when_file_has_none(bot: RunningBot) -> None:
    validation = await bot.submit_file(b"Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56")
    for region in ("", "MARS"):
        inputs = {"reason": "x", "region": region}
        answer = await bot.click(ALEX, validation, "request_approval", inputs)
        assert "Select the region" in answer.text
    approval = await bot.request_approval(validation, region="APAC")
    assert "APAC" in text_of(approval)
    await bot.approve(approval)
    await bot.wait_for_results()
    (submit,) = bot.gateway.configapi.submits
    assert submit.region == "APAC"


async def test_approval_request_requires_leaving_out_rows_with_errors(bot: RunningBot) -> None:
    validation = await bot.submit_file(MIXED)
    for inputs in ({"acknowledge": "false"}, {"acknowledge": "nope"}, {"acknowledge": None}):
        answer = await bot.click(ALEX, validation, "request_approval", {"reason": "x", **inputs})
        assert "1 row is not ready and can't be sent. Select the check box" in answer.text
    await bot.approve(await bot.request_approval(validation))
    await bot.wait_for_results()
    submitted = {item.username for submit in bot.gateway.configapi.submits for item in submit.items}
    assert submitted == {
        "lobby@contoso.com",
        "fax@contoso.com",
        "+4930@contoso.com",
        "gate@contoso.com",
    }


async def test_approval_request_is_denied_without_ready_rows(bot: RunningBot) -> None:
    since = bot.now
    await bot.send_files(("bad.csv", b"Username,HardwareId,Region\nlobby,00-00-00-00-00-00,EMEA\n"))
    validation = await bot.wait_for_button("withdraw", since=since)
    assert not has_button(validation, "request_approval")
    answer = await bot.send_action(ALEX, "request_approval", {"request": request_id_of(validation)})
    assert "No rows are ready" in answer.text


@pytest.mark.parametrize("kind", ["groupChat", "channel"])
async def test_file_outside_personal_chat_is_answered_with_alternative(
    bot: RunningBot, kind: str
) -> None:
    chat = Chat("19:meeting@thread.v2;messageid=17", kind)
    html = '<p>here</p><attachment id="1"></attachment>'
    status, _ = await bot.client.post(
        bot.client.activity(
            ADELE,
            chat,
            type="message",
            text="",
            attachments=[{"contentType": "text/html", "content": html}],
        )
    )
    assert status == 200
    message = await bot.wait_for_text("1:1 chat", chat=chat)
    assert "paste its rows into the same message" in message.text
    # Pasting works there.
    since = bot.now
    await bot.say("Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56", chat=chat, by=ADELE)
    assert await bot.wait_for_button("request_approval", since=since)


async def test_picture_is_answered_with_accepted_file_types(bot: RunningBot) -> None:
    await bot.client.post(
        bot.client.activity(
            ALEX,
            CHAT,
            type="message",
            text="",
            attachments=[{"contentType": "image/png", "contentUrl": "x"}],
        )
    )
    (message,) = await bot.received()
    assert "CSV and Excel" in message.text
    assert "group chats" not in message.text


async def test_file_is_denied_to_non_requesters(make_bot: MakeBot) -> None:
    bot = await make_bot(requesters=(ALEX.object_id,), approvers=(MEGAN.object_id,))
    since = bot.now
    await bot.send_files(("phones.csv", phones_csv(1)), chat=Chat("a:adele"), by=ADELE)
    message = await bot.wait_for_text("You can't request sign-ins", since=since)
    assert message.conversation_id == "a:adele"
    await bot.say(
        "Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56", chat=Chat("a:adele"), by=ADELE
    )
    first, second = await bot.received(Chat("a:adele"), by=ADELE)
    assert text_of(first) == text_of(second)
