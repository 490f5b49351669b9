"""The images and the compose file: how they are built, and that they run with least privilege."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml

from tests.infra.bicep import INFRA, PROJECT
from tests.infra.tools import passes

IMAGE = (INFRA / "Dockerfile").read_text()
WITH_POWERSHELL = (INFRA / "Dockerfile.powershell").read_text()
SAVE_MODULE = (INFRA / "save-module.ps1").read_text()
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.powershell"])
def test_dockerfiles_pass_hadolint(name: str) -> None:
    passes("hadolint", INFRA / name)


@pytest.mark.parametrize("text", [IMAGE, WITH_POWERSHELL], ids=["image", "with PowerShell"])
def test_images_run_as_unprivileged_user(text: str) -> None:
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"


@pytest.mark.parametrize("text", [IMAGE, WITH_POWERSHELL], ids=["image", "with PowerShell"])
def test_base_images_are_pinned_by_digest(text: str) -> None:
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    stages = set(re.findall(r"^FROM .+ AS (\w+)$", text, re.MULTILINE))
    pinned = [base for base in bases if base not in {*stages, "${OFFHOOK}"}]
    assert len(pinned) == 1
    assert PINNED.fullmatch(pinned[0])


def test_compose_images_are_pinned_by_digest_unless_built() -> None:
    pulled = [each["image"] for each in COMPOSE["services"].values() if "build" not in each]
    assert pulled
    assert all(PINNED.fullmatch(image) for image in pulled)


def test_module_is_unpacked_only_with_given_checksum() -> None:
    """Without the argument, the checksum is empty and matches no package."""
    assert re.search(r"^ARG MICROSOFT_TEAMS_SHA256$", WITH_POWERSHELL, re.MULTILINE)
    assert (
        "/save-module.ps1 -Path /opt/modules -Sha256 $env:MICROSOFT_TEAMS_SHA256" in WITH_POWERSHELL
    )
    assert not re.search(r"(Save|Install)-(Module|PSResource)", WITH_POWERSHELL)
    steps = [
        "$ErrorActionPreference = 'Stop'",
        'Save-PSResource -Name MicrosoftTeams -Version "$Version"',
        "Get-FileHash",
        "if ($actual -ne $Sha256) {",
        "throw",
        "ExtractToDirectory",
    ]
    places = [SAVE_MODULE.index(step) for step in steps]
    assert places == sorted(places)
    assert SAVE_MODULE.count("ExtractToDirectory") == 1


def test_image_contains_no_installer_and_no_setuid_program() -> None:
    final = IMAGE.rpartition("FROM base")[2]
    assert "rm -rf /usr/local/bin/pip*" in final
    assert "-perm /6000 -exec chmod a-s" in final
    assert not re.search(r"apt-get|curl|wget", IMAGE)


def test_dockerfiles_need_no_buildkit() -> None:
    """The builder of Azure Container Registry is older."""
    assert not re.search(
        r"--mount|--link|--chmod|<<|^# syntax", IMAGE + WITH_POWERSHELL, re.MULTILINE
    )


def test_image_installs_locked_packages() -> None:
    assert "--require-hashes" in IMAGE
    assert "infra/lock/runtime.txt" in IMAGE


def test_dockerignore_allows_everything_that_is_copied() -> None:
    rules = (PROJECT / ".dockerignore").read_text().splitlines()
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert "*" in rules
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", IMAGE + WITH_POWERSHELL, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert any(fnmatch(source, rule) for rule in allowed), source
        assert (PROJECT / source).exists()


def test_image_contains_every_package_of_the_service() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", IMAGE, re.MULTILINE))
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")}
    assert copied == packages - {"tests", "bench", "scripts"}


def test_image_has_healthcheck_and_runs_bot_directly() -> None:
    """As its entry point, the bot receives SIGTERM."""
    assert "/livez" in IMAGE
    assert "HEALTHCHECK" in IMAGE
    assert re.search(r'^ENTRYPOINT \["python", "-m", "bot"\]$', IMAGE, re.MULTILINE)


def test_compose_file_follows_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", INFRA / "compose.yaml")


def test_compose_file_confines_bot() -> None:
    bot = COMPOSE["services"]["bot"]
    assert bot["read_only"]
    assert bot["cap_drop"] == ["ALL"]
    assert bot["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])


def test_compose_file_exposes_database_only_to_bot() -> None:
    assert COMPOSE["services"]["database"]["networks"] == ["inside"]
    assert "ports" not in COMPOSE["services"]["database"]
    assert COMPOSE["networks"]["inside"]["internal"]
