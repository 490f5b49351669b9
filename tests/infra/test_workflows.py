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
AZD: dict[str, Any] = yaml.safe_load((PROJECT / "azure.yaml").read_text())


def test_workflows_follow_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_workflows_pass_zizmor() -> None:
    config = PROJECT / ".github" / "zizmor.yml"
    passes("zizmor", "--offline", "--no-progress", "--config", config, *WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_workflow_permissions_are_read_only_except_in_named_jobs(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    permissions = {
        name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job
    }
    expected = {
        "ci": {},
        "release": {
            "image": {"contents": "read", "packages": "write"},
            "release": {"contents": "write"},
        },
    }
    assert permissions == expected[path.stem]


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_actions_are_pinned_to_major_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used
    assert all(
        re.fullmatch(r"[\w-]+/[\w-]+@v\d+|\./\.github/workflows/\w+\.yml", action)
        for action in used
    )


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
