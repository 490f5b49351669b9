"""Whatever is handed in: one clear answer with what to do, nothing sent, and the service goes on."""

from __future__ import annotations

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
from bot.teams import files
from tests.support.running_bot import ALEX, CHAT, Office, content, csv_of, offers

HEADER = b"Username,HardwareId,Region\r\n"
NOT_FOR_PEOPLE = re.compile(r"Traceback|Error\b|Exception|\{ ?\$|<class|None\b", re.ASCII)


def workbook(*rows: tuple[str, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("Username", "HardwareId"), *rows):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(book: bytes, part: str, content: bytes) -> bytes:
    """A workbook with one of its parts replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


def bomb() -> bytes:
    """Some KB that become 50 MB."""
    cell = b'<row><c t="inlineStr"><is><t>' + b"a" * 50_000_000 + b"</t></is></c></row>"
    sheet = b"<worksheet><sheetData>" + cell + b"</sheetData></worksheet>"
    return repacked(workbook(), "xl/worksheets/sheet1.xml", sheet)


def packed(file: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("phones.csv", file)
    return out.getvalue()


# name -> file, and what is said of it
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
    "twice": (lambda: b"User,UPN,MAC\r\na@b.de,a@b.de,80-5E-C0-00-00-01", "Two columns could be"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "This is a picture"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "This is a PDF"),
    "page": (lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>", "This is a web page"),
    "old-excel": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel format"),
    "zip": (lambda: packed(csv_of(2)), "a ZIP file"),
    "torn-workbook": (lambda: workbook()[:2000], "damaged"),
    "bomb": (bomb, "too large when unpacked"),
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
    "rows": (lambda: csv_of(1) + b"\r\na@b.de,80-5E-C0-00-00-01," * 20_001, "The limit is 20,000"),
}


async def answered(office: Office) -> Posted:
    """The one answer to what was sent last; a good file after it is taken as ever."""
    good = await office.hand_in(csv_of(1))
    heard = await office.heard()
    assert heard[-1] is good
    assert "1 row" in content(good) or "The only row in this file is ready." in content(good)
    (only,) = heard[:-1]
    said = content(only)
    assert len(said) > 20
    assert not NOT_FOR_PEOPLE.search(said), said
    assert office.gateway.configapi.submits == []
    return only


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_file_that_is_no_list_of_phones(office: Office, name: str) -> None:
    make, said = UNREADABLE[name]
    await office.drop((f"{name}.csv", make()))
    answer = await answered(office)
    assert f"{name}.csv" in content(answer)
    assert said in content(answer)
    assert not offers(answer, "request_approval")
    fix = [each for each in elements(answer.card) if each.get("weight") == "Bolder"][-1]
    assert fix["text"].endswith(".")


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (ServedFile(b"", status=404), "it no longer exists"),
        (ServedFile(b"", status=403), "my permission to read it has expired"),
        (ServedFile(b"", status=500), "did not respond as expected"),
        (ServedFile(csv_of(1), size=6_000_000), "is larger than 5 MB"),
        (ServedFile(csv_of(1), pause=5.0), "within"),
        (ServedFile(b"", redirect="https://evil.example.com/x"), "it is stored at evil.example.com"),
        (ServedFile(b"", redirect="file:///etc/passwd"), "where I am not allowed to read"),
        (ServedFile(b"", redirect="http://169.254.169.254/"), "it is stored at 169.254.169.254"),
    ],
    ids=lambda value: value.redirect or str(value.status) if isinstance(value, ServedFile) else None,
)
async def test_a_file_that_cannot_be_fetched(
    office: Office, monkeypatch: pytest.MonkeyPatch, served: ServedFile, said: str
) -> None:
    monkeypatch.setattr(files, "_DOWNLOAD_SECONDS", 0.3)
    await office.drop(("phones.csv", served))
    answer = await answered(office)
    assert said in content(answer)
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
async def test_a_file_from_elsewhere(office: Office, url: str) -> None:
    status, _ = await office.client.drop(ALEX, CHAT, ("phones.csv", url))
    assert status == 200
    assert re.search("I (did not|couldn't) download phones.csv", content(await answered(office)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Username,HardwareId", "There is a header but no rows below it."),
        ('Username,HardwareId\n"lobby@contoso.com,80-5E-C0-00-00-01', "quotation mark"),
        ("Username,HardwareId\nlobby@contoso.com,80-5E\u0000-C0-00-00-01", "NUL characters"),
        ("user, MAC\n" + "x" * 200_000, "has more than"),
    ],
)
async def test_pasted_lines_that_are_no_list_of_phones(
    office: Office, text: str, said: str
) -> None:
    await office.say(text)
    assert said in content(await answered(office))


# -- values that would like to be more than values -----------------------------------------------

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


async def test_hostile_values_are_only_shown(office: Office) -> None:
    """In the username, the hardware id, the region, a further column's name and the file's."""
    quoted = ['"' + value.replace('"', '""') + '"' for value in HOSTILE]
    lines = ['Username,HardwareId,Region,"[x](https://evil.example.com)"']
    lines += [f"{value},{value},{value},x" for value in quoted]
    lines.append("lobby@contoso.com,80-5E-C0-00-00-01,EMEA,x")
    name = "<at>all<at> [x](https:evil.example.com)\u202e.csv"
    validation = await office.hand_in("\r\n".join(lines).encode(), name)
    shown = [validation.card]
    for page in range(1, 7):
        answer = await office.turn(ALEX, validation, "issues", page)
        shown.append(answer.card)
    for card in shown:
        harmless(card)
    everything = "".join(texts(card) for card in shown)
    assert "cmd|" in everything  # they are shown, so that people find them
    assert "evil.example.com" in everything


def harmless(card: Any) -> None:
    """Nothing on it is a link, a mention or an expression, or turns text around."""
    assert len(json.dumps(card, ensure_ascii=False).encode()) < 28 * 1024
    assert not [each for each in elements(card) if each["type"] == "Action.OpenUrl"]
    assert "entities" not in (card.get("msteams") or {})
    for each in elements(card):
        text = str(each.get("text", ""))
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08]", text)
        if each["type"] == "TextBlock":
            assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", text), text
            assert "<at>" not in text.replace("\\<", "")
            assert not re.search(r"\{\{(?!DATE\(|TIME\()", text)


async def test_hostile_text_in_commands_and_inputs(office: Office) -> None:
    for value in HOSTILE:
        since = office.now
        await office.say(f"status {value}")
        told = await office.until_says("I can't find request", chat=CHAT, since=since)
        assert told.activity["textFormat"] == "plain"
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200b]", told.text)
    for value in HOSTILE:
        approval = await office.ask(await office.hand_in(csv_of(1)), reason=value)
        harmless(approval.card)


# -- what is no activity -------------------------------------------------------------------------


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
async def test_what_is_no_activity(office: Office, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    async with office.session.post(
        f"{office.url}/api/messages", data=io.BytesIO(body), headers=headers
    ) as answer:
        assert answer.status == status
        said = await answer.text()
    assert said
    assert "Traceback" not in said
    if status == 400:
        assert "Reference: " in json.loads(said)["error"]["message"]
    await office.hand_in(csv_of(1))
    assert len(await office.heard()) == 1


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
async def test_activities_that_ask_for_nothing(office: Office, changes: dict[str, Any]) -> None:
    status, _ = await office.client.post({**office.client.activity(ALEX, CHAT), **changes})
    assert status == 200
    validation = await office.hand_in(csv_of(1))
    heard = await office.heard()
    assert heard[-1] is validation
    assert len(heard) <= 2  # an empty message is answered with what can be asked


async def test_invokes_that_are_none_of_ours(office: Office) -> None:
    for name in ("task/fetch", "composeExtension/query", ""):
        activity = office.client.activity(ALEX, CHAT, type="invoke", name=name, value={})
        status, _ = await office.client.post(activity)
        assert status == 501
    for value in (None, {}, [], {"action": {"type": "Action.Submit"}}, {"action": {"verb": 7}}):
        activity = office.client.activity(
            ALEX, CHAT, type="invoke", name="adaptiveCard/action", value=value
        )
        status, body = await office.client.post(activity)
        assert status == 400
        assert "value" in body["error"]["message"]
    assert await office.heard() == []
