"""Requirements of Teams and its store that the JSON schemas do not cover.

https://learn.microsoft.com/microsoftteams/platform/concepts/design/design-teams-app-icon-store-appbar
https://learn.microsoft.com/microsoftteams/platform/concepts/build-and-test/apps-localization
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, Field, ValidationError

from manifest.package import MANIFEST
from manifest.problem import Problem

_VERSION = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}")
_SIZES = {"color": 192, "outline": 32}  # width and height, in pixels
_PNG = b"\x89PNG\r\n\x1a\n"
_ALPHA = (4, 6)  # PNG color types with an alpha channel


class _LanguageFile(BaseModel):
    file: str


class _Localization(BaseModel):
    additional: list[_LanguageFile] = Field(default=[], alias="additionalLanguages")


class _Manifest(BaseModel):
    """The part of a manifest that the rules read; the schema covers the rest."""

    schema_url: str = Field(alias="$schema")
    schema_version: str = Field(alias="manifestVersion")
    version: str
    icons: dict[str, str]
    localization: _Localization = Field(default=_Localization(), alias="localizationInfo")


class _Translation(BaseModel):
    schema_url: str = Field(alias="$schema")


def check(files: Mapping[str, bytes]) -> list[Problem]:
    """Returns the problems of a package with these files, by name; empty if the store accepts it."""
    try:
        manifest = _Manifest.model_validate_json(files.get(MANIFEST, b""))
    except ValidationError as error:
        return [_unreadable(MANIFEST, error)]
    problems: list[Problem] = []
    if not _VERSION.fullmatch(manifest.version):
        problems.append(Problem("version", {"value": manifest.version}))
    # A draft 4 schema cannot require a constant, so it accepts a manifest that claims another version.
    if f"/v{manifest.schema_version}/" not in manifest.schema_url:
        problems.append(Problem("schema-version", {"file": MANIFEST}))
    translations = [language.file for language in manifest.localization.additional]
    named = {MANIFEST, *manifest.icons.values(), *translations}
    problems += [Problem("file-missing", {"file": name}) for name in sorted(named - files.keys())]
    problems += [Problem("file-unused", {"file": name}) for name in sorted(files.keys() - named)]
    for kind, size in _SIZES.items():
        name = manifest.icons.get(kind, "")
        if name in files:
            problems += _icon_problems(name, files[name], size, transparent=kind == "outline")
    for name in translations:
        if name in files:
            problems += _translation_problems(name, files[name], manifest.schema_version)
    return problems


def _icon_problems(name: str, content: bytes, size: int, *, transparent: bool) -> Iterator[Problem]:
    header = content[len(_PNG) : 33]
    if not content.startswith(_PNG) or len(header) < 25 or header[4:8] != b"IHDR":
        yield Problem("icon-not-png", {"file": name})
        return
    width, height = int.from_bytes(header[8:12]), int.from_bytes(header[12:16])
    if (width, height) != (size, size):
        yield Problem("icon-size", {"file": name, "width": width, "height": height, "size": size})
    if transparent and header[17] not in _ALPHA:
        yield Problem("icon-solid", {"file": name})


def _translation_problems(name: str, content: bytes, version: str) -> Iterator[Problem]:
    try:
        translation = _Translation.model_validate_json(content)
    except ValidationError as error:
        yield _unreadable(name, error)
        return
    if f"/v{version}/" not in translation.schema_url:
        yield Problem("schema-version", {"file": name})


def _unreadable(name: str, error: ValidationError) -> Problem:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return Problem("unreadable", {"file": name, "where": where or "-", "message": first["msg"]})
