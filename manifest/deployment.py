"""What differs between deployments, checked before the package is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from manifest.problem import PackageError, Problem

# A reserved domain that nobody can own: https://www.rfc-editor.org/rfc/rfc2606
EXAMPLE = "https://offhook.example"

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"
# A DNS name of at least two labels. The last is not a number, so an IP address does not match.
_DNS_NAME = re.compile(
    r"(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)(?=[a-z0-9-]*[a-z])[a-z0-9-]{2,63}(?<!-)"
)
# In characters.
_MAX_NAME = 253
_MAX_LINK = 2048
_MAX_DEVELOPER = 32
# The store accepts only domains that the developer owns: neither Microsoft's nor those of tunnels.
# https://learn.microsoft.com/microsoftteams/platform/resources/schema/manifest-schema#validdomains
_FOREIGN_DOMAINS = (
    "microsoft.com", "microsoftonline.com", "onmicrosoft.com", "botframework.com", "office.com",
    "sharepoint.com", "devtunnels.ms", "ngrok.io", "ngrok.app", "ngrok.dev", "ngrok-free.app",
    "ngrok-free.dev", "loca.lt", "trycloudflare.com", "serveo.net",
)  # fmt: skip
_PRIVATE_DOMAINS = ("localhost", "local", "internal", "lan", "home.arpa")


@dataclass(frozen=True)
class Developer:
    """Who publishes the app, as Teams shows it."""

    #: At most 32 printable characters.
    name: str
    #: https link to a page about the app.
    website: str
    #: https link to the privacy policy.
    privacy: str
    #: https link to the terms of use.
    terms: str

    @property
    def links(self) -> dict[str, str]:
        """The links by the command-line option that sets them."""
        return {"--website": self.website, "--privacy": self.privacy, "--terms": self.terms}


@dataclass(frozen=True)
class Deployment:
    """A deployment whose values have been checked."""

    #: Application (client) ID of the bot: a GUID in lower case.
    app_id: str
    #: Tenant that the app is uploaded to: a GUID in lower case.
    tenant_id: str
    #: Public DNS name of the service; empty if the package names none.
    host: str
    developer: Developer


def normalize(app_id: str, tenant_id: str, host: str, developer: Developer) -> Deployment:
    """Returns the deployment, trimmed and in lower case. Raises PackageError with every problem."""
    deployment = Deployment(
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
    problems = [
        *_id_problems(deployment.app_id, deployment.tenant_id),
        *_host_problems(deployment.host),
        *_developer_problems(deployment.developer),
    ]
    if problems:
        raise PackageError(problems)
    return deployment


def _id_problems(app_id: str, tenant_id: str) -> Iterator[Problem]:
    for code, value in (("app-id", app_id), ("tenant", tenant_id)):
        if not _GUID.fullmatch(value) or value == _NIL:
            yield Problem(code, {"value": value})
    if app_id == tenant_id and _GUID.fullmatch(app_id):
        yield Problem("same-id", {"value": app_id})


def _host_problems(host: str) -> Iterator[Problem]:
    if not host:
        return
    if not _is_dns_name(host) or _is_under(host, _PRIVATE_DOMAINS):
        yield Problem("host", {"value": host})
    elif _is_under(host, _FOREIGN_DOMAINS):
        yield Problem("host-not-yours", {"value": host})


def _developer_problems(developer: Developer) -> Iterator[Problem]:
    name = developer.name
    if not 0 < len(name) <= _MAX_DEVELOPER or not name.isprintable():
        yield Problem("developer", {"value": name, "limit": _MAX_DEVELOPER})
    for option, link in developer.links.items():
        if not _is_link(link):
            yield Problem("link", {"option": option, "value": link})


def _is_link(link: str) -> bool:
    """Returns True for an https URL without a user name or password."""
    if len(link) > _MAX_LINK or not link.isprintable() or " " in link:
        return False
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return (
        parts.scheme == "https" and "@" not in parts.netloc and _is_dns_name(parts.hostname or "")
    )


def _is_dns_name(text: str) -> bool:
    return len(text) <= _MAX_NAME and _DNS_NAME.fullmatch(text) is not None


def _is_under(name: str, domains: tuple[str, ...]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)
