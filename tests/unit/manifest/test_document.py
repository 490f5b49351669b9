"""The documents describe the bot, and follow Microsoft's schemas for every valid deployment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import manifest
from bot.commands.dispatcher import COMMANDS
from manifest import document, language, package, rules, validation
from manifest.deployment import Deployment, Developer, normalize
from manifest.language import Language

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
LINK = HOST.map(lambda host: f"https://{host}/page?of=this#there")
DEVELOPER = st.builds(
    Developer,
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=32),
    LINK,
    LINK,
    LINK,
)


def document_of(files: dict[str, bytes]) -> dict[str, Any]:
    return json.loads(files[package.MANIFEST])


@pytest.mark.usefixtures("schema")
@settings(max_examples=25, deadline=None)
@given(st.uuids(), st.uuids(), st.just("") | HOST, DEVELOPER, st.tuples(*[st.integers(0, 999)] * 3))
def test_package_of_valid_deployment_follows_rules_and_schemas(
    app: object, tenant: object, host: str, developer: Developer, version: tuple[int, int, int]
) -> None:
    if app == tenant:
        return
    deployment = normalize(str(app).upper(), f" {tenant} ", host.title(), developer)
    files = package.contents(deployment, ".".join(map(str, version)))
    assert rules.check(files) == []
    assert validation.violations(files) == []


def test_manifest_describes_bot(files: dict[str, bytes], deployment: Deployment) -> None:
    document = document_of(files)
    (bot,) = document["bots"]
    app_id = deployment.app_id
    assert bot["botId"] == document["id"] == document["webApplicationInfo"]["id"] == app_id
    assert bot["scopes"] == ["personal", "team", "groupChat"]
    assert bot["supportsFiles"] is True
    assert document["webApplicationInfo"]["resource"] == f"api://botid-{app_id}"
    assert document["validDomains"] == ["token.botframework.com", "offhook.contoso.com"]
    assert document["defaultInstallScope"] == "personal"


def test_manifest_requests_no_permissions(files: dict[str, bytes]) -> None:
    assert not {"authorization", "permissions", "devicePermissions"} & document_of(files).keys()


def test_every_scope_lists_all_commands(files: dict[str, bytes]) -> None:
    (bot,) = document_of(files)["bots"]
    assert [entry["scopes"] for entry in bot["commandLists"]] == [[one] for one in bot["scopes"]]
    for entry in bot["commandLists"]:
        assert [command["title"] for command in entry["commands"]] == list(
            language.load()[language.DEFAULT].commands
        )


@pytest.mark.parametrize("tag", sorted(language.load()))
def test_menu_lists_the_commands_of_the_bot(tag: str) -> None:
    """Teams sends the title to the bot. Add a new command to every file in manifest/languages."""
    commands = language.load()[tag].commands
    assert set(commands) == set(COMMANDS)
    assert {command.title.split()[0] for command in commands.values()} <= set(COMMANDS)


def test_accent_color_is_background_of_icon() -> None:
    picture = Path(manifest.__path__[0], "icon.svg").read_text(encoding="utf-8")
    assert re.findall(r'id="background".*?fill="(.*?)"', picture) == [document.ACCENT]


@pytest.mark.usefixtures("schema")
def test_additional_language_adds_a_translation_file(
    deployment: Deployment, german: Language
) -> None:
    files = package.contents(deployment, "1.2.3", {**language.load(), "de": german})
    assert document_of(files)["localizationInfo"] == {
        "defaultLanguageTag": "en",
        "additionalLanguages": [{"languageTag": "de", "file": "de.json"}],
    }
    translation = json.loads(files["de.json"])
    assert translation["name.full"] == german.name.full
    status = list(language.load()[language.DEFAULT].commands).index("status")
    for scope in range(3):
        key = f"bots[0].commandLists[{scope}].commands[{status}].description"
        assert translation[key] == "Was offen ist"
    assert rules.check(files) == []
    assert validation.violations(files) == []


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (("name", "short"), 30),
        (("name", "full"), 100),
        (("description", "short"), 80),
        (("description", "full"), 4000),
        (("commands", "status", "title"), 128),
        (("commands", "status", "description"), 4000),
    ],
)
def test_language_rejects_strings_of_invalid_length(
    german: Language, path: tuple[str, ...], limit: int
) -> None:
    """The schema of translations lacks some of these limits, so the language model has them all."""

    def with_text(text: str) -> Language:
        strings: dict[str, Any] = german.model_dump()
        *parents, last = path
        parent = strings
        for name in parents:
            parent = parent[name]
        parent[last] = text
        return Language.model_validate(strings)

    with_text("x" * limit)
    for text in ("x" * (limit + 1), "", " "):
        with pytest.raises(ValidationError):
            with_text(text)
