"""The guard: accounts of people and administrators are not signed in on phones.

A sign-in resets the password. For an administrator or a guest that is never right; for a person it is
right only if somebody says so by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.preflight.facts import AccountFacts, Known, Unknown
from bot.preflight.verdict import Check, Result, Verdict, passed, unknown
from bot.settings.scope import AccountScope

#: How recent an interactive sign-in must be to look like a person's.
RECENT = timedelta(days=30)
_MAX_ROLES = 3  # listed by name


def verdicts(facts: AccountFacts, scope: AccountScope, now: datetime) -> Sequence[Verdict]:
    """The guard's verdicts on an account that exists. `now` is UTC."""
    return (_role(facts), _guest(facts), _scope(facts, scope), _person(facts, now))


def _role(facts: AccountFacts) -> Verdict:
    """Any role refuses, held or only to be activated; without both answers it is not known."""
    for code, roles in (("holds-role", facts.roles), ("may-hold-role", facts.eligible_roles)):
        if not isinstance(roles, Unknown) and roles:
            names = ", ".join(roles[:_MAX_ROLES])
            arguments = {"roles": names, "more": max(0, len(roles) - _MAX_ROLES)}
            return Verdict(Check.ROLE, Result.REFUSED, code, arguments)
    return _first_unknown(Check.ROLE, facts.roles, facts.eligible_roles) or passed(Check.ROLE)


def _guest(facts: AccountFacts) -> Verdict:
    if isinstance(facts.guest, Unknown):
        return unknown(Check.GUEST, facts.guest)
    return Verdict(Check.GUEST, Result.REFUSED, "guest") if facts.guest else passed(Check.GUEST)


def scope_of_name(facts: AccountFacts, scope: AccountScope) -> Verdict:
    """The same for an account that was not found, or could not be looked up: only its name in the file
    can tell whether it is allowed."""
    if scope.everything or scope.matches(facts.username):
        return passed(Check.SCOPE)
    if scope.ids and isinstance(facts.found, Unknown):
        return unknown(Check.SCOPE, facts.found)
    return Verdict(Check.SCOPE, Result.REFUSED, "outside-scope")


def _scope(facts: AccountFacts, scope: AccountScope) -> Verdict:
    """The directory's UPN counts, not the file's spelling of it."""
    if scope.everything or scope.matches(facts.principal):
        return passed(Check.SCOPE)
    if scope.ids:
        if isinstance(facts.member_of, Unknown):
            return unknown(Check.SCOPE, facts.member_of)
        if scope.ids & facts.member_of:
            return passed(Check.SCOPE)
    return Verdict(Check.SCOPE, Result.REFUSED, "outside-scope")


def _person(facts: AccountFacts, now: datetime) -> Verdict:
    """One sign of a person is enough; only if no sign is seen does it matter what is not known."""
    if not isinstance(facts.plans, Unknown):
        if facts.plans.mailbox:
            return _guarded("person-mailbox")
        if facts.plans.desktop_apps:
            return _guarded("person-desktop-apps")
    signed_in = facts.last_interactive_sign_in
    if isinstance(signed_in, datetime) and now - signed_in < RECENT:
        return _guarded("person-signs-in", days=max(0, (now - signed_in).days))
    if facts.resource_account is True:
        return _guarded("resource-account")
    if facts.restricted is True:
        return _guarded("restricted-unit")
    missing = _first_unknown(
        Check.PERSON, facts.plans, signed_in, facts.resource_account, facts.restricted
    )
    return missing or passed(Check.PERSON)


def _guarded(code: str, **arguments: str | int) -> Verdict:
    return Verdict(Check.PERSON, Result.GUARDED, code, arguments)


def _first_unknown(check: Check, *facts: Known[object]) -> Verdict | None:
    """The verdict for the first fact that is not known; None if all are."""
    for fact in facts:
        if isinstance(fact, Unknown):
            return unknown(check, fact)
    return None
