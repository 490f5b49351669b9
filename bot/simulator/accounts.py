"""Finds the simulated tenant's accounts: one source for Graph's answers and the SIP Gateway's outcomes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from bot.simulator.policies import CALLING, IP_PHONE, Policies
from bot.simulator.scenario import Person, Scenario
from bot.simulator.tenant import Account

#: What a first outcome of an account says about the account itself.
_OUTCOMES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "user-not-found": {"exists": False},
        "no-phone-number": {"number": False},
        "no-sip-calling-policy": {"calling_policy": ""},
        "no-cap-policy": {"ip_phone_policy": ""},
    }
)
_HEALTHY = Account()


class Entry(NamedTuple):
    """An account with its names."""

    object_id: str
    principal: str
    account: Account


class Accounts:
    """Accounts of the scenario's tenant, by user principal name or object ID in any case."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.policies = Policies(scenario)
        self._people = {person.principal.lower(): person for person in scenario.people}
        self._listed = dict(scenario.accounts)
        self._names = {name.lower(): name for name in self._listed}
        self._outcomes = {key.lower(): each for key, each in scenario.outcomes.items()}
        self._domains = frozenset(each.lower() for each in scenario.account_domains)
        self._found: dict[str, Entry] = {}  # by object ID
        self._ids: dict[str, str] = {}  # object IDs by lowercase name
        self._members: dict[tuple[str, ...], Sequence[Entry]] = {}
        for name in [*self._listed, *(person.principal for person in scenario.people)]:
            self.find(name)

    def set(self, principal: str, account: Account) -> None:
        """Change an account, or delete it with `exists=False`."""
        name = self._names.setdefault(principal.lower(), principal)
        self._listed[name] = account
        self._found = {
            key: each
            for key, each in self._found.items()
            if each.principal.lower() != principal.lower()
        }
        self._ids.pop(principal.lower(), None)
        self._members.clear()
        self.find(principal)

    def find(self, principal: str) -> Entry | None:
        """The account of this user principal name. Returns None when there is none."""
        self.policies.settle()
        key = principal.lower()
        if key in self._ids:
            return self._found[self._ids[key]]
        account = self._account(key)
        if account is None or not account.exists:
            return None
        object_id = account.object_id or str(uuid.uuid5(uuid.NAMESPACE_DNS, key))
        person = self._people.get(key)
        name = self._names.get(key) or (person.principal if person else principal)
        self._ids[key] = object_id.lower()
        return self._found.setdefault(object_id.lower(), Entry(object_id, name, account))

    def by_id(self, object_id: str) -> Entry | None:
        """An account that is listed, or that was found by its name before. Returns None otherwise."""
        self.policies.settle()
        return self._found.get(object_id.lower())

    def known(self) -> Iterator[Entry]:
        """All accounts that `by_id` finds."""
        return iter(self._found.values())

    def failure(self, principal: str) -> str:
        """The code of the SIP Gateway's error for this account; "" if it is fit for sign-in."""
        entry = self.find(principal)
        if entry is None:
            return "user-not-found"
        account = entry.account
        if not account.number:
            return "no-phone-number"
        calling = self.policies.find(CALLING, account.calling_policy)
        if calling is None or not calling["AllowSIPDevicesCalling"]:
            return "no-sip-calling-policy"
        ip_phone = self.policies.find(IP_PHONE, account.ip_phone_policy) or {}
        mode = str(ip_phone.get("SignInMode", ""))
        return "" if mode.lower() == "commonareaphonesignin" else "no-cap-policy"

    def members(self, ids: Sequence[str]) -> Sequence[Entry]:
        """The accounts among members (object IDs, user principal names, or IDs of nested groups)."""
        if tuple(ids) in self._members:
            return self._members[tuple(ids)]
        groups = {key.lower(): each for key, each in self._scenario.groups.items()}
        left, seen, found = [*ids], set[str](), dict[str, Entry]()
        while left:
            each = left.pop().lower()
            if each not in seen and each in groups:
                left += groups[each]
            elif each not in seen and (
                entry := self.find(each) if "@" in each else self.by_id(each)
            ):
                found[entry.object_id.lower()] = entry
            seen.add(each)
        self._members[tuple(ids)] = list(found.values())
        return self._members[tuple(ids)]

    def groups_of(self, *names: str) -> frozenset[str]:
        """The groups (lowercase IDs) that contain someone of these names, directly or nested."""
        members = {
            key.lower(): {each.lower() for each in ids}
            for key, ids in self._scenario.groups.items()
        }
        inside, left = set[str](), {name.lower() for name in names}
        while left:
            left = {key for key, ids in members.items() if ids & left} - inside
            inside |= left
        return frozenset(inside)

    def _account(self, key: str) -> Account | None:
        if key in self._names:
            return self._listed[self._names[key]]
        person = self._people.get(key)
        if person is not None:
            return _of_person(person)
        if self._domains and key.rpartition("@")[2] not in self._domains:
            return None
        outcome, *_ = self._outcomes.get(key, ("",))
        return Account(**_OUTCOMES[outcome]) if outcome in _OUTCOMES else _HEALTHY


def _of_person(person: Person) -> Account:
    return Account(
        object_id=person.object_id,
        name=person.name,
        guest=person.guest,
        mailbox=True,
        desktop_apps=True,
        signed_in_days_ago=1,
        number=False,
        ip_phone_policy="",
        calling_policy="",
    )
