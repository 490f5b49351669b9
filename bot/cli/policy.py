"""`python -m bot policy`: checks a policy file, and explains decisions. Changes nothing."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bot.app import policy_of, stands_in_for
from bot.cli.common import UsageError, load_settings, usage_errors
from bot.cli.database import with_database
from bot.commands.roles import Roles
from bot.directory import DirectoryUnavailableError
from bot.doctor.policy import SmallStage, small_stages
from bot.reading import reading_directory
from bot.settings.model import Settings
from bot.signin import stand_in
from bot.signin.policy.actions import GENERAL, Action, decide
from bot.signin.policy.decision import Decision, Ruling
from bot.signin.policy.facts import RequestFacts
from bot.signin.policy.file import MAX_BYTES, parse
from bot.signin.policy.model import Policy
from bot.signin.policy.problem import PolicyError
from bot.signin.policy.settings import policy_settings
from bot.signin.request import Person, RequestState, parse_id
from bot.store import policy_facts, requests
from bot.store.database import Database
from bot.words import Words
from cards.votes import wanted_text

WRONG = 1  # exit code
UNTOLD = 2  # exit code


def check(file: Path, *, directory: bool) -> int:
    """Prints what is wrong with a file, and returns the exit code. Raises UsageError."""
    settings = load_settings()
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from error
    try:
        policy = parse(content, policy_settings(settings))
    except PolicyError as error:
        for problem in error.problems:
            sys.stdout.write(f"{file}: {problem}\n")
        return WRONG
    small: list[SmallStage] = []
    if directory:
        with usage_errors():
            small = asyncio.run(_small(settings, policy))
    for stage in small:
        where = f"rule {stage.rule!r}" if stage.rule else "approvers"
        sys.stdout.write(
            f"{file}: {where}: {', '.join(stage.groups) or 'this stage'} needs {stage.need}, and has "
            f"{stage.people}\n"
        )
    if small:
        return WRONG
    counts = ", ".join(
        f"{count} {one if count == 1 else several}"
        for count, one, several in (
            (len(policy.rules), "rule", "rules"),
            (len(policy.denies), "deny", "denies"),
            (len(policy.freezes), "freeze", "freezes"),
            (len(policy.escalations), "escalation", "escalations"),
            (len(policy.views), "view", "views"),
        )
    )
    glass = "on" if policy.break_glass else "off"
    sys.stdout.write(f"{file} can be used: {counts}; break-glass is {glass}. Hash: {policy.hash}\n")
    return 0


async def _small(settings: Settings, policy: Policy) -> list[SmallStage]:
    try:
        async with reading_directory(settings) as directory:
            return await small_stages(policy, directory)
    except DirectoryUnavailableError as error:
        raise UsageError(f"The groups cannot be looked up: {error}.") from error


def explain(actor: str, action: str, request: str, *, as_json: bool) -> int:
    """Prints what the policy in force decides and why, and returns the exit code. Raises UsageError."""
    try:
        wanted = Action(action)
    except ValueError:
        actions = ", ".join(Action)
        raise UsageError(f"{action!r} is no action. These are: {actions}.") from None
    request_id = parse_id(request) if request else None
    if request_id is None and (request or wanted not in GENERAL):
        raise UsageError("Add --request with the ID of a request, such as K7QF2M9X.")
    settings = load_settings()
    with usage_errors():
        policy = policy_of(settings)
        if request_id is None:
            decision = asyncio.run(_explain_general(settings, policy, actor, wanted))
        else:
            decision = with_database(
                lambda database: _explain(settings, policy, database, actor, wanted, request_id)
            )
    words = Words()
    if as_json:
        sys.stdout.write(json.dumps(_as_json(decision)) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(words, decision)) + "\n")
    return {Ruling.YES: 0, Ruling.NO: WRONG, Ruling.CANNOT_TELL: UNTOLD}[decision.answer]


async def _explain_general(
    settings: Settings, policy: Policy, object_id: str, action: Action
) -> Decision:
    """Of what concerns no request. The database is not asked, and so not who stands in for whom."""
    tenant_id = settings.home_tenant
    async with reading_directory(settings) as directory:
        roles = Roles(directory, lambda: policy, monotonic=time.monotonic)
        who = await roles.look_up(Person(object_id.lower(), ""), tenant_id, policy)
    nothing = RequestFacts(tenant_id, RequestState.DRAFT, "")
    return decide(policy, action, who, nothing, now=datetime.now(UTC))


async def _explain(
    settings: Settings,
    policy: Policy,
    database: Database,
    object_id: str,
    action: Action,
    request_id: str,
) -> Decision:
    async with database.read() as tx:
        request = await requests.load(tx, request_id)
        if request is None:
            raise UsageError(f"There is no request {request_id}.")
        facts = await policy_facts.of_request(tx, policy, request)
    async with reading_directory(settings) as directory:
        roles = Roles(
            directory,
            lambda: policy,
            monotonic=time.monotonic,
            stands_in_for=partial(stands_in_for, database),
        )
        person = Person(object_id.lower(), "")
        who = await roles.look_up(person, request.tenant_id, policy)
    about = stand_in.about(policy, who, facts)
    return decide(policy, action, about, facts, now=datetime.now(UTC))


def _lines(words: Words, decision: Decision) -> list[str]:
    lines = [f"Answer: {decision.answer.value}"]
    if decision.reason is not None:
        lines.append(f"Why: {decision.sentence(words)}")
    if decision.missing:
        lines.append(f"Votes still wanted: {wanted_text(words, decision.missing)}")
    if decision.who_can:
        lines.append(f"Who can: members of {', '.join(decision.who_can)}")
    lines.append(f"Rule: {decision.rule or 'none by name'}")
    lines.append(f"Policy: {decision.policy}")
    return lines


def _as_json(decision: Decision) -> dict[str, object]:
    return {
        "answer": decision.answer.value,
        "reason": decision.reason,
        "who_can": decision.who_can,
        "missing": [{"of": each.names, "votes": each.votes} for each in decision.missing],
        "opens_at": decision.opens_at.isoformat() if decision.opens_at else None,
        "rule": decision.rule,
        "policy": decision.policy,
    }
