"""Every setting, in one frozen model read from `OFFHOOK_*` variables and `.env`.

The descriptions are the documentation: the README's table is generated from them.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.settings.clouds import HOSTS, Cloud, Hosts
from bot.settings.scope import AccountScope, parse_scope

REQUESTER_CHAT = "requester-chat"
EVERYONE = "*"
METRICS_ON = "on"
METRICS_OFF = "off"
_MAX_PORT = 65535
_CONTEXT = re.compile(r"c[1-9][0-9]?", re.ASCII)
_MIN_KEY_CHARS = 16
_MIN_WEBHOOK_KEY, _MAX_WEBHOOK_KEY = 24, 64  # bytes, by the Standard Webhooks specification
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Where Teams stores chat attachments: OneDrive for Business and SharePoint.
DOWNLOAD_HOSTS = (".sharepoint.com", ".sharepoint.us", ".sharepoint.cn", ".1drv.com", ".svc.ms")


class Environment(StrEnum):
    LOCAL = "local"
    PRODUCTION = "production"


class Gateway(StrEnum):
    SIMULATOR = "simulator"
    CONFIGAPI = "configapi"
    POWERSHELL = "powershell"


class AppType(StrEnum):
    SINGLE_TENANT = "SingleTenant"
    MANAGED_IDENTITY = "UserAssignedMSI"


class DatabaseAuth(StrEnum):
    URL = "url"
    ENTRA = "entra"


class RunAs(StrEnum):
    APPROVER = "approver"
    APP = "app"


class Preflight(StrEnum):
    ON = "on"
    OFF = "off"


class Exports(StrEnum):
    CONSENT = "consent"
    LINK = "link"


def is_loopback(host: str) -> bool:
    """Returns True for a host name or address that always means this machine."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OFFHOOK_", env_file=".env", extra="ignore", frozen=True
    )

    environment: Environment = Field(
        Environment.LOCAL,
        description="`local`: anonymous chat, loopback only. `production`: needs an app ID and "
        "tenants.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        3978, ge=0, le=_MAX_PORT, description="Port to listen on; 0 picks a free one."
    )
    metrics: str = Field(
        METRICS_ON,
        description="Where `/metrics` is served: `on` (the same port), `off`, or another port, as a "
        "number or as `host:port`.",
    )
    data_dir: Path = Field(Path(".data"), description="Folder of the embedded database.")
    database_url: str = Field(
        "",
        description="`sqlite:///path` or `postgresql://…`; default: `offhook.db` in the data folder.",
    )
    database_auth: DatabaseAuth = Field(
        DatabaseAuth.URL,
        description="How Offhook logs in to PostgreSQL: `url` (with the password in the URL, if any) "
        "or `entra` (with a token of the managed identity).",
    )
    gateway: Gateway = Field(
        Gateway.SIMULATOR, description="SIP Gateway: `simulator`, `configapi`, or `powershell`."
    )
    pwsh: str = Field(
        "pwsh",
        min_length=1,
        description="With `powershell`: name or path of a PowerShell that has the MicrosoftTeams "
        "module, version 5.6.0 or later.",
    )
    cloud: Cloud = Field(
        Cloud.PUBLIC, description="Microsoft cloud: `public`, `gcch`, `dod`, or `21vianet`."
    )
    configapi_url: str = Field(
        "", description="Base URL of the Teams ConfigAPI; default: the cloud's."
    )
    graph_url: str = Field("", description="Base URL of Microsoft Graph; default: the cloud's.")
    authority_url: str = Field(
        "", description="Loopback URL that replaces Entra ID and the token service (`local` only)."
    )
    app_id: str = Field("", description="Application (client) ID of the bot.")
    app_type: AppType = Field(
        AppType.SINGLE_TENANT,
        description="`SingleTenant`: an app registration. `UserAssignedMSI`: the managed identity "
        "itself is the app, which then cannot act for approvers.",
    )
    app_password: SecretStr = Field(
        SecretStr(""),
        description="Credential of a `SingleTenant` app: a client secret. Set at most one of secret, "
        "certificate, and token file; with none, the managed identity is the federated credential.",
    )
    app_certificate: Path | None = Field(
        None, description="Or: a PEM or PKCS12 file with a certificate and its private key."
    )
    app_token_file: Path | None = Field(
        None, description="Or: the token file of a Kubernetes workload identity."
    )
    managed_identity: str = Field(
        "", description="Client ID of the user-assigned managed identity that Offhook runs as."
    )
    tenant_ids: CommaSeparated = Field(
        (),
        description="IDs of the tenants that may use the bot, comma-separated; the first is the app's "
        "own. Several need `OFFHOOK_RUN_AS=approver`. Empty in `local`: any tenant.",
    )
    requesters: CommaSeparated = Field(
        (),
        description="Object IDs of users or groups that may request a sign-in; `*`: everyone in the "
        "tenant.",
    )
    approvers: CommaSeparated = Field(
        (),
        description="Object IDs of users or groups that may approve; `*` (`local` only): everyone in "
        "the tenant.",
    )
    four_eyes: bool = Field(True, description="The approver must not be the requester.")
    policy: Path | None = Field(
        None,
        description="A policy file (TOML, see docs/policy.md). It replaces `OFFHOOK_REQUESTERS`, "
        "`OFFHOOK_APPROVERS` and `OFFHOOK_FOUR_EYES`.",
    )
    preflight: Preflight = Field(
        Preflight.ON,
        description="Whether accounts are checked before approval can be requested: `on` or `off`. "
        "Cards say what was not checked.",
    )
    accounts: CommaSeparated = Field(
        (),
        description="Which accounts may be signed in: object IDs of groups or administrative units, or "
        "UPN patterns such as `lobby.*@contoso.com`, comma-separated. Empty: any account that is not "
        "an administrator's, a guest's, or a person's.",
    )
    approval_ttl: float = Field(
        86400, gt=0, description="Seconds until a request awaiting approval expires."
    )
    typed_above: int = Field(
        100,
        ge=0,
        description="Up to this many phones, an approver ticks a box; above, or if accounts are included "
        "that the checks left out, they type the number of passwords that is reset. 0: they always type.",
    )
    approvers_time_zone: str = Field(
        "UTC",
        description="Time zone of the approvers, as an IANA name such as `Europe/Berlin`: no reminder "
        "from 20:00 to 07:00, and days of `delegate` end at its midnight.",
    )
    escalation: CommaSeparated = Field(
        (),
        description="Object IDs of users or groups that may approve, too, what nobody has decided in "
        "time. Empty: nobody.",
    )
    escalate_after: float | None = Field(
        None,
        gt=0,
        description="Seconds until a request awaiting approval is escalated; default: half of "
        "`OFFHOOK_APPROVAL_TTL`.",
    )
    break_glass: CommaSeparated = Field(
        (),
        description="Object IDs of users, not groups, that may approve their own request in an "
        "emergency; another approver has to review it. Empty: nobody.",
    )
    digest_key: SecretStr = Field(
        SecretStr(""),
        description="Secret, kept outside the database, of at least 16 characters. With it, nobody who "
        "can only write to the database can change what was approved.",
    )
    approvals: str = Field(
        REQUESTER_CHAT, description="Where approval cards go: a channel ID or `requester-chat`."
    )
    audit_webhook: SecretStr = Field(
        SecretStr(""),
        description="URL (https) to which each event of the audit is posted, for a SIEM.",
    )
    audit_webhook_key: SecretStr = Field(
        SecretStr(""),
        description="With it: the secret that signs what is posted, in Base64 (24 to 64 bytes): "
        "`openssl rand -base64 32`.",
    )
    audit_anchors: bool = Field(
        True,
        description="Whether an anchor of the audit is posted daily to the channel of "
        "`OFFHOOK_NOTIFICATIONS`. Never to a requester's chat.",
    )
    notifications: str = Field(
        REQUESTER_CHAT, description="Where notifications go: a channel ID or `requester-chat`."
    )
    poll_seconds: float = Field(5, gt=0, description="First poll interval of a batch, in seconds.")
    download_hosts: CommaSeparated = Field(
        DOWNLOAD_HOSTS, description="Host suffixes that attachments may be downloaded from."
    )
    run_as: RunAs = Field(
        RunAs.APPROVER, description="Whose permissions a sign-in uses: `approver` or `app`."
    )
    oauth_connection: str = Field(
        "approver",
        description="With `approver`: name of the Azure Bot's OAuth connection for delegations.",
    )
    step_up: str = Field(
        "",
        description="With `approver`: the authentication context (`c1` to `c99`) that approvers have to "
        "satisfy for each approval. Empty: none.",
    )
    follow_as_app: bool = Field(
        False,
        description="With `approver`: while there is no delegation, poll submitted batches with the "
        "app's own permissions. The app needs the Entra roles for that.",
    )
    exports: Exports = Field(
        Exports.CONSENT,
        description="How an export reaches a 1:1 chat: `consent` (OneDrive) or `link` (`local` only, "
        "for chat clients that do not support files).",
    )
    scenario: Path | None = Field(None, description="Scenario file of the simulator (`local`).")

    @field_validator(
        "tenant_ids",
        "requesters",
        "approvers",
        "accounts",
        "escalation",
        "break_glass",
        "download_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check_environment(self) -> Settings:
        if self.environment is Environment.LOCAL:
            if not is_loopback(self.host):
                raise ValueError(
                    f"OFFHOOK_HOST is {self.host!r}, but in `local` anyone who can reach the port can "
                    "chat: use 127.0.0.1, or set OFFHOOK_ENVIRONMENT=production"
                )
        else:
            missing = [
                name
                for name, value in (
                    ("OFFHOOK_APP_ID", self.app_id),
                    ("OFFHOOK_TENANT_IDS", self.tenant_ids),
                    ("OFFHOOK_REQUESTERS", self.requesters or self.policy),
                    ("OFFHOOK_APPROVERS", self.approvers or self.policy),
                )
                if not value
            ]
            if missing:
                raise ValueError(f"production needs {', '.join(missing)}")
            if EVERYONE in self.approvers:
                raise ValueError(
                    "OFFHOOK_APPROVERS=* is for `local` only: everyone in the tenant, guests "
                    "included, could approve password resets. Name users or groups"
                )
            self._check_credential()
            if self.authority_url:
                raise ValueError("OFFHOOK_AUTHORITY_URL is for `local` only")
            if self.exports is Exports.LINK:
                raise ValueError("OFFHOOK_EXPORTS=link is for `local` only")
            if self.gateway is Gateway.SIMULATOR:
                raise ValueError("production needs OFFHOOK_GATEWAY=configapi or powershell")
        for name, url in (
            ("OFFHOOK_CONFIGAPI_URL", self.configapi_url),
            ("OFFHOOK_GRAPH_URL", self.graph_url),
            ("OFFHOOK_AUTHORITY_URL", self.authority_url),
        ):
            if url:
                self._check_base_url(name, url)
        return self

    @field_validator("accounts")
    @classmethod
    def _check_accounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        parse_scope(value)
        return value

    @field_validator("approvers_time_zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        value = value.strip()
        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(
                f"{value!r} is no time zone: write an IANA name such as Europe/Berlin"
            ) from None
        return value

    @field_validator("break_glass")
    @classmethod
    def _check_break_glass(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not _OBJECT_ID.fullmatch(each):
                raise ValueError(
                    f"{each!r} is no object ID: name each person, without groups and without `*`"
                )
        return value

    @field_validator("step_up")
    @classmethod
    def _check_context(cls, value: str) -> str:
        value = value.strip().lower()
        if value and not _CONTEXT.fullmatch(value):
            raise ValueError("write the ID of an authentication context, c1 to c99")
        return value

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, value: str) -> str:
        value = value.strip()
        if value.lower() in (METRICS_ON, METRICS_OFF):
            return value.lower()
        port = value.rpartition(":")[2]
        if not (port.isascii() and port.isdigit() and int(port) <= _MAX_PORT):
            raise ValueError("write on, off, a port, or host:port")
        return value

    @model_validator(mode="after")
    def _check_metrics_address(self) -> Settings:
        if self.metrics in (METRICS_ON, METRICS_OFF):
            return self
        host, port = self.metrics_address
        if self.local and not is_loopback(host):
            raise ValueError(
                f"OFFHOOK_METRICS is {self.metrics!r}, but in `local` only this machine may connect: "
                "use a port alone, or 127.0.0.1 as the host"
            )
        if port and (host, port) == (self.host, self.port):
            raise ValueError(f"OFFHOOK_METRICS is {self.metrics!r}, the bot's own port: use `on`")
        return self

    @model_validator(mode="after")
    def _check_digest_key(self) -> Settings:
        # Not a validator of the field: its error would quote the key.
        if 0 < len(self.digest_key.get_secret_value()) < _MIN_KEY_CHARS:
            raise ValueError(
                f"OFFHOOK_DIGEST_KEY has fewer than {_MIN_KEY_CHARS} characters: make one with "
                "`openssl rand -base64 32`"
            )
        return self

    @model_validator(mode="after")
    def _check_step_up(self) -> Settings:
        if not self.step_up:
            return self
        if self.run_as is RunAs.APP:
            raise ValueError(
                "OFFHOOK_STEP_UP needs OFFHOOK_RUN_AS=approver: as the app, Offhook has no token of an "
                "approver that could prove their sign-in"
            )
        if not self.proves_itself:
            raise ValueError(
                "OFFHOOK_STEP_UP needs Entra ID, and in `local` nobody signs in: remove it"
            )
        return self

    @model_validator(mode="after")
    def _check_audit_webhook(self) -> Settings:
        # Neither is quoted: the URL, too, may contain a secret.
        url = self.audit_webhook.get_secret_value()
        if bool(url) != bool(self.audit_webhook_key.get_secret_value()):
            raise ValueError("OFFHOOK_AUDIT_WEBHOOK and OFFHOOK_AUDIT_WEBHOOK_KEY need each other")
        if not url:
            return self
        parts = urlsplit(url)
        local = self.local and parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or parts.username is not None:
            raise ValueError("OFFHOOK_AUDIT_WEBHOOK must be a URL with a host, and without a login")
        if parts.scheme != "https" and not local:
            raise ValueError(
                "OFFHOOK_AUDIT_WEBHOOK must be https (http is for loopback in `local` only)"
            )
        if not _MIN_WEBHOOK_KEY <= len(self.webhook_key) <= _MAX_WEBHOOK_KEY:
            raise ValueError(
                f"OFFHOOK_AUDIT_WEBHOOK_KEY is not Base64 of {_MIN_WEBHOOK_KEY} to {_MAX_WEBHOOK_KEY} "
                "bytes: make one with `openssl rand -base64 32`"
            )
        return self

    @model_validator(mode="after")
    def _check_escalation(self) -> Settings:
        if self.escalation and self.escalates_after >= self.approval_ttl:
            raise ValueError(
                "OFFHOOK_ESCALATE_AFTER is not less than OFFHOOK_APPROVAL_TTL: requests would expire "
                "before they are escalated"
            )
        if not self.local and EVERYONE in self.escalation:
            raise ValueError(
                "OFFHOOK_ESCALATION=* is for `local` only: everyone in the tenant, guests included, "
                "could approve password resets. Name users or groups"
            )
        return self

    @model_validator(mode="after")
    def _check_tenants(self) -> Settings:
        """The app's own permissions, and channels, are those of one tenant, whoever asks."""
        if len({tenant.lower() for tenant in self.tenant_ids}) < 2:
            return self
        for name, acts_as_app in (
            ("OFFHOOK_RUN_AS=app", self.run_as is RunAs.APP),
            ("OFFHOOK_FOLLOW_AS_APP=true", self.follow_as_app),
        ):
            if acts_as_app:
                raise ValueError(
                    f"{name} serves one tenant, but OFFHOOK_TENANT_IDS has {len(self.tenant_ids)}: "
                    "people of one could reset passwords in another. Run one Offhook per tenant"
                )
        for name, target in (
            ("OFFHOOK_APPROVALS", self.approvals),
            ("OFFHOOK_NOTIFICATIONS", self.notifications),
        ):
            if target != REQUESTER_CHAT:
                raise ValueError(
                    f"{name} is a channel of one tenant, but OFFHOOK_TENANT_IDS has "
                    f"{len(self.tenant_ids)}: requests of the others would be shown there. "
                    "Run one Offhook per tenant"
                )
        return self

    @model_validator(mode="after")
    def _check_database_auth(self) -> Settings:
        if self.database_auth is DatabaseAuth.ENTRA and not self.database.startswith("postgres"):
            raise ValueError(
                "OFFHOOK_DATABASE_AUTH=entra is for PostgreSQL only: set OFFHOOK_DATABASE_URL"
            )
        return self

    def _check_base_url(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return
        local = self.environment is Environment.LOCAL and is_loopback(parts.hostname or "")
        if parts.scheme != "http" or not local:
            raise ValueError(
                f"{name} is {url!r}, but must be https (http is for loopback in `local` only)"
            )

    def _check_credential(self) -> None:
        """The app needs exactly one credential, of a kind that can do what `run_as` asks."""
        credentials = [
            name
            for name, value in (
                ("OFFHOOK_APP_PASSWORD", self.app_password.get_secret_value()),
                ("OFFHOOK_APP_CERTIFICATE", self.app_certificate),
                ("OFFHOOK_APP_TOKEN_FILE", self.app_token_file),
            )
            if value
        ]
        if self.app_type is AppType.MANAGED_IDENTITY:
            if credentials:
                raise ValueError(
                    f"OFFHOOK_APP_TYPE=UserAssignedMSI cannot be combined with {credentials[0]}"
                )
            if self.run_as is RunAs.APPROVER:
                raise ValueError(
                    "a managed identity cannot act for approvers: set OFFHOOK_RUN_AS=app, or use an "
                    "app registration that trusts the identity (OFFHOOK_APP_TYPE=SingleTenant)"
                )
        elif len(credentials) > 1:
            raise ValueError(f"set only one of {' and '.join(credentials)}")
        elif not credentials and not self.managed_identity:
            raise ValueError(
                "the app has no credential: set OFFHOOK_APP_PASSWORD, OFFHOOK_APP_CERTIFICATE, "
                "OFFHOOK_APP_TOKEN_FILE, or OFFHOOK_MANAGED_IDENTITY"
            )

    @property
    def hosts(self) -> Hosts:
        """Base URLs of the remote services: the cloud's, unless a setting replaces them."""
        hosts = HOSTS[self.cloud]
        authority = self.authority_url.rstrip("/")
        return replace(
            hosts,
            configapi=self.configapi_url or hosts.configapi,
            graph=self.graph_url or hosts.graph,
            authority=authority or hosts.authority,
            token_service=authority or hosts.token_service,
        )

    @property
    def graph_scope(self) -> str:
        """OAuth scope of the cloud's Microsoft Graph, wherever its requests are sent."""
        return f"{HOSTS[self.cloud].graph}/.default"

    @property
    def metrics_address(self) -> tuple[str, int]:
        """Host and port of `/metrics`, unless it is `on` or `off`; by default on the bot's own host."""
        host, _, port = self.metrics.rpartition(":")
        return host.strip("[]") or self.host, int(port)

    @property
    def webhook_key(self) -> bytes:
        """The key of the audit's webhook; empty if there is none, or it is not Base64."""
        text = self.audit_webhook_key.get_secret_value().removeprefix("whsec_")
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            return b""

    @property
    def anchors_in(self) -> str:
        """The channel in which the audit is anchored daily; "" if it is not."""
        posts = self.audit_anchors and self.notifications != REQUESTER_CHAT
        return self.notifications if posts else ""

    @property
    def home_tenant(self) -> str:
        """ID of the app's own tenant, the first; "" in `local` if there is none."""
        return next(iter(self.tenant_ids), "")

    @property
    def zone(self) -> ZoneInfo:
        """The approvers' time zone."""
        return ZoneInfo(self.approvers_time_zone)

    @property
    def escalates_after(self) -> float:
        """Seconds until a request awaiting approval is escalated, if there is an escalation."""
        return self.approval_ttl / 2 if self.escalate_after is None else self.escalate_after

    @property
    def scope(self) -> AccountScope:
        """The accounts that may be signed in."""
        return parse_scope(self.accounts)

    @property
    def checks_accounts(self) -> bool:
        """Whether accounts are checked before approval can be requested."""
        return self.preflight is Preflight.ON

    @property
    def signed(self) -> bool:
        """Whether chat requests must carry a token of the connector."""
        return bool(self.app_id) and not self.authority_url

    @property
    def proves_itself(self) -> bool:
        """Whether the app authenticates to Entra ID. In `local` it uses a dummy token, unless
        `authority_url` names a simulated Entra ID."""
        return not self.local or bool(self.authority_url)

    @property
    def local(self) -> bool:
        return self.environment is Environment.LOCAL

    @property
    def may_request(self) -> tuple[str, ...]:
        """Object IDs, or `*`; in `local`, everyone if the setting is empty."""
        return self.requesters or (EVERYONE,)

    @property
    def may_approve(self) -> tuple[str, ...]:
        """Object IDs, or `*`; in `local`, everyone if the setting is empty."""
        return self.approvers or (EVERYONE,)

    def told(self) -> dict[str, str]:
        """The settings that were set, for the audit: secrets only as set, the database without its login."""
        told = {name: str(getattr(self, name)) for name in sorted(self.model_fields_set)}
        if self.database_url:
            url = urlsplit(self.database_url)
            told["database_url"] = f"{url.scheme}://{url.hostname or ''}{url.path}"
        return told

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that were set, by name: what `told` does not tell."""
        values = {name: getattr(self, name) for name in sorted(self.model_fields_set)}
        secrets = {
            name: value.get_secret_value()
            for name, value in values.items()
            if isinstance(value, SecretStr)
        }
        return secrets | ({"database_url": self.database_url} if self.database_url else {})

    @property
    def database(self) -> str:
        """The database URL, with the default filled in."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'offhook.db').absolute()}"

    @property
    def attachment_hosts(self) -> tuple[str, ...]:
        """Host suffixes that attachments may be downloaded from; `local` adds loopback."""
        if self.local:
            return (*self.download_hosts, "127.0.0.1", "localhost", "::1")
        return self.download_hosts
