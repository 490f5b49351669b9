"""The workflows and azure.yaml: of their schema, with the least rights, and naming what there is."""

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


def test_they_are_of_githubs_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_zizmor_finds_nothing() -> None:
    config = PROJECT / ".github" / "zizmor.yml"
    passes("zizmor", "--offline", "--no-progress", "--config", config, *WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_rights_are_to_read_unless_a_job_says_more(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    more = {
        name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job
    }
    expected = {
        "ci": {},
        "release": {
            "image": {"contents": "read", "packages": "write"},
            "release": {"contents": "write"},
        },
    }
    assert more == expected[path.stem]


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_actions_are_named_by_major_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used
    assert all(
        re.fullmatch(r"[\w-]+/[\w-]+@v\d+|\./\.github/workflows/\w+\.yml", one) for one in used
    )


def test_what_they_run_is_there() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    for needed in (
        ".ci/run",
        "make check-infra",
        "az bicep build",
        "docker build",
        "manifest build",
    ):
        assert needed in text
    for name in re.findall(r"\b(?:infra|\.ci)/[\w./-]+\w", text):
        assert (PROJECT / name).exists(), name


def test_a_release_waits_for_all_checks() -> None:
    jobs = yaml.safe_load((PROJECT / ".github/workflows/release.yml").read_text())["jobs"]
    assert set(jobs["image"]["needs"]) == {"ci", "notes"}
    assert jobs["release"]["needs"] == ["image"]


def test_azd_finds_the_service() -> None:
    service = AZD["services"]["bot"]
    assert (PROJECT / service["docker"]["path"]).exists()
    assert (INFRA / f"{service['module']}.bicep").exists()
    assert (INFRA / f"{service['module']}.parameters.json").exists()
    assert "'azd-service-name': 'bot'" in (INFRA / "bot.bicep").read_text()
    # Before 1.20 azd knew no modules of services, before 1.22.1 it missed this one.
    assert AZD["requiredVersions"]["azd"] == ">= 1.22.1"


def test_hooks_use_steps_that_grant_knows() -> None:
    text = "\n".join(hook["run"] for hook in AZD["hooks"].values())
    known = re.findall(r"^([a-z]+)\(\) \{$", (INFRA / "grant.sh").read_text(), re.MULTILINE)
    steps = re.findall(r"grant\.sh (?:--apply )?(\w+)", text)
    assert steps == ["register", "trust", "next"]
    assert set(steps) <= set(known)
