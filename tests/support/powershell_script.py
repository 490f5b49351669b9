"""Parses bot/gateway/powershell.ps1 into steps; supports only the PowerShell that script uses.

The fake `pwsh` acts out these steps, so the tests exercise the script's actual text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<skip>   <\#.*?\#> | \#[^\n]* | [ \t\r]+ )
  | (?P<string> '(?:[^']|'')*' | "(?:[^"`]|`.)*" )
  | (?P<name>   \$(?:env:)?\w+ )
  | (?P<open>   @\{ | @\( | \$\( | [{(\[] )
  | (?P<close>  [})\]] )
  | (?P<end>    \n | ; )
  | (?P<word>   [\w./*:-]+ )
  | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMAND = re.compile(r"[A-Z][a-z]+-[A-Z]\w+")
_PARAMETER = re.compile(r"-[A-Z]\w+")
_KEYWORDS = (
    *("try", "catch", "finally", "if", "elseif", "else", "foreach", "for", "while", "switch"),
    *("function", "param"),
)


class Step(NamedTuple):
    """One statement of the script."""

    #: `command`, `set` (a variable), `entry` (in a hashtable) or `throw`.
    kind: str
    #: Of the command, variable or entry; "" for a throw.
    name: str
    #: Of a variable, entry or throw; for a command, its arguments as written.
    value: str
    #: Of a command, by name without the dash; positional ones under "".
    parameters: dict[str, str]
    #: Heads of the enclosing blocks, outermost first: `try`, `if $a -eq $b`, `'submit'` (a case),
    #: `function Write-Event`, `@{Write-Event` (a hashtable passed to it).
    path: tuple[str, ...]


class _Level:
    def __init__(self, head: str) -> None:
        self.head = head
        self.tokens: list[str] = []
        self.parentheses = 0


def read(text: str) -> list[Step]:
    """The steps of a script in source order, inner ones first."""
    steps: list[Step] = []
    levels = [_Level("")]

    def finish() -> None:
        level = levels[-1]
        steps.extend(_steps(level.tokens, tuple(each.head for each in levels[1:])))
        level.tokens = []

    for match in _TOKEN.finditer(text):
        kind, token, level = match.lastgroup, match.group(), levels[-1]
        if kind == "skip":
            continue
        if kind == "end":
            if level.parentheses == 0 and level.tokens[-1:] not in (["|"], [","]):
                finish()
        elif token in ("{", "@{"):
            levels.append(_Level(_head(token, level.tokens)))
        elif token == "}":
            finish()
            levels.pop()
            levels[-1].tokens.append("{}")
        else:
            level.parentheses += (kind == "open") - (kind == "close")
            level.tokens.append(token)
    finish()
    if len(levels) != 1 or levels[0].parentheses:
        raise ValueError("the script's brackets do not match")
    return steps


def _head(brace: str, tokens: list[str]) -> str:
    if brace == "@{":
        return f"@{{{tokens[0] if tokens else ''}"
    if tokens and tokens[-1].startswith("'"):
        return tokens[-1]
    indexes = [index for index, token in enumerate(tokens) if token in _KEYWORDS]
    if not indexes:
        return "{"
    words = [token for token in tokens[indexes[-1] :] if token not in "()"]
    return " ".join(words[:2] if words[0] == "function" else words)


def _steps(tokens: list[str], path: tuple[str, ...]) -> list[Step]:
    found: list[Step] = []
    if tokens[1:2] == ["="] and path and path[-1].startswith("@{"):
        found.append(Step("entry", tokens[0], " ".join(tokens[2:]), {}, path))
    elif tokens[1:2] == ["="]:
        found.append(Step("set", tokens[0], " ".join(tokens[2:]), {}, path))
    elif tokens[:1] == ["throw"]:
        found.append(Step("throw", "", " ".join(tokens[1:]), {}, path))
    if tokens[:1] == ["function"]:
        return found
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        if _COMMAND.fullmatch(token) and before in ("", "=", "|", "(", "@(", "return"):
            found.append(_command(token, tokens[index + 1 :], path))
    return found


def _command(name: str, following: list[str], path: tuple[str, ...]) -> Step:
    parameters: dict[str, str] = {}
    arguments: list[str] = []
    current, depth = "", 0
    for token in following:
        depth += token in ("(", "@(", "$(", "[")
        depth -= token in (")", "]")
        if token == "|" or depth < 0:
            break
        arguments.append(token)
        if _PARAMETER.fullmatch(token):
            current = token[1:]
            parameters[current] = ""
        else:
            parameters[current] = f"{parameters.get(current, '')} {token}".strip()
    return Step("command", name, " ".join(arguments), parameters, path)
