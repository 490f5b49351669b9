"""The policy file (TOML): read strictly, and each problem named with its line and key."""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from bot.signin.policy.model import Policy
from bot.signin.policy.problem import Key, PolicyError, Problem, line_of, spelled
from bot.signin.policy.reader import Reader
from bot.signin.policy.settings import PolicySettings, completed
from bot.signin.policy.tables import FileTable

MAX_BYTES = 256 * 1024


_NO_SETTINGS = PolicySettings()


def parse(content: bytes, settings: PolicySettings = _NO_SETTINGS) -> Policy:
    """The policy in a file's bytes, with what settings say beside it. Raises `PolicyError`."""
    if len(content) > MAX_BYTES:
        raise PolicyError([Problem(0, "", f"the file is larger than {MAX_BYTES // 1024} KB")])
    try:
        text = content.decode("utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(0, "", "the file is not UTF-8")]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError([_not_toml(error)]) from error
    try:
        file = FileTable.model_validate(tables)
    except ValidationError as error:
        raise PolicyError([_invalid(text, each) for each in error.errors()]) from error
    policy = Reader(text, file, settings).policy(sha256(content).hexdigest())
    return completed(policy, settings)


def _not_toml(error: Exception) -> Problem:
    found = re.search(r"at line (\d+), column \d+", str(error))
    reason = str(error).partition(" (at ")[0] or "it is nested too deeply"
    return Problem(int(found[1]) if found else 0, "", f"this is not TOML: {reason}")


def _invalid(text: str, error: Any) -> Problem:
    key: Key = tuple(part for part in error["loc"] if not _is_choice(part))
    match error["type"]:
        case "extra_forbidden":
            sentence = "there is no such key; check its spelling"
        case "missing":
            sentence = "this key is missing"
        case "list_type":
            sentence = 'write a list, such as ["netops"]'
        case _:
            sentence = str(error["msg"]).replace("Input should", "it should")
    return Problem(line_of(text, key), spelled(key), sentence)


def _is_choice(part: object) -> bool:
    """Whether pydantic put this into a location, to tell which type of several it tried."""
    return isinstance(part, str) and (
        part in ("str", "time", "constrained-int") or part.startswith("list[")
    )
