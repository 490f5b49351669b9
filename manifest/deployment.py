"""What differs from one deployment to the next, checked before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from manifest.problem import PackageError, Problem

# A domain that can belong to nobody: https://www.rfc-editor.org/rfc/rfc2606
EXAMPLE = "https://offhook.example"

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"
# At least two labels, the last of which is no number, so that an address is no name.
_NAME = re.compile(
    r"(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)(?=[a-z0-9-]*[a-z])[a-z0-9-]{2,63}(?<!-)"
)
_LONGEST_NAME = 253
_LONGEST_LINK = 2048
_LONGEST_DEVELOPER = 32
# The store takes no domain that is not the developer's own: not Microsoft's, and no tunnel to a desk.
# https://learn.microsoft.com/microsoftteams/platform/resources/schema/manifest-schema#validdomains
_NOT_YOURS = (
    "microsoft.com", "microsoftonline.com", "onmicrosoft.com", "botframework.com", "office.com",
    "sharepoint.com", "devtunnels.ms", "ngrok.io", "ngrok.app", "ngrok.dev", "ngrok-free.app",
    "ngrok-free.dev", "loca.lt", "trycloudflare.com", "serveo.net",
)  # fmt: skip
_NOT_PUBLIC = ("localhost", "local", "internal", "lan", "home.arpa")


@dataclass(frozen=True)
class Developer:
    """Who stands behind the app: what the store page shows, with three https links."""

    name: str
    website: str
    privacy: str
    terms: str

    @property
    def links(self) -> dict[str, str]:
        """By the name of the option that gives them."""
        return {"--website": self.website, "--privacy": self.privacy, "--terms": self.terms}


@dataclass(frozen=True)
class Deployment:
    """`app_id` and `tenant_id` are GUIDs in lower case; `host` is a DNS name, or empty."""

    app_id: str
    tenant_id: str
    host: str
    developer: Developer


def checked(app_id: str, tenant_id: str, host: str, developer: Developer) -> Deployment:
    """The deployment, with spaces and upper case taken off. Raises `Refused` with every problem."""
    found = Deployment(
        app_id.strip().lower(),
        tenant_id.strip().lower(),
        host.strip().lower(),
        Developer(
            developer.name.strip(),
            developer.website.strip(),
            developer.privacy.strip(),
            developer.terms.strip(),
        ),
    )
    if problems := [*_ids(found), *_host(found.host), *_developer(found.developer)]:
        raise PackageError(problems)
    return found


def _ids(found: Deployment) -> Iterator[Problem]:
    for code, value in (("app-id", found.app_id), ("tenant", found.tenant_id)):
        if not _GUID.fullmatch(value) or value == _NIL:
            yield Problem(code, {"value": value})
    if found.app_id == found.tenant_id and _GUID.fullmatch(found.app_id):
        yield Problem("same-id", {"value": found.app_id})


def _host(host: str) -> Iterator[Problem]:
    if not host:
        return
    if not _is_name(host) or _under(host, _NOT_PUBLIC):
        yield Problem("host", {"value": host})
    elif _under(host, _NOT_YOURS):
        yield Problem("host-not-yours", {"value": host})


def _developer(developer: Developer) -> Iterator[Problem]:
    name = developer.name
    if not 0 < len(name) <= _LONGEST_DEVELOPER or not name.isprintable():
        yield Problem("developer", {"value": name, "limit": _LONGEST_DEVELOPER})
    for option, link in developer.links.items():
        if not _is_link(link):
            yield Problem("link", {"option": option, "value": link})


def _is_link(link: str) -> bool:
    """A web page over https, without a name and password in front of its host."""
    if len(link) > _LONGEST_LINK or not link.isprintable() or " " in link:
        return False
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme == "https" and "@" not in parts.netloc and _is_name(parts.hostname or "")


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def _under(name: str, domains: tuple[str, ...]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)
