"""Authentication of requests: their signature, the service URL, the tenant, the sender."""

import asyncio
import time
from typing import Any, cast

import jwt
from botbuilder.schema import Activity as SdkActivity
from botframework.connector import auth
from yarl import URL

from bot.commands.chat import Sender
from bot.settings.model import Settings, is_loopback
from bot.teams.activities import Activity, ActivityError

# The tenant of a local chat client, which names none and needs no signature.
LOCAL_TENANT = "00000000-0000-0000-0000-000000000001"
# The connector of the commercial cloud, and the domains of the government clouds:
# https://learn.microsoft.com/microsoftteams/platform/sbs-send-proactive
_SERVICE_HOST = "smba.trafficmanager.net"
_SERVICE_DOMAINS = (".teams.microsoft.com", ".teams.microsoft.us", ".teams.microsoftonline.cn")
_CHECK_SECONDS = 10.0  # including a fetch of Microsoft's signing keys, once a day
_REFETCH_SECONDS = 60.0  # between fetches caused by an unknown key


class RequestAuth:
    """With an app id the SDK authenticates every request; without one, anyone on this machine may talk.

    Only the SDK's `authenticate_request` is used: its adapter builds credentials and a connector for
    every turn and swallows errors. It fetches keys with blocking calls, hence the thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._tenants = {tenant.lower() for tenant in settings.tenant_ids}
        self._issuer = settings.hosts.bot
        self._refetch_at = 0.0
        self._sdk: auth.BotFrameworkAuthentication | None = None
        if settings.signed:
            self._sdk = auth.BotFrameworkAuthenticationFactory.create(
                # Only the app id: the SDK never gets tokens.
                credential_factory=auth.PasswordServiceClientCredentialFactory(settings.app_id),
                **cast(dict[str, Any], settings.hosts.channel),
            )

    def tenant_of(self, activity: Activity) -> str:
        return activity.tenant_id or ("" if self._sdk else LOCAL_TENANT)

    def allows(self, tenant_id: str) -> bool:
        return tenant_id in self._tenants or not (self._tenants or self._sdk)

    def sender_of(self, activity: Activity) -> Sender | None:
        """Returns None for senders without an object id, such as some guests: they cannot be identified."""
        object_id = activity.sender.aad_object_id or ("" if self._sdk else activity.sender.id)
        return Sender(object_id, activity.sender.name, activity.sender.id) if object_id else None

    async def admit(self, authorization: str, activity: Activity) -> None:
        """Raises `ActivityError` unless the request comes from where it should."""
        if not _is_service(activity.service_url, loopback=self._sdk is None):
            raise ActivityError(403, "request-service-url")
        if self._sdk is None:
            return
        if activity.channel_id != "msteams":
            raise ActivityError(403, "request-channel")
        signed = SdkActivity(channel_id="msteams", service_url=activity.service_url)
        try:
            # The SDK also accepts tokens of its emulator and of other bots, and checks them less strictly.
            token = authorization.partition(" ")[2]
            claims = jwt.decode(token, options={"verify_signature": False})
            if claims.get("iss") != self._issuer:
                raise PermissionError("not a token of the connector")
            try:
                await _checked(self._sdk, signed, authorization)
            except (IndexError, AttributeError):  # how the SDK reports an unknown key
                if time.monotonic() < self._refetch_at:
                    raise
                # Microsoft may have new keys. The SDK would not fetch them for a day.
                self._refetch_at = time.monotonic() + _REFETCH_SECONDS
                auth.JwtTokenExtractor.metadataCache.clear()
                await _checked(self._sdk, signed, authorization)
        except Exception as error:
            # A bad token is a PermissionError, an error of PyJWT, or a bare Exception. Any other OSError,
            # as `requests` raises, means that the keys could not be fetched.
            if isinstance(error, OSError) and not isinstance(error, PermissionError):
                raise ActivityError(503, "request-keys") from error
            raise ActivityError(401, "request-unauthorized") from error


async def _checked(
    sdk: auth.BotFrameworkAuthentication, signed: SdkActivity, authorization: str
) -> None:
    async with asyncio.timeout(_CHECK_SECONDS):
        await asyncio.to_thread(
            lambda: asyncio.run(sdk.authenticate_request(signed, authorization))
        )


def _is_service(url: str, *, loopback: bool) -> bool:
    """Whether messages may go to `url`: the request names it, and the bot's token is sent there."""
    try:
        parts = URL(url)
    except ValueError:
        return False
    host = (parts.raw_host or "").lower()
    clean = not (parts.user or parts.query_string or parts.fragment)
    if loopback:
        return clean and parts.scheme in ("http", "https") and is_loopback(host)
    known = host == _SERVICE_HOST or host.endswith(_SERVICE_DOMAINS)
    return clean and parts.scheme == "https" and parts.port == 443 and known
