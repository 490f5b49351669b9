"""From the tables of a policy file to the policy's values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.phones.provisioned import zone_named
from bot.settings.scope import AccountScope, ScopeError, parse_scope
from bot.signin.policy import ticket
from bot.signin.policy.model import (
    EVERYONE,
    Condition,
    Deny,
    Escalation,
    Freeze,
    Group,
    Policy,
    Rule,
    Stage,
    View,
    Window,
)
from bot.signin.policy.problem import Key, PolicyError, Problem, line_of, spelled
from bot.signin.policy.settings import PolicySettings
from bot.signin.policy.tables import (
    BreakGlassTable,
    ConditionalTable,
    DenyTable,
    EscalationTable,
    FileTable,
    FreezeTable,
    RuleTable,
    StageTable,
    ViewTable,
    WindowTable,
)

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"\w[\w .-]{0,39}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"(?P<count>[1-9]\d{0,4}) ?(?P<unit>[mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UTC = ZoneInfo("UTC")


class Reader:
    """From the file's tables to the policy's values; collects what is wrong."""

    def __init__(self, text: str, file: FileTable, settings: PolicySettings) -> None:
        self._text = text
        self._file = file
        self._settings = settings
        self._problems: list[Problem] = []
        self._groups: dict[str, Group] = {}

    def policy(self, digest: str) -> Policy:
        file = self._file
        for name, value in file.groups.items():
            self._groups[name] = self._named(name, value)
        self._unique_names()
        policy = Policy(
            requesters=self._people(file.requesters, ("requesters",), needed=True),
            approvers=self._people(file.approvers, ("approvers",), needed=True, approves=True),
            auditors=self._people(file.auditors, ("auditors",)),
            rules=tuple(self._rule(at, each) for at, each in enumerate(file.rule)),
            denies=tuple(self._deny(at, each) for at, each in enumerate(file.deny)),
            freezes=tuple(self._freeze(at, each) for at, each in enumerate(file.freeze)),
            views=tuple(self._view(at, each) for at, each in enumerate(file.view)),
            guests=frozenset(file.guests),
            break_glass=self._break_glass(file.break_glass),
            escalations=tuple(
                self._escalation(at, each) for at, each in enumerate(file.escalation)
            ),
            accounts_per_day=file.limits.accounts_per_day,
            hash=digest,
            source=self._text,
        )
        if self._problems:
            raise PolicyError(sorted(self._problems, key=lambda each: each.line))
        return policy

    def _wrong(self, key: Key, sentence: str) -> None:
        self._problems.append(Problem(line_of(self._text, key), spelled(key), sentence))

    def _unique_names(self) -> None:
        seen: set[str] = set()
        for table in ("rule", "deny", "freeze", "escalation", "view"):
            for at, each in enumerate(getattr(self._file, table)):
                if each.name and not _NAME.fullmatch(each.name):
                    self._wrong(
                        (table, at, "name"),
                        "use up to 40 letters, digits, spaces, dots and dashes",
                    )
                if each.name in seen:
                    self._wrong((table, at, "name"), f"{each.name!r} is used twice")
                seen |= {each.name} - {""}

    def _named(self, name: str, value: str | list[str]) -> Group:
        ids = [value] if isinstance(value, str) else value
        key = ("groups", name)
        if not _NAME.fullmatch(name):
            self._wrong(key, "use up to 40 letters, digits, spaces, dots and dashes")
        if not ids:
            self._wrong(key, "this group is empty")
        for each in ids:
            if not _GUID.fullmatch(each):
                self._wrong(key, f"{each!r} is not the object ID of a user or group")
        return Group(name, frozenset(each.lower() for each in ids))

    def _people(
        self, entries: Sequence[str], key: Key, *, needed: bool = False, approves: bool = False
    ) -> tuple[Group, ...]:
        if needed and not entries:
            self._wrong(key, "name at least one group or object ID")
        people: list[Group] = []
        for each in entries:
            if each in self._groups:
                people.append(self._groups[each])
            elif _GUID.fullmatch(each):
                people.append(Group(each, frozenset({each.lower()})))
            elif each == EVERYONE and (self._settings.anyone_approves or not approves):
                people.append(Group(each, frozenset({EVERYONE})))
            elif each == EVERYONE:
                self._wrong(
                    key,
                    "* is for OFFHOOK_ENVIRONMENT=local only: everyone in the tenant, guests "
                    "included, could approve password resets",
                )
            else:
                close = difflib.get_close_matches(each, self._groups, 1)
                hint = f"; did you mean {close[0]!r}?" if close else " and no object ID"
                self._wrong(key, f"{each!r} is no group in [groups]{hint}")
        return tuple(dict.fromkeys(people))

    def _condition(self, table: ConditionalTable, key: Key) -> Condition:
        return Condition(
            frozenset(table.regions),
            self._accounts(table.accounts, key),
            table.min_accounts or 0,
            frozenset(table.risks),
        )

    def _accounts(self, entries: Sequence[str], key: Key) -> AccountScope:
        try:
            scope = parse_scope(entries)
        except ScopeError as error:
            self._wrong((*key, "accounts"), str(error))
            scope = parse_scope(())
        if scope.ids:
            self._wrong(
                (*key, "accounts"), "name accounts by UPN patterns, such as lobby.*@contoso.com"
            )
        return scope

    def _rule(self, at: int, table: RuleTable) -> Rule:
        key: Key = ("rule", at)
        if not (table.stages or table.windows or table.ticket or table.reasons):
            self._wrong(key, "this rule asks for nothing: add stages, windows, ticket or reasons")
        if table.ticket_example and not table.ticket:
            self._wrong((*key, "ticket_example"), "there is no ticket that it could be one of")
        return Rule(
            table.name or f"rule {at + 1}",
            self._condition(table, key),
            tuple(self._stage(each, level, key) for level, each in enumerate(table.stages)),
            tuple(self._window(each, n, key) for n, each in enumerate(table.windows)),
            self._ticket(table, key),
            table.ticket_example,
            frozenset(table.reasons),
        )

    def _stage(self, table: StageTable, level: int, rule: Key) -> Stage:
        key = (*rule, "stages", level)
        people = self._people(table.of, (*key, "of"), needed=True, approves=True)
        if len(set(people)) < len(table.of) and not self._problems:
            self._wrong((*key, "of"), "the same people are named twice")
        return Stage(people, table.need, level)

    def _ticket(self, table: RuleTable, rule: Key) -> re.Pattern[str] | None:
        if not table.ticket:
            return None
        key = (*rule, "ticket")
        try:
            pattern = ticket.compiled(table.ticket)
        except ValueError as error:
            self._wrong(key, str(error))
            return None
        if table.ticket_example and not ticket.named(pattern, table.ticket_example, ""):
            self._wrong((*rule, "ticket_example"), "it does not match the ticket's expression")
        return pattern

    def _window(self, table: WindowTable, number: int, rule: Key) -> Window:
        key = (*rule, "windows", number)
        zone = zone_named(table.tz)
        if zone is None:
            self._wrong((*key, "tz"), f"there is no time zone {table.tz!r}, as in Europe/Berlin")
            zone = _UTC
        return Window(
            self._days(table.days, (*key, "days")),
            self._clock(table.begin, (*key, "from")),
            self._clock(table.end, (*key, "to")),
            zone,
        )

    def _clock(self, value: str | time, key: Key) -> time:
        if isinstance(value, time):
            return value.replace(microsecond=0, tzinfo=None)
        found = _CLOCK.fullmatch(value)
        if not found:
            self._wrong(key, f"{value!r} is no time of day, as in 18:00")
            return time()
        return time(int(found[1]), int(found[2]))

    def _days(self, value: str | list[str], key: Key) -> frozenset[int]:
        parts = value.split(",") if isinstance(value, str) else value
        days: set[int] = set()
        for part in parts:
            first, dash, last = part.strip().lower().partition("-")
            if first not in _DAYS or (dash and last not in _DAYS):
                self._wrong(key, f"{part.strip()!r} is no day or span of days, as in tue-thu")
                continue
            start, end = _DAYS.index(first), _DAYS.index(last if dash else first)
            days |= {(start + number) % 7 for number in range((end - start) % 7 + 1)}
        if not days and not parts:
            self._wrong(key, "name at least one day")
        return frozenset(days)

    def _deny(self, at: int, table: DenyTable) -> Deny:
        key: Key = ("deny", at)
        if not (table.requesters or table.approvers):
            self._wrong(key, "this denies nothing: add requesters or approvers")
        return Deny(
            table.name or f"deny {at + 1}",
            self._people(table.requesters, (*key, "requesters")),
            # Everyone may be denied.
            self._people(table.approvers, (*key, "approvers")),
            self._condition(table, key),
        )

    def _freeze(self, at: int, table: FreezeTable) -> Freeze:
        key: Key = ("freeze", at)
        zone = zone_named(table.tz or "UTC")
        if zone is None:
            self._wrong((*key, "tz"), f"there is no time zone {table.tz!r}, as in Europe/Berlin")
        aware = _aware(zone or _UTC)
        if not table.tz and None in (table.begin.tzinfo, table.end.tzinfo):
            self._wrong(key, "add tz, such as Europe/Berlin, or write offsets with the times")
        begin, end = aware(table.begin), aware(table.end)
        if end <= begin:
            self._wrong((*key, "to"), "it ends before it begins")
        return Freeze(table.name or f"freeze {at + 1}", begin, end, self._condition(table, key))

    def _view(self, at: int, table: ViewTable) -> View:
        key: Key = ("view", at)
        if not (table.regions or table.accounts):
            self._wrong(key, "this limits nobody: add regions or accounts")
        return View(
            table.name or f"view {at + 1}",
            self._people(table.people, (*key, "people"), needed=True),
            Condition(frozenset(table.regions), self._accounts(table.accounts, key)),
        )

    def _escalation(self, at: int, table: EscalationTable) -> Escalation:
        key: Key = ("escalation", at)
        return Escalation(
            table.name or f"escalation {at + 1}",
            self._people(table.to, (*key, "to"), needed=True, approves=True),
            self._span(table.after, (*key, "after")),
            self._condition(table, key),
        )

    def _span(self, value: str, key: Key) -> timedelta:
        found = _SPAN.fullmatch(value)
        if not found:
            self._wrong(key, f"{value!r} is no time such as 30m, 4h or 2d")
            return timedelta()
        span, ttl = int(found["count"]) * _UNITS[found["unit"]], self._settings.approval_ttl
        if ttl is not None and span >= ttl:
            self._wrong(
                key, "it is not less than OFFHOOK_APPROVAL_TTL: requests would expire before"
            )
        return span

    def _break_glass(self, table: BreakGlassTable | None) -> tuple[Group, ...]:
        if table is None:
            return ()
        key: Key = ("break_glass", "people")
        if EVERYONE in table.people:
            self._wrong(key, "name users or groups: nobody would have to wait for an approver")
            return ()
        return self._people(table.people, key, needed=True)


def _aware(zone: ZoneInfo) -> Callable[[datetime], datetime]:
    def aware(value: datetime) -> datetime:
        return value if value.tzinfo else value.replace(tzinfo=zone)

    return aware
