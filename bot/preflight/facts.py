"""What Microsoft Graph and the Teams ConfigAPI say about accounts and their tenant.

Facts only, no judgment. Whatever could not be read is an `Unknown` with its reason, never a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

Value = TypeVar("Value")


class UnknownReason(StrEnum):
    """Why a fact could not be read."""

    PERMISSION = "permission"  # consent is missing; `Unknown.detail` names the permission
    CLOUD = "cloud"  # this cloud has no such API
    LICENSE = "license"  # the tenant lacks the Entra ID license that the API needs
    UNAVAILABLE = "unavailable"  # down or throttled until the time for reading was over
    UNREADABLE = "unreadable"  # an answer that is not understood
    APPROVER = "approver"  # only readable with an approver's roles
    DELEGATION = (
        "delegation"  # the approver's roles did not allow it either, or their sign-in ended
    )
    NOT_READ = "not-read"  # not asked, for instance since something else failed before


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be read."""

    reason: UnknownReason
    #: The missing permission, or the remote service's own words; may be empty.
    detail: str = ""


Known = Value | Unknown

NOT_READ = Unknown(UnknownReason.NOT_READ)


class MfaState(StrEnum):
    """Per-user multifactor authentication (Graph beta, `perUserMfaState`)."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    ENFORCED = "enforced"


class PolicyType(StrEnum):
    """Teams policy types that decide about SIP phones."""

    IP_PHONE = "TeamsIPPhonePolicy"
    CALLING = "TeamsCallingPolicy"


#: Of the policy of each type that Offhook or its script creates. Offhook grants no other policy, so that
#: an undo is clear.
POLICY_NAME = "Offhook SIP phones"


@dataclass(frozen=True, slots=True)
class Plans:
    """Working service plans of an account (`assignedPlans`, status Enabled or Warning)."""

    teams_phone: bool  #: Teams Phone (MCOEV)
    mailbox: bool  #: Exchange Online
    desktop_apps: bool  #: Microsoft 365 Apps


@dataclass(frozen=True, slots=True)
class ConditionalAccessHit:
    """An enforced Conditional Access policy that What If says applies to the phones' sign-in."""

    policy: str  #: display name
    controls: Sequence[str]  #: such as `mfa`, `block`, `compliantDevice`; lower case as Graph says


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account of the file. All but `username` is empty or unknown if `found` is False."""

    username: str  #: as the file names it
    found: Known[bool]
    similar: Sequence[str] = ()  #: UPNs that begin alike, looked up for some that do not exist
    object_id: str = ""
    principal: str = ""  #: the directory's UPN
    display_name: str = ""
    enabled: Known[bool] = NOT_READ
    guest: Known[bool] = NOT_READ
    plans: Known[Plans] = NOT_READ
    synchronized: Known[bool] = NOT_READ  #: from an on-premises Active Directory
    restricted: Known[bool] = NOT_READ  #: in a restricted management administrative unit
    must_change_password: Known[bool] = NOT_READ  #: at the next sign-in
    #: UTC time of the last interactive sign-in, failed ones included; None if there was none
    last_interactive_sign_in: Known[datetime | None] = NOT_READ
    mfa: Known[MfaState] = NOT_READ
    #: names of directory roles, held directly or through a group
    roles: Known[Sequence[str]] = NOT_READ
    #: names of directory roles that may be activated
    eligible_roles: Known[Sequence[str]] = NOT_READ
    #: which of the allowed groups and administrative units (`AccountScope.ids`) contain the account
    member_of: Known[frozenset[str]] = NOT_READ
    resource_account: Known[bool] = NOT_READ
    phone_numbers: Known[Sequence[str]] = NOT_READ
    #: name of the effective policy; None if the tenant's Global policy applies
    policies: Mapping[PolicyType, Known[str | None]] = field(
        default_factory=dict[PolicyType, "Known[str | None]"]
    )
    conditional_access: Known[Sequence[ConditionalAccessHit]] = NOT_READ


@dataclass(frozen=True, slots=True)
class CallingPolicy:
    """What a Teams calling policy says about SIP phones."""

    sip_devices: bool  #: AllowSIPDevicesCalling
    call_redirect: str  #: AllowCallRedirect, such as `Enabled`


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The tenant's settings that decide about every account."""

    bulk_sign_in: Known[bool] = NOT_READ
    trusted_addresses: Known[int] = NOT_READ  #: number of trusted IP addresses
    security_defaults: Known[bool] = NOT_READ
    #: policy name without `Tag:`, lower case; `global` for the tenant's -> SignInMode, lower case
    ip_phone_policies: Known[Mapping[str, str]] = NOT_READ
    #: policy name without `Tag:`, lower case; `global` for the tenant's
    calling_policies: Known[Mapping[str, CallingPolicy]] = NOT_READ
    #: application id of a SIP Gateway service principal that bulk sign-in needs -> whether it exists
    gateway_principals: Known[Mapping[str, bool]] = NOT_READ
