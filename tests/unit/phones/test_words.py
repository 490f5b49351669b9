"""Every code from `bot.phones` has a message that its arguments fill, and no message is unused."""

from __future__ import annotations

import io
import re
import zipfile
from importlib import resources
from pathlib import Path

import openpyxl
import pytest

from bot.cli import validate
from bot.phones.issue import Issue, Notice, accounts_on_several
from bot.phones.roster import MAX_ROWS, UnreadableFileError, read, read_text
from bot.words import Words

MAC = "80-5E-C0-00-00-0"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def catalog(kind: str) -> set[str]:
    text = resources.files("bot.words").joinpath("en/phones.ftl").read_text(encoding="utf-8")
    return set(re.findall(rf"^({kind}-[\w-]+) =", text, re.MULTILINE))


USERNAMES = [
    "", "=1", "anna", "a@b@c.de", "@c.de", "a a@c.de", "a\u200ba@c.de", "a\x07a@c.de", "a%a@c.de",
    "ä@c.de", "a.@c.de", "a" * 65 + "@c.de", "a@" + "c" * 48 + ".de", "a@c",
]  # fmt: skip
HARDWARE_IDS = [
    "", "=1", "12", "805211223", "8E+11", "8O5211223344", "8x5211223344", "8-05211223344",
    "000000000000", "ffffffffffff", "01005e000001", "00005e005301", MAC + "1:999", MAC + "1-1",
    MAC + "2:1", MAC + "8:025",
]  # fmt: skip
ACROSS = [
    f"dup@c.de,{MAC}3,", f"dup@c.de,{MAC}3,", f"one@c.de,{MAC}4,", f"two@c.de,{MAC}4,",
    "one@c.de,00-90-7A-00-00-01,", "two@c.de,00-90-7A-00-00-01,",
    f"many@c.de,{MAC}5,", f"many@c.de,{MAC}6,", f"far@c.de,{MAC}7,Mars",
]  # fmt: skip


def every_issue() -> list[Issue]:
    lines = [f"{username},{MAC}9:{at:03},EMEA" for at, username in enumerate(USERNAMES, start=1)]
    lines += [f"u{at}@c.de,{hardware_id},EMEA" for at, hardware_id in enumerate(HARDWARE_IDS)]
    content = "\n".join(["Username,HardwareId,Region", *lines, *ACROSS])
    times = f"Username,HardwareId,Provisioned\na@c.de,{MAC}1,soon\nb@c.de,{MAC}2,03/04/2026"
    return [
        *read(content.encode(), "phones.csv").issues,
        *read(times.encode(), "phones.csv").issues,
    ]


def workbook(*titles: str) -> bytes:
    book = openpyxl.Workbook()
    for title in titles:
        sheet = book.create_sheet(title)
        sheet.append(["Username", "HardwareId"])
        sheet.append(["anna@contoso.com", MAC + "1"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def zipped(**parts: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in parts.items():
            made.writestr(name.replace("__", "/") + ".xml", text)
    return content.getvalue()


def every_notice() -> list[Notice]:
    rows = f"anna@contoso.com,{MAC}1\n"
    files = [
        ("Username,HardwareId,Küche\n" + rows).encode("cp1252"),
        ("Username,HardwareId,a,b,c,d,e,f\n" + rows).encode(),
        ("Username,HardwareId,a,b,c,d,e,f,g\n" + rows).encode(),
        ("Username,HardwareId\n anna@contoso.com," + f"{MAC}1".lower()).encode(),
        b"Username,HardwareId\n a@c.de, 805EC0000001\n b@c.de,805EC0000002",
        f"UPN,MAC,Provisioned\na@c.de,{MAC}1,2026-11-24".encode(),
        workbook("Phones"),
        workbook("Phones", "More"),
    ]
    return [
        *accounts_on_several(["a", "A", "b"]),
        *accounts_on_several("aabb"),
        *(Notice("signed-in-elsewhere", {"accounts": accounts}) for accounts in (1, 2)),
        Notice("looked-up", {"phones": 1, "signed_in": 0, "failed": 0, "open": 1}),
        Notice("looked-up", {"phones": 9, "signed_in": 3, "failed": 1, "open": 5}),
        *(Notice("not-looked-up", {"phones": phones}) for phones in (1, 2)),
        Notice("passwords", {"reset": 1, "maybe": 2, "not_reset": 0}),
        *(Notice("smaller-batches", {"size": size}) for size in (1, 20)),
        *(notice for content in files for notice in read(content, "phones").notices),
        Notice("provisioned-zone", {"count": 2, "zone": "Europe/Berlin", "known": 1}),
        *read_text(rows).notices,
    ]


UNREADABLE = [
    b"", b"Username,MAC\n", b"a,b\n1,2\n", b"Username\nanna\n", b"Username,b\n1,2\n",
    b"Username,MAC,UPN\n1,2,3\n", b"Username,MAC\n" + b"a,b\n" * (MAX_ROWS + 1),
    b"a," * 100_000, b"Username,MAC\n" + b"x" * 200_000, b'Username,MAC\n"a,b\n', b"Username,MAC\0",
    b"Username,MAC\n\x81\xff", b"x" * 6_000_000, zipped(xl__workbook="<x/>"),
    zipped(**{f"xl__{at}": "" for at in range(1001)}), zipped(word__document="<x/>"),
    OLE, OLE + "EncryptedPackage".encode("utf-16-le"), b"\x89PNG\r\n\x1a\n", b"%PDF-", b"{\\rtf",
    b"<html>", b"\x1f\x8b", b"MZ\x90\x00",
]  # fmt: skip


def every_unreadable_error(folder: Path) -> list[UnreadableFileError]:
    forbidden = folder / "forbidden.csv"
    forbidden.symlink_to(forbidden)
    errors: list[UnreadableFileError] = []
    for content in UNREADABLE:
        with pytest.raises(UnreadableFileError) as caught:
            read(content, "phones")
        errors.append(caught.value)
    for path in (folder, folder / "missing.csv", forbidden):
        with pytest.raises(UnreadableFileError) as caught:
            validate.content(path)
        errors.append(caught.value)
    return errors


def assert_style(sentence: str) -> None:
    assert sentence == sentence.strip()
    assert sentence[0].isupper() or sentence[0].isdigit() or sentence[0] == '"'
    assert sentence[-1] in ".;" or ": " in sentence
    assert "—" not in sentence
    assert "!" not in sentence.replace("' . - _ ! #", "")
    assert "please" not in sentence.lower()


def test_every_issue_has_a_message_and_a_fix() -> None:
    issues = every_issue()
    words = Words()
    for issue in issues:
        message = f"issue-{issue.code}"
        assert_style(words(message, **issue.arguments))
        assert_style(words.part(message, "fix", **issue.arguments))
    assert {f"issue-{issue.code}" for issue in issues} == catalog("issue")


def test_every_notice_has_a_message() -> None:
    notices = every_notice()
    words = Words()
    for notice in notices:
        assert_style(words(f"notice-{notice.code}", **notice.arguments))
    assert {f"notice-{notice.code}" for notice in notices} == catalog("notice")


def test_every_unreadable_file_error_has_a_message_and_a_fix(tmp_path: Path) -> None:
    errors = every_unreadable_error(tmp_path)
    words = Words()
    for error in errors:
        message = f"unreadable-{error.code}"
        assert_style(words(message, **error.arguments))
        assert_style(words.part(message, "fix", **error.arguments))
    assert {f"unreadable-{refusal.code}" for refusal in errors} == catalog("unreadable")


@pytest.mark.parametrize(
    ("message", "arguments", "sentence"),
    [
        (
            "notice-columns-ignored",
            {"names": "Site", "more": 0},
            "Columns that are not needed were ignored: Site.",
        ),
        (
            "notice-columns-ignored",
            {"names": "Site, Room", "more": 1},
            "Columns that are not needed were ignored: Site, Room and one more.",
        ),
        (
            "issue-duplicate",
            {"first": 12345},
            "Row 12345 already has the same username and hardware ID.",
        ),
        (
            "unreadable-too-many-rows",
            {"rows": 20001, "limit": 20000},
            "The file has 20,001 rows. The limit is 20,000.",
        ),
    ],
)
def test_message_formats_numbers_and_plurals(
    message: str, arguments: dict[str, str | int], sentence: str
) -> None:
    assert Words()(message, **arguments) == sentence
