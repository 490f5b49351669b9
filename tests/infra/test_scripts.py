"""The scripts: what grant.sh would do to a directory, shown to a stand-in for the Azure CLI."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import INFRA, PROJECT
from tests.infra.tools import TOOLS, passes, script

GRANT = INFRA / "grant.sh"
APP = "11111111-1111-1111-1111-111111111111"
TENANT = "5b404cf4-a79d-4cfe-b866-24bf8e1a4921"
IDENTITY = "22222222-2222-2222-2222-222222222222"
ENVIRONMENT = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_TENANT_ID": TENANT,
    "OFFHOOK_APP_ID": APP,
    "DEPLOY_IDENTITY_PRINCIPAL_ID": IDENTITY,
    "DEPLOY_SUBJECT": "offhook-abc-approver",
}
# Writes each call to a file, and answers what the test has put beside it under the address asked for.
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
    method: str
    path: str
    body: dict[str, Any]
    headers: list[str]


@dataclass(frozen=True)
class Directory:
    """What the stand-in was asked, and what it says."""

    folder: Path

    def says(self, *answers: tuple[str, str, str]) -> None:
        (self.folder / "answers").write_text("".join("\t".join(one) + "\n" for one in answers))

    def calls(self) -> list[Call]:
        file = self.folder / "calls"
        found: list[Call] = []
        for line in file.read_text().splitlines() if file.exists() else []:
            words = shlex.split(line)
            method, url = words[words.index("--method") + 1], words[words.index("--url") + 1]
            body = words[words.index("--body") + 1] if "--body" in words else "{}"
            headers = [word for word in words if re.match(r"[\w-]+=[\w/-]+$", word)]
            path = url.removeprefix("https://graph.microsoft.com/v1.0/")
            found.append(Call(method, path, json.loads(body), headers))
        return found

    def changes(self) -> list[Call]:
        return [call for call in self.calls() if call.method != "GET"]


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    (tmp_path / "az").write_text(AZ)
    (tmp_path / "az").chmod(0o755)
    (tmp_path / "answers").touch()
    found = Directory(tmp_path)
    found.says(
        ("applications(uniqueName=", "appId", APP),
        (f"servicePrincipals(appId='{APP}')", "id", "app-principal"),
        ("servicePrincipals(appId='48ac35b8", "id", "teams-principal"),
        ("servicePrincipals(appId='00000003", "id", "graph-principal"),
    )
    return found


def grant(directory: Directory, *arguments: str, **environment: str) -> str:
    ended = script(GRANT, *arguments, env={**ENVIRONMENT, **environment}, tools=directory.folder)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_shellcheck_finds_nothing() -> None:
    passes("shellcheck", *sorted(INFRA.glob("*.sh")))


@pytest.mark.parametrize("run_as", ["approver", "app"])
def test_without_apply_nothing_changes(directory: Directory, run_as: str) -> None:
    said = grant(directory, "register", "trust", "consent", "roles", OFFHOOK_RUN_AS=run_as)
    assert "Nothing is changed" in said
    assert directory.changes() == []
    assert said.count("$ az rest") >= 7, "it shows what it would do"


def test_each_step_is_printed_as_it_is_done(directory: Directory) -> None:
    said = grant(directory, "--apply", "register", "trust", "consent")
    shown = [line.strip().removeprefix("$ ") for line in said.splitlines() if "$ az rest" in line]
    done = (directory.folder / "calls").read_text().splitlines()
    changing = [line for line in done if "--method GET" not in line]
    assert [shlex.split(line)[1:] for line in shown] == [
        shlex.split(line)[:-2]
        for line in changing  # but for `--output none`
    ]


def test_the_registration_is_for_one_tenant_and_knows_teams(directory: Directory) -> None:
    grant(directory, "--apply", "register")
    made, exposed, principal = directory.changes()
    assert made.path == "applications(uniqueName='offhook-prod')"
    assert "Prefer=create-if-missing" in made.headers
    assert made.body["signInAudience"] == "AzureADMyOrg"
    assert made.body["api"]["requestedAccessTokenVersion"] == 2
    [scope] = made.body["api"]["oauth2PermissionScopes"]
    assert scope["value"] == "access_as_user"
    assert exposed.body["identifierUris"] == [f"api://botid-{APP}"]
    clients = exposed.body["api"]["preAuthorizedApplications"]
    assert [client["delegatedPermissionIds"] for client in clients] == [[scope["id"]]] * 2
    assert principal.path == f"servicePrincipals(appId='{APP}')"


def test_the_registration_trusts_the_identity_and_the_token_service(directory: Directory) -> None:
    grant(directory, "--apply", "trust")
    identity, service = directory.changes()
    for call in (identity, service):
        assert call.body["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
        assert call.body["audiences"] == ["api://AzureADTokenExchange"]
    assert identity.body["subject"] == IDENTITY
    # This tenant's id is that of the token service, whose encoding Microsoft publishes.
    encoded = "9ExAW52n_ky4ZiS_jhpJIQ"
    assert service.body["subject"] == f"/eid1/c/pub/t/{encoded}/a/{encoded}/offhook-abc-approver"


def test_consent_is_to_what_the_service_uses(directory: Directory) -> None:
    grant(directory, "--apply", "consent")
    delegated = [call.body for call in directory.changes() if call.path == "oauth2PermissionGrants"]
    assert [(one["resourceId"], one["scope"]) for one in delegated] == [
        ("teams-principal", "user_impersonation"),
        ("graph-principal", "User.Read"),
    ]
    text = GRANT.read_text()
    documented = (PROJECT / "bot/directory/graph.py").read_text().partition('"""\n\nfrom')[0]
    for permission in re.findall(r"\w+\.Read\.All", documented):
        assert permission in text
    assigned = [call for call in directory.changes() if call.path.endswith("appRoleAssignments")]
    assert len(assigned) == len(set(re.findall(r"\w+\.Read\.All", documented)))


def test_what_is_so_already_stays(directory: Directory) -> None:
    answers = (directory.folder / "answers").read_text()
    directory.says(
        ("oauth2PermissionGrants", ".id", "grant"),
        ("oauth2PermissionGrants", ".scope", "User.Read user_impersonation"),
        ("appRoleAssignments", ".id", "assignment"),
        ("roleAssignments", ".id", "assignment"),
    )
    with (directory.folder / "answers").open("a") as file:
        file.write(answers)
    said = grant(directory, "--apply", "consent", "roles", OFFHOOK_RUN_AS="app")
    assert directory.changes() == []
    assert said.count("It is so already.") == 7


def test_consent_adds_to_what_was_consented_before(directory: Directory) -> None:
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


def test_a_managed_identity_needs_no_delegation(directory: Directory) -> None:
    grant(directory, "--apply", "consent", OFFHOOK_APP_TYPE="UserAssignedMSI", OFFHOOK_RUN_AS="app")
    assert {call.path for call in directory.changes()} == {
        "servicePrincipals/app-principal/appRoleAssignments"
    }


def test_roles_are_given_only_to_an_app_that_acts_by_itself(directory: Directory) -> None:
    assert "needs no role" in grant(directory, "--apply", "roles")
    assert directory.changes() == []
    grant(directory, "--apply", "roles", OFFHOOK_RUN_AS="app")
    assert [call.body["roleDefinitionId"][:8] for call in directory.changes()] == [
        "69091246",  # Teams Administrator
        "c4e39bd9",  # Authentication Administrator
    ]


def test_an_app_that_cannot_be_found_gets_nothing(directory: Directory) -> None:
    directory.says()
    ended = script(GRANT, "--apply", "consent", env=ENVIRONMENT, tools=directory.folder)
    assert ended.returncode == 1
    assert "The application is not in this tenant" in ended.stderr
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
def test_a_missing_value_is_named(directory: Directory, step: str, missing: str) -> None:
    given = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    ended = script(GRANT, "--apply", step, env=given, tools=directory.folder)
    assert ended.returncode == 1
    assert f"{missing} is not set." in ended.stderr
    assert directory.changes() == []


@pytest.mark.parametrize("arguments", [(), ("--apply",), ("consents",), ("--aply", "roles")])
def test_what_it_does_not_know_gets_the_usage(
    directory: Directory, arguments: tuple[str, ...]
) -> None:
    ended = script(GRANT, *arguments, env=ENVIRONMENT, tools=directory.folder)
    assert ended.returncode == 2
    assert "infra/grant.sh [--apply] STEP..." in ended.stderr


def test_next_tells_both_that_are_left(directory: Directory) -> None:
    said = grant(directory, "next", DEPLOY_ADDRESS="https://offhook.example.net")
    assert "infra/grant.sh consent roles" in said
    assert f"manifest build --app-id {APP} --tenant {TENANT} --host offhook.example.net" in said


@pytest.fixture
def released(tmp_path: Path) -> Path:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/release-notes.sh").write_text((INFRA / "release-notes.sh").read_text())
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    changes = (
        "# Changelog\n\n## Unreleased\n\n- c\n\n## 1.2.0 (2026-12-01)\n\n- b\n\n## [1.1.0]\n\n- a\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(changes)
    return tmp_path / "infra/release-notes.sh"


def test_release_notes_are_the_section_of_the_version(released: Path) -> None:
    ended = script(released, "1.2.0", env={}, tools=TOOLS)
    assert (ended.returncode, ended.stdout.strip()) == (0, "- b")


@pytest.mark.parametrize(
    ("version", "why"), [("1.1.0", "pyproject.toml"), ("1.2", "pyproject.toml")]
)
def test_another_version_has_no_release_notes(released: Path, version: str, why: str) -> None:
    ended = script(released, version, env={}, tools=TOOLS)
    assert ended.returncode == 1
    assert why in ended.stderr


def test_a_version_without_changes_has_no_release_notes(released: Path) -> None:
    (released.parents[1] / "pyproject.toml").write_text('version = "1.3.0"\n')
    ended = script(released, "1.3.0", env={}, tools=TOOLS)
    assert ended.returncode == 1
    assert "CHANGELOG.md" in ended.stderr
