"""Usernames: the user principal name (UPN) under which an account signs in to Microsoft Entra ID.

Source: Microsoft Learn, "Password policies and account restrictions in Microsoft Entra ID", section
"Username policies": letters A-Z, digits and ' . - _ ! # ^ ~, no period right before the @; at most 64
characters before the @ and 48 after it, 113 in all. `+` is not in that list but stands in real
directories, so it passes. Whether the account exists is for the directory to say.
"""

from __future__ import annotations

import re
import unicodedata

from bot.phones.value import INVISIBLE, Flaw, trim, visible

MAX_LOCAL = 64
MAX_DOMAIN = 48

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_LOCAL = re.compile(r"[A-Za-z0-9'._!#^~+-]*")
# What needs no second look. It is narrower than the rules, so that it is fast.
CANONICAL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9'._!#^~+-]{0,63}(?<!\.)"
    r"@(?!.{49})(?:[A-Za-z0-9]++[.-])*+(?<=\.)[A-Za-z]{2,}"
)
# Spreadsheet exports put an apostrophe before a value that would else be read as a formula.
_NEUTRALISED = re.compile(r"\A'(?=[=+\-@])")


def parse(text: str) -> str | Flaw:
    """The username in `text` without what surrounds it, or why it cannot be one."""
    plain = _NEUTRALISED.sub("", trim(text))
    flaw = _unfit_character(plain) or _unfit_form(plain)
    return plain if flaw is None else flaw


def _unfit_character(plain: str) -> Flaw | None:
    if not plain:
        return Flaw("username-empty")
    if plain.startswith("="):
        return Flaw("username-formula")
    for character in plain:
        if character in INVISIBLE:
            return Flaw("username-invisible", {"character": visible(character)})
        if character.isspace():
            return Flaw("username-space")
        if unicodedata.category(character) == "Cc":
            return Flaw("username-control", {"character": visible(character)})
    return None


def _unfit_form(plain: str) -> Flaw | None:
    signs = plain.count("@")
    if signs == 0:
        return Flaw("username-no-at")
    if signs > 1:
        return Flaw("username-several-at", {"signs": signs})
    local, _, domain = plain.partition("@")
    if not local:
        return Flaw("username-no-local")
    if len(local) > MAX_LOCAL:
        return Flaw("username-local-length", {"length": len(local), "limit": MAX_LOCAL})
    if len(domain) > MAX_DOMAIN:
        return Flaw("username-domain-length", {"length": len(domain), "limit": MAX_DOMAIN})
    allowed = _LOCAL.match(local)
    if allowed and allowed.end() < len(local):
        character = local[allowed.end()]
        code = "username-character" if character.isascii() else "username-not-ascii"
        return Flaw(code, {"character": visible(character)})
    if local.endswith("."):
        return Flaw("username-dot")
    if not _DOMAIN.fullmatch(domain):
        return Flaw("username-domain", {"domain": domain})
    return None
