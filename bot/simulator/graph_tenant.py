"""The simulated Graph's tenant: directory roles, Conditional Access, security defaults, applications."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.simulator.accounts import Accounts, Entry
from bot.simulator.graph_api import Endpoint, Reply, Request, error, literals, not_found, page
from bot.simulator.scenario import Call, Scenario
from bot.simulator.tenant import AccessPolicy, Account

_USER = "#microsoft.graph.user"


class GraphTenant:
    """Tenant-wide facts from the scenario."""

    def __init__(self, scenario: Scenario, accounts: Accounts) -> None:
        self._scenario = scenario
        self._accounts = accounts

    def endpoints(self) -> Sequence[Endpoint]:
        roles, policies = "RoleManagement.Read.Directory", "Policy.Read.All"
        directory, access = "roleManagement/directory", "identity/conditionalAccess"
        return (
            Endpoint(
                Call.ROLE_DEFINITIONS, "GET", f"{directory}/roleDefinitions", roles, self._names
            ),
            Endpoint(Call.ROLES, "GET", f"{directory}/roleAssignments", roles, self._held),
            Endpoint(
                Call.ELIGIBLE_ROLES,
                "GET",
                f"{directory}/roleEligibilityScheduleInstances",
                roles,
                self._eligible,
            ),
            Endpoint(Call.ACCESS_POLICIES, "GET", f"{access}/policies", policies, self._policies),
            Endpoint(Call.WHAT_IF, "POST", f"{access}/evaluate", policies, self._what_if),
            Endpoint(
                Call.ACCESS_CONTEXTS,
                "GET",
                f"{access}/authenticationContextClassReferences/(?P<id>[^/]+)",
                "AuthenticationContext.Read.All",
                self._context,
            ),
            Endpoint(
                Call.SECURITY_DEFAULTS,
                "GET",
                "policies/identitySecurityDefaultsEnforcementPolicy",
                policies,
                self._security_defaults,
            ),
            Endpoint(
                Call.SERVICE_PRINCIPALS,
                "GET",
                "servicePrincipals",
                "Application.Read.All",
                self._principals,
            ),
        )

    def _names(self, request: Request, _: re.Match[str]) -> Reply:
        names = {name for each in self._scenario.group_roles.values() for name in each}
        for entry in self._accounts.known():
            names.update(entry.account.roles, entry.account.eligible_roles)
        rows = [{"id": _role_id(name), "displayName": name} for name in sorted(names)]
        return page(request, self._scenario, rows)

    def _held(self, request: Request, _: re.Match[str]) -> Reply:
        groups = [
            _assignment(group, name, "#microsoft.graph.group")
            for group, names in self._scenario.group_roles.items()
            for name in names
        ]
        rows = [*self._assignments(lambda account: account.roles), *groups]
        return page(request, self._scenario, rows)

    def _eligible(self, request: Request, _: re.Match[str]) -> Reply:
        if not self._scenario.graph.premium:
            text = "The tenant needs to have Microsoft Entra ID P2 or Governance license."
            return error(403, "AadPremiumLicenseRequired", text)
        rows = self._assignments(lambda account: account.eligible_roles)
        return page(request, self._scenario, rows)

    def _assignments(
        self, roles: Callable[[Account], Sequence[str]]
    ) -> Sequence[Mapping[str, Any]]:
        return [
            _assignment(entry.object_id, name, _USER)
            for entry in self._accounts.known()
            for name in roles(entry.account)
        ]

    def _policies(self, request: Request, _: re.Match[str]) -> Reply:
        rows = [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, policy.name)),
                "displayName": policy.name,
                "state": policy.state,
                "conditions": {
                    "users": {
                        **self._named("include", policy.include),
                        **self._named("exclude", policy.exclude),
                        "includeRoles": [],
                        "excludeRoles": [],
                    },
                    "applications": {
                        "includeApplications": [] if policy.contexts else ["All"],
                        "includeAuthenticationContextClassReferences": list(policy.contexts),
                    },
                },
                "sessionControls": {
                    "signInFrequency": {"isEnabled": True, "frequencyInterval": "everyTime"}
                }
                if policy.every_time
                else None,
            }
            for policy in self._scenario.conditional_access
        ]
        return page(request, self._scenario, rows)

    def _context(self, _request: Request, found: re.Match[str]) -> Reply:
        name = found["id"]
        if name not in self._scenario.authentication_contexts:
            return not_found(name)
        return Reply(200, {"id": name, "displayName": name, "isAvailable": True})

    def _named(self, side: str, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        groups = [each for each in names if each in self._scenario.groups]
        found = (self._accounts.find(each) for each in names if "@" in each)
        users = [entry.object_id for entry in found if entry is not None]
        everyone = [each for each in names if each == "All"]
        return {f"{side}Users": [*everyone, *users], f"{side}Groups": groups}

    def _what_if(self, request: Request, _: re.Match[str]) -> Reply:
        identity = request.field("signInIdentity")
        user = identity.get("userId") if isinstance(identity, dict) else None
        if not isinstance(user, str):
            return error(400, "BadRequest", "signInIdentity is missing.")
        entry = self._accounts.by_id(user)
        if entry is None:
            return not_found(user)
        only_applied = request.field("appliedPoliciesOnly") is True
        results = [self._result(policy, entry) for policy in self._scenario.conditional_access]
        return Reply(200, {"value": [r for r in results if r["policyApplies"] or not only_applied]})

    def _result(self, policy: AccessPolicy, entry: Entry) -> Mapping[str, Any]:
        included = self._contains(policy.include, entry)
        excluded = self._contains(policy.exclude, entry)
        reason = "notSet"
        if not included or excluded:
            reason = "users"
        elif policy.contexts:
            reason = "application"
        elif policy.undecided:
            reason = "notEnoughInformation"
        elif policy.state == "disabled":
            reason = "policyNotEnabled"
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, policy.name)),
            "displayName": policy.name,
            "state": policy.state,
            "policyApplies": reason == "notSet",
            "analysisReasons": reason,
            "grantControls": {"operator": "OR", "builtInControls": list(policy.controls)},
        }

    def _contains(self, names: Sequence[str], entry: Entry) -> bool:
        inside = self._accounts.groups_of(entry.object_id, entry.principal)
        mine = {"all", entry.principal.lower(), *inside}
        return any(each.lower() in mine for each in names)

    def _security_defaults(self, _request: Request, _: re.Match[str]) -> Reply:
        return Reply(200, {"isEnabled": self._scenario.security_defaults})

    def _principals(self, request: Request, _: re.Match[str]) -> Reply:
        asked = literals(request.query.get("$filter", ""))
        exist = {each.lower() for each in self._scenario.gateway_principals}
        rows = [{"appId": each} for each in asked if each.lower() in exist]
        return page(request, self._scenario, rows)


def _role_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _assignment(principal: str, role: str, kind: str) -> Mapping[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{principal} {role}")),
        "principalId": principal,
        "roleDefinitionId": _role_id(role),
        "directoryScopeId": "/",
        "principal": {"@odata.type": kind, "id": principal},
    }
