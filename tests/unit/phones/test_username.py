from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.username import CANONICAL, parse
from bot.phones.value import Flaw

LOCAL_64 = "a" * 64
DOMAIN_48 = "b" * 44 + ".com"


@pytest.mark.parametrize(
    "username",
    [
        "lobby@contoso.com",
        "Lobby.Phone-01_x@contoso.com",
        "o'brien@contoso.com",
        "lobby+1@contoso.com",
        "a@b.co",
        "1@2.de",
        "lobby@mail.emea.contoso.co.uk",
        "lobby@contoso.photography",
        "lobby@contoso.onmicrosoft.com",
        "lobby@my-company.com",
        "lobby@xn--bcher-kva.example",
        "lobby@contoso.xn--p1ai",
        "_svc!#^~@contoso.com",
        "guest_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        ".lobby@contoso.com",
        f"{LOCAL_64}@{DOMAIN_48}",
    ],
)
def test_username_is_accepted_when_valid(username: str) -> None:
    assert parse(username) == username


@pytest.mark.parametrize(
    ("text", "username"),
    [
        ("  lobby@contoso.com\u00a0", "lobby@contoso.com"),
        ("\ufefflobby@contoso.com", "lobby@contoso.com"),
        ("'-lobby@contoso.com", "-lobby@contoso.com"),
        ("'+lobby@contoso.com", "+lobby@contoso.com"),
        ("'lobby@contoso.com", "'lobby@contoso.com"),
    ],
)
def test_username_is_trimmed(text: str, username: str) -> None:
    assert parse(text) == username


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "username-empty"),
        (" \t\u200b", "username-empty"),
        ("lobby", "username-no-at"),
        ("CONTOSO\\lobby", "username-no-at"),
        ("a@contoso.com;b@contoso.com", "username-several-at"),
        ("@contoso.com", "username-no-local"),
        ("lob by@contoso.com", "username-space"),
        ("lobby @contoso.com", "username-space"),
        ("lob\u00a0by@contoso.com", "username-space"),
        ("lob\nby@contoso.com", "username-space"),
        ("lob\u200bby@contoso.com", "username-invisible"),
        ("lob\u202eby@contoso.com", "username-invisible"),
        ("lob\x07by@contoso.com", "username-control"),
        ("lobby\x1b[31m@contoso.com", "username-control"),
        ("=cmd|' /C calc'!A0", "username-formula"),
        ("{lobby}@contoso.com", "username-character"),
        ("<at>Anna</at>@contoso.com", "username-character"),
        ("[x](http://a)@contoso.com", "username-character"),
        ("küche@contoso.com", "username-not-ascii"),
        ("lobby\U0001f4de@contoso.com", "username-not-ascii"),
        ("о@contoso.com", "username-not-ascii"),  # Cyrillic
        ("lobby.@contoso.com", "username-dot"),
        (f"a{LOCAL_64}@contoso.com", "username-local-length"),
        (f"a@b{DOMAIN_48}", "username-domain-length"),
        ("lobby@", "username-domain"),
        ("lobby@contoso", "username-domain"),
        ("lobby@contoso..com", "username-domain"),
        ("lobby@-contoso.com", "username-domain"),
        ("lobby@contoso-.com", "username-domain"),
        ("lobby@contoso.com.", "username-domain"),
        ("lobby@contoso_x.com", "username-domain"),
        ("lobby@10.0.0.1", "username-domain"),
        ("lobby@köln.de", "username-domain"),
    ],
)
def test_username_is_rejected_with_a_code(text: str, code: str) -> None:
    flaw = parse(text)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code


def test_flaw_names_invisible_character_by_code_point() -> None:
    flaw = parse("lob\u202eby@contoso.com")
    assert isinstance(flaw, Flaw)
    assert flaw.arguments == {"character": "U+202E"}


USERNAME_LIKE = st.text("aZ09'._!#^~+-@ ü", max_size=80)


@given(st.text() | USERNAME_LIKE | st.builds("{}@{}".format, USERNAME_LIKE, USERNAME_LIKE))
def test_canonical_pattern_accepts_only_valid_usernames(text: str) -> None:
    read = parse(text)
    if CANONICAL.fullmatch(text):
        assert read == text
    if isinstance(read, str):
        assert parse(read) == read
        assert read.isascii()
        assert len(read) <= 113
