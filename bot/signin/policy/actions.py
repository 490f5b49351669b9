"""Every action by name: what the command line explains, and what the truth table lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from bot.signin.policy import evaluator, sight
from bot.signin.policy.decision import Decision
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy


class Action(StrEnum):
    """Everything that the evaluator decides about."""

    SUBMIT = "submit"
    REQUEST = "request"
    SCHEDULE = "schedule"
    WITHDRAW = "withdraw"
    SEE = "see"
    EXPORT = "export"
    APPROVE = "approve"
    REJECT = "reject"
    REASSIGN = "reassign"
    BREAK_GLASS = "break-glass"
    REVIEW = "review"
    NUDGE = "nudge"
    CANCEL = "cancel"
    RETRY = "retry"
    RECONCILE = "reconcile"
    RELEASE = "release"
    DELEGATE = "delegate"
    MEND = "mend"
    MEND_APPROVE = "mend-approve"
    MEND_UNDO = "mend-undo"
    HISTORY = "history"
    CHECKS = "checks"
    NOTIFY = "notify"
    HAND_OVER = "hand-over"


GENERAL: Mapping[Action, Callable[[Policy, Actor], Decision]] = MappingProxyType(
    {
        Action.SUBMIT: evaluator.may_submit_file,
        Action.HISTORY: sight.may_see_all,
        Action.CHECKS: evaluator.may_run_checks,
        Action.NOTIFY: evaluator.may_notify,
        Action.HAND_OVER: evaluator.may_hand_over,
    }
)
_TIMELESS: Mapping[Action, Callable[[Policy, Actor, RequestFacts], Decision]] = MappingProxyType(
    {
        Action.REQUEST: evaluator.may_request_approval,
        Action.WITHDRAW: evaluator.may_withdraw,
        Action.SEE: sight.may_see,
        Action.EXPORT: sight.may_export,
        Action.REVIEW: evaluator.may_review,
        Action.CANCEL: evaluator.may_cancel,
        Action.RETRY: evaluator.may_retry,
        Action.RECONCILE: evaluator.may_reconcile,
        Action.RELEASE: evaluator.may_release,
        Action.DELEGATE: evaluator.may_delegate,
        Action.MEND: evaluator.may_request_mend,
        Action.MEND_UNDO: evaluator.may_undo,
    }
)


def decide(
    policy: Policy, action: Action, actor: Actor, request: RequestFacts, *, now: datetime
) -> Decision:
    """Any action, by name; of those that concern no request, `request` is ignored."""
    if general := GENERAL.get(action):
        return general(policy, actor)
    if timeless := _TIMELESS.get(action):
        return timeless(policy, actor, request)
    match action:
        case Action.APPROVE:
            return evaluator.may_approve(policy, actor, request, now=now)
        case Action.REJECT:
            return evaluator.may_reject(policy, actor, request, now=now)
        case Action.SCHEDULE:
            return evaluator.may_schedule(policy, actor, request, now=now)
        case Action.REASSIGN:
            return evaluator.may_reassign(policy, actor, request, now=now)
        case Action.BREAK_GLASS:
            return evaluator.may_break_glass(policy, actor, request, now=now)
        case Action.NUDGE:
            return evaluator.may_nudge(policy, actor, request, now=now)
        case _:
            return evaluator.may_decide(policy, actor, request, now=now)
