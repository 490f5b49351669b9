"""The shell scripts: grant.sh against a fake Azure CLI, and release-notes.sh."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.directory.permissions import CONTEXTS, PERMISSIONS, UNITS, Tier
from tests.infra.bicep import INFRA
from tests.infra.tools import TOOLS, passes, script

GRANT = INFRA / "grant.sh"
APP = "11111111-1111-1111-1111-111111111111"
TENANT = "5b404cf4-a79d-4cfe-b866-24bf8e1a4921"
UNIT = "33333333-3333-3333-3333-333333333333"
IDENTITY = "22222222-2222-2222-2222-222222222222"
ENVIRONMENT = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_TENANT_ID": TENANT,
    "OFFHOOK_APP_ID": APP,
    "DEPLOY_IDENTITY_PRINCIPAL_ID": IDENTITY,
    "DEPLOY_SUBJECT": "offhook-abc-approver",
}
# Appends each call to a file, and prints the first answer whose URL and query match.
AZ = """#!/usr/bin/env bash
here=$(dirname "$0")
printf '%s\\n' "$(printf '%q ' "$@")" >>"$here/calls"
while (($#)); do case $1 in --method) method=$2 ;; --url) url=$2 ;; --query) query=$2 ;; esac; shift; done
[[ $method == GET ]] || exit 0
while IFS=$'\\t' read -r address asked answer; do
    if [[ $url == *"$address"* && $query == *"$asked"* ]]; then echo "$answer"; exit 0; fi
done <"$here/answers"
exit 3
"""


@dataclass(frozen=True)
class Call:
    """A call of `az rest`."""

    #: HTTP method.
    method: str
    #: Below the base URL of Microsoft Graph.
    path: str
    #: Empty if the call has none.
    body: dict[str, Any]
    #: As `name=value`.
    headers: list[str]


@dataclass(frozen=True)
class Directory:
    """The fake Azure CLI."""

    #: Where it is installed, with its `calls` and `answers`.
    folder: Path

    def set_answers(self, *answers: tuple[str, str, str]) -> None:
        """Replaces the answers: (part of the URL, part of the query, output)."""
        lines = ["\t".join(answer) + "\n" for answer in answers]
        (self.folder / "answers").write_text("".join(lines))

    def calls(self) -> list[Call]:
        file = self.folder / "calls"
        calls: list[Call] = []
        for line in file.read_text().splitlines() if file.exists() else []:
            words = shlex.split(line)
            method, url = words[words.index("--method") + 1], words[words.index("--url") + 1]
            body = words[words.index("--body") + 1] if "--body" in words else "{}"
            headers = [word for word in words if re.match(r"[\w-]+=[\w/-]+$", word)]
            path = url.removeprefix("https://graph.microsoft.com/v1.0/")
            calls.append(Call(method, path, json.loads(body), headers))
        return calls

    def changes(self) -> list[Call]:
        return [call for call in self.calls() if call.method != "GET"]


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    (tmp_path / "az").write_text(AZ)
    (tmp_path / "az").chmod(0o755)
    (tmp_path / "answers").touch()
    directory = Directory(tmp_path)
    directory.set_answers(
        ("applications(uniqueName=", "appId", APP),
        (f"servicePrincipals(appId='{APP}')", "id", "app-principal"),
        ("servicePrincipals(appId='48ac35b8", "id", "teams-principal"),
        ("servicePrincipals(appId='00000003", "id", "graph-principal"),
    )
    return directory


def grant(directory: Directory, *arguments: str, **environment: str) -> str:
    """Runs grant.sh, which must succeed; returns its output."""
    process = script(GRANT, *arguments, env={**ENVIRONMENT, **environment}, tools=directory.folder)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_shell_scripts_pass_shellcheck() -> None:
    passes("shellcheck", *sorted(INFRA.glob("*.sh")))


@pytest.mark.parametrize("run_as", ["approver", "app"])
def test_grant_changes_nothing_without_apply(directory: Directory, run_as: str) -> None:
    output = grant(directory, "register", "trust", "consent", "roles", OFFHOOK_RUN_AS=run_as)
    assert "Nothing is changed" in output
    assert directory.changes() == []
    assert output.count("$ az rest") >= 7, "prints the commands it would run"


def test_grant_prints_the_commands_it_runs(directory: Directory) -> None:
    output = grant(directory, "--apply", "register", "trust", "consent")
    lines = [line.strip() for line in output.splitlines() if "$ az rest" in line]
    printed = [shlex.split(line.removeprefix("$ "))[1:] for line in lines]
    calls = (directory.folder / "calls").read_text().splitlines()
    changes = [line for line in calls if "--method GET" not in line]
    assert printed == [shlex.split(line)[:-2] for line in changes]  # without `--output none`


def test_grant_register_creates_single_tenant_app_for_teams(directory: Directory) -> None:
    grant(directory, "--apply", "register")
    created, exposed, principal = directory.changes()
    assert created.path == "applications(uniqueName='offhook-prod')"
    assert "Prefer=create-if-missing" in created.headers
    assert created.body["signInAudience"] == "AzureADMyOrg"
    assert created.body["api"]["requestedAccessTokenVersion"] == 2
    [scope] = created.body["api"]["oauth2PermissionScopes"]
    assert scope["value"] == "access_as_user"
    assert exposed.body["identifierUris"] == [f"api://botid-{APP}"]
    clients = exposed.body["api"]["preAuthorizedApplications"]
    assert [client["delegatedPermissionIds"] for client in clients] == [[scope["id"]]] * 2
    assert principal.path == f"servicePrincipals(appId='{APP}')"


def test_grant_trust_adds_identity_and_token_service(directory: Directory) -> None:
    grant(directory, "--apply", "trust")
    identity, service = directory.changes()
    for call in (identity, service):
        assert call.body["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
        assert call.body["audiences"] == ["api://AzureADTokenExchange"]
    assert identity.body["subject"] == IDENTITY
    # TENANT has the ID of the token service's tenant, whose encoding Microsoft publishes.
    encoded = "9ExAW52n_ky4ZiS_jhpJIQ"
    assert service.body["subject"] == f"/eid1/c/pub/t/{encoded}/a/{encoded}/offhook-abc-approver"


def test_grant_consent_covers_permissions_of_the_service(directory: Directory) -> None:
    grant(directory, "--apply", "consent")
    delegated = [call.body for call in directory.changes() if call.path == "oauth2PermissionGrants"]
    assert [(each["resourceId"], each["scope"]) for each in delegated] == [
        ("teams-principal", "user_impersonation"),
        ("graph-principal", "User.Read"),
    ]
    assert permitted(directory) == ids_of(*(each.name for each in PERMISSIONS))


def ids_of(*permissions: str) -> list[str]:
    """The IDs that the script has for these permissions, by the names of its variables."""
    text = GRANT.read_text()
    names = [re.sub(r"(?<=[a-z])(?=[A-Z])|\.", "_", each).lower() for each in permissions]
    found = [re.search(rf"^graph_{name}=([0-9a-f-]{{36}})$", text, re.MULTILINE) for name in names]
    assert all(found), permissions
    return [each[1] for each in found if each]


def permitted(directory: Directory) -> list[str]:
    """The application permissions that were granted."""
    return [call.body["appRoleId"] for call in directory.changes() if "appRoleId" in call.body]


@pytest.mark.parametrize("tier", Tier)
def test_grant_asks_for_each_tier_apart(directory: Directory, tier: Tier) -> None:
    output = grant(directory, "--apply", tier.value)
    wanted = [each.name for each in PERMISSIONS if each.tier is tier]
    assert permitted(directory) == ids_of(*wanted)
    assert f"{tier.value.capitalize()} permissions: " in output
    for name in wanted:
        assert f"{name}: " in output, "says what one gets"


def test_grant_mending_needs_no_further_permission(directory: Directory) -> None:
    output = grant(directory, "--apply", "mending")
    assert directory.changes() == []
    assert "needs no further permission" in output


@pytest.mark.parametrize(
    ("accounts", "unit", "granted"),
    [(UNIT, True, True), (f"lobby.*@contoso.com, {UNIT}", True, True), (UNIT, False, False)],
)
def test_grant_reading_covers_administrative_units_only_if_accounts_are_limited_to_some(
    directory: Directory, accounts: str, unit: bool, granted: bool
) -> None:
    if unit:
        with (directory.folder / "answers").open("a") as file:
            file.write(f"administrativeUnits/{UNIT}\tid\t{UNIT}\n")
    grant(directory, "--apply", "reading", OFFHOOK_ACCOUNTS=accounts)
    assert (ids_of(UNITS)[0] in permitted(directory)) is granted


@pytest.mark.parametrize("context", ["c1", ""])
def test_grant_reading_covers_the_authentication_context_only_if_there_is_a_step_up(
    directory: Directory, context: str
) -> None:
    grant(directory, "--apply", "reading", OFFHOOK_STEP_UP=context)
    assert (ids_of(CONTEXTS)[0] in permitted(directory)) is (context != "")
    line = f" OFFHOOK_STEP_UP={context} infra/grant.sh consent roles"
    assert (line in grant(directory, "next", OFFHOOK_STEP_UP=context)) is (context != "")


def test_grant_registers_the_permissions_of_the_default(directory: Directory) -> None:
    grant(directory, "--apply", "register")
    access = directory.changes()[0].body["requiredResourceAccess"]
    roles = [
        each["id"] for api in access for each in api["resourceAccess"] if each["type"] == "Role"
    ]
    assert roles == ids_of(*(each.name for each in PERMISSIONS))


def test_grant_changes_nothing_when_already_applied(directory: Directory) -> None:
    answers = (directory.folder / "answers").read_text()
    directory.set_answers(
        ("oauth2PermissionGrants", ".id", "grant"),
        ("oauth2PermissionGrants", ".scope", "User.Read user_impersonation"),
        ("appRoleAssignments", ".id", "assignment"),
        ("roleAssignments", ".id", "assignment"),
    )
    with (directory.folder / "answers").open("a") as file:
        file.write(answers)
    output = grant(directory, "--apply", "consent", "roles", OFFHOOK_RUN_AS="app")
    assert directory.changes() == []
    assert output.count("It is so already.") == 12


def test_grant_consent_keeps_earlier_consent(directory: Directory) -> None:
    answers = (directory.folder / "answers").read_text()
    (directory.folder / "answers").write_text(
        "oauth2PermissionGrants\t.id\tgrant\noauth2PermissionGrants\t.scope\topenid\n" + answers
    )
    grant(directory, "--apply", "consent")
    added = [call for call in directory.changes() if call.path == "oauth2PermissionGrants/grant"]
    assert [call.body["scope"] for call in added] == [
        "openid user_impersonation",
        "openid User.Read",
    ]


def test_grant_consent_skips_delegated_permissions_for_managed_identity(
    directory: Directory,
) -> None:
    grant(directory, "--apply", "consent", OFFHOOK_APP_TYPE="UserAssignedMSI", OFFHOOK_RUN_AS="app")
    assert {call.path for call in directory.changes()} == {
        "servicePrincipals/app-principal/appRoleAssignments"
    }


def test_grant_roles_assigns_roles_only_when_running_as_app(directory: Directory) -> None:
    assert "needs no role" in grant(directory, "--apply", "roles")
    assert directory.changes() == []
    grant(directory, "--apply", "roles", OFFHOOK_RUN_AS="app")
    assert [call.body["roleDefinitionId"][:8] for call in directory.changes()] == [
        "69091246",  # Teams Administrator
        "c4e39bd9",  # Authentication Administrator
    ]


def test_grant_fails_when_app_is_not_found(directory: Directory) -> None:
    directory.set_answers()
    process = script(GRANT, "--apply", "consent", env=ENVIRONMENT, tools=directory.folder)
    assert process.returncode == 1
    assert "The application is not in this tenant" in process.stderr
    assert directory.changes() == []


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        ("register", "AZURE_ENV_NAME"),
        ("trust", "DEPLOY_IDENTITY_PRINCIPAL_ID"),
        ("trust", "AZURE_TENANT_ID"),
        ("consent", "OFFHOOK_APP_ID"),
        ("roles", "OFFHOOK_APP_ID"),
        ("next", "OFFHOOK_APP_ID"),
    ],
)
def test_grant_names_missing_variable(directory: Directory, step: str, missing: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    process = script(GRANT, "--apply", step, env=environment, tools=directory.folder)
    assert process.returncode == 1
    assert f"{missing} is not set." in process.stderr
    assert directory.changes() == []


@pytest.mark.parametrize("arguments", [(), ("--apply",), ("consents",), ("--aply", "roles")])
def test_grant_prints_usage_for_unknown_arguments(
    directory: Directory, arguments: tuple[str, ...]
) -> None:
    process = script(GRANT, *arguments, env=ENVIRONMENT, tools=directory.folder)
    assert process.returncode == 2
    assert "infra/grant.sh [--apply] STEP..." in process.stderr


def test_grant_next_prints_remaining_steps(directory: Directory) -> None:
    output = grant(directory, "next", DEPLOY_ADDRESS="https://offhook.example.net")
    assert "infra/grant.sh consent roles" in output
    assert f"manifest build --app-id {APP} --tenant {TENANT} --host offhook.example.net" in output


@pytest.fixture
def release_notes(tmp_path: Path) -> Path:
    """The script in a project of version 1.2.0."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/release-notes.sh").write_text((INFRA / "release-notes.sh").read_text())
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    changelog = (
        "# Changelog\n\n## Unreleased\n\n- c\n\n## 1.2.0 (2026-12-01)\n\n- b\n\n## [1.1.0]\n\n- a\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    return tmp_path / "infra/release-notes.sh"


def test_release_notes_prints_section_of_version(release_notes: Path) -> None:
    process = script(release_notes, "1.2.0", env={}, tools=TOOLS)
    assert (process.returncode, process.stdout.strip()) == (0, "- b")


@pytest.mark.parametrize(
    ("version", "file"), [("1.1.0", "pyproject.toml"), ("1.2", "pyproject.toml")]
)
def test_release_notes_fails_when_version_differs_from_project(
    release_notes: Path, version: str, file: str
) -> None:
    process = script(release_notes, version, env={}, tools=TOOLS)
    assert process.returncode == 1
    assert file in process.stderr


def test_release_notes_fails_when_changelog_lacks_version(release_notes: Path) -> None:
    (release_notes.parents[1] / "pyproject.toml").write_text('version = "1.3.0"\n')
    process = script(release_notes, "1.3.0", env={}, tools=TOOLS)
    assert process.returncode == 1
    assert "CHANGELOG.md" in process.stderr
