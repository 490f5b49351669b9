"""The filters of `history`: the truth table of what people type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.signin.history import (
    MAX_TEXT,
    NO_FILTER,
    FilterProblem,
    HistoryFilter,
    Unreadable,
    parse,
)

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
ME = "00000000-0000-0000-0000-000000000020"
PHONE = "80-5E-C0-12-34-56"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def begins(text: str) -> HistoryFilter:
    return HistoryFilter(account=text, account_is_prefix=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NO_FILTER),
        ("80-5E-C0-12-34-56", HistoryFilter(phone=PHONE)),
        ("805ec0123456", HistoryFilter(phone=PHONE)),
        ("80:5e:c0:12:34:56", HistoryFilter(phone=PHONE)),
        ("80 5E C0 12 34 56", HistoryFilter(phone=PHONE)),
        ("of 805e.c012.3456", HistoryFilter(phone=PHONE)),
        ("phone 805ec0 123456", HistoryFilter(phone=PHONE)),
        ("80-5E-C0-12-34-56:7", HistoryFilter(phone=f"{PHONE}:007")),
        ("Lobby1@Contoso.com", HistoryFilter(account="lobby1@contoso.com")),
        ("account lobby1@contoso.com", HistoryFilter(account="lobby1@contoso.com")),
        ("lobby", begins("lobby")),
        ("lobby*", begins("lobby")),
        ("for lobby1@con*", begins("lobby1@con")),
        ("lobby1@", begins("lobby1@")),
        ("account last", begins("last")),
        ("by Megan", HistoryFilter(person="Megan")),
        ('by "Megan Bowen"', HistoryFilter(person="Megan Bowen")),
        ("by @Megan Bowen", HistoryFilter(person="Megan Bowen")),
        ("BY ME", HistoryFilter(person=ME)),
        (f"person {ME}", HistoryFilter(person=ME)),
        ("by by", HistoryFilter(person="by")),
        ("since 2026-11-01", HistoryFilter(since=at("2026-11-01"))),
        ("from 2026-11-01 18:00", HistoryFilter(since=at("2026-11-01T18:00"))),
        ("since 2026-11-01 9:05", HistoryFilter(since=at("2026-11-01T09:05"))),
        ("since 2026-11-01T18:00+02:00", HistoryFilter(since=at("2026-11-01T16:00"))),
        ("until 2026-11-01", HistoryFilter(until=at("2026-11-02"))),
        ("until 2026-11-01t18:00:01z", HistoryFilter(until=at("2026-11-01T18:00:01"))),
        ("on 2026-02-28", HistoryFilter(since=at("2026-02-28"), until=at("2026-03-01"))),
        ("2026-12-31", HistoryFilter(since=at("2026-12-31"), until=at("2027-01-01"))),
        ("today", HistoryFilter(since=at("2026-11-29"), until=at("2026-11-30"))),
        ("yesterday", HistoryFilter(since=at("2026-11-28"), until=at("2026-11-29"))),
        ("last 7 days", HistoryFilter(since=NOW - timedelta(days=7))),
        ("last 24 Hours", HistoryFilter(since=NOW - timedelta(hours=24))),
        ("last week", HistoryFilter(since=NOW - timedelta(days=7))),
        ("last 3 months", HistoryFilter(since=NOW - timedelta(days=90))),
        (
            "lobby* by Megan Bowen 80-5E-C0-12-34-56 since 2026-11-01 until 2026-11-02",
            HistoryFilter(
                phone=PHONE,
                account="lobby",
                account_is_prefix=True,
                person="Megan Bowen",
                since=at("2026-11-01"),
                until=at("2026-11-03"),
            ),
        ),
        (
            "by Megan lobby1@contoso.com",
            HistoryFilter(person="Megan", account="lobby1@contoso.com"),
        ),
        ("x" * (MAX_TEXT + 1), Unreadable(FilterProblem.TOO_LONG, "x" * 40)),
        ("lobby & co", Unreadable(FilterProblem.NOT_UNDERSTOOD, "&")),
        ("by", Unreadable(FilterProblem.NOT_UNDERSTOOD, "by")),
        ("who signed", Unreadable(FilterProblem.TWICE, "signed")),
        ("today yesterday", Unreadable(FilterProblem.TWICE, "yesterday")),
        (f"{PHONE} {PHONE}", Unreadable(FilterProblem.TWICE, PHONE)),
        ("FF-FF-FF-FF-FF-FF", Unreadable(FilterProblem.NOT_A_PHONE, "FF-FF-FF-FF-FF-FF")),
        ("phone lobby", Unreadable(FilterProblem.NOT_A_PHONE, "lobby")),
        ("phone", Unreadable(FilterProblem.NOT_A_PHONE, "phone")),
        ("since Friday", Unreadable(FilterProblem.NOT_A_TIME, "Friday")),
        ("since", Unreadable(FilterProblem.NOT_A_TIME, "since")),
        ("since 2026-02-30", Unreadable(FilterProblem.NOT_A_TIME, "2026-02-30")),
        ("until 9999-12-31", Unreadable(FilterProblem.NOT_A_TIME, "9999-12-31")),
        ("since 0001-01-01", Unreadable(FilterProblem.NOT_A_TIME, "0001-01-01")),
        ("last", Unreadable(FilterProblem.NOT_A_TIME, "last")),
        ("last 7", Unreadable(FilterProblem.NOT_A_TIME, "7")),
        ("last 7 years", Unreadable(FilterProblem.NOT_A_TIME, "years")),
        ("last 0 days", Unreadable(FilterProblem.NOT_A_TIME, "0")),
        (
            "since 2026-11-02 until 2026-11-01",
            Unreadable(FilterProblem.NO_TIME_LEFT, "2026-11-02 00:00"),
        ),
    ],
)
def test_filters_of_history(text: str, expected: HistoryFilter | Unreadable) -> None:
    assert parse(text, NOW, me=ME) == expected


@pytest.mark.parametrize(
    "text",
    [
        "80 5E C0 12 34 56 : 7 last* by Megan Bowen on 2026-11-01",
        "lobby1@contoso.com by me until 2026-11-01 18:00",
        "2026-01* since 2026-11-01T18:00+02:00",
    ],
)
def test_filters_can_be_typed_again_as_they_are_written(text: str) -> None:
    asked = parse(text, NOW, me=ME)
    assert isinstance(asked, HistoryFilter)
    assert parse(str(asked), NOW) == asked


def test_me_is_a_name_where_nobody_asks() -> None:
    assert parse("by me", NOW) == HistoryFilter(person="me")


_WORDS = st.sampled_from(
    (
        *("by", "last", "since", "until", "on", "today", "phone", "account", "of", "7", "days"),
        *("2026-11-01", "9999-12-31", "0001-01-01T00:00+14:00", "18:00", "99:99"),
        *("lobby*", "80-5E-C0-12-34-56", "FF", "80", "5E", ":", "*", "@", "a@b"),
    )
)


@given(st.one_of(st.text(), st.lists(_WORDS).map(" ".join)))
@example("9999-12-31 0:00")
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    assert isinstance(parse(text, NOW, me=ME), HistoryFilter | Unreadable)
