"""Authentication of requests: their signature, the service URL, the tenant, the sender."""

from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from botframework.connector import auth
from yarl import URL

from bot.commands.chat import Sender
from bot.settings.model import Settings
from bot.settings.values import is_loopback
from bot.teams.activities import Activity, ActivityError
from bot.teams.keys import KeysUnavailableError, SigningKeys

# The tenant of a local chat client, which names none and needs no signature.
LOCAL_TENANT = "00000000-0000-0000-0000-000000000001"
# The connector of the commercial cloud, and the domains of the government clouds:
# https://learn.microsoft.com/microsoftteams/platform/sbs-send-proactive
_SERVICE_HOST = "smba.trafficmanager.net"
_SERVICE_DOMAINS = (".teams.microsoft.com", ".teams.microsoft.us", ".teams.microsoftonline.cn")
_CHANNEL = "msteams"
_CLOCK_SECONDS = 300  # by which Microsoft's clocks and ours may differ
_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, by its token."""

    service_url: str | None  #: the only service URL that its activity may name; None in `local`


class RequestAuth:
    """With an app id the SDK authenticates every request; without one, anyone on this machine may talk.

    Only the SDK's validation of a token is used, with keys from `SigningKeys`: its own store of keys
    blocks the event loop, its `authenticate_request` also accepts emulators and needs the activity, and
    its adapter builds credentials and a connector for every turn and swallows errors.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._tenants = {tenant.lower() for tenant in settings.tenant_ids}
        self._local = settings.local
        self._app_id = settings.app_id
        self._extractor: auth.JwtTokenExtractor | None = None
        self._keys = SigningKeys(session, settings.hosts.signing_keys)
        if settings.signed:
            # No audience: `authenticate` checks it, as the SDK's own callers do.
            rules = auth.VerifyOptions([settings.hosts.bot], None, _CLOCK_SECONDS, False)
            url = settings.hosts.signing_keys
            self._extractor = auth.JwtTokenExtractor(rules, url, ["RS256"])
            self._extractor.open_id_metadata = cast(Any, self._keys)

    async def aclose(self) -> None:
        await self._keys.aclose()

    def tenant_of(self, activity: Activity) -> str:
        return activity.tenant_id or ("" if self._extractor else LOCAL_TENANT)

    def allows(self, tenant_id: str) -> bool:
        return tenant_id in self._tenants or not (self._tenants or self._extractor)

    def sender_of(self, activity: Activity) -> Sender | None:
        """Returns None for senders without an object id, such as some guests: they cannot be identified."""
        object_id = activity.sender.aad_object_id or ("" if self._extractor else activity.sender.id)
        return Sender(object_id, activity.sender.name, activity.sender.id) if object_id else None

    def check_host(self, host: str) -> None:
        """Raises ActivityError in `local` unless the client calls this machine by its own name.

        Otherwise a web page could point a name of its own at 127.0.0.1 and talk to the bot.
        """
        if self._local and not is_loopback(_host_of(f"http://{host}")):
            raise ActivityError(403, "request-host")

    async def authenticate(self, authorization: str) -> Caller:
        """Raises ActivityError unless the token says that the connector sent the request to this bot."""
        if self._extractor is None:
            return Caller(None)
        try:
            # Scheme, issuer, signature, the key's endorsement for Teams, and expiry.
            identity = await self._extractor.get_identity_from_auth_header(authorization, _CHANNEL)
        except KeysUnavailableError as error:
            raise ActivityError(503, "request-keys", retry_after=_RETRY_AFTER_SECONDS) from error
        except Exception as error:  # of PyJWT, of the SDK, UnknownKeyError: all mean a bad token
            raise ActivityError(401, "request-unauthorized") from error
        claims = cast(dict[str, Any], identity.claims) if identity else {}
        url = claims.get("serviceurl")
        for_us = claims.get("aud") == self._app_id and "exp" in claims
        if not for_us or auth.SkillValidation.is_skill_claim(claims) or not isinstance(url, str):
            raise ActivityError(401, "request-unauthorized")
        return Caller(url)

    def check(self, caller: Caller, activity: Activity) -> None:
        """Raises ActivityError unless `caller` may send `activity`."""
        if not _is_service(activity.service_url, loopback=self._extractor is None):
            raise ActivityError(403, "request-service-url")
        if self._extractor is None:
            return
        if activity.channel_id != _CHANNEL:
            raise ActivityError(403, "request-channel")
        if caller.service_url != activity.service_url:
            raise ActivityError(401, "request-unauthorized")


def _host_of(url: str) -> str:
    """In lower case; "" if there is none."""
    try:
        return (URL(url).raw_host or "").lower()
    except ValueError:
        return ""


def _is_service(url: str, *, loopback: bool) -> bool:
    """Whether messages may go to `url`: the request names it, and the bot's token is sent there."""
    try:
        parts = URL(url)
    except ValueError:
        return False
    host = _host_of(url)
    clean = not (parts.user or parts.query_string or parts.fragment)
    if loopback:
        return clean and parts.scheme in ("http", "https") and is_loopback(host)
    known = host == _SERVICE_HOST or host.endswith(_SERVICE_DOMAINS)
    return clean and parts.scheme == "https" and parts.port == 443 and known
