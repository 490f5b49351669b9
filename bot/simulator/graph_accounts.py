"""The simulated Graph's accounts: users, Teams configurations, per-user MFA, members of groups."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.simulator.accounts import Accounts, Entry
from bot.simulator.graph_api import (
    Endpoint,
    Reply,
    Request,
    error,
    literals,
    not_found,
    page,
    too_many,
)
from bot.simulator.scenario import Call, Scenario

_MCOEV = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
_TEAMS = "57ff2da0-773e-42df-b2af-ffb7a2317929"
_EXCHANGE = "efb87545-963c-4e0d-99df-69c6916d9eb0"
_OFFICE = "43de0ff5-c92c-492b-9116-175376d08c38"
_SHARED_DEVICES = "295a8eb0-f78d-45c7-8b5b-1eed5ed02dff"
_E5 = "06ebc4ee-1bb5-47dd-8120-11324bc54e06"


class GraphAccounts:
    """Accounts from the scenario."""

    def __init__(self, scenario: Scenario, accounts: Accounts) -> None:
        self._scenario = scenario
        self._accounts = accounts

    def endpoints(self) -> Sequence[Endpoint]:
        configurations = "TeamsUserConfiguration.Read.All"
        return (
            Endpoint(Call.ACCOUNTS, "GET", "users", "User.Read.All", self._users, filtered=True),
            Endpoint(
                Call.CONFIGURATION,
                "GET",
                "admin/teams/userConfigurations",
                configurations,
                self._configurations,
            ),
            Endpoint(
                Call.CONFIGURATION,
                "GET",
                "admin/teams/userConfigurations/([^/]+)",
                configurations,
                self._configuration,
            ),
            Endpoint(
                Call.MFA,
                "GET",
                "users/([^/]+)/authentication/requirements",
                "Policy.Read.All",
                self._mfa,
                version="beta",
            ),
            Endpoint(
                Call.GROUP_MEMBERS,
                "GET",
                "groups/([^/]+)/transitiveMembers/microsoft.graph.user",
                "GroupMember.Read.All",
                self._group_members,
            ),
            Endpoint(
                Call.UNIT_MEMBERS,
                "GET",
                "directory/administrativeUnits/([^/]+)/members/microsoft.graph.user",
                "AdministrativeUnit.Read.All",
                self._unit_members,
            ),
            Endpoint(
                Call.UNIT,
                "GET",
                "directory/administrativeUnits/([^/]+)",
                "AdministrativeUnit.Read.All",
                self._unit,
            ),
        )

    def _users(self, request: Request, _: re.Match[str]) -> Reply:
        options = self._scenario.graph
        selected = request.query.get("$select", "id,displayName,userPrincipalName").split(",")
        for name in selected:
            if name in options.absent_properties:
                text = f"Could not find a property named '{name}' on type 'microsoft.graph.user'."
                return error(400, "Request_BadRequest", text)
        if "signInActivity" in selected and not options.premium:
            code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
            return error(403, code, "Neither tenant is B2C or tenant doesn't have premium license.")
        expression = request.query["$filter"]
        if expression.startswith("startswith("):
            [beginning] = literals(expression)
            entries = [
                entry
                for entry in self._accounts.known()
                if entry.principal.lower().startswith(beginning.lower())
            ]
        else:
            names = literals(expression)
            if refusal := too_many(names):
                return refusal
            entries = [entry for name in names if (entry := self._accounts.find(name)) is not None]
        rows = [self._user(entry) for entry in entries]
        return page(
            request, self._scenario, [{k: row[k] for k in selected if k in row} for row in rows]
        )

    def _user(self, entry: Entry) -> Mapping[str, Any]:
        account = entry.account
        profile = {
            "password": None,
            "forceChangePasswordNextSignIn": account.must_change_password,
            "forceChangePasswordNextSignInWithMfa": False,
        }
        licenses = [_E5] if account.desktop_apps or account.mailbox else [_SHARED_DEVICES]
        user: dict[str, Any] = {
            "id": entry.object_id,
            "userPrincipalName": entry.principal,
            "displayName": account.name or entry.principal.partition("@")[0],
            "accountEnabled": account.enabled,
            "userType": "Guest" if account.guest else "Member",
            "onPremisesSyncEnabled": True if account.synchronized else None,
            "isManagementRestricted": True if account.restricted else None,
            "passwordProfile": profile,
            "assignedPlans": self._plans(entry),
            "assignedLicenses": [
                {"skuId": each, "disabledPlans": []} for each in licenses if account.teams_phone
            ],
        }
        if account.signed_in_days_ago is not None:
            moment = datetime.now(UTC) - timedelta(days=account.signed_in_days_ago)
            text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            user["signInActivity"] = {
                "lastSignInDateTime": text,
                "lastSuccessfulSignInDateTime": text,
            }
        return user

    def _plans(self, entry: Entry) -> Sequence[Mapping[str, Any]]:
        account = entry.account
        plans: list[tuple[str, str]] = []
        if account.teams_phone:
            # A Teams Shared Devices license contains Exchange Online, for voicemail.
            plans += [(_TEAMS, "TeamspaceAPI"), (_MCOEV, "MicrosoftCommunicationsOnline")]
            plans.append((_EXCHANGE, "exchange"))
        elif account.mailbox:
            plans.append((_EXCHANGE, "exchange"))
        if account.desktop_apps:
            plans.append((_OFFICE, "MicrosoftOffice"))
        for number in range(self._scenario.graph.more_plans):
            plans.append((str(uuid.UUID(int=number + 1)), "ProcessSimple"))
        return [
            {
                "assignedDateTime": "2026-01-15T08:00:00Z",
                "capabilityStatus": "Enabled",
                "service": service,
                "servicePlanId": plan,
            }
            for plan, service in plans
        ]

    def _configurations(self, request: Request, _: re.Match[str]) -> Reply:
        if "$filter" in request.query and not self._scenario.graph.filters_configurations:
            return error(400, "BadRequest", "The query option '$filter' is not allowed.")
        ids = literals(request.query.get("$filter", ""))
        if refusal := too_many(ids):
            return refusal
        entries = [entry for each in ids if (entry := self._accounts.by_id(each)) is not None]
        return page(request, self._scenario, [_configuration(entry) for entry in entries])

    def _configuration(self, _: Request, match: re.Match[str]) -> Reply:
        entry = self._accounts.by_id(match[1])
        if entry is None:
            return error(404, "NotFound", "The user was not found.")
        return Reply(200, _configuration(entry))

    def _mfa(self, _: Request, match: re.Match[str]) -> Reply:
        entry = self._accounts.by_id(match[1])
        if entry is None:
            return not_found(match[1])
        return Reply(200, {"perUserMfaState": entry.account.mfa})

    def _group_members(self, request: Request, match: re.Match[str]) -> Reply:
        return self._members(request, match[1], self._scenario.groups)

    def _unit_members(self, request: Request, match: re.Match[str]) -> Reply:
        return self._members(request, match[1], self._scenario.administrative_units)

    def _unit(self, _: Request, match: re.Match[str]) -> Reply:
        known = {each.lower() for each in self._scenario.administrative_units}
        return Reply(200, {"id": match[1]}) if match[1].lower() in known else not_found(match[1])

    def _members(self, request: Request, key: str, members: Mapping[str, Sequence[str]]) -> Reply:
        ids = {each.lower(): found for each, found in members.items()}.get(key.lower())
        if ids is None:
            return not_found(key)
        if request.headers.get("consistencylevel") != "eventual":
            return error(400, "Request_UnsupportedQuery", "The cast needs ConsistencyLevel.")
        rows = [{"id": entry.object_id} for entry in self._accounts.members(ids)]
        return page(request, self._scenario, rows)


def _configuration(entry: Entry) -> Mapping[str, Any]:
    account = entry.account
    number = f"+1555{uuid.uuid5(uuid.NAMESPACE_DNS, entry.object_id).int % 10_000_000:07}"
    policies = {
        "TeamsIPPhonePolicy": account.ip_phone_policy,
        "TeamsCallingPolicy": account.calling_policy,
    }
    return {
        "id": entry.object_id,
        "userPrincipalName": entry.principal,
        "accountType": "resourceAccount" if account.resource_account else "user",
        "isEnterpriseVoiceEnabled": account.number,
        "telephoneNumbers": [{"telephoneNumber": number, "assignmentCategory": "primary"}]
        if account.number
        else [],
        "effectivePolicyAssignments": [
            {
                "policyType": kind,
                "policyAssignment": {
                    "displayName": name,
                    "assignmentType": "direct",
                    "policyId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind} {name}")),
                    "groupId": None,
                },
            }
            for kind, name in policies.items()
            if name
        ],
    }
