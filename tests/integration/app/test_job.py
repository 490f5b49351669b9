"""The main job as people live it: file, check, approval, run, results, export."""

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
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    Office,
    content,
    csv_of,
    offers,
    request_of,
)
from tests.support.worker_harness import PATIENCE

INFO = "application/vnd.microsoft.teams.card.file.info"
HEADER = "Username,HardwareId,Region,Status,Error,Cause,Fix,BatchId,ProvisioningUrl"
# Two phones fail, one row cannot be sent, one account looks like a formula to a spreadsheet.
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


async def test_the_main_job(office: Office) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        validation = await office.hand_in(csv_of(150, "EMEA", "NOAM"), "lobby phones.csv")
        assert "150 rows" in content(validation)
        assert "lobby phones.csv" in content(validation)
        assert office.gateway.configapi.submits == []

        approval = await office.ask(validation)
        assert approval.conversation_id.startswith(f"{CHANNEL.id};messageid=")
        for needed in (
            "resets the passwords of 150 accounts",
            "Alex Wilber",
            "CHG0042",
            "75 phones in 1 batch",
        ):
            assert needed in content(approval)
        assert office.gateway.configapi.submits == []

        answer = await office.approve(approval)
        assert "Megan Bowen approved the sign-in of 150 phones." in texts(answer.card)
        results = await office.results()
        heard = await office.heard()

    assert [each.conversation_id for each in heard] == [CHAT.id] * 3
    asked, progress, told = heard
    assert told is results
    assert asked is validation
    assert "request_approval" in verbs(asked.versions[0]["attachments"][0]["content"])
    await office.until(lambda each: each is progress and "cancel" not in verbs(each.card))
    assert "150" in content(results)
    channel = [
        content(each)
        for each in office.teams.connector.messages
        if each.conversation_id.startswith(CHANNEL.id)
    ]
    assert len(channel) == 3  # the approval, and two notices
    assert any("Megan Bowen approved" in each and "It has started" in each for each in channel)
    assert any("has finished: 150 of 150 phones signed in, 0 failed" in each for each in channel)

    service = office.gateway.configapi
    assert sorted(len(each.items) for each in service.submits) == [75, 75]
    assert len(service.runs) == 150
    assert not service.run_twice
    everything_logged = json.dumps(logs, default=repr)
    assert "tempauth" not in everything_logged
    assert "Bearer" not in everything_logged
    assert all(
        each.get("reference") for each in logs if each["event"] in ("action", "request.drafted")
    )


async def exported(
    office: Office, results: Posted, *, accept: bool = True, status: int = 201
) -> str:
    """Click Export, answer the consent card; returns the id of the upload."""
    since = office.now
    answer = await office.click(ALEX, results, "export", what="results")
    assert answer.text == "The file is in the next message."
    consent = await office.until(lambda each: has_attachment(each, CONSENT), since=since)
    code, upload = await office.client.answer_consent(
        ALEX, CHAT, consent, accept=accept, status=status
    )
    assert code == 200
    return upload


async def test_the_export_says_all_and_can_be_handed_in_again(make_office: MakeOffice) -> None:
    office = await make_office(gateway=FAILURES)
    results = await office.finished(MIXED)
    upload = await exported(office, results)
    data = await office.teams.files.uploaded(upload, PATIENCE)
    info = await office.until(lambda each: has_attachment(each, INFO))
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
    assert rows[1]["BatchId"] in office.gateway.configapi.batches
    assert rows[1]["ProvisioningUrl"].startswith(
        "http://noam.ipp.sdg.teams.microsoft.com/tenantid/"
    )
    assert "formula" in rows[3]["Error"]
    assert rows[4]["Error"] == "'=HYPERLINK(0x8007)"
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]

    again = await office.hand_in(data, "offhook-results.csv")
    assert "4 of 5 rows are ready" in content(again)
    assert "not needed were ignored" not in content(again)


@pytest.mark.parametrize(
    ("accept", "status", "said"),
    [
        (False, 201, "OK, I did not save a file."),
        (True, 500, "couldn't save"),
        (True, 507, "your OneDrive is full"),
        (True, 404, "couldn't save"),
    ],
)
async def test_an_export_that_is_not_saved_can_be_had_again(
    office: Office, accept: bool, status: int, said: str
) -> None:
    results = await office.finished(csv_of(1))
    since = office.now
    await exported(office, results, accept=accept, status=status)
    told = await office.until_says(said, chat=CHAT, since=since)
    assert "elect Export" in content(told)
    upload = await exported(office, results)
    assert await office.teams.files.uploaded(upload, PATIENCE)


async def test_an_export_nobody_answers_stops_nothing(office: Office) -> None:
    results = await office.finished(csv_of(1))
    await office.click(ALEX, results, "export", what="results")
    await office.until(lambda each: has_attachment(each, CONSENT))
    since = office.now
    assert await office.finished(csv_of(1, start=1))
    assert len(office.gateway.configapi.submits) == 2
    assert not [each for each in office.teams.connector.since(since) if has_attachment(each, INFO)]


async def test_a_forged_consent_gives_nothing_to_strangers(office: Office) -> None:
    """The context of a consent comes back from the client: it names a request, and opens nothing."""
    results = await office.finished(csv_of(1))
    await office.click(ALEX, results, "export", what="results")
    consent = await office.until(lambda each: has_attachment(each, CONSENT))
    request = attachments(consent)[0]["content"]["acceptContext"]["request"]
    for context, upload, said in (
        ({"request": "ZZZZZZZZ"}, {}, "can't find this request"),
        ({"request": [request]}, {}, "can't find this request"),
        (
            {"request": request, "what": {"a": 1}},
            {"uploadUrl": "https://evil.example.com/x"},
            "couldn't save",
        ),
        ({"request": request}, {"uploadUrl": 7, "name": ["x"]}, "couldn't save"),
    ):
        since = office.now
        value = {"type": "fileUpload", "action": "accept", "context": context, "uploadInfo": upload}
        status, _ = await office.client.post(
            office.client.activity(
                ALEX, CHAT, type="invoke", name="fileConsent/invoke", value=value
            )
        )
        assert status == 200
        await office.until_says(said, chat=CHAT, since=since)


async def test_the_issues_can_be_exported_before_anything_runs(office: Office) -> None:
    validation = await office.hand_in(MIXED)
    assert "4 of 5 rows are ready" in content(validation)
    answer = await office.click(ALEX, validation, "export", what="issues")
    assert answer.text
    consent = await office.until(lambda each: has_attachment(each, CONSENT))
    _, upload = await office.client.answer_consent(ALEX, CHAT, consent, accept=True)
    data = await office.teams.files.uploaded(upload, PATIENCE)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[-1]["Row"] == "5"
    assert rows[-1]["Value"] == "'=cmd|' /C calc'!A0"


# -- what can be handed in -----------------------------------------------------------------------


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["User Principal Name", "MAC address", "Region", "Floor"])
    sheet.append(["lobby@contoso.com", "805ec0123456", "emea", 3])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_workbook_and_pasted_lines_go_the_same_way(office: Office) -> None:
    validation = await office.hand_in(workbook(), "phones.xlsx")
    assert "Floor" in content(validation)  # the column that was ignored is named
    since = office.now
    await office.say("Username;HardwareId;Region\nfax@contoso.com;80:5E:C0:12:34:57;NOAM")
    pasted = await office.until_offers("request_approval", since=since)
    assert "pasted table" in content(pasted)
    for card in (validation, pasted):
        since = office.now
        await office.approve(await office.ask(card))
        await office.results(since=since)
    sent = [item for submit in office.gateway.configapi.submits for item in submit.items]
    assert sent == [
        ("lobby@contoso.com", "80-5E-C0-12-34-56"),
        ("fax@contoso.com", "80-5E-C0-12-34-57"),
    ]


async def test_several_files_in_one_message_are_each_answered(office: Office) -> None:
    await office.drop(
        ("one.csv", csv_of(1)),
        ("notes.txt", b"just some notes\n"),
        ("gone.csv", ServedFile(b"", status=404)),
        ("two.csv", csv_of(2, start=1)),
    )
    said = [content(each) for each in await office.heard()]
    assert len(said) == 4
    for name, text in zip(("one.csv", "notes.txt", "gone.csv", "two.csv"), said, strict=True):
        assert name in text


async def test_a_file_without_regions_wants_one_chosen(office: Office) -> None:
    validation = await office.hand_in(b"Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56")
    for region in ("", "MARS"):
        inputs = {"reason": "x", "region": region}
        answer = await office.click(ALEX, validation, "request_approval", inputs)
        assert "Select the region" in answer.text
    approval = await office.ask(validation, region="APAC")
    assert "APAC" in content(approval)
    await office.approve(approval)
    await office.results()
    (submit,) = office.gateway.configapi.submits
    assert submit.region == "APAC"


async def test_rows_with_errors_are_left_out_and_nobody_can_refuse_that(office: Office) -> None:
    validation = await office.hand_in(MIXED)
    for inputs in ({"acknowledge": "false"}, {"acknowledge": "nope"}, {"acknowledge": None}):
        answer = await office.click(ALEX, validation, "request_approval", {"reason": "x", **inputs})
        assert "1 row is not ready and can't be sent. Select the check box" in answer.text
    await office.approve(await office.ask(validation))
    await office.results()
    sent = {item.username for submit in office.gateway.configapi.submits for item in submit.items}
    assert sent == {"lobby@contoso.com", "fax@contoso.com", "+4930@contoso.com", "gate@contoso.com"}


async def test_a_file_with_no_ready_row_can_not_be_asked_for(office: Office) -> None:
    since = office.now
    await office.drop(("bad.csv", b"Username,HardwareId,Region\nlobby,00-00-00-00-00-00,EMEA\n"))
    validation = await office.until_offers("withdraw", since=since)
    assert not offers(validation, "request_approval")
    answer = await office.act(ALEX, "request_approval", {"request": request_of(validation)})
    assert "No rows are ready" in answer.text


@pytest.mark.parametrize("kind", ["groupChat", "channel"])
async def test_a_file_where_bots_get_none_is_told_kindly(office: Office, kind: str) -> None:
    chat = Chat("19:meeting@thread.v2;messageid=17", kind)
    html = '<p>here</p><attachment id="1"></attachment>'
    status, _ = await office.client.post(
        office.client.activity(
            ADELE,
            chat,
            type="message",
            text="",
            attachments=[{"contentType": "text/html", "content": html}],
        )
    )
    assert status == 200
    told = await office.until_says("1:1 chat", chat=chat)
    assert "paste its rows here" in told.text
    # and pasting there does work
    since = office.now
    await office.say(
        "Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56", chat=chat, by=ADELE
    )
    assert await office.until_offers("request_approval", since=since)


async def test_a_picture_in_the_chat_is_told_what_to_send_instead(office: Office) -> None:
    await office.client.post(
        office.client.activity(
            ALEX,
            CHAT,
            type="message",
            text="",
            attachments=[{"contentType": "image/png", "contentUrl": "x"}],
        )
    )
    (told,) = await office.heard()
    assert "CSV and Excel" in told.text
    assert "group chats" not in told.text


async def test_people_are_only_approvers_if_they_are_named(make_office: MakeOffice) -> None:
    office = await make_office(requesters=(ALEX.object_id,), approvers=(MEGAN.object_id,))
    since = office.now
    await office.drop(("phones.csv", csv_of(1)), chat=Chat("a:adele"), by=ADELE)
    told = await office.until_says("You can't request sign-ins", since=since)
    assert told.conversation_id == "a:adele"
    await office.say(
        "Username,HardwareId\nlobby@contoso.com,80-5E-C0-12-34-56", chat=Chat("a:adele"), by=ADELE
    )
    said = [content(each) for each in await office.heard(Chat("a:adele"), by=ADELE)]
    assert len(said) == 2
    assert said[0] == said[1]
