"""The workflows and azure.yaml: valid, with least privilege, and naming only files that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep import INFRA, PROJECT
from tests.infra.tools import passes

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
DEPENDABOT = PROJECT / ".github" / "dependabot.yml"
AZD: dict[str, Any] = yaml.safe_load((PROJECT / "azure.yaml").read_text())


def test_workflows_follow_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_dependabot_follows_schema_and_moves_every_kind_of_pin() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.dependabot", DEPENDABOT)
    updates = yaml.safe_load(DEPENDABOT.read_text())["updates"]
    assert {(each["package-ecosystem"], each["directory"]) for each in updates} == {
        ("github-actions", "/"),
        ("docker", "/infra"),
        ("docker-compose", "/infra"),
    }


def test_workflows_pass_zizmor() -> None:
    options = ("--offline", "--no-progress", "--persona", "pedantic")
    passes("zizmor", *options, DEPENDABOT, *WORKFLOWS)


def test_only_accepted_finding_of_zizmor_is_the_call_of_a_workflow_of_the_same_commit() -> None:
    ignored = [
        line for path in WORKFLOWS for line in path.read_text().splitlines() if "zizmor:" in line
    ]
    assert [line.strip() for line in ignored] == [
        "uses: ./.github/workflows/ci.yml # zizmor: ignore[self-repository]"
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_workflow_permissions_are_read_only_except_in_named_jobs(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    more = {
        name: job["permissions"]
        for name, job in workflow["jobs"].items()
        if job["permissions"] != {"contents": "read"}
    }
    expected = {
        "ci": {},
        "release": {
            "image": {"contents": "read", "packages": "write"},
            "release": {"contents": "write"},
        },
    }
    assert more == expected[path.stem]


def test_pull_requests_see_no_secret() -> None:
    text = (PROJECT / ".github/workflows/ci.yml").read_text()
    assert not re.search(r"pull_request_target|workflow_run|secrets\.|github\.token|inherit", text)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_checkouts_leave_no_credentials(path: Path) -> None:
    steps = [
        step
        for job in yaml.safe_load(path.read_text())["jobs"].values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert steps
    assert all(step["with"]["persist-credentials"] is False for step in steps)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_actions_are_pinned_by_commit_and_come_from_github(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    assert all(
        re.fullmatch(
            r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml #.+",
            action,
        )
        for action in used
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_images_in_workflows_are_pinned_by_digest(path: Path) -> None:
    """What `docker buildx` pulls to build, which is not in a Dockerfile."""
    for image in re.findall(r"\S*(?:moby|docker)/[\w-]+:\S+", path.read_text()):
        assert re.fullmatch(r"\w+/[\w-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_workflows_run_required_steps_from_existing_files() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    for step in (
        ".ci/run",
        "make check-infra",
        "az bicep build",
        "docker build",
        "manifest build",
    ):
        assert step in text
    for name in re.findall(r"\b(?:infra|\.ci)/[\w./-]+\w", text):
        assert (PROJECT / name).exists(), name


def test_release_waits_for_all_checks() -> None:
    jobs = yaml.safe_load((PROJECT / ".github/workflows/release.yml").read_text())["jobs"]
    assert set(jobs["image"]["needs"]) == {"ci", "notes"}
    assert jobs["release"]["needs"] == ["image"]


def test_azure_yaml_names_existing_service_files() -> None:
    service = AZD["services"]["bot"]
    assert (PROJECT / service["docker"]["path"]).exists()
    assert (INFRA / f"{service['module']}.bicep").exists()
    assert (INFRA / f"{service['module']}.parameters.json").exists()
    assert "'azd-service-name': 'bot'" in (INFRA / "bot.bicep").read_text()
    # azd supports modules of services since 1.20, and finds this one since 1.22.1.
    assert AZD["requiredVersions"]["azd"] == ">= 1.22.1"


def test_azure_yaml_hooks_use_existing_grant_steps() -> None:
    text = "\n".join(hook["run"] for hook in AZD["hooks"].values())
    known = re.findall(r"^([a-z]+)\(\) \{$", (INFRA / "grant.sh").read_text(), re.MULTILINE)
    steps = re.findall(r"grant\.sh (?:--apply )?(\w+)", text)
    assert steps == ["register", "trust", "next"]
    assert set(steps) <= set(known)
