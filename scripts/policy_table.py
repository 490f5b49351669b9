"""The policy's truth table: every action by every kind of person in every state, as the evaluator decides.

`table` makes the documentation's page from it; a test compares it with what is written there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from bot.phones.region import Region
from bot.signin.policy.actions import GENERAL, Action, decide
from bot.signin.policy.decision import Decision, DenialReason, Ruling
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import (
    Condition,
    Deny,
    Escalation,
    Group,
    Policy,
    Rule,
    Stage,
    Traits,
    View,
)
from bot.signin.request import Person, RequestState
from bot.signin.stand_in import about
from bot.words import Words

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_TENANT = "tenant"
_DESK, _NETOPS, _SOC, _AUDIT, _OUT, _GLASS, _LEAD, _EMEA, _APAC = (
    Group(name, frozenset({f"id of {name}"}))
    for name in ("desk", "netops", "soc", "audit", "contractors", "on-call", "lead", "emea", "apac")
)
_HOUR = timedelta(hours=1)
#: Requesters, two stages of approvers, auditors, people who are denied, who may break the glass, those to
#: whom it is escalated, and those who see one region only. Guests may do nothing.
POLICY = Policy(
    (_DESK,),
    (_NETOPS,),
    (_AUDIT,),
    (_GLASS,),
    rules=(Rule("two stages", stages=(Stage((_NETOPS,), 1), Stage((_SOC,), 1, level=1))),),
    denies=(Deny("outsiders", (), (_OUT,)),),
    escalations=(Escalation("", (_LEAD,), _HOUR),),
    views=(
        View("EMEA only", (_EMEA,), Condition(frozenset({Region.EMEA}))),
        View("APAC only", (_APAC,), Condition(frozenset({Region.APAC}))),
    ),
    guests=frozenset(),
)

#: Of phones in one region.
_HIS = RequestFacts(
    _TENANT,
    RequestState.DRAFT,
    "alex",
    _NOW + _HOUR,
    traits=Traits(10, frozenset({Region.EMEA})),
)
_ALEX, _GRACE = (Actor(Person(name, ""), _TENANT, _NETOPS.ids) for name in ("alex", "grace"))
_ELSEWHERE = Actor(Person("hugo", ""), _TENANT, _NETOPS.ids | _APAC.ids)
_VOTE = Actor(Person("megan", ""), _TENANT, _NETOPS.ids)


class Kind(NamedTuple):
    """A kind of person; `own`: the request is theirs."""

    own: bool
    groups: tuple[Group, ...]
    unsure: bool = False
    tenant: str = _TENANT
    #: approvers for whom they stand in
    stands_in_for: tuple[Actor, ...] = ()
    guest: Ruling = Ruling.NO


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "its requester": Kind(True, (_DESK,)),
        "its requester, who is no requester any more": Kind(True, ()),
        "its requester, an approver, too": Kind(True, (_DESK, _NETOPS)),
        "its requester, who may break the glass": Kind(True, (_DESK, _GLASS)),
        "another requester": Kind(False, (_DESK,)),
        "an approver": Kind(False, (_NETOPS,)),
        "an approver of the second stage": Kind(False, (_SOC,)),
        "an approver whom a rule excludes": Kind(False, (_NETOPS, _OUT)),
        "a stand-in of an approver": Kind(False, (), stands_in_for=(_GRACE,)),
        "a stand-in of an approver, whom a rule excludes": Kind(
            False, (_OUT,), stands_in_for=(_GRACE,)
        ),
        "a stand-in of its requester": Kind(False, (), stands_in_for=(_ALEX,)),
        "its requester, who is a stand-in, too": Kind(True, (_DESK,), stands_in_for=(_GRACE,)),
        "somebody of the escalation": Kind(False, (_LEAD,)),
        "its requester, of the escalation, too": Kind(True, (_DESK, _LEAD)),
        "its requester, a guest": Kind(True, (_DESK,), guest=Ruling.YES),
        "an approver, a guest": Kind(False, (_NETOPS,), guest=Ruling.YES),
        "an approver, who may be a guest": Kind(False, (_NETOPS,), guest=Ruling.CANNOT_TELL),
        "a stand-in of an approver, a guest": Kind(
            False, (), stands_in_for=(_GRACE,), guest=Ruling.YES
        ),
        "an auditor, a guest": Kind(False, (_AUDIT,), guest=Ruling.YES),
        "an approver who sees its region": Kind(False, (_NETOPS, _EMEA)),
        "an approver who sees another region": Kind(False, (_NETOPS, _APAC)),
        "an approver who sees both regions": Kind(False, (_NETOPS, _EMEA, _APAC)),
        "its requester, who sees another region": Kind(True, (_DESK, _APAC)),
        "a stand-in of an approver, who sees another region": Kind(
            False, (_APAC,), stands_in_for=(_GRACE,)
        ),
        "a stand-in of an approver who sees another region": Kind(
            False, (), stands_in_for=(_ELSEWHERE,)
        ),
        "somebody of the escalation, who sees another region": Kind(False, (_LEAD, _APAC)),
        "an auditor who sees its region": Kind(False, (_AUDIT, _EMEA)),
        "an auditor who sees another region": Kind(False, (_AUDIT, _APAC)),
        "an auditor": Kind(False, (_AUDIT,)),
        "somebody without a role": Kind(False, ()),
        "somebody, while the directory is down": Kind(False, (), unsure=True),
        "its requester, while the directory is down": Kind(True, (), unsure=True),
        "somebody of another tenant": Kind(False, (_DESK, _NETOPS), tenant="elsewhere"),
    }
)

#: States, with what else changes a decision: `voted`, `overlap`, `escalated` and `overdue` are waiting, too,
#: `canceling` is running; `unreviewed` and `reviewed` have finished, and started with break-glass.
STATES: Mapping[str, RequestFacts] = MappingProxyType(
    {
        **{state.value: replace(_HIS, state=state) for state in RequestState},
        "voted": replace(_HIS, state=RequestState.WAITING, votes=(_VOTE,)),
        "overlap": replace(_HIS, state=RequestState.WAITING, reason_wanted=True),
        "escalated": replace(_HIS, state=RequestState.WAITING, escalated=_HOUR),
        "overdue": replace(_HIS, state=RequestState.WAITING, expires_at=_NOW),
        "canceling": replace(_HIS, state=RequestState.RUNNING, cancelling=True),
        "unreviewed": replace(_HIS, state=RequestState.FINISHED, used_by="alex"),
        "reviewed": replace(_HIS, state=RequestState.FINISHED, used_by="alex", reviewed=True),
    }
)


class Entry(NamedTuple):
    action: Action
    kind: str
    state: str  #: "" if the action concerns no request
    decision: Decision


def entries() -> Iterator[Entry]:
    """The whole table."""
    for action in Action:
        for name, kind in KINDS.items():
            object_id = "alex" if kind.own else "somebody"
            ids = frozenset(each for group in kind.groups for each in group.ids)
            person = Person(object_id, "")
            actor = Actor(
                person, kind.tenant, ids, kind.unsure, kind.stands_in_for, guest=kind.guest
            )
            if action in GENERAL:
                decision = decide(POLICY, action, actor, _HIS, now=_NOW)
                yield Entry(action, name, "", decision)
                continue
            for state, request in STATES.items():
                role = about(POLICY, actor, request)
                decision = decide(POLICY, action, role, request, now=_NOW)
                yield Entry(action, name, state, decision)


def table() -> str:
    """A Markdown table with a row per action and kind of person: in which states yes, else why not."""
    lines = ["| action | who | yes | otherwise |", "|---|---|---|---|"]
    rows: dict[tuple[Action, str], list[Entry]] = {}
    every = list(entries())
    for entry in every:
        rows.setdefault((entry.action, entry.kind), []).append(entry)
    for (action, kind), of_row in rows.items():
        allowed = [entry.state for entry in of_row if entry.decision.allowed]
        lines.append(f"| `{action}` | {kind} | {_states(allowed, of_row)} | {_denials(of_row)} |")
    return f"{len(every)} decisions.\n\n" + "\n".join(lines) + "\n"


def _states(chosen: list[str], of_row: list[Entry]) -> str:
    if len(chosen) == len(of_row):
        return "always"
    return ", ".join(chosen)


def _denials(of_row: list[Entry]) -> str:
    by_reason: dict[str, list[str]] = {}
    for entry in of_row:
        if not entry.decision.allowed:
            by_reason.setdefault(str(entry.decision.reason), []).append(entry.state)
    most = max(by_reason, key=lambda reason: len(by_reason[reason]), default="")
    parts = [
        f"`{reason}`" if reason == most else f"`{reason}` ({', '.join(states)})"
        for reason, states in sorted(by_reason.items(), key=lambda item: item[0] != most)
    ]
    return ", ".join(parts)


#: Of the reasons that depend on more than who asks and in which state.
_EXAMPLE = Decision(
    Ruling.NO,
    who_can=("soc",),
    rule="large in EMEA",
    opens_at=_NOW,
    arguments={"ticket": "CHG0042", "example": 1, "limit": 500, "left": 42, "scheduled": 0},
)


def reasons() -> str:
    """A Markdown table with a row per reason, worded as in chat."""
    found = {reason: replace(_EXAMPLE, reason=reason) for reason in DenialReason}
    for entry in reversed(list(entries())):
        if entry.decision.reason is not None:
            found[entry.decision.reason] = entry.decision
    words = Words()
    rows = [f"| `{name}` | {found[name].sentence(words)} |" for name in sorted(found)]
    return "\n".join(["| reason | I say |", "|---|---|", *rows]) + "\n"
