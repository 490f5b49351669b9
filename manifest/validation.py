"""Checks the documents against Microsoft's JSON schemas, read from disk.

They come from the npm package @microsoft/app-manifest, which is for development: `schema/` locks it,
`make` installs it into `.tools/manifest`. A service that was only installed has neither it nor jsonschema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from manifest.document import SCHEMA
from manifest.package import MANIFEST
from manifest.problem import Problem

FOLDER = (
    Path(__file__).parent.parent
    / ".tools/manifest/node_modules/@microsoft/app-manifest/build/json-schemas/teams"
    / f"v{SCHEMA}"
)
_LONGEST = 200  # characters of a message, which may hold the whole document


class SchemaNotInstalledError(Exception):
    """The schemas, or the library that reads them, are not on this machine."""


def violations(files: Mapping[str, bytes], folder: Path = FOLDER) -> list[Problem]:
    """Where the JSON documents among `files`, which parse, break their schemas. Raises `NotInstalled`."""
    try:
        from jsonschema import Draft4Validator
    except ImportError as error:
        raise SchemaNotInstalledError("jsonschema") from error
    found: list[Problem] = []
    for name in sorted(name for name in files if name.endswith(".json")):
        kind = "MicrosoftTeams" if name == MANIFEST else "MicrosoftTeams.Localization"
        try:
            schema = json.loads((folder / f"{kind}.schema.json").read_bytes())
        except FileNotFoundError as error:
            raise SchemaNotInstalledError(str(folder)) from error
        found += [
            Problem(
                "schema",
                {
                    "file": name,
                    "where": error.json_path.removeprefix("$.").removeprefix("$") or "-",
                    "message": error.message[:_LONGEST],
                },
            )
            for error in Draft4Validator(schema).iter_errors(json.loads(files[name]))
        ]
    return found
