"""One zip of manifest, icons and languages: the same bytes wherever and whenever it is made."""

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
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_UNIX = 3
_MODE = 0o100644 << 16


def contents(
    deployment: Deployment, version: str, languages: Mapping[str, Language] | None = None
) -> dict[str, bytes]:
    """Every file of the package by its name; `languages` by tag, those of this room unless given."""
    known = language.load() if languages is None else languages
    folder = resources.files("manifest")
    icons = {
        name: folder.joinpath(name).read_bytes() for name in (document.COLOR, document.OUTLINE)
    }
    translations = {
        f"{tag}.json": _json(document.translation(strings, known[DEFAULT]))
        for tag, strings in known.items()
        if tag != DEFAULT
    }
    return {
        MANIFEST: _json(document.manifest(deployment, version, known)),
        **icons,
        **translations,
    }


def pack(files: Mapping[str, bytes]) -> bytes:
    """The zip. Nothing is compressed, because compressors differ; the icons are most of it anyway."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            package.writestr(entry, files[name])
    return content.getvalue()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
