"""Reads the facts of one tenant: accounts from Microsoft Graph, settings also from the Teams ConfigAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from bot.directory import sign_ins
from bot.directory import tenant as graph_tenant
from bot.directory.accounts import MAX_SIMILAR, AccountReader
from bot.directory.client import GraphClient
from bot.directory.sign_ins import SignInLog
from bot.gateway import policies
from bot.gateway.policies import Configurations
from bot.preflight.checks import allows_common_area
from bot.preflight.facts import AccountFacts, PolicyType, TenantFacts, Unknown, UnknownReason
from bot.settings.scope import AccountScope

READ_SECONDS = 300.0  #: for all accounts of a draft
#: Why it is not known whether an account has an IP phone policy of its own.
NOT_LISTED = Unknown(UnknownReason.UNREADABLE, PolicyType.IP_PHONE.value)


class TenantReader:
    """A `bot.preflight.reader.FactReader` and `bot.runner.sightings.SignInReader` with one identity."""

    def __init__(self, graph: GraphClient, configurations: Configurations) -> None:
        self._graph = graph
        self._configurations = configurations
        self._settings = TenantFacts()  # as read last
        self._lists_ip_phone = False

    async def tenant(self) -> TenantFacts:
        settings = await policies.read(self._configurations, TenantFacts())
        self._settings = await graph_tenant.read(self._graph, settings)
        return self._settings

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        return await sign_ins.read(self._graph, accounts, since)

    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts], None]:
        reader = AccountReader(self._graph)
        left = MAX_SIMILAR
        chunks = reader.read(usernames, scope=scope.ids, seconds=READ_SECONDS)
        async with aclosing(chunks):
            async for chunk in chunks:
                missing = [each.username for each in chunk if each.found is False][:left]
                left -= len(missing)
                similar = await reader.similar(missing) if missing else {}
                self._lists_ip_phone |= any(
                    isinstance(each.policies.get(PolicyType.IP_PHONE), str) for each in chunk
                )
                yield [
                    replace(self._doubted(each), similar=similar.get(each.username, ()))
                    for each in chunk
                ]

    def _doubted(self, facts: AccountFacts) -> AccountFacts:
        """`facts`, but with an IP phone policy that is not known if Graph may not list such policies.

        Graph documents that an account without an entry has the tenant's Global policy, but not that it
        has entries of this type. An entry of any account settles it; so does a Global policy that is
        right for phones.
        """
        listed = facts.policies.get(PolicyType.IP_PHONE, NOT_LISTED)
        if listed is not None or self._lists_ip_phone or allows_common_area(self._settings):
            return facts
        return replace(facts, policies={**facts.policies, PolicyType.IP_PHONE: NOT_LISTED})
