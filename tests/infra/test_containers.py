"""The images and the compose file: how they are made, and how little they may do."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any, cast

import pytest
import yaml

from tests.infra.bicep import INFRA, PROJECT
from tests.infra.test_bicep import settings
from tests.infra.tools import passes

IMAGE = (INFRA / "Dockerfile").read_text()
WITH_POWERSHELL = (INFRA / "Dockerfile.powershell").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.powershell"])
def test_hadolint_finds_nothing(name: str) -> None:
    passes("hadolint", INFRA / name)


@pytest.mark.parametrize("text", [IMAGE, WITH_POWERSHELL], ids=["image", "with PowerShell"])
def test_it_ends_as_a_user_without_rights(text: str) -> None:
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"


@pytest.mark.parametrize("text", [IMAGE, WITH_POWERSHELL], ids=["image", "with PowerShell"])
def test_no_base_is_latest(text: str) -> None:
    bases = re.findall(r"^ARG \w+=(\S+:\S+)$", text, re.MULTILINE)
    assert bases
    assert not any(base.endswith(":latest") for base in bases)


def test_the_older_builder_of_registries_can_make_it() -> None:
    assert not re.search(
        r"--mount|--link|--chmod|<<|^# syntax", IMAGE + WITH_POWERSHELL, re.MULTILINE
    )


def test_packages_are_those_of_the_lock() -> None:
    assert "--require-hashes" in IMAGE
    assert "infra/lock/runtime.txt" in IMAGE


def test_what_is_copied_is_let_through_to_the_builder() -> None:
    rules = (PROJECT / ".dockerignore").read_text().splitlines()
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert "*" in rules
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", IMAGE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert any(fnmatch(source, rule) for rule in allowed), source
        assert (PROJECT / source).exists()


def test_every_package_that_the_service_imports_is_in_the_image() -> None:
    packages = set(re.findall(r"^COPY (\w+) \w+$", IMAGE, re.MULTILINE))
    ours = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages == ours


def test_it_says_whether_it_is_healthy_and_ends_when_asked() -> None:
    assert "/livez" in IMAGE
    assert "HEALTHCHECK" in IMAGE
    assert re.search(r'^ENTRYPOINT \["python", "-m", "bot"\]$', IMAGE, re.MULTILINE)


def test_compose_is_of_its_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", INFRA / "compose.yaml")


def test_compose_confines_the_bot() -> None:
    bot = COMPOSE["services"]["bot"]
    assert bot["read_only"]
    assert bot["cap_drop"] == ["ALL"]
    assert bot["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])


def test_only_the_bot_reaches_the_database() -> None:
    assert COMPOSE["services"]["database"]["networks"] == ["inside"]
    assert "ports" not in COMPOSE["services"]["database"]
    assert COMPOSE["networks"]["inside"]["internal"]


def test_compose_gives_settings_of_the_service() -> None:
    given = cast(dict[str, str], COMPOSE["services"]["bot"]["environment"])
    assert set(given) <= settings()
