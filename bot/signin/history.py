"""What `history` is asked for: filters, read from what somebody typed.

`80-5E-C0-12-34-56 since 2026-11-01`, `lobby* by Megan last 7 days`: a phone in any spelling, an account or
how it begins, a person, and a period, in any order. Times without a zone are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from bot.phones import hardware_id

MAX_TEXT = 200  # characters

_KEYWORDS = MappingProxyType(
    {
        "by": "person",
        "person": "person",
        "account": "account",
        "phone": "phone",
        "since": "since",
        "from": "since",
        "until": "until",
        "before": "until",
        "on": "on",
        "last": "last",
        "today": "today",
        "yesterday": "yesterday",
    }
)
_FILLERS = frozenset({"of", "for", "and"})
_ME = "me"
_QUOTES = "\"'\u201c\u201d\u2018\u2019,;"
_ACCOUNT = re.compile(r"[A-Za-z0-9'._!#^~+-]+(?:@[A-Za-z0-9.-]*)?\*?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_DAY = timedelta(days=1)
_UNITS = MappingProxyType(
    {"hour": timedelta(hours=1), "day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}
)
_TYPED = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_SPELLING = 8  # words: a space after each octet, and around the colon before a port


class FilterProblem(StrEnum):
    """Why a text cannot be read; `history-problem-<value>` is its sentence."""

    TOO_LONG = "too-long"
    NOT_UNDERSTOOD = "not-understood"
    TWICE = "twice"
    NOT_A_PHONE = "not-a-phone"
    NOT_A_TIME = "not-a-time"
    NO_TIME_LEFT = "no-time-left"  #: the period ends before it begins


@dataclass(frozen=True, slots=True)
class Unreadable:
    problem: FilterProblem
    text: str  #: what it is about, as typed


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Everything that is given has to be met."""

    phone: str = ""  #: hardware ID in canonical form; without a port, all ports of the device
    account: str = ""  #: UPN, case-folded
    account_is_prefix: bool = False  #: whether `account` is only how it begins
    person: str = ""  #: object ID, or part of a name, of whoever asked, decided, or acted otherwise
    since: datetime | None = None  #: UTC; the request was open then, or drafted later
    until: datetime | None = None  #: UTC; the request was drafted before

    def __bool__(self) -> bool:
        return self != HistoryFilter()

    def __str__(self) -> str:
        """As it can be typed again."""
        account = f"{self.account}*" if self.account_is_prefix else self.account
        parts = (
            ("phone", self.phone),
            ("account", account),
            ("by", self.person),
            ("since", f"{self.since:{_TYPED}}" if self.since else ""),
            ("until", f"{self.until:{_TYPED}}" if self.until else ""),
        )
        return " ".join(f"{keyword} {value}" for keyword, value in parts if value)


NO_FILTER = HistoryFilter()


class _UnreadableError(Exception):
    def __init__(self, problem: FilterProblem, text: str) -> None:
        super().__init__(problem.value)
        self.unreadable = Unreadable(problem, text)


def parse(text: str, now: datetime, *, me: str = "") -> HistoryFilter | Unreadable:
    """The filters in `text`; `NO_FILTER` if it is empty. `me`: object ID of whoever asks."""
    if len(text) > MAX_TEXT:
        return Unreadable(FilterProblem.TOO_LONG, text[:40])
    words = [word for word in (each.strip(_QUOTES) for each in text.split()) if word]
    try:
        return _Reader(words, now, me).read()
    except _UnreadableError as error:
        return error.unreadable


@dataclass(slots=True)
class _Reader:
    words: Sequence[str]
    now: datetime
    me: str
    at: int = 0  # the next word
    found: dict[str, str | bool | datetime] = field(
        default_factory=dict[str, str | bool | datetime]
    )

    def read(self) -> HistoryFilter:
        while self.at < len(self.words):
            self._next()
        since, until = self.found.get("since"), self.found.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
            raise _UnreadableError(FilterProblem.NO_TIME_LEFT, f"{since:%Y-%m-%d %H:%M}")
        return HistoryFilter(**self.found)  # pyright: ignore[reportArgumentType]

    def _next(self) -> None:
        word = self.words[self.at]
        if self._take_phone():
            return
        keyword = _KEYWORDS.get(word.lower())
        if keyword is not None:
            self.at += 1
            self._take(keyword, word)
        elif word.lower() in _FILLERS:
            self.at += 1
        elif _DATE.match(word):
            self._take("on", word)
        else:
            self._take_account(word)

    def _take(self, keyword: str, word: str) -> None:
        match keyword:
            case "person":
                self._take_person(word)
            case "account":
                self._take_account(word)
            case "phone":
                if not self._take_phone():
                    raise _UnreadableError(FilterProblem.NOT_A_PHONE, self._rest_or(word))
            case "since":
                self._set("since", self._time(word)[0], word)
            case "until":
                begin, length = self._time(word)
                self._set("until", begin + length, word)
            case "on":
                begin, length = self._time(word)
                self._period(begin, begin + (length or _DAY), word)
            case "last":
                self._set("since", self.now - self._length(word), word)
            case _:
                today = datetime.combine(self.now.astimezone(UTC).date(), time(), UTC)
                begin = today if keyword == "today" else today - _DAY
                self._period(begin, begin + _DAY, word)

    def _set(self, name: str, value: str | bool | datetime, word: str) -> None:
        if name in self.found:
            raise _UnreadableError(FilterProblem.TWICE, word)
        self.found[name] = value

    def _period(self, begin: datetime, end: datetime, word: str) -> None:
        self._set("since", begin, word)
        self._set("until", end, word)

    def _take_phone(self) -> bool:
        """Whether a hardware ID comes next, in one word or several."""
        for count in range(min(_LONGEST_SPELLING, len(self.words) - self.at), 0, -1):
            text = " ".join(self.words[self.at : self.at + count])
            if not hardware_id.resembles(text):
                continue
            parsed = hardware_id.parse(text)
            if not isinstance(parsed, str):
                raise _UnreadableError(FilterProblem.NOT_A_PHONE, text)
            self._set("phone", parsed, text)
            self.at += count
            return True
        return False

    def _take_account(self, word: str) -> None:
        text = self._rest_or(word)
        if not _ACCOUNT.fullmatch(text):
            raise _UnreadableError(FilterProblem.NOT_UNDERSTOOD, text)
        self.at += 1
        whole = "@" in text and not text.endswith(("*", "@"))
        self._set("account", text.removesuffix("*").casefold(), text)
        self._set("account_is_prefix", not whole, text)

    def _take_person(self, word: str) -> None:
        """A name takes all words up to the next filter."""
        name: list[str] = []
        while self.at < len(self.words):
            each = self.words[self.at]
            ends = each.lower() in _KEYWORDS or "@" in each or each.endswith("*")
            if name and (ends or _DATE.match(each) or hardware_id.resembles(each)):
                break
            name.append(each.removeprefix("@"))
            self.at += 1
        text = " ".join(name)
        if not text:
            raise _UnreadableError(FilterProblem.NOT_UNDERSTOOD, word)
        self._set("person", self.me if text.lower() == _ME and self.me else text, text)

    def _time(self, keyword: str) -> tuple[datetime, timedelta]:
        """The time that comes next, and how long it lasts: a day if it is a date."""
        word = self._rest_or(keyword)
        if not _DATE.match(word):
            raise _UnreadableError(FilterProblem.NOT_A_TIME, word)
        self.at += 1
        text, length = word, _DAY
        if self.at < len(self.words) and _TIME.fullmatch(self.words[self.at]):
            text = f"{word}T{self.words[self.at].rjust(5, '0')}"
            self.at += 1
        if _DATE.fullmatch(text) is None:
            length = timedelta()
        try:
            at = datetime.fromisoformat(text.upper())
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            _ = at + _DAY, at - _DAY
        except (ValueError, OverflowError):
            raise _UnreadableError(FilterProblem.NOT_A_TIME, text) from None
        return at, length

    def _length(self, keyword: str) -> timedelta:
        """`7 days`, or `day`."""
        word = self._rest_or(keyword)
        count = 1
        if _COUNT.fullmatch(word):
            count = int(word)
            self.at += 1
        unit = self._rest_or(word)
        length = _UNITS.get(unit.lower().removesuffix("s"))
        if length is None or unit == keyword:
            raise _UnreadableError(FilterProblem.NOT_A_TIME, unit)
        self.at += 1
        return count * length

    def _rest_or(self, word: str) -> str:
        return self.words[self.at] if self.at < len(self.words) else word
