"""A scenario: how the simulated far sides behave. Built in code, or read from a small TOML file:

seed = 7
batch_seconds = 3.0

[outcomes]                                  # by account or phone
"lobby-3@contoso.com" = "device-offline"    # a cause, or any text of your own
"00-04-F2-00-00-01" = ["ad-throttling", "success"]  # first time, and from then on

[shares]                                    # by chance, the same in every run of one seed
device-offline = 0.03

[[faults]]
call = "createbatch"
nth = 2
fault = "timeout-accepted"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bot.phones.region import Region
from bot.signin.batch import MAX_BATCHES_PER_REGION, MAX_PHONES_PER_BATCH

SUCCESS = "success"

# The service's own texts (Microsoft, "Configure SIP Gateway", error table) by the code that
# `bot.signin.outcome` gives them; the second text about trusted addresses has a name of its own.
MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "user-not-found": "User not found in tenant.",
        "no-phone-number": "User missing phone number assignment.",
        "no-sip-calling-policy": "User missing AllowSIPDevicesCalling policy assignment",
        "no-cap-policy": "User missing CAP policy assignment.",
        "device-not-found": "Device not found in records.",
        "no-tenant-tag": "BulkSignIn Tag missing for the device",
        "device-offline": "Device is offline.",
        "ip-not-trusted": "Public IP not configured as Trusted IP.",
        "ip-not-trusted-named": "Public IP IPv4 - 203.0.113.7 , IPv6 - 2001:db8::7 for the device "
        "is not trusted. Please whitelist the public IP in TAC",
        "deadline-expired": "Bulk Sign-in deadline expired.",
        "duplicate-devices": "Duplicate devices found for bulk sign-in. 203.0.113.7, 203.0.113.8",
        "wrong-hardware-id": "Input hardware-ID is of wrong format",
        "ad-configuration": "On-premises AD configuration failure.",
        "ad-throttling": "On-premises AD throttling detected",
        "password-writeback": "The Password writeback service failed to set a password on the "
        "tenant's local directory.",
    }
)


class ScenarioError(Exception):
    """The file is no scenario; the message is one sentence that says where and why."""


def message(outcome: str) -> str:
    """The service's text for an outcome: of a cause by its code, or any text as it is."""
    return MESSAGES.get(outcome, outcome)


def _known_outcome(outcome: str) -> str:
    looks_like_a_code = re.fullmatch(r"[a-z]+(?:-[a-z]+)*", outcome)
    if looks_like_a_code and outcome != SUCCESS and outcome not in MESSAGES:
        raise ValueError(f"{outcome!r} is not one of: {', '.join((SUCCESS, *MESSAGES))}")
    return outcome


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Outcome = Annotated[str, Field(min_length=1), AfterValidator(_known_outcome)]
Outcomes = Annotated[tuple[Outcome, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Call(StrEnum):
    """What the far sides can be asked, and so where a fault can strike."""

    DISCOVERY = "serviceDiscovery"
    CREATE_BATCH = "createbatch"
    BATCH_STATUS = "batchstatus"
    BATCH_SUMMARIES = "batchsummaries"
    POLICIES = "configurations"
    TENANTS = "tenants"
    USERS = "users"
    GROUPS = "checkMemberGroups"
    LIST_USERS = "list-users"
    LIST_GROUPS = "list-groups"
    SEND = "send"
    UPDATE = "update"
    DELETE = "delete"
    CREATE_CONVERSATION = "create-conversation"
    MEMBERS = "members"
    TOKEN = "token"  # noqa: S105 - Entra ID's
    GET_USER_TOKEN = "GetToken"  # noqa: S105
    EXCHANGE = "exchange"
    SIGN_OUT = "SignOut"
    SIGN_IN_RESOURCE = "GetSignInResource"


class FaultKind(StrEnum):
    """A status to answer with, or a way to lose the answer. `…-accepted`: after the work was done."""

    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    PRECONDITION_FAILED = "412"
    THROTTLED = "429"
    SERVER_ERROR = "500"
    SERVER_ERROR_ACCEPTED = "500-accepted"
    BAD_GATEWAY = "502"
    BAD_GATEWAY_ACCEPTED = "502-accepted"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    TIMEOUT_LOST = "timeout-lost"
    TIMEOUT_ACCEPTED = "timeout-accepted"
    DROP_LOST = "drop-lost"
    DROP_ACCEPTED = "drop-accepted"
    GARBAGE = "garbage"  # 200 and nonsense, after the work was done
    GONE = "gone"  # updates only: the message has been deleted

    @property
    def accepted(self) -> bool:
        return self is FaultKind.GARBAGE or self.endswith("-accepted")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Model):
    """Strikes from the `nth` call that fits on, `times` times (0: for good)."""

    call: Call
    fault: FaultKind
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=0)] = 1
    region: Region | None = None  # createbatch: only in this region
    retry_after: float | str | None = None  # seconds or an HTTP date
    message: str = ""  # instead of the usual text
    body: str = "<html>garbage</html>"  # of `garbage`


class Statuses(_Model):
    """Names of states. Only `Completed`, `success` and `failed` are known of the real service."""

    queued: str = "Queued"
    running: str = "InProgress"
    completed: str = "Completed"
    item_waiting: str = "NotStarted"
    item_running: str = "InProgress"
    item_success: str = SUCCESS
    item_failed: str = "failed"


class Wire(_Model):
    """How bodies are written, which is not published of the real service."""

    casing: Literal["pascal", "camel", "lower"] = "camel"
    plural: bool = False  # `batchItems` instead of `batchItem`
    bare_id: bool = False  # createbatch answers with a JSON string
    wrapped_list: bool = False  # batchsummaries answers with an object that holds the list
    errors: Literal["error", "message", "text"] = "error"


class Summaries(_Model):
    listed: bool = True  # False: the list stays empty
    lag: Seconds = 0.0  # seconds until a new batch shows up
    details: bool = True  # False: id and status only


class Connector(_Model):
    """The Teams side. Limits: Microsoft, "Optimize your bot with rate limiting in Teams"."""

    latency: Seconds = 0.0
    limits: bool = True
    scale: Annotated[float, Field(gt=0)] = 1.0  # factor on the lengths of the windows
    retry_after: bool = True  # send Retry-After with a 429
    conflicts: bool = True  # 412 for two operations at once on one conversation
    blocked: tuple[str, ...] = ()  # conversations that answer 403


class Person(_Model):
    object_id: str
    name: str
    principal: str


# The people of Microsoft's local chat client. Its own default object ids have a digit too many to
# be GUIDs; these have it taken out.
PEOPLE = tuple(
    Person(
        object_id=f"00000000-0000-0000-0000-0000000000{20 + number}",
        name=name,
        principal=f"{name.split()[0].lower()}{name.split()[1][0].lower()}@example.com",
    )
    for number, name in enumerate(
        (
            "Alex Wilber",
            "Megan Bowen",
            "Adele Vance",
            "Isaiah Langer",
            "Patti Fernandez",
            "Lynne Robbins",
        )
    )
)


class Scenario(_Model):
    seed: int = 1
    latency: Seconds = 0.0  # of every ConfigAPI and Graph call: half before the work, half after
    batch_seconds: Seconds = 2.0  # how long a batch runs; its phones end one after the other
    outcomes: Mapping[str, Outcomes] = Field(default_factory=dict)
    shares: Mapping[Outcome, Share] = Field(default_factory=dict)
    stuck: tuple[int, ...] = ()  # batches (the first is 1) whose second half never ends
    enforce_limits: bool = True
    max_per_region: Annotated[int, Field(ge=1)] = MAX_BATCHES_PER_REGION
    max_devices: Annotated[int, Field(ge=1)] = MAX_PHONES_PER_BATCH
    faults: tuple[Fault, ...] = ()
    statuses: Statuses = Statuses()
    wire: Wire = Wire()
    summaries: Summaries = Summaries()
    connector: Connector = Connector()
    people: tuple[Person, ...] = PEOPLE
    anyone: bool = True  # invent a person for any id that is not listed
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)  # group id -> object ids
    bulk_sign_in: bool = True  # the tenant's switch
    trusted_addresses: bool = True  # False: the tenant has none

    @model_validator(mode="after")
    def _shares_fit(self) -> Scenario:
        if sum(self.shares.values()) > 1:
            raise ValueError("the shares add up to more than 1")
        return self

    @classmethod
    def load(cls, path: Path) -> Scenario:
        """Read a TOML file. Raises `ScenarioError`."""
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ScenarioError(f"{path}: is not UTF-8 text") from error
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(f"{path}: is not TOML: {error}") from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first, *others = error.errors(include_url=False, include_context=False)
            where = ".".join(str(part) for part in first["loc"])
            more = f" (and {len(others)} more)" if others else ""
            at = f"{where}: " if where else ""
            reason = first["msg"].removeprefix("Value error, ")
            raise ScenarioError(f"{path}: {at}{reason}{more}") from error
