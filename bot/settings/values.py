"""What a setting's value may be: choices, special values, and the types of what is checked by itself."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from bot.settings.scope import parse_scope

REQUESTER_CHAT = "requester-chat"
EVERYONE = "*"
METRICS_ON = "on"
METRICS_OFF = "off"
MAX_PORT = 65535
# Where Teams stores chat attachments: OneDrive for Business and SharePoint.
DOWNLOAD_HOSTS = (".sharepoint.com", ".sharepoint.us", ".sharepoint.cn", ".1drv.com", ".svc.ms")
_CONTEXT = re.compile(r"c[1-9][0-9]?", re.ASCII)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _accounts(value: tuple[str, ...]) -> tuple[str, ...]:
    parse_scope(value)
    return value


def _people(value: tuple[str, ...]) -> tuple[str, ...]:
    for each in value:
        if not _OBJECT_ID.fullmatch(each):
            raise ValueError(
                f"{each!r} is no object ID: name each person, without groups and without `*`"
            )
    return value


def _zone(value: str) -> str:
    value = value.strip()
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            f"{value!r} is no time zone: write an IANA name such as Europe/Berlin"
        ) from None
    return value


def _context(value: str) -> str:
    value = value.strip().lower()
    if value and not _CONTEXT.fullmatch(value):
        raise ValueError("write the ID of an authentication context, c1 to c99")
    return value


def _metrics(value: str) -> str:
    value = value.strip()
    if value.lower() in (METRICS_ON, METRICS_OFF):
        return value.lower()
    port = value.rpartition(":")[2]
    if not (port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise ValueError("write on, off, a port, or host:port")
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Accounts = Annotated[CommaSeparated, AfterValidator(_accounts)]
People = Annotated[CommaSeparated, AfterValidator(_people)]  #: object IDs of users
TimeZone = Annotated[str, AfterValidator(_zone)]  #: IANA name
AuthenticationContext = Annotated[str, AfterValidator(_context)]  #: its ID; "" for none
MetricsPlace = Annotated[str, AfterValidator(_metrics)]
