"""Every setting, in one frozen model read from `OFFHOOK_*` variables and `.env`.

The descriptions are the documentation: the README's table is generated from them.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.settings.checks import check
from bot.settings.clouds import HOSTS, Cloud, Hosts
from bot.settings.scope import AccountScope, parse_scope
from bot.settings.values import (
    DOWNLOAD_HOSTS,
    EVERYONE,
    MAX_PORT,
    METRICS_ON,
    REQUESTER_CHAT,
    Accounts,
    AppType,
    AuthenticationContext,
    CommaSeparated,
    DatabaseAuth,
    Environment,
    Exports,
    Gateway,
    MetricsPlace,
    People,
    Preflight,
    RunAs,
    TimeZone,
)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OFFHOOK_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    environment: Environment = Field(
        Environment.LOCAL,
        description="`local`: anonymous chat, loopback only. `production`: needs an app ID and "
        "tenants.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3978, ge=0, le=MAX_PORT, description="Port to listen on; 0 picks a free one.")
    metrics: MetricsPlace = Field(
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
    accounts: Accounts = Field(
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
    approvers_time_zone: TimeZone = Field(
        "UTC",
        description="Time zone of the approvers, as an IANA name such as `Europe/Berlin`: no reminder "
        "from 20:00 to 07:00, and days of `delegate` end at its midnight.",
    )
    escalation: CommaSeparated = Field(
        (),
        description="Object IDs of users or groups that may approve, too, what nobody has decided in "
        "time. Empty: nobody, or whom the policy file names.",
    )
    escalate_after: float | None = Field(
        None,
        gt=0,
        description="Seconds until a request awaiting approval is escalated; default: half of "
        "`OFFHOOK_APPROVAL_TTL`.",
    )
    break_glass: People = Field(
        (),
        description="Object IDs of users, not groups, that may approve their own request in an "
        "emergency; another approver has to review it. Empty: nobody, or whom the policy file names.",
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
    step_up: AuthenticationContext = Field(
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

    @model_validator(mode="after")
    def _check(self) -> Settings:
        check(self)
        return self

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
