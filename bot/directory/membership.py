"""Which of some groups and administrative units contain an account, in the fewer calls.

A group's members are listed if that takes fewer calls than asking for each account; otherwise
`checkMemberGroups` is asked. Administrative units can only be listed; they contain no nested groups.

Application permissions: GroupMember.Read.All, and AdministrativeUnit.Read.All for administrative units.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

from bot.directory import reading
from bot.directory.batch import BATCH_SIZE, TOO_LONG, Batches, Listing, Query, Refusal
from bot.preflight.facts import Known, Unknown

PAGE = 999  # the most members that Graph puts on a page
MAX_CHECKED = 20  # groups per checkMemberGroups call, as documented by Graph
MAX_UNIT_PAGES = 200
GROUP_PERMISSION = "GroupMember.Read.All"
UNIT_PERMISSION = "AdministrativeUnit.Read.All"


class Membership:
    """Members of `ids` (object IDs of groups and administrative units). Call `load` first."""

    def __init__(self, batches: Batches, ids: Collection[str]) -> None:
        self._batches = batches
        self._ids = {each.lower(): each for each in ids if reading.is_object_id(each)}
        self._members: dict[str, frozenset[str]] = {}
        self._checked: list[str] = []
        #: Why absence from a group or unit proves nothing.
        self._gaps: dict[str, Unknown] = {}

    async def load(self, accounts: int) -> None:
        """List members where that is cheaper than to ask for each of so many `accounts`."""
        ids = [*self._ids]
        budget = max(1, -(-accounts // BATCH_SIZE))
        groups = await self._batches.listings(
            [_members(f"/groups/{each}/transitiveMembers") for each in ids], max_pages=budget
        )
        others = [each for each, group in zip(ids, groups, strict=True) if _absent(group)]
        units = await self._batches.listings(
            [_members(f"/directory/administrativeUnits/{each}/members") for each in others],
            max_pages=MAX_UNIT_PAGES,
        )
        for each, listing in zip(others, units, strict=True):
            if not _absent(listing):
                self._keep(each, listing, UNIT_PERMISSION)
        for each, listing in zip(ids, groups, strict=True):
            if each in others:
                continue
            if listing.gap is TOO_LONG:
                self._checked.append(each)
            else:
                self._keep(each, listing, GROUP_PERMISSION)

    def _keep(self, key: str, listing: Listing, permission: str) -> None:
        self._members[key] = frozenset(reading.object_id(row) for row in listing.rows)
        if listing.gap is not None:
            self._gaps[key] = listing.gap.unknown(permission)
        elif "" in self._members[key]:
            self._gaps[key] = reading.unreadable("members")

    @property
    def complete(self) -> bool:
        """Whether absence from every group and unit can be told."""
        return not self._gaps

    async def of(self, accounts: Sequence[str]) -> Mapping[str, Known[frozenset[str]]]:
        """Which of the IDs contain each account (object ID in lower case).

        Unknown if none is known to contain it and one could not be read.
        """
        checked = await self._check(accounts)
        return {each: self._of(each, checked.get(each, frozenset())) for each in accounts}

    def _of(self, account: str, checked: Known[frozenset[str]]) -> Known[frozenset[str]]:
        found = {key for key, members in self._members.items() if account in members}
        if isinstance(checked, frozenset):
            found |= checked
        elif not found:
            return checked
        if not found and self._gaps:
            return next(iter(self._gaps.values()))
        return frozenset(self._ids[key] for key in found)

    async def _check(self, accounts: Sequence[str]) -> Mapping[str, Known[frozenset[str]]]:
        if not self._checked:
            return {}
        starts = range(0, len(self._checked), MAX_CHECKED)
        parts = [self._checked[at : at + MAX_CHECKED] for at in starts]
        asked = [(account, part) for account in accounts for part in parts]
        answers = await self._batches.send(
            [
                Query(f"/users/{account}/checkMemberGroups", "POST", {"groupIds": part})
                for account, part in asked
            ]
        )
        found: dict[str, Known[frozenset[str]]] = {}
        for (account, part), answer in zip(asked, answers, strict=True):
            before = found.get(account, frozenset())
            now = _groups(answer, part)
            if isinstance(before, frozenset):
                found[account] = before | now if isinstance(now, frozenset) else now
        return found


def _members(path: str) -> Query:
    """Lists the IDs of users, with their number. Graph requires the header for that."""
    query = f"$count=true&$select=id&$top={PAGE}"
    return Query(
        f"{path}/{quote('microsoft.graph.user')}?{query}",
        headers={"ConsistencyLevel": "eventual"},
    )


def _absent(listing: Listing) -> bool:
    return listing.gap is not None and listing.gap.no_such_object and not listing.rows


def _groups(answer: Mapping[str, object] | Refusal, asked: Sequence[str]) -> Known[frozenset[str]]:
    if isinstance(answer, Refusal):
        return answer.unknown(GROUP_PERMISSION)
    value = answer.get("value")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return reading.unreadable("checkMemberGroups")
    return frozenset(asked) & {each.lower() for each in value}
