"""What settings ask of each other. Each error names the setting to change."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.settings.values import (
    EVERYONE,
    METRICS_OFF,
    METRICS_ON,
    REQUESTER_CHAT,
    AppType,
    DatabaseAuth,
    Environment,
    Exports,
    Gateway,
    RunAs,
    is_loopback,
)

if TYPE_CHECKING:
    from bot.settings.model import Settings

_MIN_KEY_CHARS = 16
_MIN_WEBHOOK_KEY, _MAX_WEBHOOK_KEY = 24, 64  # bytes, by the Standard Webhooks specification


def check(settings: Settings) -> None:
    """Raises ValueError for the first contradiction."""
    _environment(settings)
    _metrics_address(settings)
    _digest_key(settings)
    _step_up(settings)
    _audit_webhook(settings)
    _escalation(settings)
    _tenants(settings)
    _database_auth(settings)


def _environment(settings: Settings) -> None:
    if settings.environment is Environment.LOCAL:
        if not is_loopback(settings.host):
            raise ValueError(
                f"OFFHOOK_HOST is {settings.host!r}, but in `local` anyone who can reach the port can "
                "chat: use 127.0.0.1, or set OFFHOOK_ENVIRONMENT=production"
            )
    else:
        missing = [
            name
            for name, value in (
                ("OFFHOOK_APP_ID", settings.app_id),
                ("OFFHOOK_TENANT_IDS", settings.tenant_ids),
                ("OFFHOOK_REQUESTERS", settings.requesters or settings.policy),
                ("OFFHOOK_APPROVERS", settings.approvers or settings.policy),
            )
            if not value
        ]
        if missing:
            raise ValueError(f"production needs {', '.join(missing)}")
        if EVERYONE in settings.approvers:
            raise ValueError(
                "OFFHOOK_APPROVERS=* is for `local` only: everyone in the tenant, guests "
                "included, could approve password resets. Name users or groups"
            )
        _credential(settings)
        if settings.authority_url:
            raise ValueError("OFFHOOK_AUTHORITY_URL is for `local` only")
        if settings.exports is Exports.LINK:
            raise ValueError("OFFHOOK_EXPORTS=link is for `local` only")
        if settings.gateway is Gateway.SIMULATOR:
            raise ValueError("production needs OFFHOOK_GATEWAY=configapi or powershell")
    for name, url in (
        ("OFFHOOK_CONFIGAPI_URL", settings.configapi_url),
        ("OFFHOOK_GRAPH_URL", settings.graph_url),
        ("OFFHOOK_AUTHORITY_URL", settings.authority_url),
    ):
        if url:
            _base_url(settings, name, url)


def _credential(settings: Settings) -> None:
    """The app needs exactly one credential, of a kind that can do what `run_as` asks."""
    credentials = [
        name
        for name, value in (
            ("OFFHOOK_APP_PASSWORD", settings.app_password.get_secret_value()),
            ("OFFHOOK_APP_CERTIFICATE", settings.app_certificate),
            ("OFFHOOK_APP_TOKEN_FILE", settings.app_token_file),
        )
        if value
    ]
    if settings.app_type is AppType.MANAGED_IDENTITY:
        if credentials:
            raise ValueError(
                f"OFFHOOK_APP_TYPE=UserAssignedMSI cannot be combined with {credentials[0]}"
            )
        if settings.run_as is RunAs.APPROVER:
            raise ValueError(
                "a managed identity cannot act for approvers: set OFFHOOK_RUN_AS=app, or use an "
                "app registration that trusts the identity (OFFHOOK_APP_TYPE=SingleTenant)"
            )
    elif len(credentials) > 1:
        raise ValueError(f"set only one of {' and '.join(credentials)}")
    elif not credentials and not settings.managed_identity:
        raise ValueError(
            "the app has no credential: set OFFHOOK_APP_PASSWORD, OFFHOOK_APP_CERTIFICATE, "
            "OFFHOOK_APP_TOKEN_FILE, or OFFHOOK_MANAGED_IDENTITY"
        )


def _base_url(settings: Settings, name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    local = settings.environment is Environment.LOCAL and is_loopback(parts.hostname or "")
    if parts.scheme != "http" or not local:
        raise ValueError(
            f"{name} is {url!r}, but must be https (http is for loopback in `local` only)"
        )


def _metrics_address(settings: Settings) -> None:
    if settings.metrics in (METRICS_ON, METRICS_OFF):
        return
    host, port = settings.metrics_address
    if settings.local and not is_loopback(host):
        raise ValueError(
            f"OFFHOOK_METRICS is {settings.metrics!r}, but in `local` only this machine may connect: "
            "use a port alone, or 127.0.0.1 as the host"
        )
    if port and (host, port) == (settings.host, settings.port):
        raise ValueError(f"OFFHOOK_METRICS is {settings.metrics!r}, the bot's own port: use `on`")


def _digest_key(settings: Settings) -> None:
    # Not checked with the field: its error would quote the key.
    if 0 < len(settings.digest_key.get_secret_value()) < _MIN_KEY_CHARS:
        raise ValueError(
            f"OFFHOOK_DIGEST_KEY has fewer than {_MIN_KEY_CHARS} characters: make one with "
            "`openssl rand -base64 32`"
        )


def _step_up(settings: Settings) -> None:
    if not settings.step_up:
        return
    if settings.run_as is RunAs.APP:
        raise ValueError(
            "OFFHOOK_STEP_UP needs OFFHOOK_RUN_AS=approver: as the app, Offhook has no token of an "
            "approver that could prove their sign-in"
        )
    if not settings.proves_itself:
        raise ValueError(
            "OFFHOOK_STEP_UP needs Entra ID, and in `local` nobody signs in: remove it"
        )


def _audit_webhook(settings: Settings) -> None:
    # Neither is quoted: the URL, too, may contain a secret.
    url = settings.audit_webhook.get_secret_value()
    if bool(url) != bool(settings.audit_webhook_key.get_secret_value()):
        raise ValueError("OFFHOOK_AUDIT_WEBHOOK and OFFHOOK_AUDIT_WEBHOOK_KEY need each other")
    if not url:
        return
    parts = urlsplit(url)
    local = settings.local and parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or parts.username is not None:
        raise ValueError("OFFHOOK_AUDIT_WEBHOOK must be a URL with a host, and without a login")
    if parts.scheme != "https" and not local:
        raise ValueError(
            "OFFHOOK_AUDIT_WEBHOOK must be https (http is for loopback in `local` only)"
        )
    if not _MIN_WEBHOOK_KEY <= len(settings.webhook_key) <= _MAX_WEBHOOK_KEY:
        raise ValueError(
            f"OFFHOOK_AUDIT_WEBHOOK_KEY is not Base64 of {_MIN_WEBHOOK_KEY} to {_MAX_WEBHOOK_KEY} "
            "bytes: make one with `openssl rand -base64 32`"
        )


def _escalation(settings: Settings) -> None:
    if settings.escalation and settings.escalates_after >= settings.approval_ttl:
        raise ValueError(
            "OFFHOOK_ESCALATE_AFTER is not less than OFFHOOK_APPROVAL_TTL: requests would expire "
            "before they are escalated"
        )
    if not settings.local and EVERYONE in settings.escalation:
        raise ValueError(
            "OFFHOOK_ESCALATION=* is for `local` only: everyone in the tenant, guests included, "
            "could approve password resets. Name users or groups"
        )


def _tenants(settings: Settings) -> None:
    """The app's own permissions, and channels, are those of one tenant, whoever asks."""
    if len({tenant.lower() for tenant in settings.tenant_ids}) < 2:
        return
    for name, acts_as_app in (
        ("OFFHOOK_RUN_AS=app", settings.run_as is RunAs.APP),
        ("OFFHOOK_FOLLOW_AS_APP=true", settings.follow_as_app),
    ):
        if acts_as_app:
            raise ValueError(
                f"{name} serves one tenant, but OFFHOOK_TENANT_IDS has {len(settings.tenant_ids)}: "
                "people of one could reset passwords in another. Run one Offhook per tenant"
            )
    for name, target in (
        ("OFFHOOK_APPROVALS", settings.approvals),
        ("OFFHOOK_NOTIFICATIONS", settings.notifications),
    ):
        if target != REQUESTER_CHAT:
            raise ValueError(
                f"{name} is a channel of one tenant, but OFFHOOK_TENANT_IDS has "
                f"{len(settings.tenant_ids)}: requests of the others would be shown there. "
                "Run one Offhook per tenant"
            )


def _database_auth(settings: Settings) -> None:
    if settings.database_auth is DatabaseAuth.ENTRA and not settings.database.startswith(
        "postgres"
    ):
        raise ValueError(
            "OFFHOOK_DATABASE_AUTH=entra is for PostgreSQL only: set OFFHOOK_DATABASE_URL"
        )
