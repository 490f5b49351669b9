"""Scenarios: how the simulated remote services behave. Built in code, or read from a TOML file:

seed = 7
batch_seconds = 3.0

[outcomes]                                  # by account or hardware ID
"lobby-3@contoso.com" = "device-offline"    # a cause's code, or any text
"00-04-F2-00-00-01" = ["ad-throttling", "success"]  # first attempt, then all later ones

[shares]                                    # probabilities; the same outcomes in every run of a seed
device-offline = 0.03

[accounts."lobby-4@contoso.com"]            # what differs from a healthy phone account
number = false                              # Graph says so, and the sign-in fails for it

[[conditional_access]]
name = "Require MFA"
exclude = ["lobby-5@contoso.com"]

[graph]
permissions = ["User.Read.All"]

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
from bot.simulator.tenant import (
    GATEWAY_APPLICATIONS,
    AccessPolicy,
    Account,
    CallingPolicy,
    GraphApi,
    SignInLog,
)

SUCCESS = "success"

# The SIP Gateway's error texts (Microsoft, "Configure SIP Gateway", error table), keyed by the codes of
# `bot.signin.outcome`. The second text about trusted addresses has its own key here.
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
    """The file is not a valid scenario. The message is one sentence with the location and reason."""


def message(outcome: str) -> str:
    """The SIP Gateway's text for a cause's code; any other text unchanged."""
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
    """Calls to the simulated services, each of which can have a fault."""

    DISCOVERY = "serviceDiscovery"
    CREATE_BATCH = "createbatch"
    BATCH_STATUS = "batchstatus"
    BATCH_SUMMARIES = "batchsummaries"
    POLICIES = "configurations"
    TENANTS = "tenants"
    TEAMS_USER = "teams-user"
    GRANT = "grant"
    CREATE_POLICY = "create-policy"
    SWITCH = "switch"
    USERS = "users"
    GROUPS = "checkMemberGroups"
    LIST_USERS = "list-users"
    LIST_GROUPS = "list-groups"
    GRAPH_BATCH = "$batch"
    ACCOUNTS = "accounts"
    CONFIGURATION = "userConfigurations"
    MFA = "requirements"
    GROUP_MEMBERS = "transitiveMembers"
    UNIT_MEMBERS = "administrativeUnits"
    ROLE_DEFINITIONS = "roleDefinitions"
    ROLES = "roleAssignments"
    ELIGIBLE_ROLES = "roleEligibilityScheduleInstances"
    ACCESS_POLICIES = "conditionalAccess"
    WHAT_IF = "evaluate"
    ACCESS_CONTEXTS = "authenticationContext"
    SECURITY_DEFAULTS = "securityDefaults"
    SERVICE_PRINCIPALS = "servicePrincipals"
    SIGN_INS = "signIns"
    GROUP = "group"
    UNIT = "administrativeUnit"
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
    """An HTTP status to respond with, or a way to lose the response.

    `…-accepted` and `garbage` take effect after the work is done, all others instead of it.
    """

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
    GARBAGE = "garbage"  # 200 with an unreadable body
    GONE = "gone"  # updates only: the message has been deleted

    @property
    def accepted(self) -> bool:
        """Whether the work is done before the fault takes effect."""
        return self is FaultKind.GARBAGE or self.endswith("-accepted")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Model):
    """A rule that makes calls fail."""

    call: Call
    fault: FaultKind
    #: First matching call that fails, from 1.
    nth: Annotated[int, Field(ge=1)] = 1
    #: How many matching calls fail in a row; 0 for all.
    times: Annotated[int, Field(ge=0)] = 1
    #: createbatch only: limit to this region. None for all.
    region: Region | None = None
    #: Retry-After header: seconds or an HTTP date. None for no header.
    retry_after: float | str | None = None
    #: Error message; "" for the status's standard text.
    message: str = ""
    #: Response body of `garbage`.
    body: str = "<html>garbage</html>"


class Statuses(_Model):
    """Status names. Only `Completed`, `success` and `failed` are known for the real SIP Gateway."""

    queued: str = "Queued"
    running: str = "InProgress"
    completed: str = "Completed"
    item_waiting: str = "NotStarted"
    item_running: str = "InProgress"
    item_success: str = SUCCESS
    item_failed: str = "failed"


class Wire(_Model):
    """The format of response bodies, which is not published for the real SIP Gateway."""

    #: Casing of field names.
    casing: Literal["pascal", "camel", "lower"] = "camel"
    #: `batchItems` instead of `batchItem`.
    plural: bool = False
    #: createbatch responds with a JSON string.
    bare_id: bool = False
    #: batchsummaries responds with an object that contains the list.
    wrapped_list: bool = False
    #: Format of error bodies: `{"error": {…}}`, `{"Message": …}`, or plain text.
    errors: Literal["error", "message", "text"] = "error"


class Summaries(_Model):
    """The list of batches."""

    #: False leaves the list empty.
    listed: bool = True
    #: Seconds until a new batch is listed.
    lag: Seconds = 0.0
    #: False lists only ID and status.
    details: bool = True


class Connector(_Model):
    """The Teams connector. Limits: Microsoft, "Optimize your bot with rate limiting in Teams"."""

    #: Seconds per call: half before the work, half after.
    latency: Seconds = 0.0
    #: Whether rate limits apply.
    limits: bool = True
    #: Factor on the length of the rate-limit windows.
    scale: Annotated[float, Field(gt=0)] = 1.0
    #: Send Retry-After with a 429.
    retry_after: bool = True
    #: Respond with 412 to concurrent operations on one conversation.
    conflicts: bool = True
    #: IDs of conversations that respond with 403.
    blocked: tuple[str, ...] = ()


class Person(_Model):
    """A user in the tenant."""

    #: Entra object ID.
    object_id: str
    name: str
    #: User principal name.
    principal: str
    guest: bool = False
    #: Authentication contexts that each of their sign-ins satisfies, as after activating a role.
    satisfies: tuple[str, ...] = ()


# The users of Microsoft's local chat client. Its default object IDs have one digit too many for GUIDs;
# these have it removed.
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
    """How the simulated remote services behave."""

    #: Seed for `shares`.
    seed: int = 1
    #: Seconds per ConfigAPI call (half before the work, half after), and before each Graph or Entra ID call.
    latency: Seconds = 0.0
    #: Duration of a batch; its phones end one after the other.
    batch_seconds: Seconds = 2.0
    #: By what share durations vary, evenly around `batch_seconds`; the same in every run of a seed.
    batch_spread: Share = 0.0
    #: Whether the phones of a batch end together with it, instead of one after the other.
    at_once: bool = False
    #: Outcomes per attempt, by account or hardware ID; the last one repeats.
    outcomes: Mapping[str, Outcomes] = Field(default_factory=dict)
    #: Probability of each outcome for all other phones.
    shares: Mapping[Outcome, Share] = Field(default_factory=dict)
    #: Numbers of the batches (from 1) whose second half never ends.
    stuck: tuple[int, ...] = ()
    #: Whether `max_per_region` and `max_devices` apply.
    enforce_limits: bool = True
    max_per_region: Annotated[int, Field(ge=1)] = MAX_BATCHES_PER_REGION
    max_devices: Annotated[int, Field(ge=1)] = MAX_PHONES_PER_BATCH
    faults: tuple[Fault, ...] = ()
    statuses: Statuses = Statuses()
    wire: Wire = Wire()
    summaries: Summaries = Summaries()
    connector: Connector = Connector()
    people: tuple[Person, ...] = PEOPLE
    #: Invent a person for any GUID that is not listed.
    anyone: bool = True
    #: Group ID -> members (object IDs, user principal names, or IDs of nested groups).
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    #: Accounts by user principal name that differ from the default, a healthy phone account.
    accounts: Mapping[str, Account] = Field(default_factory=dict)
    #: Domains in which every other user principal name is a healthy account; empty for all domains.
    account_domains: tuple[str, ...] = ()
    #: Administrative unit ID -> members (object IDs or user principal names).
    administrative_units: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    #: Group ID -> directory roles that the group holds.
    group_roles: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    #: IDs of the tenant's authentication contexts that are published. Policies of `conditional_access` say
    #: what they ask for; Entra ID grants one that no enabled policy names to everybody.
    authentication_contexts: tuple[str, ...] = ()
    #: IP phone policies: name -> SignInMode.
    ip_phone_policies: Mapping[str, str] = Field(
        default_factory=lambda: {
            "Global": "UserSignIn",
            "CommonAreaPhone": "CommonAreaPhoneSignin",
        }
    )
    calling_policies: Mapping[str, CallingPolicy] = Field(
        default_factory=lambda: {
            "Global": CallingPolicy(sip_devices=False, call_redirect="Disabled"),
            "SIPDevices": CallingPolicy(),
        }
    )
    #: Seconds until a grant, a new policy or the switch shows.
    policy_lag: Seconds = 0.0
    #: User principal names whose grants are refused.
    refused_grants: tuple[str, ...] = ()
    conditional_access: tuple[AccessPolicy, ...] = ()
    security_defaults: bool = False
    #: Application IDs of the gateway's service principals that exist in the tenant.
    gateway_principals: tuple[str, ...] = GATEWAY_APPLICATIONS
    graph: GraphApi = GraphApi()
    #: Entra ID's sign-in log: a phone that is signed in makes an entry.
    sign_in_log: SignInLog = SignInLog()
    #: Whether bulk sign-in is enabled for the tenant.
    bulk_sign_in: bool = True
    #: Whether the tenant has trusted IP addresses.
    trusted_addresses: bool = True

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
