"""Packs manifest, icons, and languages into a ZIP file: the same bytes wherever and whenever it runs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from importlib import resources

from manifest import document, language
from manifest.deployment import Deployment
from manifest.language import DEFAULT, Language

MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP file can hold
_UNIX = 3  # ID of the system in a ZIP entry
_MODE = 0o100644 << 16  # a regular file, rw-r--r--


def contents(
    deployment: Deployment, version: str, languages: Mapping[str, Language] | None = None
) -> dict[str, bytes]:
    """Returns the package's files by name. `languages` by tag; None: those in `manifest/languages`."""
    languages = language.load() if languages is None else languages
    folder = resources.files("manifest")
    icons = {
        name: folder.joinpath(name).read_bytes() for name in (document.COLOR, document.OUTLINE)
    }
    translations = {
        f"{tag}.json": _json(document.translation(strings, languages[DEFAULT]))
        for tag, strings in languages.items()
        if tag != DEFAULT
    }
    return {
        MANIFEST: _json(document.manifest(deployment, version, languages)),
        **icons,
        **translations,
    }


def pack(files: Mapping[str, bytes]) -> bytes:
    """Returns the ZIP file. Stored uncompressed, because compressors differ in their output."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            package.writestr(entry, files[name])
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
