"""Validates the documents against Microsoft's JSON schemas, read from disk.

The schemas come from the npm package @microsoft/app-manifest, a development dependency: `schema/` locks
it, `make` installs it into `.tools/manifest`. An installed service has neither the schemas nor jsonschema.
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
_MAX_MESSAGE = 200  # characters; a message may quote the whole document


class SchemaNotInstalledError(Exception):
    """The schemas, or the library that reads them, are not installed."""


def violations(files: Mapping[str, bytes], folder: Path = FOLDER) -> list[Problem]:
    """Returns where the JSON documents in `files`, which must parse, violate their schemas.

    Raises SchemaNotInstalledError.
    """
    try:
        from jsonschema import Draft4Validator
    except ImportError as error:
        raise SchemaNotInstalledError("jsonschema") from error
    problems: list[Problem] = []
    for name in sorted(name for name in files if name.endswith(".json")):
        kind = "MicrosoftTeams" if name == MANIFEST else "MicrosoftTeams.Localization"
        try:
            schema = json.loads((folder / f"{kind}.schema.json").read_bytes())
        except FileNotFoundError as error:
            raise SchemaNotInstalledError(str(folder)) from error
        problems += [
            Problem(
                "schema",
                {
                    "file": name,
                    "where": error.json_path.removeprefix("$.").removeprefix("$") or "-",
                    "message": error.message[:_MAX_MESSAGE],
                },
            )
            for error in Draft4Validator(schema).iter_errors(json.loads(files[name]))
        ]
    return problems
