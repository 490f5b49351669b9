"""Microsoft Graph's application permissions that Offhook asks for, in tiers that are consented to apart.

`infra/grant.sh` grants the same; a test holds that the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """What a permission is for. The third tier, mending, needs none of these."""

    BASIC = "basic"  # who may request and approve; that accounts exist and are licensed
    READING = "reading"  # everything else that is checked before a sign-in, or seen after it


@dataclass(frozen=True, slots=True)
class Permission:
    """An application permission, and the smallest read that needs it."""

    name: str
    check: str  #: of the doctor
    tier: Tier
    path: str  #: below the version, percent-encoded


GROUPS = Permission("GroupMember.Read.All", "graph-groups", Tier.BASIC, "/groups?$top=1&$select=id")
SIGN_INS_CHECK = "graph-sign-ins"
PERMISSIONS = (
    Permission("User.Read.All", "graph-users", Tier.BASIC, "/users?$top=1&$select=id"),
    GROUPS,
    Permission(
        "TeamsUserConfiguration.Read.All",
        "graph-teams",
        Tier.READING,
        "/admin/teams/userConfigurations?$top=1",
    ),
    Permission(
        "Policy.Read.All",
        "graph-policies",
        Tier.READING,
        "/policies/identitySecurityDefaultsEnforcementPolicy?$select=isEnabled",
    ),
    Permission(
        "RoleManagement.Read.Directory",
        "graph-roles",
        Tier.READING,
        "/roleManagement/directory/roleAssignments?$top=1",
    ),
    Permission("AuditLog.Read.All", SIGN_INS_CHECK, Tier.READING, "/auditLogs/signIns?$top=1"),
    Permission(
        "Application.Read.All",
        "graph-applications",
        Tier.READING,
        "/servicePrincipals?$top=1&$select=appId",
    ),
)
#: Only if accounts are limited to administrative units; tested by reading each of them.
UNITS = "AdministrativeUnit.Read.All"
UNITS_CHECK = "graph-units"
#: Only if approvals need a step-up; tested by the doctor's check of it.
CONTEXTS = "AuthenticationContext.Read.All"
