"""Who holds or may activate a directory role, listed once per run.

Application permissions: RoleManagement.Read.Directory, GroupMember.Read.All for roles held through groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.directory import reading
from bot.directory.batch import Batches, Listing, Query
from bot.directory.membership import GROUP_PERMISSION, PAGE
from bot.preflight.facts import Known, Unknown

PERMISSION = "RoleManagement.Read.Directory"
MAX_PAGES = 50
_ROLES = "/roleManagement/directory"
_NO_GROUPS = frozenset({"#microsoft.graph.user", "#microsoft.graph.serviceprincipal"})


@dataclass(frozen=True, slots=True)
class Holders:
    """Role names by the lowercase object ID of who has them."""

    roles: Mapping[str, Sequence[str]]
    #: Why an account that is not listed may have roles all the same; None if it has none.
    gap: Unknown | None = None

    def of(self, account: str) -> Known[Sequence[str]]:
        """The roles of an account (object ID in lower case)."""
        roles = self.roles.get(account)
        if roles is not None:
            return roles
        return () if self.gap is None else self.gap


@dataclass(frozen=True, slots=True)
class DirectoryRoles:
    held: Holders
    eligible: Holders  #: may be activated (Privileged Identity Management)


async def read(batches: Batches) -> DirectoryRoles:
    """All assignments of directory roles. Groups are resolved to their members."""
    expand = "$expand=principal($select=id)"
    definitions, held, eligible = await batches.listings(
        [
            Query(f"{_ROLES}/roleDefinitions?$select=id,displayName"),
            Query(f"{_ROLES}/roleAssignments?{expand}"),
            Query(f"{_ROLES}/roleEligibilityScheduleInstances?{expand}"),
        ],
        max_pages=MAX_PAGES,
    )
    names = {reading.object_id(row): reading.text(row, "displayName") for row in definitions.rows}
    groups = sorted({key for each in (held, eligible) for key in _possible_groups(each)})
    members = dict(zip(groups, await batches.listings(_queries(groups), max_pages=20), strict=True))
    return DirectoryRoles(_holders(held, names, members), _holders(eligible, names, members))


def _possible_groups(assignments: Listing) -> Sequence[str]:
    """Principals that are groups, or may be: those of unknown type are asked for members."""
    found: list[str] = []
    for row in assignments.rows:
        principal = row.get("principal")
        kind = reading.text(principal, "@odata.type") if isinstance(principal, dict) else ""
        if kind.casefold() not in _NO_GROUPS:
            found.append(reading.object_id(row, "principalId"))
    return [key for key in found if key]


def _queries(groups: Sequence[str]) -> Sequence[Query]:
    members = "transitiveMembers/microsoft.graph.user"
    options = f"$count=true&$select=id&$top={PAGE}"
    headers = {"ConsistencyLevel": "eventual"}
    return [Query(f"/groups/{each}/{members}?{options}", headers=headers) for each in groups]


def _holders(
    assignments: Listing, names: Mapping[str, str], members: Mapping[str, Listing]
) -> Holders:
    roles: defaultdict[str, set[str]] = defaultdict(set)
    gap = None if assignments.gap is None else assignments.gap.unknown(PERMISSION)
    for row in assignments.rows:
        principal, role = (
            reading.object_id(row, key) for key in ("principalId", "roleDefinitionId")
        )
        if not principal:
            gap = gap or reading.unreadable("principalId")
            continue
        name = names.get(role) or role or "?"
        roles[principal].add(name)
        listing = members.get(principal, Listing())
        for member in listing.rows:
            roles[reading.object_id(member)].add(name)
            if not reading.object_id(member):
                gap = gap or reading.unreadable("members")
        if listing.gap is not None and not listing.gap.no_such_object:
            gap = gap or listing.gap.unknown(GROUP_PERMISSION)
    return Holders({key: tuple(sorted(each)) for key, each in roles.items() if key}, gap)
