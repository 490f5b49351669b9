"""What Teams and its store ask of a package and no schema says.

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
_SIZES = {"color": 192, "outline": 32}  # pixels, both ways
_PNG = b"\x89PNG\r\n\x1a\n"
_ALPHA = (4, 6)  # the colour types of a PNG that carry transparency


class _Named(BaseModel):
    file: str


class _Localization(BaseModel):
    additional: list[_Named] = Field(default=[], alias="additionalLanguages")


class _Manifest(BaseModel):
    """What the rules read of a manifest; the rest is the schema's."""

    schema_url: str = Field(alias="$schema")
    schema_version: str = Field(alias="manifestVersion")
    version: str
    icons: dict[str, str]
    localization: _Localization = Field(default=_Localization(), alias="localizationInfo")


class _Translation(BaseModel):
    schema_url: str = Field(alias="$schema")


def problems(files: Mapping[str, bytes]) -> list[Problem]:
    """What is wrong with the package of these files, by name; none if it may be handed in."""
    try:
        manifest = _Manifest.model_validate_json(files.get(MANIFEST, b""))
    except ValidationError as error:
        return [_unreadable(MANIFEST, error)]
    found: list[Problem] = []
    if not _VERSION.fullmatch(manifest.version):
        found.append(Problem("version", {"value": manifest.version}))
    # Schemas of draft 4 cannot fix a value, so a manifest of another version than it says gets through.
    if f"/v{manifest.schema_version}/" not in manifest.schema_url:
        found.append(Problem("schema-version", {"file": MANIFEST}))
    translations = [language.file for language in manifest.localization.additional]
    named = {MANIFEST, *manifest.icons.values(), *translations}
    found += [Problem("file-missing", {"file": name}) for name in sorted(named - files.keys())]
    found += [Problem("file-unused", {"file": name}) for name in sorted(files.keys() - named)]
    for kind, size in _SIZES.items():
        name = manifest.icons.get(kind, "")
        if name in files:
            found += _icon(name, files[name], size, see_through=kind == "outline")
    for name in translations:
        if name in files:
            found += _translation(name, files[name], manifest.schema_version)
    return found


def _icon(name: str, content: bytes, size: int, *, see_through: bool) -> Iterator[Problem]:
    header = content[len(_PNG) : 33]
    if not content.startswith(_PNG) or len(header) < 25 or header[4:8] != b"IHDR":
        yield Problem("icon-not-png", {"file": name})
        return
    width, height = int.from_bytes(header[8:12]), int.from_bytes(header[12:16])
    if (width, height) != (size, size):
        yield Problem("icon-size", {"file": name, "width": width, "height": height, "size": size})
    if see_through and header[17] not in _ALPHA:
        yield Problem("icon-solid", {"file": name})


def _translation(name: str, content: bytes, version: str) -> Iterator[Problem]:
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
