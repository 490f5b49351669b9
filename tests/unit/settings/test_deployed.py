"""Every setting reaches the service in each deployment of `infra/`, unless a reason here says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import pytest
import yaml
from pydantic import SecretStr

from bot.settings.model import Settings
from bot.signin.policy.file import parse
from bot.signin.policy.settings import PolicySettings

INFRA = Path(__file__).parents[3] / "infra"
LOCAL_ONLY = "refused in production"
NOT_IN_AZURE = {
    "OFFHOOK_DATA_DIR": "folder of SQLite; there is PostgreSQL",
    "OFFHOOK_PWSH": "the image has no PowerShell",
    "OFFHOOK_CLOUD": "Bicep and grant.sh are for the public cloud, the default",
    "OFFHOOK_CONFIGAPI_URL": "the cloud's is right",
    "OFFHOOK_GRAPH_URL": "the cloud's is right",
    "OFFHOOK_AUTHORITY_URL": LOCAL_ONLY,
    "OFFHOOK_APP_CERTIFICATE": "the credential is a managed identity, or a client secret",
    "OFFHOOK_APP_TOKEN_FILE": "a Kubernetes workload identity",
    "OFFHOOK_EXPORTS": LOCAL_ONLY,
    "OFFHOOK_SCENARIO": LOCAL_ONLY,
}
NOT_IN_COMPOSE = {
    "OFFHOOK_DATA_DIR": "folder of SQLite; there is PostgreSQL",
    "OFFHOOK_DATABASE_AUTH": "the database beside it has a password",
    "OFFHOOK_PWSH": "on the PATH of the image that has PowerShell",
    "OFFHOOK_CONFIGAPI_URL": "the cloud's is right",
    "OFFHOOK_GRAPH_URL": "the cloud's is right",
    "OFFHOOK_AUTHORITY_URL": LOCAL_ONLY,
    "OFFHOOK_APP_TYPE": "no managed identity on a laptop: the credential is a client secret",
    "OFFHOOK_MANAGED_IDENTITY": "no managed identity on a laptop",
    "OFFHOOK_APP_CERTIFICATE": "the credential is a client secret",
    "OFFHOOK_APP_TOKEN_FILE": "a Kubernetes workload identity",
    "OFFHOOK_EXPORTS": LOCAL_ONLY,
    "OFFHOOK_SCENARIO": LOCAL_ONLY,
}
SETTINGS = {f"OFFHOOK_{field.upper()}" for field in Settings.model_fields}
SECRETS = {
    f"OFFHOOK_{name.upper()}"
    for name, field in Settings.model_fields.items()
    if field.annotation is SecretStr
}
BICEP = (INFRA / "bot.bicep").read_text()
OPTIONAL = cast(
    dict[str, str],
    json.loads((INFRA / "bot.parameters.json").read_text())["parameters"]["settings"]["value"],
)


def in_azure() -> list[str]:
    """The variables of the container app, those that may be empty included."""
    return [*re.findall(r"name: '(OFFHOOK_\w+)'", BICEP), *OPTIONAL]


def in_compose() -> dict[str, str]:
    return yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]["bot"]["environment"]


@pytest.mark.parametrize(
    ("wired", "left_out"),
    [(in_azure(), NOT_IN_AZURE), ([*in_compose()], NOT_IN_COMPOSE)],
    ids=["Azure", "compose"],
)
def test_setting_is_either_wired_or_left_out_for_a_reason(
    wired: list[str], left_out: dict[str, str]
) -> None:
    assert len(wired) == len(set(wired))
    assert set(wired) & set(left_out) == set()
    assert set(wired) | set(left_out) == SETTINGS


def test_secrets_reach_the_container_from_the_key_vault_only() -> None:
    referenced = set(re.findall(r"name: '(OFFHOOK_\w+)'\s+secretRef: '", BICEP))
    assert referenced == SECRETS


def test_optional_settings_have_the_names_that_the_readme_gives_them() -> None:
    """Also in azd's environment, so that `azd env set` is all there is to know."""
    assert {name: f"${{{name}}}" for name in OPTIONAL} == OPTIONAL
    given = {
        name: re.findall(r"\$\{(\w+)", value)
        for name, value in in_compose().items()
        if "${" in value
    }
    assert given == {name: [name] for name in given}


def test_policy_file_is_mounted_where_the_setting_looks() -> None:
    """The same file everywhere, so that it is written and reviewed once."""
    [loaded] = re.findall(r"loadTextContent\('(.+)'\)", BICEP)
    folder, name = re.findall(r"var policy(?:Folder|Name) = '(.+)'", BICEP)
    assert f"OFFHOOK_POLICY={folder}/{name}" in (INFRA / "compose.yaml").read_text()
    bot = yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]["bot"]
    assert bot["volumes"] == [f"./{Path(loaded).parent}:{folder}:ro"]


def test_policy_file_is_empty_or_a_policy() -> None:
    """Empty as it comes, so that settings decide; whoever keeps theirs here has it checked."""
    content = (INFRA / "policy" / "policy.toml").read_bytes()
    assert not content or parse(content, PolicySettings())
