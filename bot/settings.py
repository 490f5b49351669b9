"""Every setting, in one frozen model read from `OFFHOOK_*` variables and `.env`.

The descriptions are the documentation: the README's table is made from them.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REQUESTER_CHAT = "requester-chat"
EVERYONE = "*"
# What Microsoft serves attachments of chats from: OneDrive for Business and SharePoint.
DOWNLOAD_HOSTS = (".sharepoint.com", ".sharepoint.us", ".sharepoint.cn", ".1drv.com", ".svc.ms")


class Environment(StrEnum):
    LOCAL = "local"
    PRODUCTION = "production"


class Gateway(StrEnum):
    SIMULATOR = "simulator"
    CONFIGAPI = "configapi"


class RunAs(StrEnum):
    APPROVER = "approver"
    APP = "app"


class Exports(StrEnum):
    CONSENT = "consent"
    LINK = "link"


def is_loopback(host: str) -> bool:
    """True for a name or address that can only be this machine."""
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
        description="`local`: anonymous chat, loopback only. `production`: needs app id and tenants.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3978, ge=0, le=65535, description="Port to listen on; 0 = any free one.")
    data_dir: Path = Field(Path(".data"), description="Where the embedded database is kept.")
    database_url: str = Field(
        "",
        description="`sqlite:///path` or `postgresql://…`; default: `offhook.db` in the data folder.",
    )
    gateway: Gateway = Field(
        Gateway.SIMULATOR, description="The SIP Gateway: `simulator` or `configapi`."
    )
    configapi_url: str = Field("", description="Base URL of Microsoft's Teams ConfigAPI.")
    graph_url: str = Field("", description="Base URL of Microsoft Graph.")
    app_id: str = Field("", description="Application (client) id of the bot.")
    app_password: SecretStr = Field(SecretStr(""), description="Client secret of the bot.")
    app_type: str = Field("SingleTenant", description="`SingleTenant` or `UserAssignedMSI`.")
    tenant_ids: CommaSeparated = Field(
        (),
        description="Tenants that may use the bot, comma-separated; the first is the home tenant "
        "of the provisioning URLs. Empty in `local`: any.",
    )
    requesters: CommaSeparated = Field(
        (), description="Object ids of users or groups who may ask; `*`: everybody in the tenant."
    )
    approvers: CommaSeparated = Field(
        (), description="Object ids of users or groups who may approve; `*`: everybody."
    )
    four_eyes: bool = Field(True, description="Requester and approver must differ.")
    approval_ttl: float = Field(86400, gt=0, description="Seconds until a request expires.")
    approvals: str = Field(
        REQUESTER_CHAT, description="Where approval cards go: a channel id or `requester-chat`."
    )
    notifications: str = Field(
        REQUESTER_CHAT, description="Where notices go: a channel id or `requester-chat`."
    )
    poll_seconds: float = Field(5, gt=0, description="First poll interval of a batch, in seconds.")
    download_hosts: CommaSeparated = Field(
        DOWNLOAD_HOSTS, description="Host suffixes from which attachments may be fetched."
    )
    run_as: RunAs = Field(
        RunAs.APPROVER, description="Whose rights the sign-in uses: `approver` or `app`."
    )
    exports: Exports = Field(
        Exports.CONSENT,
        description="How a file reaches a 1:1 chat: `consent` (OneDrive), or `link` (`local` only, "
        "for chat clients without files).",
    )
    scenario: Path | None = Field(None, description="Scenario file of the simulator (`local`).")

    @field_validator("tenant_ids", "requesters", "approvers", "download_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if self.environment is Environment.LOCAL:
            if not is_loopback(self.host):
                raise ValueError(
                    f"OFFHOOK_HOST is {self.host!r}, but in `local` anybody who reaches the port may "
                    "chat: use 127.0.0.1, or set OFFHOOK_ENVIRONMENT=production"
                )
        else:
            missing = [
                name
                for name, value in (
                    ("OFFHOOK_APP_ID", self.app_id),
                    ("OFFHOOK_TENANT_IDS", self.tenant_ids),
                    ("OFFHOOK_REQUESTERS", self.requesters),
                    ("OFFHOOK_APPROVERS", self.approvers),
                )
                if not value
            ]
            if missing:
                raise ValueError(f"production needs {', '.join(missing)}")
            if self.exports is Exports.LINK:
                raise ValueError("OFFHOOK_EXPORTS=link is for `local` only")
            if self.gateway is Gateway.SIMULATOR:
                raise ValueError("production needs OFFHOOK_GATEWAY=configapi")
        for name, url in (
            ("OFFHOOK_CONFIGAPI_URL", self.configapi_url),
            ("OFFHOOK_GRAPH_URL", self.graph_url),
        ):
            if url:
                self._check_base_url(name, url)
        return self

    def _check_base_url(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return
        local = self.environment is Environment.LOCAL and is_loopback(parts.hostname or "")
        if parts.scheme != "http" or not local:
            raise ValueError(
                f"{name} is {url!r}: it must be https (http is for loopback in `local` only)"
            )

    @property
    def local(self) -> bool:
        return self.environment is Environment.LOCAL

    @property
    def may_request(self) -> tuple[str, ...]:
        """Object ids, or `*`: in `local`, everybody unless somebody is named."""
        return self.requesters or (EVERYONE,)

    @property
    def may_approve(self) -> tuple[str, ...]:
        return self.approvers or (EVERYONE,)

    @property
    def database(self) -> str:
        """The database URL, with the default filled in."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'offhook.db').absolute()}"

    @property
    def attachment_hosts(self) -> tuple[str, ...]:
        """Host suffixes for downloads; `local` adds loopback."""
        if self.local:
            return (*self.download_hosts, "127.0.0.1", "localhost", "::1")
        return self.download_hosts
