"""Invalid input: one clear answer with a fix, nothing is submitted, and the service keeps running."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from bot.simulator.client import elements, texts
from bot.simulator.connector import Posted
from bot.simulator.files import ServedFile
from tests.support.running_bot import ALEX, CHAT, RunningBot, has_button, phones_csv, text_of
from tests.support.waiting import Clock, until

HEADER = b"Username,HardwareId,Region\r\n"
TECHNICAL = re.compile(r"Traceback|Error\b|Exception|\{ ?\$|<class|None\b", re.ASCII)


def workbook(*rows: tuple[str, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("Username", "HardwareId"), *rows):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(book: bytes, part: str, content: bytes) -> bytes:
    """A workbook with one part replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


def zip_bomb() -> bytes:
    """A few KB that unpack to 50 MB."""
    cell = b'<row><c t="inlineStr"><is><t>' + b"a" * 50_000_000 + b"</t></is></c></row>"
    sheet = b"<worksheet><sheetData>" + cell + b"</sheetData></worksheet>"
    return with_part(workbook(), "xl/worksheets/sheet1.xml", sheet)


def zipped(file: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("phones.csv", file)
    return out.getvalue()


# File name -> file, and part of the answer.
UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "The file is empty."),
    "blanks": (lambda: b"\r\n \r\n\t\r\n", "The file is empty."),
    "mark-only": (lambda: b"\xef\xbb\xbf", "The file is empty."),
    "header-only": (lambda: HEADER, "There is a header but no rows below it."),
    "no-header": (
        lambda: b"Ada,Lovelace\r\nCharles,Babbage\r\n",
        "names neither the usernames nor",
    ),
    "one-column": (lambda: b"Username\r\nlobby@contoso.com\r\n", "There is only one column"),
    "one-missing": (lambda: b"Username,Floor\r\nlobby@contoso.com,3\r\n", "no HardwareId column"),
    "twice": (
        lambda: b"Username,UPN,MAC\r\na@b.de,a@b.de,80-5E-C0-00-00-01",
        "Two columns could be",
    ),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "This is a picture"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "This is a PDF"),
    "page": (lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>", "This is a web page"),
    "old-excel": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel format"),
    "zip": (lambda: zipped(phones_csv(2)), "a ZIP file"),
    "torn-workbook": (lambda: workbook()[:2000], "damaged"),
    "bomb": (zip_bomb, "too large when unpacked"),
    "NULs": (
        lambda: HEADER + b"lobby@contoso.com,80-5E-C0\x00-00-00-01,EMEA\r\n",
        "NUL characters",
    ),
    "columns": (lambda: b"," * 1_999_999, "2,000,000 columns"),
    "cell": (lambda: HEADER + b"a" * 4_900_000 + b",x\r\n", "has more than"),
    "10-MB-cell": (lambda: HEADER + b"a" * 10_000_000, "is larger than 5 MB"),
    "open-quote": (
        lambda: HEADER + b'"lobby@contoso.com,80-5E-C0-00-00-01,EMEA\r\n' * 3,
        "quotation mark",
    ),
    "rows": (
        lambda: phones_csv(1) + b"\r\na@b.de,80-5E-C0-00-00-01," * 20_001,
        "The limit is 20,000",
    ),
}


async def only_answer(bot: RunningBot) -> Posted:
    """The only answer so far; asserts that a valid file sent afterwards is validated as usual."""
    validation = await bot.submit_file(phones_csv(1))
    *answers, last = await bot.received()
    assert last is validation
    assert "1 row" in text_of(validation) or "The only row in this file is ready." in text_of(
        validation
    )
    (answer,) = answers
    text = text_of(answer)
    assert len(text) > 20
    assert not TECHNICAL.search(text), text
    assert bot.gateway.configapi.submits == []
    return answer


@pytest.mark.parametrize("name", UNREADABLE)
async def test_unreadable_file_is_answered_with_reason_and_fix(bot: RunningBot, name: str) -> None:
    make_file, text = UNREADABLE[name]
    await bot.send_files((f"{name}.csv", make_file()))
    answer = await only_answer(bot)
    assert f"{name}.csv" in text_of(answer)
    assert text in text_of(answer)
    assert not has_button(answer, "request_approval")
    fix = [element for element in elements(answer.card) if element.get("weight") == "Bolder"][-1]
    assert fix["text"].endswith(".")


@pytest.mark.parametrize(
    ("served", "text"),
    [
        (ServedFile(b"", status=404), "it no longer exists"),
        (ServedFile(b"", status=403), "my permission to read it has expired"),
        (ServedFile(b"", status=500), "did not respond as expected"),
        (ServedFile(phones_csv(1), size=6_000_000), "is larger than 5 MB"),
        (ServedFile(phones_csv(1), pause=60.0), "within"),
        (
            ServedFile(b"", redirect="https://evil.example.com/x"),
            "it is stored at evil.example.com",
        ),
        (ServedFile(b"", redirect="file:///etc/passwd"), "where I am not allowed to read"),
        (ServedFile(b"", redirect="http://169.254.169.254/"), "it is stored at 169.254.169.254"),
    ],
    ids=lambda value: (
        value.redirect or str(value.status) if isinstance(value, ServedFile) else None
    ),
)
async def test_file_download_failure_is_answered_with_reason(
    bot: RunningBot, clock: Clock, served: ServedFile, text: str
) -> None:
    sending = asyncio.create_task(bot.send_files(("phones.csv", served)))
    if served.pause:
        await until(lambda: bot.teams.files.fetched)
        clock.advance(10)
    await sending
    answer = await only_answer(bot)
    assert text in text_of(answer)
    assert "tempauth" not in json.dumps(answer.versions)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/phones.csv",
        "https://sharepoint.com.evil.example.com/phones.csv",
        "https://contoso.sharepoint.com@evil.example.com/x",
        "http://contoso.sharepoint.com/phones.csv",
        "ftp://contoso.sharepoint.com/phones.csv",
        "file:///etc/passwd",
        "https://[::1",
        "not a url",
        "https://" + "a" * 5000 + ".sharepoint.com/x",
    ],
)
async def test_file_is_not_downloaded_from_disallowed_url(bot: RunningBot, url: str) -> None:
    status, _ = await bot.client.drop(ALEX, CHAT, ("phones.csv", url))
    assert status == 200
    assert re.search("I (did not|couldn't) download phones.csv", text_of(await only_answer(bot)))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("Username,HardwareId", "There is a header but no rows below it."),
        ('Username,HardwareId\n"lobby@contoso.com,80-5E-C0-00-00-01', "quotation mark"),
        ("Username,HardwareId\nlobby@contoso.com,80-5E\u0000-C0-00-00-01", "NUL characters"),
        ("user, MAC\n" + "x" * 200_000, "has more than"),
    ],
)
async def test_unreadable_pasted_table_is_answered_with_reason(
    bot: RunningBot, table: str, text: str
) -> None:
    await bot.say(table)
    assert text in text_of(await only_answer(bot))


# -- hostile values ------------------------------------------------------------------------------

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "[reset](https://evil.example.com)",
    "**bold** _it_ `code`",
    "<at>Megan Bowen</at>",
    "<script>alert(1)</script>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "\u202egnp.exe\u202c",
    "\u200blobby\u2066",
    "\U0001f4de\U0001f469\u200d\U0001f4bb",
    "{{DATE(2026-01-01T00:00:00Z)}}",
    "${data.request}",
    "a" * 3000,
    "line\none",
    "# heading",
    "1. list",
]


async def test_hostile_file_values_are_shown_as_plain_text(bot: RunningBot) -> None:
    """In the username, hardware ID, region, the name of another column and the file name."""
    quoted = ['"' + value.replace('"', '""') + '"' for value in HOSTILE]
    lines = ['Username,HardwareId,Region,"[x](https://evil.example.com)"']
    lines += [f"{value},{value},{value},x" for value in quoted]
    lines.append("lobby@contoso.com,80-5E-C0-00-00-01,EMEA,x")
    name = "<at>all<at> [x](https:evil.example.com)\u202e.csv"
    validation = await bot.submit_file("\r\n".join(lines).encode(), name)
    cards = [validation.card]
    for page in range(1, 7):
        answer = await bot.turn_page(ALEX, validation, "issues", page)
        cards.append(answer.card)
    for card in cards:
        assert_inert(card)
    all_text = "".join(texts(card) for card in cards)
    assert "cmd|" in all_text  # shown, so that people can find them
    assert "evil.example.com" in all_text


def assert_inert(card: Any) -> None:
    """Asserts that a card has no links, mentions, expressions or bidirectional control characters."""
    assert len(json.dumps(card, ensure_ascii=False).encode()) < 28 * 1024
    assert not [element for element in elements(card) if element["type"] == "Action.OpenUrl"]
    assert "entities" not in (card.get("msteams") or {})
    for element in elements(card):
        text = str(element.get("text", ""))
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08]", text)
        if element["type"] == "TextBlock":
            assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", text), text
            assert "<at>" not in text.replace("\\<", "")
            assert not re.search(r"\{\{(?!DATE\(|TIME\()", text)


async def test_hostile_text_in_commands_and_inputs_is_shown_as_plain_text(bot: RunningBot) -> None:
    for value in HOSTILE:
        since = bot.now
        await bot.say(f"status {value}")
        message = await bot.wait_for_text("I can't find request", chat=CHAT, since=since)
        assert message.activity["textFormat"] == "plain"
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200b]", message.text)
    for value in HOSTILE:
        approval = await bot.request_approval(await bot.submit_file(phones_csv(1)), reason=value)
        assert_inert(approval.card)


# -- malformed activities -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"type":"message"}', 400),
        (b'{"type":7,"serviceUrl":[],"from":"x"}', 400),
        (b"[" * 100_000, 400),
        (b'{"type":"' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=range(9),
)
async def test_malformed_activity_is_refused_with_reference(
    bot: RunningBot, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    async with bot.session.post(
        f"{bot.url}/api/messages", data=io.BytesIO(body), headers=headers
    ) as response:
        assert response.status == status
        text = await response.text()
    assert text
    assert "Traceback" not in text
    if status == 400:
        assert "Reference ID: " in json.loads(text)["error"]["message"]
    await bot.submit_file(phones_csv(1))
    assert len(await bot.received()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "launch"},
        {"type": "typing"},
        {"type": "messageReaction"},
        {"type": "conversationUpdate", "membersAdded": [{"id": "28:offhook"}]},
        {"type": "installationUpdate", "action": "remove"},
        {"type": "event", "name": "x" * 10_000},
        {"type": "message", "text": "", "attachments": []},
        {"type": "message", "text": None},
    ],
    ids=lambda changes: changes["type"],
)
async def test_activity_without_content_is_accepted_and_ignored(
    bot: RunningBot, changes: dict[str, Any]
) -> None:
    status, _ = await bot.client.post({**bot.client.activity(ALEX, CHAT), **changes})
    assert status == 200
    validation = await bot.submit_file(phones_csv(1))
    messages = await bot.received()
    assert messages[-1] is validation
    assert len(messages) <= 2  # an empty message is answered with help


async def test_invoke_is_refused_when_unknown_or_malformed(bot: RunningBot) -> None:
    for name in ("task/fetch", "composeExtension/query", ""):
        activity = bot.client.activity(ALEX, CHAT, type="invoke", name=name, value={})
        status, _ = await bot.client.post(activity)
        assert status == 501
    for value in (None, {}, [], {"action": {"type": "Action.Submit"}}, {"action": {"verb": 7}}):
        activity = bot.client.activity(
            ALEX, CHAT, type="invoke", name="adaptiveCard/action", value=value
        )
        status, body = await bot.client.post(activity)
        assert status == 400
        assert "value" in body["error"]["message"]
    assert await bot.received() == []
