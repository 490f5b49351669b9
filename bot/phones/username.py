"""Usernames: the user principal name (UPN) with which an account signs in to Microsoft Entra ID.

Source: Microsoft Learn, "Password policies and account restrictions in Microsoft Entra ID", section
"Username policies": letters A-Z, digits and ' . - _ ! # ^ ~, no period right before the @; at most 64
characters before the @ and 48 after it, 113 in total. `+` is not on that list but occurs in real
directories, so it is accepted. Whether the account exists is not checked here.
"""

from __future__ import annotations

import re
import unicodedata

from bot.phones.formula import unescape_formula
from bot.phones.value import INVISIBLE, Flaw, trim, visible

MAX_LOCAL = 64
MAX_DOMAIN = 48

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_LOCAL = re.compile(r"[A-Za-z0-9'._!#^~+-]*")
# Fast path, narrower than the rules.
CANONICAL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9'._!#^~+-]{0,63}(?<!\.)"
    r"@(?!.{49})(?:[A-Za-z0-9]++[.-])*+(?<=\.)[A-Za-z]{2,}"
)


def parse(text: str) -> str | Flaw:
    """The username in `text`, trimmed, or a `Flaw` if it is not one."""
    username = trim(unescape_formula(trim(text)))
    flaw = _character_flaw(username) or _structure_flaw(username)
    return username if flaw is None else flaw


def _character_flaw(username: str) -> Flaw | None:
    if not username:
        return Flaw("username-empty")
    if username.startswith("="):
        return Flaw("username-formula")
    for character in username:
        if character in INVISIBLE:
            return Flaw("username-invisible", {"character": visible(character)})
        if character.isspace():
            return Flaw("username-space")
        if unicodedata.category(character) == "Cc":
            return Flaw("username-control", {"character": visible(character)})
    return None


def _structure_flaw(username: str) -> Flaw | None:
    at_signs = username.count("@")
    if at_signs == 0:
        return Flaw("username-no-at")
    if at_signs > 1:
        return Flaw("username-several-at", {"signs": at_signs})
    local, _, domain = username.partition("@")
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
