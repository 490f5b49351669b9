"""The policy as a value: who may request and approve, and under which rules.

It comes from settings, which make a policy without rules, or from a file (`bot.signin.policy.file`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import chain
from zoneinfo import ZoneInfo

from bot.phones.region import Region
from bot.settings.scope import AccountScope

EVERYONE = "*"
_ANY_ACCOUNT = AccountScope()


@dataclass(frozen=True, slots=True)
class Group:
    """People, as a policy names them."""

    name: str  #: as the file calls it; the object ID if it has no name there
    ids: frozenset[str]  #: object IDs of users and groups in lower case, or `*`


class Risk(StrEnum):
    """What makes a request riskier than others. The values are those of the file."""

    GUARDED = "guarded"  # accounts that look like people's, included by name
    FAILED_CHECKS = "failed-checks"  # accounts included although a check failed


class GuestRole(StrEnum):
    """What guests of the tenant may be allowed. The values are those of the file."""

    REQUEST = "request"
    APPROVE = "approve"


class NeedsReason(StrEnum):
    """What can need a reason. The values are those of the file."""

    REQUEST = "request"
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Traits:
    """What rules look at in a request."""

    accounts: int = 0  #: distinct, whose passwords a sign-in resets
    regions: frozenset[Region] = frozenset()
    #: UPNs of accounts; as few as tell which patterns of the policy any of its accounts matches
    principals: tuple[str, ...] = ()
    risks: frozenset[Risk] = frozenset()


@dataclass(frozen=True, slots=True)
class Condition:
    """Which requests a rule is about: those that meet all of it. Empty: all requests."""

    regions: frozenset[Region] = frozenset()  #: any phone in any of them
    accounts: AccountScope = _ANY_ACCOUNT  #: any account of these patterns
    min_accounts: int = 0
    risks: frozenset[Risk] = frozenset()  #: any of them

    def applies(self, traits: Traits) -> bool:
        return (
            traits.accounts >= self.min_accounts
            and (not self.regions or not self.regions.isdisjoint(traits.regions))
            and (not self.risks or not self.risks.isdisjoint(traits.risks))
            and (
                self.accounts.everything
                or any(self.accounts.matches(each) for each in traits.principals)
            )
        )


#: Of what has no condition.
ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class Stage:
    """Votes that an approval needs of some people."""

    of: tuple[Group, ...]
    need: int
    level: int = 0  #: votes of a stage count once all stages of lower levels have theirs

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(group.name for group in self.of)


@dataclass(frozen=True, slots=True)
class Window:
    """When sign-ins may start, each week. An end before its start is on the next day."""

    days: frozenset[int]  #: on which it starts, Monday is 0
    start: time  #: local
    end: time  #: local, exclusive
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Freeze:
    """When no sign-in may start. Beats every window."""

    name: str
    begin: datetime  #: aware
    end: datetime  #: aware, exclusive
    condition: Condition = Condition()


@dataclass(frozen=True, slots=True)
class Rule:
    """What requests that meet its condition need. All rules that apply hold together."""

    name: str
    condition: Condition = Condition()
    stages: tuple[Stage, ...] = ()
    windows: tuple[Window, ...] = ()  #: any of them; empty: at any time
    ticket: re.Pattern[str] | None = None  #: the request's, or a word of its reason
    ticket_example: str = ""  #: such a ticket, for people; "" if the file has none
    reasons: frozenset[NeedsReason] = frozenset()

    @property
    def ticket_form(self) -> str:
        """What a ticket looks like, for people; "" if none is needed."""
        return self.ticket_example or ("" if self.ticket is None else self.ticket.pattern)


@dataclass(frozen=True, slots=True)
class Deny:
    """People who may not request or approve what meets the condition, whatever else allows it."""

    name: str
    requesters: tuple[Group, ...] = ()
    approvers: tuple[Group, ...] = ()
    condition: Condition = Condition()


@dataclass(frozen=True, slots=True)
class Escalation:
    """People who may approve, too, what meets the condition and has waited that long."""

    name: str
    to: tuple[Group, ...]
    after: timedelta  #: since approval was requested
    condition: Condition = Condition()


@dataclass(frozen=True, slots=True)
class View:
    """People who see only requests that meet the condition, whatever their role; beside their own."""

    name: str
    people: tuple[Group, ...]
    condition: Condition


@dataclass(frozen=True)
class Policy:
    requesters: tuple[Group, ...]
    approvers: tuple[Group, ...]  #: of what no rule's stages are about, one of them
    auditors: tuple[Group, ...] = ()  #: see everything, and may do nothing
    break_glass: tuple[Group, ...] = ()  #: may approve their own requests at once
    rules: tuple[Rule, ...] = ()
    denies: tuple[Deny, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    views: tuple[View, ...] = ()
    #: roles that guests may have; without a file all, and nobody is asked whether they are one
    guests: frozenset[GuestRole] = frozenset(GuestRole)
    accounts_per_day: int | None = None  #: per requester, in any 24 hours
    four_eyes: bool = True  #: nobody approves what they requested; False only by settings
    hash: str = ""  #: SHA-256 of what it was made from, in hex
    #: of a file: its text, for the audit
    source: str = field(default="", repr=False)

    @cached_property
    def staffed(self) -> tuple[Group, ...]:
        """Everybody who may approve something."""
        stages = (stage.of for rule in self.rules for stage in rule.stages)
        return tuple(dict.fromkeys(chain(self.approvers, *stages)))

    @cached_property
    def ids(self) -> frozenset[str]:
        """Every object ID that it names."""
        return frozenset(each for group in self._groups() for each in group.ids)

    def _groups(self) -> Iterator[Group]:
        yield from chain(self.requesters, self.staffed, self.auditors, self.break_glass)
        yield from self.escalation_people
        for view in self.views:
            yield from view.people
        for deny in self.denies:
            yield from chain(deny.requesters, deny.approvers)

    def breaks_glass(self, object_id: str) -> bool:
        """Whether somebody is named for break-glass by their own object ID; whatever denies it."""
        return any(object_id.lower() in group.ids for group in self.break_glass)

    @cached_property
    def escalation_people(self) -> tuple[Group, ...]:
        """Everybody to whom something may be escalated."""
        return tuple(dict.fromkeys(chain.from_iterable(each.to for each in self.escalations)))

    @cached_property
    def ruled(self) -> bool:
        """Whether decisions depend on what a request is about."""
        escalations = any(each.condition != ALWAYS for each in self.escalations)
        return bool(self.rules or self.denies or self.freezes or self.views or escalations)

    @cached_property
    def asks_about_guests(self) -> bool:
        """Whether it matters who is a guest."""
        return self.guests != frozenset(GuestRole)

    @cached_property
    def timed(self) -> bool:
        """Whether there are times at which some request may not start or go on."""
        return bool(self.freezes) or any(rule.windows for rule in self.rules)

    @cached_property
    def scopes(self) -> frozenset[AccountScope]:
        """The patterns of accounts that its conditions have."""
        conditional = chain(self.rules, self.denies, self.freezes, self.escalations, self.views)
        scopes = (each.condition.accounts for each in conditional)
        return frozenset(scope for scope in scopes if not scope.everything)

    def rules_for(self, traits: Traits) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.condition.applies(traits))

    def stages_for(self, traits: Traits) -> tuple[Stage, ...]:
        """What an approval needs: the stages of all rules that apply, of the same people the stricter;
        one of the approvers if there are none. By level."""
        united: dict[tuple[int, frozenset[Group]], Stage] = {}
        for stage in chain.from_iterable(rule.stages for rule in self.rules_for(traits)):
            key = stage.level, frozenset(stage.of)
            if key not in united or united[key].need < stage.need:
                united[key] = stage
        if not united:
            return (Stage(self.approvers, 1),)
        return tuple(sorted(united.values(), key=lambda stage: stage.level))

    def escalations_for(
        self, traits: Traits | None, waited: timedelta | None
    ) -> tuple[Escalation, ...]:
        """Those that are due once a request has waited that long; `traits`: None for any request."""
        if waited is None:
            return ()
        return tuple(
            each
            for each in self.escalations
            if each.after <= waited and (traits is None or each.condition.applies(traits))
        )

    def escalation_due(
        self, traits: Traits | None, waited: timedelta, before: timedelta | None
    ) -> timedelta | None:
        """After how long the last escalation is due of those that are, for a request that has waited that
        long; None if it has been escalated that far. `before`: how long it had waited then. `traits`: as
        for `escalations_for`."""
        due = (each.after for each in self.escalations_for(traits, waited))
        last = max(due, default=None)
        return None if last is None or (before is not None and before >= last) else last


def group(object_id: str) -> Group:
    """A user or group that has no name."""
    return Group(object_id, frozenset({object_id.lower()}))


def simple(
    requesters: Iterable[str],
    approvers: Iterable[str],
    *,
    four_eyes: bool,
    break_glass: Iterable[str] = (),
    escalations: Iterable[Escalation] = (),
) -> Policy:
    """The policy of settings: object IDs of users or groups, or `*`; of users for break-glass. No rules."""
    requesters, approvers = tuple(requesters), tuple(approvers)
    text = f"{sorted(map(str.lower, requesters))} {sorted(map(str.lower, approvers))} {four_eyes}"
    return Policy(
        tuple(map(group, requesters)),
        tuple(map(group, approvers)),
        break_glass=tuple(map(group, break_glass)),
        escalations=tuple(escalations),
        four_eyes=four_eyes,
        hash=sha256(text.encode()).hexdigest(),
    )


def no_rules() -> Policy:
    """A policy of nobody, for what needs one and is given none."""
    return simple((), (), four_eyes=True)
