"""The simulated tenant's accounts and policies, as a scenario declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: Permissions that the simulated Graph knows.
PERMISSIONS = frozenset(
    {
        "AdministrativeUnit.Read.All",
        "Application.Read.All",
        "AuditLog.Read.All",
        "AuthenticationContext.Read.All",
        "GroupMember.Read.All",
        "Policy.Read.All",
        "RoleManagement.Read.Directory",
        "TeamsUserConfiguration.Read.All",
        "User.Read.All",
    }
)
#: Application IDs of the gateway's service principals.
GATEWAY_APPLICATIONS = (
    "0ab9de21-b802-4d77-b279-1ad41ca233b4",
    "582b2e88-6cca-4418-83d2-2451801e1d26",
    "61c8fd69-c13e-4ee6-aaa6-24ff71c09bca",
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(_Model):
    """An account. The default is a healthy phone account."""

    #: False: the tenant has no account of this name, although its domain is the tenant's.
    exists: bool = True
    #: Entra object ID; "" for one derived from the name.
    object_id: str = ""
    name: str = ""
    enabled: bool = True
    guest: bool = False
    teams_phone: bool = True
    mailbox: bool = False
    desktop_apps: bool = False
    synchronized: bool = False
    restricted: bool = False
    must_change_password: bool = False
    #: Days since the last interactive sign-in; None if there was none.
    signed_in_days_ago: Annotated[float, Field(ge=0)] | None = None
    mfa: str = "disabled"
    roles: tuple[str, ...] = ()
    eligible_roles: tuple[str, ...] = ()
    resource_account: bool = False
    #: False: no phone number is assigned.
    number: bool = True
    #: Name of the assigned policy; "" for the tenant's Global policy.
    ip_phone_policy: str = "CommonAreaPhone"
    calling_policy: str = "SIPDevices"


class CallingPolicy(_Model):
    sip_devices: bool = True
    call_redirect: str = "Enabled"


class AccessPolicy(_Model):
    """A Conditional Access policy."""

    name: str
    state: str = "enabled"
    controls: tuple[str, ...] = ("mfa",)
    #: `All`, user principal names, or group IDs.
    include: tuple[str, ...] = ("All",)
    exclude: tuple[str, ...] = ()
    #: True: What If lacks information, such as the address.
    undecided: bool = False
    #: Authentication contexts that it applies to, instead of applications.
    contexts: tuple[str, ...] = ()
    #: Whether its sign-in frequency is "every time".
    every_time: bool = False


class SignInLog(_Model):
    """Entra ID's sign-in log. Which sign-ins it shows of the real SIP Gateway is not known."""

    #: Seconds until a sign-in is in the log.
    lag: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    #: Accounts whose sign-ins never appear.
    missing: tuple[str, ...] = ()
    #: Account -> AADSTS code, for sign-ins that the log shows as failed.
    errors: Mapping[str, int] = Field(default_factory=dict)
    #: Whether it can be filtered by application alone; else an account has to be named.
    filters_application: bool = True


class GraphApi(_Model):
    """How the simulated Graph answers."""

    #: Permissions that are consented to.
    permissions: frozenset[str] = PERMISSIONS
    #: Whether the tenant has Entra ID P2, for sign-in activity and eligible roles.
    premium: bool = True
    #: Beginnings of paths that this cloud does not have, such as `admin/teams`.
    absent: tuple[str, ...] = ()
    #: Properties of users that this cloud does not have.
    absent_properties: tuple[str, ...] = ()
    #: Rows per page without `$top`.
    page_size: Annotated[int, Field(ge=1)] = 100
    #: The most rows per page.
    max_page: Annotated[int, Field(ge=1)] = 999
    #: Whether userConfigurations can be filtered.
    filters_configurations: bool = True
    #: More service plans on each account, as real ones have.
    more_plans: Annotated[int, Field(ge=0)] = 0
