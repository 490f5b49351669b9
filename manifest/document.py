"""The JSON documents of the package: the manifest, and a translation file per additional language.

Schemas and their limits: https://learn.microsoft.com/microsoft-365/extensibility/schema/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manifest.deployment import Deployment
from manifest.language import DEFAULT, Language

SCHEMA = "1.30"
SCOPES = ("personal", "team", "groupChat")
ACCENT = "#0b5d57"  # the background of icon.svg
COLOR = "color.png"
OUTLINE = "outline.png"
_SCHEMAS = f"https://developer.microsoft.com/en-us/json-schemas/teams/v{SCHEMA}"
# Microsoft's page that asks an approver for consent. The store allows this one foreign domain.
_SIGN_IN = "token.botframework.com"


def manifest(
    deployment: Deployment, version: str, languages: Mapping[str, Language]
) -> dict[str, Any]:
    """Returns manifest.json. The app has its bot's ID, so links to the app need no lookup."""
    strings = languages[DEFAULT]
    developer = deployment.developer
    others = [tag for tag in languages if tag != DEFAULT]
    localization: dict[str, Any] = {"defaultLanguageTag": DEFAULT}
    if others:
        localization["additionalLanguages"] = [
            {"languageTag": tag, "file": f"{tag}.json"} for tag in others
        ]
    return {
        "$schema": f"{_SCHEMAS}/MicrosoftTeams.schema.json",
        "manifestVersion": SCHEMA,
        "version": version,
        "id": deployment.app_id,
        "developer": {
            "name": developer.name,
            "websiteUrl": developer.website,
            "privacyUrl": developer.privacy,
            "termsOfUseUrl": developer.terms,
        },
        "localizationInfo": localization,
        "name": strings.name.model_dump(),
        "description": strings.description.model_dump(),
        "icons": {"color": COLOR, "outline": OUTLINE},
        "accentColor": ACCENT,
        "defaultInstallScope": "personal",
        "bots": [
            {
                "botId": deployment.app_id,
                "scopes": list(SCOPES),
                "supportsFiles": True,
                "isNotificationOnly": False,
                "commandLists": [
                    {
                        "scopes": [scope],
                        "commands": [command.model_dump() for command in strings.commands.values()],
                    }
                    for scope in SCOPES
                ],
            }
        ],
        "validDomains": [_SIGN_IN, *([deployment.host] if deployment.host else [])],
        "webApplicationInfo": {
            "id": deployment.app_id,
            "resource": f"api://botid-{deployment.app_id}",
        },
    }


def translation(language: Language, default: Language) -> dict[str, str]:
    """Returns the file of an additional language. Teams shows the default language where it has gaps."""
    return {
        "$schema": f"{_SCHEMAS}/MicrosoftTeams.Localization.schema.json",
        "name.short": language.name.short,
        "name.full": language.name.full,
        "description.short": language.description.short,
        "description.full": language.description.full,
        **dict(_commands(language, default)),
    }


def _commands(language: Language, default: Language) -> Iterator[tuple[str, str]]:
    for scope_index in range(len(SCOPES)):
        for command_index, word in enumerate(default.commands):
            if command := language.commands.get(word):
                path = f"bots[0].commandLists[{scope_index}].commands[{command_index}]"
                yield f"{path}.title", command.title
                yield f"{path}.description", command.description
