"""The documents say what the bot is and can, and follow Microsoft's schemas whatever is put in."""

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
from bot.commands.dispatcher import ORDERS
from manifest import document, language, package, rules, validation
from manifest.deployment import Deployment, Developer, checked
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
def test_what_is_accepted_is_valid(
    app: object, tenant: object, host: str, developer: Developer, version: tuple[int, int, int]
) -> None:
    if app == tenant:
        return
    made = checked(str(app).upper(), f" {tenant} ", host.title(), developer)
    files = package.contents(made, ".".join(map(str, version)))
    assert rules.problems(files) == []
    assert validation.violations(files) == []


def test_bot(files: dict[str, bytes], deployment: Deployment) -> None:
    made = document_of(files)
    (bot,) = made["bots"]
    assert bot["botId"] == made["id"] == made["webApplicationInfo"]["id"] == deployment.app_id
    assert bot["scopes"] == ["personal", "team", "groupChat"]
    assert bot["supportsFiles"] is True
    assert made["webApplicationInfo"]["resource"] == f"api://botid-{deployment.app_id}"
    assert made["validDomains"] == ["token.botframework.com", "offhook.contoso.com"]
    assert made["defaultInstallScope"] == "personal"


def test_no_rights_are_asked_for(files: dict[str, bytes]) -> None:
    assert not {"authorization", "permissions", "devicePermissions"} & document_of(files).keys()


def test_every_scope_has_its_commands(files: dict[str, bytes]) -> None:
    (bot,) = document_of(files)["bots"]
    assert [entry["scopes"] for entry in bot["commandLists"]] == [[one] for one in bot["scopes"]]
    for entry in bot["commandLists"]:
        assert [command["title"] for command in entry["commands"]] == list(
            language.load()[language.DEFAULT].commands
        )


@pytest.mark.parametrize("tag", sorted(language.load()))
def test_menu_and_bot_know_the_same_commands(tag: str) -> None:
    """Teams sends the title to the bot. A new command belongs in every file of manifest/languages."""
    commands = language.load()[tag].commands
    assert set(commands) == set(ORDERS)
    assert {command.title.split()[0] for command in commands.values()} <= set(ORDERS)


def test_accent_is_the_background_of_the_icon() -> None:
    picture = Path(manifest.__path__[0], "icon.svg").read_text(encoding="utf-8")
    assert re.findall(r'id="background".*?fill="(.*?)"', picture) == [document.ACCENT]


@pytest.mark.usefixtures("schema")
def test_a_further_language_is_a_further_file(deployment: Deployment, german: Language) -> None:
    files = package.contents(deployment, "1.2.3", {**language.load(), "de": german})
    assert document_of(files)["localizationInfo"] == {
        "defaultLanguageTag": "en",
        "additionalLanguages": [{"languageTag": "de", "file": "de.json"}],
    }
    translated = json.loads(files["de.json"])
    assert translated["name.full"] == german.name.full
    status = list(language.load()[language.DEFAULT].commands).index("status")
    for scope in range(3):
        key = f"bots[0].commandLists[{scope}].commands[{status}].description"
        assert translated[key] == "Was offen ist"
    assert rules.problems(files) == []
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
def test_strings_keep_to_the_lengths_of_the_store(
    german: Language, path: tuple[str, ...], limit: int
) -> None:
    """The schema of translations does not say all of them, so the language files do."""

    def lengthened(text: str) -> Language:
        strings: dict[str, Any] = german.model_dump()
        *parents, last = path
        inner = strings
        for name in parents:
            inner = inner[name]
        inner[last] = text
        return Language.model_validate(strings)

    lengthened("x" * limit)
    for text in ("x" * (limit + 1), "", " "):
        with pytest.raises(ValidationError):
            lengthened(text)
